"""Genes of one species under the names of another: only pairs that are one to one, from the user's table.

table:  mouse  human      Il1b -> IL1B   kept
        Il1b   IL1B       Ccl4 -> ?      ambiguous: two human genes, nobody knows which counts belong to which
        Ccl4   CCL4       Ccl4 -> ?
        Ccl4   CCL4L2     Xist -> ?      missing: not in the table
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vae_np.data.expression import require_unique_genes
from vae_np.errors import InputError, first_line

if TYPE_CHECKING:
    from anndata import AnnData
    from pandas import DataFrame


def map_orthologs(adata: AnnData, table: DataFrame | str | Path, source: str, target: str) -> AnnData:
    """Keep the genes that have a one-to-one ortholog and give them its name.

    A row of the table is a pair. Rows with an empty cell and repeated rows are left out first; a gene that
    then still stands in two pairs, on either side, makes all its pairs ambiguous.

    Parameters
    ----------
    adata
        n cells x d genes, named as in the column `source`.
    table
        A table, or the path of a .csv file (commas) or .tsv or .txt file (tabs), compressed or not.
    source, target
        Columns of the table: gene names of the species of `adata`, and of the species to map to.

    Returns
    -------
    AnnData
        A copy with the kept genes, in their order; ``uns["orthologs"]`` says `source`, `target` and how many
        of the d genes were `kept`, `missing` and `ambiguous`.

    Raises
    ------
    InputError
        If the table cannot be read, a column does not exist, a gene name of `adata` stands twice, or no
        gene is left.
    """
    require_unique_genes(adata)
    pairs = table if not isinstance(table, str | Path) else _read_table(Path(table))
    for column in (source, target):
        if column not in pairs.columns:
            raise InputError(
                f"the table has no column {column!r}: it has {', '.join(map(str, pairs.columns))}"
            )
    if source == target:
        raise InputError(f"source and target are both {source!r}: name two columns")
    pairs = pairs[[source, target]].dropna().astype(str).drop_duplicates()
    unique = pairs[~pairs[source].duplicated(keep=False) & ~pairs[target].duplicated(keep=False)]
    names = unique.set_index(source)[target]

    known, kept = adata.var_names.isin(pairs[source]), adata.var_names.isin(names.index)
    if not kept.any():
        other = pairs[source].iloc[0] if len(pairs) else "none"
        raise InputError(
            f"none of the {adata.n_vars} genes, such as {adata.var_names[0]!r}, has a one-to-one pair in "
            f"column {source!r}, which holds names such as {other!r}: "
            "both must use the same kind of names"
        )
    mapped = adata.to_memory()[:, kept].copy()
    mapped.var_names = names.loc[mapped.var_names].to_numpy()
    mapped.uns["orthologs"] = {
        "source": source,
        "target": target,
        "kept": int(kept.sum()),
        "missing": int((~known).sum()),
        "ambiguous": int((known & ~kept).sum()),
    }
    return mapped


def _read_table(path: Path) -> DataFrame:
    import pandas as pd

    separator = "\t" if {".tsv", ".txt"} & set(path.suffixes) else ","
    try:
        return pd.read_csv(path, sep=separator, dtype=str)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"table {path} cannot be read ({first_line(error)})") from error
