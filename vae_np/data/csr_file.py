"""Rows of a CSR matrix in a file: slices of the three arrays that anndata's format describes.

anndata opens the file. A slice of its own data set looks up the version of SciPy (from 1.17 on) in that
package's metadata first, which takes longer than to read a thousand cells, and keeps other threads waiting.
"""

from typing import Any

import numpy as np
from scipy import sparse


class CsrFile:
    """A CSR matrix of which only `indptr` is in memory.

    Attributes
    ----------
    group
        Of h5py or zarr; it holds `data`, `indices` and `indptr`, and knows its store.
    shape, dtype
        Of the matrix.

    Raises
    ------
    ValueError
        If `indptr` does not cut the entries into rows, or `indptr` or `indices` are not integers.
    """

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - anndata's CSR data set
        self.group, self.shape = source.group, source.shape
        self._data, self._indices = self.group["data"], self.group["indices"]
        self._indptr = self.group["indptr"][...]
        self.dtype: np.dtype = self._data.dtype
        if any(array.dtype.kind not in "iu" for array in (self._indices, self._indptr)):
            raise ValueError("indices or indptr are no integers")
        n_entries = min(self._data.shape[0], self._indices.shape[0])
        if len(self._indptr) != self.shape[0] + 1 or not _cuts(self._indptr, n_entries):
            raise ValueError("indptr does not fit")

    def __getitem__(self, rows: slice) -> sparse.csr_matrix:
        """Read rows start..stop, float16 as float32: SciPy knows no float16."""
        indptr = self._indptr[rows.start : rows.stop + 1]
        entries = slice(indptr[0], indptr[-1])
        data = self._data[entries]
        if data.dtype.kind == "f":
            data = data.astype(np.promote_types(data.dtype, np.float32), copy=False)
        shape = len(indptr) - 1, self.shape[1]
        return sparse.csr_matrix((data, self._indices[entries], indptr - indptr[0]), shape)


def _cuts(indptr: np.ndarray, n_entries: int) -> bool:
    """Whether rows lie one after the other, and there are entries if, and only if, a row has some.

    Numbers are compared: differences can overflow, and those of unsigned numbers are never negative.
    """
    in_order = indptr[0] == 0 and np.all(indptr[1:] >= indptr[:-1]) and indptr[-1] <= n_entries
    return bool(in_order) and (indptr[-1] > 0) == (n_entries > 0)
