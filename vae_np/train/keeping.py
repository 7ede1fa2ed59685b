"""Keeping a training in a file while it runs, and going on from there after whatever stopped it.

Every few epochs the state is written; a program that is killed loses the epochs since. Whatever else stops
it, Ctrl-C or an error, costs only the epoch that it interrupts: a copy of the state after the last whole
epoch is held in memory, and written then. If a checkpoint cannot be written, as on a full disk, the one
before stays and training goes on, with a warning: hours of computing are worth more than their copy.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from vae_np.data.locking import locked
from vae_np.data.npz import DAMAGE
from vae_np.data.writing import remove_leftovers, require_writable
from vae_np.errors import InputError, whole_number
from vae_np.signals import undisturbed
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


class Keeper:
    """The last whole epoch in memory and the last kept one in the file, which may be an earlier one.

    Attributes
    ----------
    path
        The file.
    last
        State after the last whole epoch; None before the first.
    n_kept
        How many epochs the state in the file has; 0 if there is no file.
    trouble
        What went wrong in the last attempt to write; '' if nothing did.
    """

    def __init__(self, path: Path, last: Checkpoint | None) -> None:
        self.path = path
        self.last = last
        self.n_kept = last.n_epochs if last else 0
        self.trouble = ""

    def write(self) -> None:
        """Write the last whole epoch unless it is in the file; what goes wrong is in `trouble` afterwards."""
        if self.last is None or self.last.n_epochs == self.n_kept:
            return
        try:
            write_checkpoint(self.path, self.last)
        except (OSError, InputError) as error:
            reason = getattr(error, "strerror", None) or error
            self.trouble = f"epoch {self.last.n_epochs} could not be kept ({reason})"
        else:
            self.n_kept, self.trouble = self.last.n_epochs, ""


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
        If nothing can be written there, another process keeps its training there, or the file is not one to
        go on from.
    """
    if checkpoints is None:
        yield lambda: None
        return
    every = whole_number("checkpoint_every", checkpoints.every, least=1)
    path = require_writable(checkpoints.path)
    with locked(path):
        remove_leftovers(path)
        if path.exists() and not checkpoints.resume:
            raise InputError(f"checkpoint {checkpoints.path} is there already: resume from it, or remove it")
        training = {**plain(dict(checkpoints.about)), **describe()}
        keeper = Keeper(path, _resumed(state, path, training, validates) if path.exists() else None)

        def keep() -> None:
            keeper.last = snapshot(state, training)
            if state.n_epochs % every == 0 or state.finished(settings):
                was_well = not keeper.trouble
                keeper.write()
                if keeper.trouble and was_well:
                    kept = f"epoch {keeper.n_kept} stays" if keeper.n_kept else "no epoch is"
                    warnings.warn(f"{keeper.trouble}: training goes on, {kept} in {path}", stacklevel=3)

        try:
            yield keep
        except BaseException as stop:
            with undisturbed():
                keeper.write()
            if keeper.trouble:
                stop.add_note(keeper.trouble)
            if keeper.n_kept:
                done = f"{keeper.n_kept} of {settings.max_epochs} epochs"
                stop.add_note(f"{done} are kept in {checkpoints.path}")
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
