"""When a loss is not finite: which quantity went wrong first on the way from the weights to the loss."""

import numpy as np

from vae_np.errors import InputError
from vae_np.model.params import Params, Stats
from vae_np.model.vae import Loss, LossCache
from vae_np.train.trained import Trained


class NonFiniteLossError(InputError, ArithmeticError):
    """Training met a loss that is not finite; `trained` holds the best weights so far and the history."""

    def __init__(self, message: str, trained: Trained) -> None:
        super().__init__(message)
        self.trained = trained


def _count(array: np.ndarray) -> int:
    return int(np.count_nonzero(~np.isfinite(array)))


def bad_weight(params: Params, stats: Stats) -> str | None:
    """Name the first parameter, or the running statistics, with a value that is not finite."""
    for name, array in [*params.named(), ("running statistics", stats.flat)]:
        if bad := _count(array):
            return f"{name} holds {bad} non-finite of {array.size} values"
    return None


def bad_tensor(cache: LossCache, value: Loss) -> str | None:
    """Name the first tensor of a step, in the order of the computation, that is not finite.

    Parameters
    ----------
    cache, value
        What `loss` returned.

    Returns
    -------
    str or None
        The name and the number of cells concerned.
    """
    tensors = {
        "x": cache.x,
        "mu": cache.mu,
        "log_var": cache.log_var,
        "z": cache.z,
        "x_hat": cache.x_hat,
        "kl": value.kl,
        "reconstruction": value.reconstruction,
        "total": value.total,
    }
    n_cells = len(value.total)
    for name, tensor in tensors.items():
        by_cell = np.moveaxis(tensor, -2, 0) if tensor.ndim > 1 else tensor
        if bad := sum(_count(cell) > 0 for cell in by_cell):
            return f"{name} is not finite in {bad} of {n_cells} cells of a batch"
    return None
