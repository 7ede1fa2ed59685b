"""Reading .h5ad files, the user's own and the three public data sets of the paper.

What is not there or is not an AnnData is said in one sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vae_np.data.count_tables import read_count_tables
from vae_np.data.download import cache_folder, fetch
from vae_np.data.soundness import require_sound
from vae_np.errors import InputError, first_line

if TYPE_CHECKING:
    from anndata import AnnData


class PublicData(NamedTuple):
    """Where a public data set is downloaded from, and where it comes from."""

    url: str
    doi: str
    accession: str


PUBLIC = {
    "kang2018": PublicData(
        "https://exampledata.scverse.org/pertpy/kang_2018.h5ad", "10.1038/nbt.4042", "GEO GSE96583"
    ),
    "haber2017": PublicData(
        "https://exampledata.scverse.org/pertpy/haber_2017_regions.h5ad",
        "10.1038/nature24489",
        "GEO GSE92332",
    ),
    "hagai2018": PublicData(
        "https://exampledata.scverse.org/pertpy/hagai_2018.h5ad",
        "10.1038/s41586-018-0657-2",
        "ArrayExpress E-MTAB-6754",
    ),
}


def read_h5ad(path: str | Path, backed: bool = False) -> AnnData:
    """Read an AnnData from an .h5ad file.

    Parameters
    ----------
    path
        The file.
    backed
        Whether X stays in the file, opened for reading, until it is used.

    Returns
    -------
    AnnData
        In memory, but for X if `backed`.

    Raises
    ------
    InputError
        If the file does not exist, is a folder, cannot be read, is not an .h5ad file, or is damaged.
    """
    import anndata

    path = Path(path)
    if not path.exists():
        raise InputError(f"file {path} does not exist")
    if path.is_dir():
        raise InputError(f"{path} is a folder: give an .h5ad file")
    if not path.is_file():  # HDF5 would wait for ever for what comes out of a pipe
        raise InputError(f"{path} is a device or a pipe: give an .h5ad file")
    try:
        cells = anndata.read_h5ad(path, backed="r" if backed else None)
    except Exception as error:  # h5py and anndata raise a dozen types for files of other kinds
        raise unreadable(path, error) from error
    require_sound_cells(cells)
    return cells


def require_sound_cells(cells: AnnData) -> None:
    """Raise `InputError` if a matrix in memory has indices that point nowhere; a view would follow them."""
    if not cells.isbacked:
        require_sound(cells.X, "X")
    for name, layer in cells.layers.items():
        require_sound(layer, f"layer {name!r}")


def unreadable(path: Path, error: Exception) -> InputError:
    """Say in one sentence why a file of cells cannot be read."""
    if isinstance(error, PermissionError):
        return InputError(f"{path} cannot be read: {error.strerror}")
    kind = ".zarr folder" if path.suffix == ".zarr" else ".h5ad file"
    return InputError(f"{path} is not a readable {kind} ({first_line(error)})")


def kang2018(path: str | Path | None = None, sha256: str | None = None, progress: bool = True) -> AnnData:
    """Read human blood cells of eight patients, control and six hours of interferon beta.

    Kang et al. 2018, doi:10.1038/nbt.4042, GEO GSE96583. Of the public file is reported: 24,673 cells x
    15,706 genes; ``X`` counts; ``obs`` with ``label`` (ctrl, stim), ``cell_type`` (8, such as
    "CD4 T cells") and ``replicate`` (the patient, such as patient_101).

    Parameters
    ----------
    path
        Your copy; None downloads the public file (`PUBLIC`) into `cache_folder` once.
    sha256
        The checksum that the download must have; None: that of the first download.
    progress
        Whether to show a bar on stderr while downloading.

    Returns
    -------
    AnnData
        As it is in the file.

    Raises
    ------
    InputError
        As in `read_h5ad` and `vae_np.data.download.fetch`.
    """
    return read_h5ad(path if path is not None else _download("kang2018", sha256, progress))


def haber2017(path: str | Path | None = None, sha256: str | None = None, progress: bool = True) -> AnnData:
    """Read mouse intestinal epithelium, control and infected with Salmonella or H. polygyrus.

    Haber et al. 2017, doi:10.1038/nature24489, GEO GSE92332. Of the public file is reported: 9,842 cells x
    15,215 genes; ``X`` counts, dense; ``obs`` with ``condition`` (Control, Salmonella, Hpoly.Day3,
    Hpoly.Day10), ``cell_label`` (8, such as Tuft) and ``batch``.

    Parameters
    ----------
    path, sha256, progress
        As in `kang2018`.

    Returns
    -------
    AnnData
        As it is in the file.

    Raises
    ------
    InputError
        As in `kang2018`.
    """
    return read_h5ad(path if path is not None else _download("haber2017", sha256, progress))


def hagai2018(
    path: str | Path | None = None,
    species: str | None = None,
    sha256: str | None = None,
    progress: bool = True,
) -> AnnData:
    """Read phagocytes of mouse, rat, rabbit and pig, unstimulated and stimulated with LPS.

    Hagai et al. 2018, doi:10.1038/s41586-018-0657-2, ArrayExpress E-MTAB-6754. Of the public file is
    reported: 62,114 cells x 6,619 genes that the four species share; ``X`` normalized, no counts; ``obs``
    with ``species`` and ``condition`` (unst, LPS6).

    The counts are in ArrayExpress, as text files such as ``mouse1_lps6_filtered_by_cell_cluster0.txt.gz``
    (the authors' scripts write them, genes x cells, under Ensembl names; of the six mouse files of `unst`
    and `lps6` is reported that they hold counts of the same 22,048 genes). Once you have them, give their
    folder. That every other file is named and written in the same way is an assumption.

    Parameters
    ----------
    path
        Your copy of the .h5ad file, or the folder of count tables; None downloads the public file.
    species
        Which species' cells to read; None: all of the file, or the only species in the folder.
    sha256, progress
        As in `kang2018`.

    Returns
    -------
    AnnData
        As it is in the file; of a folder as `vae_np.data.count_tables.read_count_tables` says: ``X``
        counts, ``obs`` with ``species``, ``individual``, ``condition``, ``stimulus`` and ``hours``.

    Raises
    ------
    InputError
        As in `kang2018` and `read_count_tables`, and if the file does not hold `species`.
    """
    if path is not None and Path(path).is_dir():
        return read_count_tables(Path(path), species)
    adata = read_h5ad(path if path is not None else _download("hagai2018", sha256, progress))
    if species is None:
        return adata
    if "species" not in adata.obs:
        raise InputError(f"obs has no column 'species' to take {species!r} from: leave species out")
    known = adata.obs["species"].astype(str)
    if species not in set(known):
        raise InputError(
            f"there are no cells of species {species!r}: there are {', '.join(sorted(set(known)))}"
        )
    return adata[(known == species).to_numpy()].copy()


def _download(name: str, sha256: str | None, progress: bool) -> Path:
    """The local copy of a public data set."""
    url = PUBLIC[name].url
    return fetch(url, cache_folder() / url.rpartition("/")[2], sha256, progress)
