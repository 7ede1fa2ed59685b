"""The published scGen 2.x model and optimizer as plain numbers, the defaults of `vae_np.ScGen`.

A test holds the two together. They stand here once more because the timed process is to load neither
AnnData nor pandas.
"""

from typing import Any

from vae_np.model.params import Sizes

DROPOUT_RATE = 0.2
KL_WEIGHT = 2.5e-5
VARIANCE = 1.0
ADAM: dict[str, Any] = {"lr": 1e-3, "epsilon": 0.01, "weight_decay": 1e-6}


def published_sizes(n_genes: int) -> Sizes:
    """Widths of the published model for so many genes.

    Parameters
    ----------
    n_genes
        d.

    Returns
    -------
    Sizes
        Two layers of 800 hidden units on each side, 100 latent dimensions.
    """
    return Sizes(n_genes, n_hidden=800, n_latent=100, n_layers=2)
