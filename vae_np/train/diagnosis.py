"""When a loss is not finite: which quantity went wrong first on the way from the weights to the loss."""

from typing import Any

import numpy as np

from vae_np.errors import InputError
from vae_np.layers.linear import dense
from vae_np.model.params import Params, Stats
from vae_np.train.trained import Trained


class NonFiniteLossError(InputError, ArithmeticError):
    """Training met a loss that is not finite; `trained` holds the best weights so far and the history."""

    def __init__(self, message: str, trained: Trained) -> None:
        super().__init__(message)
        self.trained = trained


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
