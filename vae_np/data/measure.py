"""From a latent state to counts, as a sequencer would see it.

    share_g = softmax_g( base_g + z . loading_g )                           of the cell's RNA
    count_g ~ Poisson( library size * share_g ), then set to 0 more often where few are expected

With one latent dimension, base = (0, 0) and loadings (0, 1): z = 0 gives the shares (1/2, 1/2), and z = 1
makes the second gene e times the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from vae_np.data.expression import log_normalize
from vae_np.errors import real_number, whole_number

if TYPE_CHECKING:
    from anndata import AnnData

N_LATENT = 8
RESPONDING_SHARE = 0.12
CELL_NOISE = 0.3


class Genes(NamedTuple):
    """How genes follow the latent state; the last latent dimension moves the responding ones only."""

    responds: np.ndarray  # (d,), bool
    loadings: np.ndarray  # (k, d)
    base: np.ndarray  # (d,)


def draw_genes(rng: np.random.Generator, n_genes: int) -> Genes:
    """Draw genes of which about an eighth respond, upward more often than downward."""
    n_genes = whole_number("n_genes", n_genes, least=2)
    responds = rng.random(n_genes) < RESPONDING_SHARE
    loadings = rng.normal(scale=1.0, size=(N_LATENT, n_genes))
    loadings[-1] = np.where(responds, rng.normal(loc=0.8, scale=0.5, size=n_genes), 0)
    return Genes(responds, loadings, base=rng.normal(scale=1.5, size=n_genes))


def measure(
    rng: np.random.Generator,
    z: np.ndarray,
    genes: Genes,
    names: Mapping[str, np.ndarray],
    library_size: float,
    dropout: float,
) -> AnnData:
    """Add cell noise to latent states and count their RNA.

    Parameters
    ----------
    rng
        Source of the noise.
    z
        Latent state of each cell before its noise, (n, k).
    genes
        From `draw_genes`.
    names
        Columns of ``obs``.
    library_size
        Median counts a cell; the libraries are log-normal.
    dropout
        Probability that a count of vanishing expectation is lost, in [0, 1).

    Returns
    -------
    AnnData
        ``X`` log1p of counts scaled to 10,000; ``layers["counts"]``; `names` in ``obs``;
        ``var["responds"]``; ``obsm["z_true"]``, the states with their noise.

    Raises
    ------
    InputError
        If `library_size` or `dropout` is out of range.
    """
    import anndata
    import pandas as pd

    library_size = real_number("library_size", library_size, above=0, below=1e9)
    dropout = real_number("dropout", dropout, least=0, below=1)

    z = z + rng.normal(scale=CELL_NOISE, size=z.shape)
    logits = genes.base + z @ genes.loadings
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    libraries = library_size * np.exp(rng.normal(scale=0.3, size=len(z)))
    expected = libraries[:, None] * share
    counts = rng.poisson(expected)
    counts[rng.random(counts.shape) < dropout * np.exp(-expected)] = 0

    obs = pd.DataFrame(
        {column: pd.Categorical(values) for column, values in names.items()},
        index=[f"cell{i}" for i in range(len(z))],
    )
    var = pd.DataFrame({"responds": genes.responds}, index=[f"gene{g}" for g in range(len(genes.base))])
    stored = sparse.csr_matrix(counts.astype(np.float32))
    adata = anndata.AnnData(stored, obs=obs, var=var, layers={"counts": stored.copy()})
    adata.obsm["z_true"] = z
    return log_normalize(adata)
