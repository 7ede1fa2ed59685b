"""The many trainings of a command: where they are done, what is kept of them, how long they will take."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from vae_np import __version__
from vae_np.cli.options import Options
from vae_np.cli.output import remark
from vae_np.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

SECONDS_TO_CONNECT = 5


def kept_in(folder: Path, given: Options) -> Path:
    """Find out, before the work, where finished trainings are kept; those of an earlier run stay untouched.

    Parameters
    ----------
    folder
        The output folder.
    given
        The options, among them `resume`.

    Returns
    -------
    Path
        A folder in it.

    Raises
    ------
    InputError
        If there are finished trainings that are not to be gone on from.
    """
    kept = folder / "finished"
    there = kept.exists()
    if there and not given["resume"]:
        raise InputError(f"{kept} of an earlier evaluation is there: add --resume, or remove it")
    if given["resume"]:
        remark(f"resuming from {kept}" if there else f"no {kept} to resume from: starting anew")
    return kept


@contextmanager
def workplace(given: Options) -> Iterator[dict[str, Any]]:
    """Yield where trainings are done, as `perform_all` takes it, from `jobs` and `scheduler`.

    Parameters
    ----------
    given
        The options.

    Raises
    ------
    InputError
        If Dask is not installed, no scheduler answers, or its workers have not this vae_np.
    """
    if given["scheduler"] is None:
        yield {"n_jobs": given["jobs"]}
        return
    try:
        from distributed import Client
    except ImportError:
        raise InputError('--scheduler needs Dask: pip install "vae_np[distributed]"') from None
    address = given["scheduler"]
    logging.disable()  # what goes wrong is said once, by us
    try:
        try:
            client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(f"no Dask scheduler answers at {address}: is the address right?") from error
        with client:
            require_same_version(client)
            yield {"client": client}
    finally:
        logging.disable(logging.NOTSET)


def installed_version() -> str:
    """The version of vae_np, where it is called."""
    return __version__


def require_same_version(client: "Client") -> None:
    """Raise InputError if a worker of the cluster has another vae_np, or none."""
    for worker, version in client.run(installed_version, on_error="return").items():
        if version != __version__:
            found = "no vae_np that fits" if isinstance(version, Exception) else f"vae_np {version}"
            raise InputError(f"Dask worker {worker} has {found}: install vae_np {__version__} there")


def progress(n_done: int, n_tasks: int) -> Callable[[object], None]:
    """Give the function to call with each task that is done; it says how many are, and when the rest will be.

    Parameters
    ----------
    n_done
        How many were done before; they took no time now.
    n_tasks
        How many there are.
    """
    begun, n_now = monotonic(), 0

    def say(task: object) -> None:
        nonlocal n_now
        n_now += 1
        left = n_tasks - n_done - n_now
        time_left = f", {about((monotonic() - begun) / n_now * left)} left" if left else ""
        remark(f"{n_done + n_now} of {n_tasks} trainings done ({task}){time_left}")

    return say


def about(seconds: float) -> str:
    """A time as people say it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"
