"""When training diverges: which quantity went wrong first on the way from the weights to the loss.

Adam moves a weight by about lr a step, however large its gradient. So a learning rate that is far too large
gives infinities or NaN only if the numbers overflow; before that, and in float64 always, it gives a loss that
is finite and absurd. A loss a million times that of the untrained model is taken for that: the output is off
by a thousand times as much as at the start. Ordinary trainings never come near, not even in the first epochs,
when the running statistics of batch norm lag behind the weights.
"""

from typing import Any

import numpy as np

from vae_np.errors import InputError
from vae_np.layers.linear import dense
from vae_np.model.params import Params, Stats
from vae_np.train.adam import AdamState
from vae_np.train.trained import Trained

RUNAWAY = 1e6


class DivergedError(InputError, ArithmeticError):
    """Training went astray; `trained` holds the best weights so far and the history."""

    def __init__(self, message: str, trained: Trained) -> None:
        super().__init__(message)
        self.trained = trained


class NonFiniteLossError(DivergedError):
    """Training met a loss, or another quantity, that is not finite."""


def _count(array: np.ndarray) -> int:
    return int(np.count_nonzero(~np.isfinite(array)))


def bad_weight(params: Params, stats: Stats, but: str = "nothing") -> str | None:
    """Name the first parameter, or the running statistics, with a value that is not finite.

    Parameters
    ----------
    params, stats
        The model.
    but
        A parameter that is not looked at.

    Returns
    -------
    str or None
        The name and the number of such values.
    """
    for name, array in [*params.named(), ("running statistics", stats.flat)]:
        if name != but and (bad := _count(array)):
            return f"{name} holds {bad} non-finite of {array.size} values"
    return None


def bad_tensor(**tensors: Any) -> str | None:  # noqa: ANN401 - arrays, or CSC
    """Name the first of some tensors that is not finite, and the number of cells concerned.

    Parameters
    ----------
    tensors
        The quantities of a step by name, in the order of the computation. The cells are the last axis
        but one of a tensor, the only one of a vector.

    Returns
    -------
    str or None
        What is wrong.
    """
    for name, tensor in tensors.items():
        array = dense(tensor)
        by_cell = np.moveaxis(array, -2, 0) if array.ndim > 1 else array
        if bad := sum(_count(cell) > 0 for cell in by_cell):
            return f"{name} is not finite in {bad} of {len(by_cell)} cells of a batch"
    return None


def bad_moment(adam: AdamState) -> str | None:
    """Say how many of Adam's second moments are infinite: those weights would never move again.

    Parameters
    ----------
    adam
        The state of the optimizer.

    Returns
    -------
    str or None
        What is wrong.
    """
    if bad := _count(adam.v):
        return f"v of Adam holds {bad} non-finite of {adam.v.size} values: squared gradients overflow"
    return None


def runaway(record: dict[str, float], untrained: float) -> str | None:
    """Say that a loss of an epoch is more than a million times that of the untrained model.

    Parameters
    ----------
    record
        The mean losses of the epoch.
    untrained
        Loss of the first weights in evaluation mode, nats per cell.

    Returns
    -------
    str or None
        What is wrong.
    """
    for part in ("train", "validation"):
        loss = record.get(f"{part}_total", untrained)
        if loss > RUNAWAY * max(abs(untrained), 1.0):
            return f"the {part} loss is {loss:.3g} nats per cell, and was {untrained:.3g} before training"
    return None
