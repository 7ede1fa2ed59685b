"""Simulated single-cell data whose truth is known: cell types, one shared latent shift, counting noise.

    z = type mean + cell noise + stimulated (shift + type-specific part)    latent state; stimulated is 0 or 1
    share_g = softmax_g( base_g + z . loading_g )                               of the cell's RNA
    count_g ~ Poisson( library size * share_g ), then set to 0 more often where few are expected

The last latent dimension is the response program: types do not differ in it, and the shift points
along it. The stimulated cells of every type are generated, so a prediction for any of them can be
scored against cells, and against the truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from vae_np.data.expression import log_normalize
from vae_np.errors import real_number, whole_number

if TYPE_CHECKING:
    from anndata import AnnData

N_LATENT = 8
RESPONDING_SHARE = 0.12


def simulate(
    n_cells: int = 1500,
    n_genes: int = 600,
    n_cell_types: int = 6,
    *,
    shift: float = 2.0,
    type_specific: float = 0.15,
    library_size: float = 2000.0,
    dropout: float = 0.3,
    seed: int = 0,
) -> AnnData:
    """Simulate control and stimulated cells of several types with a known latent shift.

    Parameters
    ----------
    n_cells
        Total number of cells, spread over types and conditions as evenly as possible.
    n_genes, n_cell_types
        How many.
    shift
        Length of the shared latent shift; 0 is no response.
    type_specific
        Size of each type's own random addition to it, relative to `shift`.
    library_size
        Median counts a cell.
    dropout
        Probability that a count of vanishing expectation is lost, in [0, 1); it falls off as
        exp(-expectation).
    seed
        Seed of all randomness.

    Returns
    -------
    AnnData
        ``X`` log1p of counts scaled to 10,000; ``layers["counts"]``; ``obs`` with ``cell_type`` and
        ``condition`` (control, stimulated); ``obsm["z_true"]``; ``var["responds"]``;
        ``uns["truth"]`` with ``shift`` (k,), ``type_shifts`` (n_cell_types, k), ``loadings`` (k, d).

    Raises
    ------
    InputError
        If a number is out of range.
    """
    import anndata
    import pandas as pd

    n_cell_types = whole_number("n_cell_types", n_cell_types, least=1)
    n_cells = whole_number("n_cells", n_cells, least=2 * n_cell_types)
    n_genes = whole_number("n_genes", n_genes, least=2)
    shift = real_number("shift", shift, least=0, below=100)
    type_specific = real_number("type_specific", type_specific, least=0, below=100)
    library_size = real_number("library_size", library_size, above=0, below=1e9)
    dropout = real_number("dropout", dropout, least=0, below=1)
    seed = whole_number("seed", seed, least=0)

    rng = np.random.default_rng(seed)
    responds = rng.random(n_genes) < RESPONDING_SHARE
    loadings = rng.normal(scale=1.0, size=(N_LATENT, n_genes))
    loadings[-1] = np.where(responds, rng.normal(loc=0.8, scale=0.5, size=n_genes), 0)
    base = rng.normal(scale=1.5, size=n_genes)

    type_means = rng.normal(size=(n_cell_types, N_LATENT))
    type_means[:, -1] = 0
    shared = np.zeros(N_LATENT)
    shared[-1] = shift
    own = rng.normal(size=(n_cell_types, N_LATENT)) * type_specific * shift / np.sqrt(N_LATENT)
    type_shifts = shared + own

    group = np.arange(n_cells) % (2 * n_cell_types)
    cell_type, stimulated = group // 2, group % 2
    z = type_means[cell_type] + stimulated[:, None] * type_shifts[cell_type]
    z += rng.normal(scale=0.3, size=z.shape)

    logits = base + z @ loadings
    share = np.exp(logits - logits.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    libraries = library_size * np.exp(rng.normal(scale=0.3, size=n_cells))
    expected = libraries[:, None] * share
    counts = rng.poisson(expected)
    counts[rng.random(counts.shape) < dropout * np.exp(-expected)] = 0

    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical([f"type {t + 1}" for t in cell_type]),
            "condition": pd.Categorical(np.where(stimulated, "stimulated", "control")),
        },
        index=[f"cell{i}" for i in range(n_cells)],
    )
    var = pd.DataFrame({"responds": responds}, index=[f"gene{g}" for g in range(n_genes)])
    stored = sparse.csr_matrix(counts.astype(np.float32))
    adata = anndata.AnnData(stored, obs=obs, var=var, layers={"counts": stored.copy()})
    adata.obsm["z_true"] = z
    adata.uns["truth"] = {"shift": shared, "type_shifts": type_shifts, "loadings": loadings}
    return log_normalize(adata)
