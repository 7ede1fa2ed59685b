"""Files of cells, .h5ad and .zarr, opened with X and layers left in them, and parts of such cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_np.data.reading import read_h5ad, require_sound_cells, unreadable
from vae_np.data.stored import is_stored
from vae_np.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


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
        cells = _opened(path, is_zarr) if backed else anndata.read_zarr(path)
    except Exception as error:  # h5py, zarr and anndata raise a dozen types for files of other kinds
        raise unreadable(path, error) from error
    if not backed:
        require_sound_cells(cells)
    return cells


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
    if in_file(view):
        return view
    return view.to_memory() if view.isbacked else view.copy()  # stored by columns


def in_file(adata: AnnData) -> bool:
    """Say whether X or a layer stays in a file."""
    whole = adata._adata_ref if adata.is_view else adata
    return any(map(is_stored, (whole.X, *whole.layers.values())))
