"""Cells to time training on: as sparse as real ones, and as unevenly, with nothing in them to learn.

The time of a sparse step depends on how many values are not zero and on which genes they fall. Counts
are Poisson with a rate that is log-normal over genes, so a gene is seen in a cell with probability
1 - exp(-rate). At 7 % non-zeros and the spread used here, the most frequent tenth of the genes holds
52 % of the non-zeros; it is 52 % in the Kang et al. 2018 cells (9,015 genes, 7.6 % non-zeros).
"""

import math

import numpy as np
from scipy import sparse

from vae_np.data.matrix import chunks
from vae_np.errors import real_number, whole_number

SPREAD = 1.6  # standard deviation of the logarithm of a gene's rate
SCALE = 1e4  # counts a cell is scaled to before log1p


def synthetic_cells(n_cells: int, n_genes: int, density: float = 0.07, seed: int = 0) -> sparse.csr_matrix:
    """Draw log-normalized expression, log1p(1e4 * count / total of the cell).

    Parameters
    ----------
    n_cells, n_genes
        Shape of the matrix.
    density
        Expected share of the values that are not zero, in (0, 1).
    seed
        The same seed gives the same cells.

    Returns
    -------
    scipy.sparse.csr_matrix
        Shape (n, d), float32.

    Raises
    ------
    InputError
        If a size is no positive whole number, or `density` is outside (0, 1).
    """
    n_cells, n_genes = whole_number("n_cells", n_cells, 1), whole_number("n_genes", n_genes, 1)
    density = real_number("density", density, above=0, below=1)
    rng = np.random.default_rng(seed)
    rate = rates(rng.lognormal(0, SPREAD, n_genes), density)
    sizes = [len(range(n_cells)[rows]) for rows in chunks(n_cells)]
    counts = sparse.vstack([sparse.csr_matrix(rng.poisson(rate, (n, n_genes))) for n in sizes], format="csr")
    total = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1)
    values = np.log1p(SCALE * counts.data / np.repeat(total, np.diff(counts.indptr)))
    return sparse.csr_matrix((values.astype(np.float32), counts.indices, counts.indptr), counts.shape)


def rates(relative: np.ndarray, density: float) -> np.ndarray:
    """Scale rates so that the mean over genes of 1 - exp(-rate) is the density, by bisection.

    Parameters
    ----------
    relative
        Positive rates up to a factor, (d,).
    density
        In (0, 1).

    Returns
    -------
    np.ndarray
        Shape (d,).
    """
    low, high = 0.0, -math.log1p(-density) / float(relative.min())  # the rarest gene would have it alone
    for _ in range(60):
        middle = (low + high) / 2
        enough = -np.expm1(-middle * relative).mean() >= density
        low, high = (low, middle) if enough else (middle, high)
    return high * relative
