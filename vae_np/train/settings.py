"""The settings of a training, checked once."""

from dataclasses import dataclass

import numpy as np

from vae_np.errors import InputError


@dataclass(frozen=True)
class TrainSettings:
    """What `vae_np.train.fit` is called with; the attributes are described there.

    Raises
    ------
    InputError
        If a setting would fail, or give nonsense, later and less clearly.
    """

    kl_weight: float
    kl_warmup_epochs: int
    n_draws: int
    dropout_rate: float
    max_epochs: int
    batch_size: int
    patience: int
    min_delta: float
    lr: float
    epsilon: float
    weight_decay: float

    def __post_init__(self) -> None:
        least = {
            "max_epochs": 1,
            "batch_size": 1,
            "n_draws": 1,
            "patience": 1,
            "kl_warmup_epochs": 0,
            "kl_weight": 0,
            "min_delta": 0,
            "weight_decay": 0,
            "dropout_rate": 0,
        }
        for name, bound in least.items():
            if not bound <= getattr(self, name) < np.inf:
                raise InputError(f"{name} is {getattr(self, name)}: give at least {bound}")
        for name in ("lr", "epsilon"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(f"{name} is {getattr(self, name)}: give a number above 0")
        if self.dropout_rate >= 1:
            raise InputError(f"dropout_rate is {self.dropout_rate}: give a number below 1")

    @property
    def adam(self) -> dict[str, float]:
        """Those that `adam_step` takes."""
        return {"lr": self.lr, "epsilon": self.epsilon, "weight_decay": self.weight_decay}

    def kl_weight_in(self, epoch: int) -> float:
        """Factor on the KL in an epoch, counted from 0: a linear rise from 0, then `kl_weight`."""
        if epoch >= self.kl_warmup_epochs:
            return self.kl_weight
        return self.kl_weight * epoch / self.kl_warmup_epochs
