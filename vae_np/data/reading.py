"""Reading .h5ad files: what is not there or not an AnnData is said in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vae_np.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData


def read_h5ad(path: str | Path) -> AnnData:
    """Read an AnnData from an .h5ad file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    AnnData
        In memory.

    Raises
    ------
    InputError
        If the file does not exist, is a folder, cannot be read, or is not an .h5ad file.
    """
    import anndata

    path = Path(path)
    if not path.exists():
        raise InputError(f"file {path} does not exist")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give an .h5ad file")
    try:
        return anndata.read_h5ad(path)
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # h5py and anndata raise a dozen types for files of other kinds
        raise InputError(f"{path} is not a readable .h5ad file ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
