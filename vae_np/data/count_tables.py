"""The count tables of ArrayExpress E-MTAB-6754 (Hagai et al. 2018): a text file for each animal and stimulus.

A file is what R's write.table makes of a matrix: genes x cells, separated by blanks, the first line one
word shorter than the others because the column of genes has no name,

    ACGT-1 TTGA-1
    ENSMUSG00000000001 0 2
    ENSMUSG00000000003 1 0

and its name says what the cells are: mouse1_lps6_filtered_by_cell_cluster0.txt.gz is mouse 1, six hours of
LPS; `unst` in the place of `lps6` is unstimulated.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

from vae_np.errors import InputError, first_line

if TYPE_CHECKING:
    from anndata import AnnData

NAME = re.compile(
    r"(([a-z]+)\d+)_(unst|([a-z]+)(\d+))_filtered_by_cell_cluster\d+\.txt(\.gz)?", re.IGNORECASE
)
GENES_AT_ONCE = 1000


class CountTable(NamedTuple):
    """A file, and what its name says of its cells."""

    path: Path
    species: str
    individual: str
    condition: str
    stimulus: str
    hours: int


def read_count_tables(folder: Path, species: str | None = None) -> AnnData:
    """Read all count tables of one species from a folder.

    Parameters
    ----------
    folder
        Holds the files under the names that they have in ArrayExpress; other files are left alone.
    species
        Which one, as the file names spell it; None: the only one there.

    Returns
    -------
    AnnData
        Cells x the genes that are in all files; ``X`` counts, CSR, float32; ``obs`` with `species`,
        `individual` (mouse1), `condition` (lps6, unst), `stimulus` (lps, unst) and `hours` (6, 0). Cells are
        named individual_condition_barcode.

    Raises
    ------
    InputError
        If there is no such file, the folder holds several species and none is named, or a table holds
        anything but counts.
    """
    import anndata

    tables = _tables(folder)
    known = sorted({table.species for table in tables})
    if species is None and len(known) > 1:
        raise InputError(
            f"{folder} holds {', '.join(known)}, whose genes have different names: give species=, "
            "one at a time, and bring them together with map_orthologs"
        )
    if species is not None and species not in known:
        raise InputError(f"{folder} holds no table of species {species!r}: it has {', '.join(known)}")
    parts = [_read_table(table) for table in tables if species in (None, table.species)]
    adata = anndata.concat(parts, join="inner")
    if not adata.n_vars:
        raise InputError(f"the tables in {folder} have no gene in common: keep those of one reference genome")
    labels = ["species", "individual", "condition", "stimulus"]
    adata.obs[labels] = adata.obs[labels].astype("category")
    return adata


def _tables(folder: Path) -> list[CountTable]:
    """The count tables in a folder, in the order of their names."""
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error
    tables: dict[str, CountTable] = {}
    for path in paths:
        if name := NAME.fullmatch(path.name):
            individual, species, condition, stimulus, hours, _ = name.groups()
            stem = path.name.removesuffix(".gz")
            if stem in tables:
                raise InputError(f"{folder} holds {stem} twice, packed and unpacked: remove one")
            tables[stem] = CountTable(
                path, species, individual, condition, stimulus or "unst", int(hours or 0)
            )
    if not tables:
        found = ", ".join(path.name for path in paths[:5]) or "nothing"
        raise InputError(
            f"{folder} holds no file named like mouse1_lps6_filtered_by_cell_cluster0.txt.gz, it holds "
            f"{found}: give the folder with the unpacked count tables of E-MTAB-6754"
        )
    return list(tables.values())


def _read_table(table: CountTable) -> AnnData:
    """One file as cells x genes; read some genes at a time, for as a dense table it is large."""
    import anndata
    import pandas as pd

    genes: list[str] = []
    pieces: list[sparse.csr_matrix] = []
    cells = pd.Index([])
    try:
        with pd.read_csv(table.path, sep=r"\s+", index_col=0, chunksize=GENES_AT_ONCE) as reader:
            for piece in reader:
                values = piece.to_numpy()
                if values.size and (values.dtype.kind not in "iu" or values.min() < 0):
                    raise InputError(
                        f"{table.path} holds values that are not counts: give the original table"
                    )
                genes.extend(piece.index.astype(str))
                pieces.append(sparse.csr_matrix(values, dtype=np.float32))
                cells = piece.columns
    except InputError:
        raise
    except (OSError, EOFError, ValueError, zlib.error) as error:  # pandas' own errors are ValueErrors
        raise InputError(
            f"{table.path} is no readable count table ({first_line(error)}): get it again"
        ) from error
    if not (genes and len(cells)):
        raise InputError(f"{table.path} holds no counts: get it again")
    if len(set(genes)) < len(genes):
        raise InputError(f"{table.path} holds a gene twice: get it again")
    names = f"{table.individual}_{table.condition}_" + cells.astype(str)
    obs = pd.DataFrame(table._asdict(), index=names).drop(columns="path")
    return anndata.AnnData(sparse.csr_matrix(sparse.vstack(pieces).T), obs=obs, var=pd.DataFrame(index=genes))
