"""A matrix that stays in its file: which rows and columns of it are meant; values come when they are read.

`x[rows]` and `x[rows, columns]` choose, and read nothing; `x.read()` reads what was chosen. The file is read
in ranges of so many rows, of which those that are wanted are kept, so that a choice of scattered rows needs
hardly more memory than its result. The engines are `CsrFile` for anndata's CSR data set, and the
dense ones of h5py and zarr. A matrix stored by columns (CSC) has no rows that could be read one by one.

What is wanted of a range is checked as it is read: a file can be changed, cut or removed while it is in use.
What cannot be seen is a zarr folder that has lost single files with values: chunks of zeros have none, so
these are zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from vae_np.data.csr_file import CsrFile
from vae_np.errors import InputError, first_line

DENSE_RANGE, CSR_RANGE = 1024, 4096  # rows; what is compressed is unpacked in chunks, and fewer of them twice
DENSE = ("h5py", "zarr")


def is_stored(x: Any) -> bool:  # noqa: ANN401 - whatever comes in is looked at
    """Say whether this is a matrix in a file that can be read by rows."""
    if sparse.issparse(x):  # also what anndata's views hold
        return False
    package = type(x).__module__.partition(".")[0]
    return package in DENSE or (package == "anndata" and getattr(x, "format", None) == "csr")


@dataclass(frozen=True, eq=False)
class Stored:
    """Some rows and columns of a matrix in a file.

    Attributes
    ----------
    source
        The whole matrix: a data set of h5py or zarr, or a `CsrFile`.
    rows, columns
        Their indices in `source`, in any order; shape (n,) and (d,).
    where
        What to call it in a message.
    """

    source: Any
    rows: np.ndarray
    columns: np.ndarray
    where: str = "x"

    @classmethod
    def whole(cls, source: Any, where: str = "x") -> Stored:  # noqa: ANN401 - whatever `is_stored` knows
        """All of a matrix for which `is_stored` holds; `InputError` if it is damaged or holds no numbers."""
        if getattr(source, "format", None) == "csr":
            with _reading(where):
                source = CsrFile(source)
        if len(source.shape) != 2:
            raise InputError(f"{where} has {len(source.shape)} dimensions: give a matrix of cells x genes")
        if source.dtype.kind not in "fiub":
            raise InputError(f"{where} holds values of type {source.dtype}: it must hold real numbers")
        rows, columns = map(np.arange, source.shape)
        return cls(source, rows, columns, where)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of chosen rows and columns."""
        return len(self.rows), len(self.columns)

    @property
    def ndim(self) -> int:
        """Two, as every matrix."""
        return 2

    @property
    def dtype(self) -> np.dtype:
        """Of the values in the file."""
        return self.source.dtype

    def __getitem__(self, index: Any) -> Stored:  # noqa: ANN401 - as NumPy's
        """Choose rows, or rows and columns, by slice, mask or indices."""
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        return Stored(self.source, self.rows[rows], self.columns[columns], self.where)

    def read(self, dtype: np.dtype | None = None) -> np.ndarray | sparse.csr_matrix:
        """Read what was chosen, in the form that takes less memory.

        Parameters
        ----------
        dtype
            Of the result; None is that of the file.

        Returns
        -------
        np.ndarray or scipy.sparse.csr_matrix
            Shape (n, d).

        Raises
        ------
        InputError
            If a value is NaN or infinite, or the file can no longer be read.
        """
        order = np.argsort(self.rows, kind="stable")
        rows = self.rows[order]
        n_rows = CSR_RANGE if isinstance(self.source, CsrFile) else DENSE_RANGE
        ends = np.flatnonzero(np.diff(rows // n_rows)) + 1
        parts = [self._range(part, dtype) for part in np.split(rows, ends)]
        if all(isinstance(part, np.ndarray) for part in parts):
            x = np.concatenate(parts)
        elif len(parts) == 1:
            x = parts[0]
        else:
            x = smaller_form(sparse.vstack([sparse.csr_matrix(part) for part in parts], format="csr"))
        return x if np.array_equal(rows, self.rows) else x[np.argsort(order)]

    def toarray(self) -> np.ndarray:
        """Read what was chosen as a dense array."""
        x = self.read()
        return x if isinstance(x, np.ndarray) else x.toarray()

    def _range(self, rows: np.ndarray, dtype: np.dtype | None) -> np.ndarray | sparse.csr_matrix:
        """Read sorted rows that lie near each other."""
        first, last = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        with _reading(self.where):
            _require_store(self.source)
            x = self.source[first:last] if len(rows) else np.zeros((0, self.source.shape[1]), self.dtype)
            if not np.array_equal(rows, np.arange(first, last)):
                x = x[rows - first]
            if sparse.issparse(x):
                _require_entries_once(x)
        if not np.array_equal(self.columns, np.arange(x.shape[1])):
            x = x[:, self.columns]
        values = x if isinstance(x, np.ndarray) else x.data
        if bad := np.count_nonzero(~np.isfinite(values)):
            raise InputError(
                f"{self.where} holds {bad} NaN or infinite values in cells {first} to {last - 1}: "
                "remove or replace them"
            )
        return smaller_form(x if dtype is None else x.astype(dtype, copy=False))


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Turn whatever reading raises, but for a want of memory, into an `InputError`."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # h5py and zarr raise a dozen types
        raise InputError(
            f"{where} cannot be read from its file ({first_line(error)}): it is damaged or "
            "was changed, or has to be read whole (on the command line: leave out --backed)"
        ) from error


def smaller_form(x: np.ndarray | sparse.csr_matrix) -> np.ndarray | sparse.csr_matrix:
    """Give a matrix the form that takes less memory: CSR (value and index) below one half non-zeros.

    A dense one is in C order. What is computed then depends on the values alone, not on how they came.
    """
    values = x if isinstance(x, np.ndarray) else x.data
    if np.count_nonzero(values) < x.shape[0] * x.shape[1] / 2:
        if isinstance(x, np.ndarray):  # SciPy knows no float16, and no foreign byte order
            x = x.astype(np.promote_types(x.dtype, np.float32), copy=False)
        return sparse.csr_matrix(x)
    return np.ascontiguousarray(x if isinstance(x, np.ndarray) else x.toarray())


def _require_store(source: Any) -> None:  # noqa: ANN401 - one of the engines
    """Raise OSError if a zarr folder is gone: zarr takes files that are not there for zeros."""
    store = getattr(getattr(source, "group", source), "store", None)
    root = getattr(store, "root", None)
    if root is not None and not Path(root).exists():
        raise OSError(f"{root} does not exist")


def _require_entries_once(x: sparse.csr_matrix) -> None:
    """Raise ValueError if an index is out of bounds or stands twice in a row, as in a file with gaps."""
    x.check_format(full_check=True)
    if not x.has_sorted_indices:
        x.sort_indices()
    anew = sparse.csr_matrix((x.data, x.indices, x.indptr), x.shape)  # x remembers that it was not sorted
    if not anew.has_canonical_format:
        raise ValueError("an entry is stored twice")
