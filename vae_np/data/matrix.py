"""A matrix of cells x genes, dense or CSR: rows made dense a chunk at a time, means and variances."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from scipy import sparse

Matrix: TypeAlias = np.ndarray | sparse.csr_matrix | sparse.csr_array
CHUNK = 1024


def chunks(n_rows: int) -> Iterator[slice]:
    """Cut the rows into slices of at most 1,024."""
    return (slice(start, start + CHUNK) for start in range(0, n_rows, CHUNK))


def dense_rows(x: Matrix, cells: np.ndarray | slice, dtype: np.dtype) -> np.ndarray:
    """Take some rows as a dense array of the given dtype."""
    rows = x[cells]
    return (rows if isinstance(rows, np.ndarray) else rows.toarray()).astype(dtype, copy=False)


def stored_values(x: Matrix) -> np.ndarray:
    """The values in memory: all of a dense matrix, the explicit ones of a sparse one."""
    return x if isinstance(x, np.ndarray) else x.data


def gene_mean(x: Matrix) -> np.ndarray:
    """Mean of each gene over the cells, (d,), in float64."""
    return np.asarray(x.mean(axis=0, dtype=float)).ravel()


def gene_variance(x: Matrix) -> np.ndarray:
    """Variance of each gene over the cells (1/n), (d,), in float64.

    For a sparse matrix it is the mean of the squares minus the square of the mean: expression is of
    order 1 to 10, so the subtraction costs a few of float64's sixteen digits.
    """
    if isinstance(x, np.ndarray):
        return x.var(axis=0, dtype=float)
    squares = x.astype(float)
    squares.data **= 2
    return np.maximum(gene_mean(squares) - gene_mean(x) ** 2, 0)
