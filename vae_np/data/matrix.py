"""A matrix of cells x genes - dense, CSR or in its file - checked, cut into chunks, means and variances."""

from collections.abc import Generator, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from scipy import sparse

from vae_np.data.read_ahead import read_ahead
from vae_np.data.soundness import require_sound
from vae_np.data.stored import Stored, is_stored, smaller_form
from vae_np.errors import InputError

InMemory: TypeAlias = np.ndarray | sparse.csr_matrix | sparse.csr_array
Matrix: TypeAlias = InMemory | Stored
CHUNK = 1024


def checked_matrix(x: Any, where: str = "x") -> Matrix:  # noqa: ANN401 - whatever comes in is checked
    """Take anything like a matrix as a dense array, as CSR with each entry stored once, or as `Stored`.

    Parameters
    ----------
    x
        A dense or sparse matrix of real numbers, or one in a file for which `is_stored` holds.
    where
        What to call it in a message.

    Returns
    -------
    np.ndarray or scipy.sparse.csr_matrix or Stored
        Shape (n, d); the values are not copied unless they have to be.

    Raises
    ------
    InputError
        If it is no matrix, an index in it points nowhere, or a value is NaN, infinite or not a real number;
        the values in a file are looked at when they are read.
    """
    if isinstance(x, Stored) or is_stored(x):
        return x if isinstance(x, Stored) else Stored.whole(x, where)
    if sparse.issparse(x):
        require_sound(x, where)
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


def chunks(n_rows: int, size: int = CHUNK) -> Iterator[slice]:
    """Cut the rows into slices of at most `size`."""
    return (slice(start, start + size) for start in range(0, n_rows, size))


def in_chunks(
    x: Matrix, cells: np.ndarray | None = None, size: int = CHUNK
) -> Generator[InMemory, None, None]:
    """Yield the rows in chunks, each in memory; what is in a file is read one chunk ahead.

    Parameters
    ----------
    x
        The matrix, (n, d).
    cells
        Indices of the rows to yield, in this order; None is all.
    size
        Rows of a chunk.

    Yields
    ------
    np.ndarray or scipy.sparse.csr_matrix
        At most `size` rows.
    """
    n_rows = x.shape[0] if cells is None else len(cells)
    parts = (x[rows if cells is None else cells[rows]] for rows in chunks(n_rows, size))
    return read_ahead(partial(in_memory, part) for part in parts) if isinstance(x, Stored) else parts


def in_memory(x: Matrix) -> InMemory:
    """Read a matrix if it is in a file."""
    return x.read() if isinstance(x, Stored) else x


def some_rows(x: Matrix, cells: np.ndarray | slice, dtype: np.dtype) -> np.ndarray | sparse.csc_matrix:
    """Take some rows in the given dtype, dense or, of a sparse matrix, in CSC form: gene by gene."""
    rows = in_memory(x[cells]).astype(dtype, copy=False)
    return rows if isinstance(rows, np.ndarray) else sparse.csc_matrix(rows)


def dense_rows(x: Matrix, cells: np.ndarray | slice, dtype: np.dtype) -> np.ndarray:
    """Take some rows as a dense array of the given dtype."""
    rows = in_memory(x[cells])
    return (rows if isinstance(rows, np.ndarray) else rows.toarray()).astype(dtype, copy=False)


def stored_values(x: InMemory) -> np.ndarray:
    """The values in memory: all of a dense matrix, the explicit ones of a sparse one."""
    return x if isinstance(x, np.ndarray) else x.data


def gene_mean(x: Matrix) -> np.ndarray:
    """Mean of each gene over the cells, (d,), in float64; of the values, however they are stored.

    SciPy sums a sparse matrix in its own dtype, whatever dtype is asked for; hence the cast before.
    """
    total = np.zeros(x.shape[1])
    for rows in map(smaller_form, in_chunks(x)):
        total += np.asarray(rows.astype(float, copy=False).sum(axis=0)).ravel()
    return total / x.shape[0]


def group_means(x: Matrix, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Mean of each gene over each group of cells, (n_groups, d), in float64; one way through the cells.

    Parameters
    ----------
    x
        The matrix, (n, d).
    group
        Group of each cell, (n,), counted from 0; cells of group -1 are in none. No group is empty.
    n_groups
        How many.
    """
    totals = np.zeros((n_groups, x.shape[1]))
    for rows, part in zip(chunks(x.shape[0]), in_chunks(x), strict=True):
        member = sparse.csr_matrix(group[rows] == np.arange(n_groups)[:, None], dtype=float)
        added = member @ part.astype(float, copy=False)
        totals += added if isinstance(added, np.ndarray) else added.toarray()
    return totals / np.bincount(group[group >= 0], minlength=n_groups)[:, None]


def gene_variance(x: Matrix) -> np.ndarray:
    """Variance of each gene over the cells (1/n), (d,), in float64.

    The mean square of x - mean; of a sparse matrix every value that is not stored adds mean^2. It depends on
    the values, not on how they are stored.
    """
    mean, total = gene_mean(x), np.zeros(x.shape[1])
    for part in map(smaller_form, in_chunks(x)):
        rows = part.astype(float, copy=False)
        if isinstance(rows, np.ndarray):
            total += np.square(rows - mean).sum(axis=0)
        else:
            squares = (rows.data - mean[rows.indices]) ** 2
            total += np.bincount(rows.indices, squares, minlength=len(mean))
            total += (rows.shape[0] - np.bincount(rows.indices, minlength=len(mean))) * mean**2
    return total / x.shape[0]
