"""What the model takes out of an AnnData: labels without gaps, and X with its genes matched by name."""

from collections.abc import Iterable, Sequence

import numpy as np
from anndata import AnnData

from vae_np.data.expression import log_matrix, require_unique_genes
from vae_np.data.matrix import Matrix
from vae_np.errors import InputError
from vae_np.scgen.arithmetic import require_known

LISTED = 10
LONGEST_KEY = 60_000  # bytes; zip has room for 65,535 with what stands around it


def labels(adata: AnnData, key: str) -> np.ndarray:
    """Read a column of `obs` as strings.

    Parameters
    ----------
    adata
        The cells.
    key
        Name of the column.

    Returns
    -------
    np.ndarray
        Shape (n,), strings.

    Raises
    ------
    InputError
        If there is no such column, a cell has no label, a label ends in a NUL character, which NumPy drops,
        or is no text that can be written.
    """
    if not isinstance(adata, AnnData):
        raise InputError(f"an AnnData is needed, got {type(adata).__name__}: labels are columns of its obs")
    if not isinstance(key, str) or key not in adata.obs:
        known = ", ".join(map(repr, adata.obs.columns)) or "none"
        raise InputError(f"obs has no column {key!r}: the columns are {known}")
    if list(adata.obs.columns).count(key) > 1:
        raise InputError(f"obs column {key!r} stands more than once: remove or rename the others")
    column = adata.obs[key]
    if missing := int(column.isna().sum()):
        raise InputError(f"obs column {key!r} is empty in {missing} cells: label or remove them")
    cut = next((name for name in column if isinstance(name, str) and name.endswith("\0")), None)
    if cut is not None:
        raise InputError(f"obs column {key!r} holds {cut!r}, which ends in a NUL character: rename it")
    texts = column.astype(str)
    require_storable([key, *texts.unique()], "label")
    return texts.to_numpy(dtype=np.str_)


def require_storable(names: Iterable[object], what: str) -> None:
    """Make sure, before training, that a model file can hold names: half of a surrogate pair is no character.

    Parameters
    ----------
    names
        Of genes, labels or columns.
    what
        What each of them is called.

    Raises
    ------
    InputError
        If UTF-8 has no code for one.
    """
    for name in names:
        try:
            str(name).encode()
        except UnicodeEncodeError:
            raise InputError(f"{what} {name!r} holds half a character, as no file can: rename it") from None


def further_labels(adata: AnnData, keys: Sequence[str], but: tuple[str, str]) -> dict[str, np.ndarray]:
    """Read further columns of `obs`, by name.

    Parameters
    ----------
    adata
        The cells.
    keys
        Names of the columns.
    but
        The columns of condition and cell type, which are known anyway.

    Returns
    -------
    dict
        Column -> labels, (n,).

    Raises
    ------
    InputError
        As in `labels`, if `keys` is one string, or if no entry of a model file can have that name.
    """
    if isinstance(keys, str) or not isinstance(keys, Sequence | np.ndarray):
        raise InputError(f"context_keys is {keys!r}: give a list of columns of obs")
    columns = {key: labels(adata, key) for key in keys if key not in but}
    for key in columns:
        if "\0" in key or len(key.encode()) > LONGEST_KEY:
            raise InputError(f"obs column {key!r} has too long a name, or a NUL character in it: rename it")
    return columns


def control_cells(
    adata: AnnData, condition_key: str, cell_type_key: str, ctrl_key: str, cell_type: str
) -> np.ndarray:
    """Find the control cells of one cell type.

    Parameters
    ----------
    adata
        The cells.
    condition_key, cell_type_key
        Columns of `obs`.
    ctrl_key, cell_type
        The names looked for.

    Returns
    -------
    np.ndarray
        Mask, (n,).

    Raises
    ------
    InputError
        If a column or the type does not exist, or it has no control cell.
    """
    types = labels(adata, cell_type_key)
    require_known(cell_type, types, "cell type")
    chosen = (labels(adata, condition_key) == ctrl_key) & (types == cell_type)
    if not chosen.any():
        raise InputError(f"cell type {cell_type!r} has no cell in condition {ctrl_key!r}")
    return chosen


def match_genes(adata: AnnData, genes: list[str]) -> np.ndarray:
    """Find the model's genes in an AnnData by name.

    Parameters
    ----------
    adata
        Its genes may be more, and in another order.
    genes
        The model's.

    Returns
    -------
    np.ndarray
        Column of each gene of the model.

    Raises
    ------
    InputError
        If a gene is missing (the message lists the first ones) or a name stands twice.
    """
    if not isinstance(adata, AnnData):
        raise InputError(f"an AnnData is needed, got {type(adata).__name__}: its var_names are matched")
    require_unique_genes(adata)
    columns = adata.var_names.get_indexer(genes)
    missing = [gene for gene, column in zip(genes, columns, strict=True) if column < 0]
    if missing:
        more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        raise InputError(
            f"{len(missing)} of the model's {len(genes)} genes are missing from the data: "
            f"{', '.join(missing[:LISTED])}{more}"
        )
    return columns


def matched_matrix(adata: AnnData, genes: list[str], layer: str | None) -> Matrix:
    """Take the log-normalized matrix with the model's genes as columns, in the model's order.

    Parameters
    ----------
    adata
        The cells.
    genes
        The model's.
    layer
        A key of `adata.layers`; None is X.

    Returns
    -------
    np.ndarray or scipy.sparse.csr_matrix
        Shape (n, len(genes)).

    Raises
    ------
    InputError
        As in `vae_np.data.expression.log_matrix` and `match_genes`.
    """
    x = log_matrix(adata, layer)
    columns = match_genes(adata, genes)
    in_place = len(columns) == x.shape[1] and np.array_equal(columns, np.arange(x.shape[1]))
    return x if in_place else x[:, columns]
