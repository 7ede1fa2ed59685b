"""A checkpoint: the state of a training in a file, from which it goes on as if it had never stopped.

The file is one of `vae_np.data.archive`: plain arrays and a JSON header. Beside format and version the header
holds ``training``, the `fingerprint` of what is trained; ``n_steps``, Adam's count; ``generators``, the state
of each random generator as NumPy describes it. The arrays: ``params``, ``best_params``, ``m`` and ``v``, each
(P,), in the order of `Params.flat`; ``stats``, ``best_stats``, in the order of `Stats.flat`; ``history_`` and
the name of a loss, one number an epoch. Early stopping has no entry: it is what those losses make of it.

An older version is not brought up to date but refused: a checkpoint promises the very bits of a training that
was never stopped, and only the program that began the training can keep that promise. It lives for hours.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_np.data.archive import Kind, read_archive, write_archive
from vae_np.errors import InputError, whole_number
from vae_np.model.params import Params, Stats
from vae_np.train.fingerprint import generator_states
from vae_np.train.state import State
from vae_np.train.trained import as_history, named

CHECKPOINT = Kind("checkpoint", "vae_np.checkpoint", 2)
HISTORY = "history_"
MOST_STEPS = 2**53  # the next one is still a number of its own in float64


class Checkpoint(NamedTuple):
    """A state that no longer changes, in the form it has in the file."""

    training: dict[str, Any]
    n_steps: int
    generators: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def n_epochs(self) -> int:
        """How many epochs are done."""
        return len(self.arrays[HISTORY + "train_total"])


def snapshot(state: State, training: dict[str, Any]) -> Checkpoint:
    """Copy the state of a training.

    Parameters
    ----------
    state
        After a whole epoch.
    training
        Its fingerprint.

    Returns
    -------
    Checkpoint
        In memory of its own.
    """
    best_params, best_stats = state.best  # these and the statistics are replaced, never changed
    arrays = {
        "params": state.params.flat.copy(),
        "stats": state.stats.flat,
        "m": state.adam.m.copy(),
        "v": state.adam.v.copy(),
        "best_params": best_params.flat,
        "best_stats": best_stats.flat,
        **{HISTORY + name: losses for name, losses in as_history(state.records).items()},
    }
    return Checkpoint(training, state.adam.t, generator_states(state), arrays)


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; a file that is there stays as it is until the new one is complete.

    Parameters
    ----------
    path
        The file.
    checkpoint
        From `snapshot`.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    training, n_steps, generators, arrays = checkpoint
    header = {"training": training, "n_steps": n_steps, "generators": generators}
    write_archive(path, CHECKPOINT, header, arrays)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint; whether it fits a training is for `restore` to say.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Checkpoint
        As it was written.

    Raises
    ------
    InputError
        If the file does not exist, is no checkpoint, is damaged, or is of a newer version.
    """
    header, arrays = read_archive(path, CHECKPOINT)
    training, generators = header.get("training"), header.get("generators")
    if not isinstance(training, dict) or not isinstance(generators, dict):
        raise InputError(f"{path} is a damaged checkpoint: its header is not complete")
    return Checkpoint(training, header.get("n_steps", 0), generators, arrays)


def restore(state: State, checkpoint: Checkpoint, validates: bool) -> None:
    """Bring a training from its start to where it was.

    Parameters
    ----------
    state
        The state before the first epoch; changed in place.
    checkpoint
        Of the same training.
    validates
        Whether there are validation cells, and so losses of them.

    Raises
    ------
    ValueError, TypeError, LookupError, OverflowError
        If the parts of the checkpoint do not fit together, or not to this model.
    """
    arrays, sizes = dict(checkpoint.arrays), state.params.sizes
    vectors = "params", "stats", "m", "v", "best_params", "best_stats"
    for name in vectors:
        expected = state.stats.flat if name.endswith("stats") else state.params.flat
        found = arrays[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype) or not np.isfinite(found).all():
            raise ValueError(f"{name} does not hold the finite numbers that this model has")
    parts = ("train", "validation") if validates else ("train",)
    names = ["kl_weight", *(name for part in parts for name in named(part, np.zeros(3)))]
    if {*arrays} != {*vectors, *(HISTORY + name for name in names)}:
        raise ValueError("there are arrays that no checkpoint has")
    losses = np.array([arrays.pop(HISTORY + name) for name in names])  # of other lengths: ValueError
    if losses.ndim != 2 or losses.dtype != np.float64 or not np.isfinite(losses).all():
        raise ValueError("the history is not one number an epoch")

    state.params.flat[:], state.adam.m[:], state.adam.v[:] = arrays["params"], arrays["m"], arrays["v"]
    state.adam.t = whole_number("n_steps", checkpoint.n_steps, least=losses.shape[1], most=MOST_STEPS)
    state.stats = Stats(sizes, arrays["stats"])
    state.best = Params(sizes, arrays["best_params"]), Stats(sizes, arrays["best_stats"])
    layers = [layer for each in (state.stats, state.best[1]) for layer in (*each.encoder, *each.decoder)]
    if (arrays["v"] < 0).any() or any((layer.var < 0).any() for layer in layers):
        raise ValueError("a mean of squares, or a variance, is negative")
    for epoch in losses.T.tolist():
        state.take_in(dict(zip(names, epoch, strict=True)))
    for name, source in state.sources._asdict().items():
        source.bit_generator.state = checkpoint.generators[name]
    if generator_states(state) != checkpoint.generators:
        raise ValueError("a random generator has another state than was asked for")
