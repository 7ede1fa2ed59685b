"""The settings of a model, checked once."""

from dataclasses import dataclass

import numpy as np

from vae_np.errors import InputError


@dataclass(frozen=True)
class Settings:
    """What `ScGen` is built with; the attributes are described there.

    Raises
    ------
    InputError
        If a setting is out of range.
    """

    n_hidden: int
    n_latent: int
    n_layers: int
    dropout_rate: float
    kl_weight: float
    variance: float
    seed: int
    n_threads: int | None
    dtype: str

    def __post_init__(self) -> None:
        least = {"n_hidden": 1, "n_latent": 1, "n_layers": 0, "dropout_rate": 0, "kl_weight": 0, "seed": 0}
        for name, bound in least.items():
            if not bound <= getattr(self, name) < np.inf:
                raise InputError(f"{name} is {getattr(self, name)}: give at least {bound}")
        if not self.dropout_rate < 1:
            raise InputError(f"dropout_rate is {self.dropout_rate}: give a number below 1")
        if not 0 < self.variance < np.inf:
            raise InputError(f"variance is {self.variance}: give a number above 0")
        if self.n_threads is not None and self.n_threads < 1:
            raise InputError(f"n_threads is {self.n_threads}: give at least 1, or None")
        if self.dtype not in ("float32", "float64"):
            raise InputError(f"dtype is {self.dtype!r}: use 'float32' or 'float64'")
