"""The checkpoint of a command that trains: OUT.checkpoint, which goes when OUT has come."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vae_np.cli.options import Options
from vae_np.cli.output import remark, require_file
from vae_np.errors import InputError


def checkpoint_beside(out: Path, given: Options) -> dict[str, Any]:
    """Find out, before the work, how the training is kept.

    Parameters
    ----------
    out
        What the command will write.
    given
        The options, among them `checkpoint_every` and `resume`.

    Returns
    -------
    dict
        Further arguments of `ScGen.fit`; none if no checkpoint is asked for.

    Raises
    ------
    InputError
        If there is a checkpoint already that is not to be resumed, none can be written, or another process
        keeps its training there.
    """
    from vae_np.data.locking import locked

    every, resume = given["checkpoint_every"], bool(given["resume"])
    if every is None and not resume:
        return {}
    path = out.with_name(out.name + ".checkpoint")
    require_file(path)
    with locked(path):  # of a training that runs, the file is not to be removed
        if path.exists() and not resume:
            raise InputError(f"{path} of an earlier training is there: add --resume, or remove it")
    if resume:
        remark(f"resuming from {path}" if path.exists() else f"no {path} to resume from: starting anew")
    return {"checkpoint": path, "checkpoint_every": every or 1, "resume": resume}


@contextmanager
def kept_until_written(out: Path, keep: dict[str, Any]) -> Iterator[None]:
    """Train and write OUT inside a `with` block; then the checkpoint, if there is one, is removed.

    Parameters
    ----------
    out
        What the block writes.
    keep
        From `checkpoint_beside`.
    """
    from vae_np.data.locking import locked
    from vae_np.data.writing import remove_leftovers

    if not keep:
        yield
        return
    path: Path = keep["checkpoint"]
    with locked(path):
        remove_leftovers(out)
        before = _time_of(path)
        try:
            yield
        except (KeyboardInterrupt, OSError, SystemError, MemoryError, InputError) as stop:
            if _helps_to_resume(stop, before, _time_of(path)):
                if not getattr(stop, "__notes__", []):  # training was finished, and has said nothing
                    stop.add_note(f"the training is kept in {path}")
                stop.add_note("the same command with --resume goes on from there")
            raise
        path.unlink(missing_ok=True)


def _time_of(path: Path) -> int | None:
    """When a file was written; None if there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def _helps_to_resume(stop: BaseException, before: int | None, after: int | None) -> bool:
    """Say whether a kept training can go on; bad input has to come after this command has kept something."""
    from vae_np.train.diagnosis import DivergedError

    if isinstance(stop, InputError | MemoryError):
        return after != before and not isinstance(stop, DivergedError)
    return after is not None
