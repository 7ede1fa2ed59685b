"""Writing an .h5ad file whose X comes a chunk at a time.

HDF5 does not survive a disk that fills up under it: it keeps what it could not write, tries again at the end
of the program and crashes. So it writes through a Python file that remembers the first failure and takes
whatever comes after it; what is then in the temporary file does not matter, as it is removed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from vae_np.data.matrix import InMemory
from vae_np.data.writing import whole_file
from vae_np.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


class ForgivingFile(io.FileIO):
    """A file for HDF5 that never fails: the first error is remembered, and nothing is written after it."""

    error: OSError | None = None

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes, or what holds them
        """Write all of it, unless something has failed before."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while len(left) and self.error is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file, unless something has failed before."""
        try:
            if self.error is None:
                return super().truncate(size)
        except OSError as error:
            self.error = error
        return self.tell() if size is None else size


def write_cells(
    path: str | Path, cells: AnnData, x: Iterable[InMemory] = (), compression: str | None = "gzip"
) -> None:
    """Write an .h5ad file, whole or not at all.

    Parameters
    ----------
    path
        The file.
    cells
        What goes into it.
    x
        X of cells that have none, in chunks of rows: all of them dense, or all CSR. No more than one is held.
    compression
        Of h5py.

    Raises
    ------
    InputError
        If nothing can be written there, or the name is that of a .zarr folder.
    OSError
        If writing fails, as on a full disk.
    ValueError
        If x has another number of rows than there are cells.
    """
    import h5py
    from anndata.io import write_elem

    require_no_zarr(path)
    how = {"compression": compression}
    with whole_file(path) as temporary, ForgivingFile(temporary, "w+") as raw:
        try:
            with h5py.File(raw, "w") as file:
                write_elem(file, "/", cells, dataset_kwargs=how)
                n_rows = 0
                for rows in x:
                    _append(file, rows, how)
                    n_rows += rows.shape[0]
                    if raw.error:
                        break
        except Exception as error:
            if raw.error is None:
                raise
            raise raw.error from error  # HDF5 reads back what it believes it has written
        if raw.error:
            raise raw.error
        if n_rows not in (0, cells.n_obs):
            raise ValueError(f"x has {n_rows} rows for {cells.n_obs} cells")


def require_no_zarr(path: str | Path) -> None:
    """Raise `InputError` if a file to be has the name of a .zarr folder, as which it would be read later."""
    if Path(path).suffix == ".zarr":
        raise InputError(f"{path} has the name of a .zarr folder: what is written is an .h5ad file")


def _append(file: Any, rows: InMemory, how: dict[str, Any]) -> None:  # noqa: ANN401 - of h5py
    """Add rows to X, which the first ones create."""
    from anndata.io import sparse_dataset, write_elem

    if sparse.issparse(rows):
        rows = sparse.csr_matrix(rows)
        if "X" in file:
            sparse_dataset(file["X"]).append(rows)
        else:
            rows.indptr = rows.indptr.astype(np.int64)  # there may be more than 2^31 entries in the end
            write_elem(file, "X", rows, dataset_kwargs=how)
        return
    if "X" not in file:
        chunks = (min(len(rows), 256), rows.shape[1])
        write_elem(
            file, "X", rows[:0], dataset_kwargs={**how, "maxshape": (None, rows.shape[1]), "chunks": chunks}
        )
    n_before = file["X"].shape[0]
    file["X"].resize(n_before + len(rows), axis=0)
    file["X"][n_before:] = rows
