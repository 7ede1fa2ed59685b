"""Keeping a training in a file while it runs, and going on from there after whatever stopped it.

Every few epochs the state is written; a program that is killed loses the epochs since. Ctrl-C loses only the
epoch that it interrupts, for which a copy of the state after the last whole epoch is held in memory.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from vae_np.data.npz import DAMAGE
from vae_np.data.writing import remove_leftovers, require_writable
from vae_np.errors import InputError, whole_number
from vae_np.train.checkpoint import Checkpoint, read_checkpoint, restore, snapshot, write_checkpoint
from vae_np.train.fingerprint import differences, plain
from vae_np.train.settings import TrainSettings
from vae_np.train.state import State


class Checkpoints(NamedTuple):
    """Where and how often the state of a training is kept, and whether to go on from what is there.

    Attributes
    ----------
    path
        The file. It stays when training is finished, so that nothing is lost until the model is saved.
    every
        Epochs from one checkpoint to the next.
    resume
        Whether to go on from the file; if there is none, training starts from the beginning.
    about
        What else the file is refused for if it differs, by name: words, numbers, `checksum`.
    """

    path: str | Path
    every: int = 1
    resume: bool = False
    about: Mapping[str, Any] = {}


@contextmanager
def keeping(
    state: State,
    settings: TrainSettings,
    checkpoints: Checkpoints | None,
    describe: Callable[[], dict[str, Any]],
    validates: bool,
) -> Iterator[Callable[[], None]]:
    """Keep a training in a file inside a `with` block, also when it is interrupted; first go on from it.

    Parameters
    ----------
    state, settings
        Of the training, before the first epoch.
    checkpoints
        None keeps nothing, and costs nothing.
    describe
        Gives the fingerprint of the training.
    validates
        As in `restore`.

    Yields
    ------
    callable
        To be called after each epoch.

    Raises
    ------
    InputError
        If nothing can be written there, or the file is not one to go on from.
    """
    if checkpoints is None:
        yield lambda: None
        return
    every = whole_number("checkpoint_every", checkpoints.every, least=1)
    path = require_writable(checkpoints.path)
    remove_leftovers(path)
    if path.exists() and not checkpoints.resume:
        raise InputError(f"checkpoint {checkpoints.path} is there already: resume from it, or remove it")
    training = {**plain(dict(checkpoints.about)), **describe()}
    last: Checkpoint | None = None  # of the last whole epoch
    if path.exists():
        last = _resumed(state, path, training, validates)

    def keep() -> None:
        nonlocal last
        last = snapshot(state, training)
        if state.n_epochs % every == 0 or state.finished(settings):
            write_checkpoint(path, last)

    try:
        yield keep
    except KeyboardInterrupt as interrupt:
        if last is not None:
            write_checkpoint(path, last)
            done = f"{last.n_epochs} of {settings.max_epochs} epochs"
            interrupt.add_note(f"{done} are kept in {checkpoints.path}")
        raise


def _resumed(state: State, path: Path, training: dict[str, Any], validates: bool) -> Checkpoint:
    """Bring the state to where the file has it."""
    checkpoint = read_checkpoint(path)
    if found := differences(checkpoint.training, training):
        raise InputError(f"checkpoint {path} is of another training: {found}")
    try:
        restore(state, checkpoint, validates)
    except DAMAGE as error:
        raise InputError(f"{path} is a damaged checkpoint: its parts do not fit together") from error
    return checkpoint
