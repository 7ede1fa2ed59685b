"""The settings of a model, checked once."""

from dataclasses import dataclass

import numpy as np

from vae_np.errors import InputError, real_number, whole_number

TINY = float(np.finfo(np.float32).tiny)  # a smaller variance would be 0 in float32
MOST_THREADS = 1024  # they are started, whoever wrote the file that asks for them
MOST_LAYERS = 1000  # each costs objects, whatever its width: a file must not be able to ask for a billion


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
        checked = {
            "n_hidden": whole_number("n_hidden", self.n_hidden, least=1),
            "n_latent": whole_number("n_latent", self.n_latent, least=1),
            "n_layers": whole_number("n_layers", self.n_layers, least=0, most=MOST_LAYERS),
            "dropout_rate": real_number("dropout_rate", self.dropout_rate, least=0, below=1),
            "kl_weight": real_number("kl_weight", self.kl_weight, least=0),
            "variance": real_number("variance", self.variance, least=TINY),
            "seed": whole_number("seed", self.seed, least=0),
        }
        if self.n_threads is not None:
            checked["n_threads"] = whole_number("n_threads", self.n_threads, least=1, most=MOST_THREADS)
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # plain numbers, whatever kind was given
        if self.dtype not in ("float32", "float64", np.float32, np.float64):
            raise InputError(f"dtype is {self.dtype!r}: use 'float32' or 'float64'")
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)
