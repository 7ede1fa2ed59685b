"""The settings of a training, checked once."""

from dataclasses import dataclass

import numpy as np

from vae_np.errors import InputError, real_number, whole_number


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
    early_stopping: bool
    patience: int
    min_delta: float
    lr: float
    epsilon: float
    weight_decay: float
    block_size: int
    buffer_size: int

    def __post_init__(self) -> None:
        checked = {
            "kl_weight": real_number("kl_weight", self.kl_weight, least=0),
            "kl_warmup_epochs": whole_number("kl_warmup_epochs", self.kl_warmup_epochs, least=0),
            "n_draws": whole_number("n_draws", self.n_draws, least=1),
            "dropout_rate": real_number("dropout_rate", self.dropout_rate, least=0, below=1),
            "max_epochs": whole_number("max_epochs", self.max_epochs, least=1),
            "batch_size": whole_number("batch_size", self.batch_size, least=1),
            "early_stopping": bool(self.early_stopping),
            "patience": whole_number("patience", self.patience, least=1),
            "min_delta": real_number("min_delta", self.min_delta, least=0),
            "lr": real_number("lr", self.lr, above=0),
            "epsilon": real_number("epsilon", self.epsilon, above=0),
            "weight_decay": real_number("weight_decay", self.weight_decay, least=0),
            "block_size": whole_number("block_size", self.block_size, least=4),  # two cells in a half one
            "buffer_size": whole_number("buffer_size", self.buffer_size, least=self.block_size),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # plain numbers, whatever kind was given

    def require_range_of(self, dtype: np.dtype) -> None:
        """Raise `InputError` if the dtype of training makes 0 or infinity of a number that is neither.

        An `epsilon` of 0 divides by 0 wherever a gradient is 0, as that of a gene without counts.
        """
        least, most = float(np.finfo(dtype).smallest_normal), float(np.finfo(dtype).max)
        for name in ("kl_weight", "lr", "epsilon", "weight_decay"):
            value = getattr(self, name)
            if value and not least <= value <= most:
                raise InputError(f"{name} is {value:g}: {dtype} has numbers from {least:.2g} to {most:.2g}")

    @property
    def adam(self) -> dict[str, float]:
        """Those that `adam_step` takes."""
        return {"lr": self.lr, "epsilon": self.epsilon, "weight_decay": self.weight_decay}

    def kl_weight_in(self, epoch: int) -> float:
        """Factor on the KL in an epoch, counted from 0: a linear rise from 0, then `kl_weight`."""
        if epoch >= self.kl_warmup_epochs:
            return self.kl_weight
        return self.kl_weight * epoch / self.kl_warmup_epochs
