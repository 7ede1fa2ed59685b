"""What training a model gives, as one record: what `ScGen` computes with and what its file holds."""

from typing import NamedTuple

import numpy as np

from vae_np.model.params import Params, Stats
from vae_np.scgen.arithmetic import Reference
from vae_np.train.settings import TrainSettings


class Fitted(NamedTuple):
    """All that `ScGen.fit` learns: enough to predict cells that are handed in, no expression values.

    Attributes
    ----------
    params, stats, history
        From `vae_np.train.fit`.
    residual_variance
        Variance of each gene that the decoder leaves unexplained, (d,).
    genes
        Names, in the order of the weights.
    layer, condition_key, cell_type_key
        Where values and labels were found.
    reference
        Latent means and labels of the training cells.
    training, n_validation
        The settings that `fit` was called with, and how many of the cells validated; None if the model is
        from a file that did not say so.
    """

    params: Params
    stats: Stats
    history: dict[str, np.ndarray]
    residual_variance: np.ndarray
    genes: list[str]
    layer: str | None
    condition_key: str
    cell_type_key: str
    reference: Reference
    training: TrainSettings | None = None
    n_validation: int | None = None
