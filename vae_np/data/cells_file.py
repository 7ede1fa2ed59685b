"""Files of cells, .h5ad and .zarr: opened with X and layers left in them, written a chunk at a time.

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
from vae_np.data.reading import read_h5ad, unreadable
from vae_np.data.stored import is_stored
from vae_np.data.writing import whole_file
from vae_np.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData
    from typing_extensions import Buffer


def read_cells(path: str | Path, backed: bool = False) -> AnnData:
    """Read an AnnData from an .h5ad file or a .zarr folder.

    Parameters
    ----------
    path
        The file, or the folder whose name ends in .zarr.
    backed
        Whether X and the layers stay there until they are used, a part at a time; nothing else but `obs` and
        `var` is read then. Unlike with anndata's own backed mode, views of views can be taken.

    Returns
    -------
    AnnData
        In memory, but for X and layers if `backed`.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or it is of another kind.
    """
    import anndata

    path = Path(path)
    is_zarr = path.suffix == ".zarr"
    if not is_zarr and not (backed and path.is_file()):
        return read_h5ad(path)
    if not path.exists():
        raise InputError(f"file {path} does not exist")
    try:
        return _opened(path, is_zarr) if backed else anndata.read_zarr(path)
    except Exception as error:  # h5py, zarr and anndata raise a dozen types for files of other kinds
        raise unreadable(path, error) from error


def _opened(path: Path, is_zarr: bool) -> AnnData:
    """Read labels and names, and leave the matrices where they are."""
    import anndata
    import h5py
    import zarr
    from anndata.io import read_elem, sparse_dataset

    file: Any = zarr.open_group(path, mode="r") if is_zarr else h5py.File(path, "r")

    def left_there(element: Any) -> Any:  # noqa: ANN401 - a data set or a group
        return element if hasattr(element, "dtype") else sparse_dataset(element)

    layers = {name: left_there(file["layers"][name]) for name in file.get("layers", ())}
    x = left_there(file["X"]) if "X" in file else None
    return anndata.AnnData(x, obs=read_elem(file["obs"]), var=read_elem(file["var"]), layers=layers)


def view_of(adata: AnnData, index: Any) -> AnnData:  # noqa: ANN401 - as AnnData's
    """Choose cells, or cells and genes; what is in a file stays there.

    AnnData's own backed mode knows no view of a view; hence the same data set in an AnnData of another kind.
    """
    import anndata

    if adata.isbacked and adata.is_view:
        whole = adata._adata_ref
        labeled = anndata.AnnData(whole.X, obs=whole.obs, var=whole.var, layers=dict(whole.layers))
        adata = labeled[adata._oidx, adata._vidx]
    return adata[index]


def part_of(adata: AnnData, index: Any) -> AnnData:  # noqa: ANN401 - as AnnData's
    """Choose cells, or cells and genes, and copy them; of what is in a file, take the view."""
    view = view_of(adata, index)
    return view if in_file(view) else view.copy()


def in_file(adata: AnnData) -> bool:
    """Say whether X or a layer stays in a file."""
    whole = adata._adata_ref if adata.is_view else adata
    return any(map(is_stored, (whole.X, *whole.layers.values())))


class ForgivingFile(io.FileIO):
    """A file for HDF5 that never fails: the first error is remembered, and nothing is written after it."""

    error: OSError | None = None

    def write(self, data: Buffer) -> int:
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
        If nothing can be written there.
    OSError
        If writing fails, as on a full disk.
    """
    import h5py
    from anndata.io import write_elem

    how = {"compression": compression}
    with whole_file(path) as temporary, ForgivingFile(temporary, "w+") as raw:
        with h5py.File(raw, "w") as file:
            write_elem(file, "/", cells, dataset_kwargs=how)
            for rows in x:
                _append(file, rows, how)
                if raw.error:
                    break
        if raw.error:
            raise raw.error


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
