"""What training returns."""

from typing import NamedTuple

import numpy as np

from vae_np.model.params import Params, Stats


class Trained(NamedTuple):
    """A trained model and the way it got there.

    Attributes
    ----------
    params, stats
        The weights of the best epoch, and the running statistics that belong to them.
    history
        A vector with one entry an epoch for each of ``train_total, train_reconstruction, train_kl``
        (training mode, mean over the epoch's batches), ``validation_total,
        validation_reconstruction, validation_kl`` (where there are validation cells; evaluation mode,
        z = mean, hence no bound on -log p(x)) in nats per cell, and ``kl_weight``.
        ``validation_total`` uses the full KL weight from the first epoch on, so that epochs of a
        warm-up can be compared.
    """

    params: Params
    stats: Stats
    history: dict[str, np.ndarray]


def named(prefix: str, means: np.ndarray) -> dict[str, float]:
    """Name the three mean losses of an epoch, such as ``train_kl``."""
    quantities = ("total", "reconstruction", "kl")
    return {f"{prefix}_{q}": float(mean) for q, mean in zip(quantities, means, strict=True)}


def as_history(records: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """Turn one record an epoch into one vector a quantity."""
    names = records[0] if records else {}
    return {name: np.array([record[name] for record in records]) for name in names}
