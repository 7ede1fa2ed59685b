"""Rows of a CSR matrix in a file: slices of the three arrays that anndata's format describes.

anndata opens the file. A slice of its own data set would look up SciPy's version in that package's papers
first, which takes longer than to read a thousand cells, and keeps other threads waiting.
"""

from typing import Any

import numpy as np
from scipy import sparse


class CsrFile:
    """A CSR matrix of which only `indptr` is in memory.

    Attributes
    ----------
    group
        Of h5py or zarr; it holds `data`, `indices` and `indptr`.
    shape, dtype
        Of the matrix.

    Raises
    ------
    ValueError
        If `indptr` does not cut the entries into rows.
    """

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - anndata's CSR data set
        self.group, self.shape = source.group, source.shape
        self._data, self._indices = self.group["data"], self.group["indices"]
        self._indptr = self.group["indptr"][...].astype(np.int64)  # unsigned numbers never decrease
        self.dtype: np.dtype = self._data.dtype
        n_rows, n_entries = len(self._indptr) - 1, min(self._data.shape[0], self._indices.shape[0])
        if n_rows != self.shape[0] or np.any(np.diff(self._indptr, prepend=0, append=n_entries) < 0):
            raise ValueError("indptr does not fit")

    def __getitem__(self, rows: slice) -> sparse.csr_matrix:
        """Read rows start..stop."""
        indptr = self._indptr[rows.start : rows.stop + 1]
        entries = slice(indptr[0], indptr[-1])
        shape = len(indptr) - 1, self.shape[1]
        return sparse.csr_matrix((self._data[entries], self._indices[entries], indptr - indptr[0]), shape)
