"""A matrix of cells x genes, dense or CSR: checked, made dense a chunk at a time, means and variances."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from vae_np.errors import InputError

Matrix: TypeAlias = np.ndarray | sparse.csr_matrix | sparse.csr_array
CHUNK = 1024


def checked_matrix(x: Any, where: str = "x") -> Matrix:  # noqa: ANN401 - whatever comes in is checked
    """Take anything like a matrix as a dense array or as CSR with each entry stored once.

    Parameters
    ----------
    x
        A dense or sparse matrix of real numbers.
    where
        What to call it in a message.

    Returns
    -------
    np.ndarray or scipy.sparse.csr_matrix
        Shape (n, d); the values are not copied unless they have to be.

    Raises
    ------
    InputError
        If it is no matrix, or a value is NaN, infinite or not a real number.
    """
    if sparse.issparse(x):
        x = sparse.csr_matrix(x)
        if not x.has_canonical_format:
            x = x.copy()
            x.sum_duplicates()
    else:
        if masked := np.ma.count_masked(x) if np.ma.isMaskedArray(x) else 0:
            raise InputError(f"{where} holds {masked} masked values: fill them or remove them")
        try:
            x = np.asarray(x)
        except ValueError:
            raise InputError(f"{where} has rows of different lengths: give a matrix") from None
    if x.ndim != 2:
        raise InputError(f"{where} has {x.ndim} dimensions: give a matrix of cells x genes")
    if x.dtype.kind not in "fiub":
        raise InputError(f"{where} holds values of type {x.dtype}: it must hold real numbers")
    if bad := np.count_nonzero(~np.isfinite(stored_values(x))):
        raise InputError(f"{where} holds {bad} NaN or infinite values: remove or replace them")
    return x


def chunks(n_rows: int) -> Iterator[slice]:
    """Cut the rows into slices of at most 1,024."""
    return (slice(start, start + CHUNK) for start in range(0, n_rows, CHUNK))


def smaller_form(x: Matrix) -> Matrix:
    """Give a matrix the form that takes less memory: CSR (value and index) below one half non-zeros.

    A dense one is in C order. What is computed then depends on the values alone, not on how
    they came.
    """
    if np.count_nonzero(stored_values(x)) < x.shape[0] * x.shape[1] / 2:
        if isinstance(x, np.ndarray):  # SciPy knows no float16, and no foreign byte order
            x = x.astype(np.promote_types(x.dtype, np.float32), copy=False)
        return sparse.csr_matrix(x)
    return np.ascontiguousarray(x if isinstance(x, np.ndarray) else x.toarray())


def some_rows(x: Matrix, cells: np.ndarray | slice, dtype: np.dtype) -> np.ndarray | sparse.csc_matrix:
    """Take some rows in the given dtype, dense or, of a sparse matrix, in CSC form: gene by gene."""
    rows = x[cells].astype(dtype, copy=False)
    return rows if isinstance(rows, np.ndarray) else sparse.csc_matrix(rows)


def dense_rows(x: Matrix, cells: np.ndarray | slice, dtype: np.dtype) -> np.ndarray:
    """Take some rows as a dense array of the given dtype."""
    rows = x[cells]
    return (rows if isinstance(rows, np.ndarray) else rows.toarray()).astype(dtype, copy=False)


def stored_values(x: Matrix) -> np.ndarray:
    """The values in memory: all of a dense matrix, the explicit ones of a sparse one."""
    return x if isinstance(x, np.ndarray) else x.data


def gene_mean(x: Matrix) -> np.ndarray:
    """Mean of each gene over the cells, (d,), in float64.

    SciPy sums a sparse matrix in its own dtype, whatever dtype is asked for; hence the cast before.
    """
    if isinstance(x, np.ndarray):
        return x.mean(axis=0, dtype=float)
    return np.asarray(x.astype(float).sum(axis=0)).ravel() / x.shape[0]


def gene_variance(x: Matrix) -> np.ndarray:
    """Variance of each gene over the cells (1/n), (d,), in float64.

    Of a sparse matrix the zeros that are not stored are counted: each is the mean away from the mean.
    """
    if isinstance(x, np.ndarray):
        return x.var(axis=0, dtype=float)
    mean, squares = gene_mean(x), sparse.csr_matrix(x, dtype=float, copy=True)
    squares.data = (squares.data - mean[squares.indices]) ** 2
    not_stored = x.shape[0] - squares.getnnz(axis=0)
    return gene_mean(squares) + not_stored / x.shape[0] * mean**2
