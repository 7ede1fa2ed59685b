"""What the matrix of an AnnData is: checked, told apart as counts or logarithms, normalized, selected.

The model takes log1p of counts scaled to 10,000 a cell. Nothing here guesses: counts and log values
are told apart by their values, and what is neither is refused with what was seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from vae_np.data.cells_file import read_cells
from vae_np.data.matrix import (
    InMemory,
    Matrix,
    checked_matrix,
    gene_variance,
    in_chunks,
    in_memory,
    stored_values,
)
from vae_np.data.stored import Stored, is_stored
from vae_np.data.writing_cells import write_cells
from vae_np.errors import InputError, whole_number

if TYPE_CHECKING:
    from anndata import AnnData

TARGET_SUM = 10_000.0
LARGEST_LOG = 20.0
LARGEST_COUNT = 2.0**53  # float64 tells no larger integer from the next


class Values(NamedTuple):
    """What there is to know about the values of a matrix to tell what they are."""

    negative: int
    all_integers: bool
    largest: float


def place(layer: str | None) -> str:
    """Where values are, in words."""
    return "X" if layer is None else f"layer {layer!r}"


def look_through(x: Matrix) -> Values:
    """Look at every value of a matrix once, a chunk at a time; values that are not stored are zero."""
    negative, all_integers, largest = 0, True, 0.0
    for rows in in_chunks(x):
        stored = stored_values(rows)
        negative += int(np.count_nonzero(stored < 0))
        all_integers = all_integers and np.array_equal(stored, np.floor(stored))
        largest = max(largest, stored.max(initial=0))
    return Values(negative, all_integers, float(largest))


def expression_matrix(adata: AnnData, layer: str | None = None) -> Matrix:
    """Take the matrix out of an AnnData, as a dense array, CSR or `Stored`, after checking it.

    Parameters
    ----------
    adata
        n cells x d genes. Values that are in a file stay there, unless they are stored by columns (CSC) in
        anndata's backed mode: those are read into memory.
    layer
        A key of `adata.layers`; None is `adata.X`.

    Returns
    -------
    np.ndarray or scipy.sparse.csr_matrix or Stored
        Shape (n, d).

    Raises
    ------
    InputError
        If this is no AnnData, the layer or X does not exist, there is no cell or no gene, a
        gene name stands twice, or a value is NaN, infinite, negative or not a number.
    """
    return _examined(adata, layer)[0]


def _examined(adata: AnnData, layer: str | None) -> tuple[Matrix, Values]:
    """Do what `expression_matrix` says, and return what was seen on the way too."""
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        raise InputError(f"an AnnData is needed, got {type(adata).__name__}: see vae_np.read_h5ad")
    if layer is not None and not (isinstance(layer, str) and layer in adata.layers):
        known = ", ".join(map(str, adata.layers)) or "none"
        raise InputError(f"layer {layer!r} does not exist: the layers are {known}")
    where = place(layer)
    if 0 in adata.shape:
        raise InputError(f"{where} has {adata.n_obs} cells and {adata.n_vars} genes: nothing to work on")
    require_unique_genes(adata)
    x = checked_matrix(_taken(adata, layer), where)
    values = look_through(x)
    if values.negative:
        advice = "expression is not negative"
        if layer is None and adata.raw is not None:
            advice = "it looks scaled; if raw holds the expression, use adata.raw.to_adata()"
        raise InputError(f"{where} holds {values.negative} negative values: {advice}")
    return x, values


def _taken(adata: AnnData, layer: str | None) -> Any:  # noqa: ANN401 - whatever AnnData can hold
    """Take X or a layer; of what is in a file, say which rows and columns are meant, and read no value."""
    whole = adata._adata_ref if adata.is_view else adata  # AnnData would read the values of a view
    x = whole.X if layer is None else whole.layers[layer]
    if x is None:
        raise InputError("X is empty: name the layer that holds the expression values")
    if is_stored(x):
        stored = Stored.whole(x, place(layer))
        return stored[adata._oidx][:, adata._vidx] if adata.is_view else stored
    if hasattr(x, "to_memory") and not adata.isbacked:  # opened by `read_cells`, on purpose
        raise InputError(
            f"{place(layer)} is stored by columns (CSC) and cannot be read a part at a time: "
            "write it as CSR, or read it whole (on the command line: leave out --backed)"
        )
    x = adata.X if layer is None else adata.layers[layer]
    return x.to_memory() if hasattr(x, "to_memory") else x


def require_unique_genes(adata: AnnData) -> None:
    """Raise `InputError` if a gene name stands twice."""
    duplicated = adata.var_names[adata.var_names.duplicated()].unique()
    if len(duplicated):
        raise InputError(
            f"{len(duplicated)} gene names stand more than once, such as {duplicated[0]!r}: "
            "run adata.var_names_make_unique()"
        )


def scale_of(x: Matrix) -> Literal["counts", "log"]:
    """Tell counts from log-normalized values.

    All integers are counts; some value not an integer and none above 20 is log-normalized.

    Parameters
    ----------
    x
        From `expression_matrix`.

    Returns
    -------
    str
        ``"counts"`` or ``"log"``.

    Raises
    ------
    InputError
        If the values are neither.
    """
    return _scale(look_through(x))


def _scale(values: Values) -> Literal["counts", "log"]:
    if values.all_integers and values.largest > LARGEST_COUNT:
        raise InputError(
            f"the values reach {values.largest:.4g}: too large for counts; start from the raw counts"
        )
    if values.all_integers:
        return "counts"
    if values.largest <= LARGEST_LOG:
        return "log"
    raise InputError(
        f"the values reach {values.largest:.4g} and are not all integers: neither counts nor "
        f"log-normalized (at most {LARGEST_LOG:g}); start from the raw counts"
    )


def log_matrix(adata: AnnData, layer: str | None = None) -> Matrix:
    """Take the matrix out of an AnnData and require log-normalized values.

    An all-zero matrix is let through: zero is zero on either scale.

    Parameters
    ----------
    adata, layer
        As in `expression_matrix`.

    Returns
    -------
    np.ndarray or scipy.sparse.csr_matrix
        Shape (n, d).

    Raises
    ------
    InputError
        As in `expression_matrix`, and if the values are counts or neither counts nor logarithms.
    """
    x, values = _examined(adata, layer)
    if values.largest > 0 and _scale(values) == "counts":
        raise InputError(
            f"{place(layer)} holds raw counts (all values are integers) where log-normalized values belong: "
            "use vae_np.data.log_normalize(adata), or --normalize on the command line"
        )
    return x


def log_normalize(adata: AnnData, layer: str | None = None, out: str | Path | None = None) -> AnnData:
    """Return cells whose X is log1p of the counts scaled to 10,000 a cell, in float32.

    A cell without any count stays zero.

    Parameters
    ----------
    adata
        n cells x d genes with counts.
    layer
        Where the counts are; None is X.
    out
        An .h5ad file to write the cells to, a chunk at a time, with `obs` and `var` and nothing else; X (CSR)
        then stays there. None keeps all in memory.

    Returns
    -------
    AnnData
        A copy in memory, everything but X as it was; or what is in `out`.

    Raises
    ------
    InputError
        As in `expression_matrix`, and if a value is not an integer.
    """
    counts, values = _examined(adata, layer)
    if _scale(values) != "counts":
        raise InputError(
            "the values to normalize are not all integers, they look log-normalized already: "
            "leave out log_normalize (on the command line: --normalize)"
        )
    if out is not None:
        from anndata import AnnData

        labels, logs = AnnData(obs=adata.obs, var=adata.var), (_logs(rows) for rows in in_chunks(counts))
        write_cells(out, labels, map(sparse.csr_matrix, logs), compression=None)
        return read_cells(out, backed=True)
    normalized = _logs(in_memory(counts))
    result = adata.to_memory(copy=True)  # this closes the file of a backed one
    result.X = normalized
    return result


def _logs(counts: InMemory) -> InMemory:
    """Normalize cells; each by itself."""
    totals = np.asarray(counts.astype(float).sum(axis=1)).ravel()
    factors = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0)
    if isinstance(counts, np.ndarray):
        return np.log1p(factors[:, None] * counts).astype(np.float32)
    logs = sparse.diags_array(factors) @ counts
    return sparse.csr_matrix(logs.log1p().astype(np.float32))


def select_genes(adata: AnnData, n_genes: int, layer: str | None = None) -> list[str]:
    """Name the genes whose log-normalized value varies most, in their original order.

    Ties go to the earlier gene. For a held-out evaluation, give the training cells only.

    Parameters
    ----------
    adata
        Log-normalized cells to compute the variance on.
    n_genes
        How many genes.
    layer
        As in `expression_matrix`.

    Returns
    -------
    list of str
        Names; use as ``adata[:, names]``.

    Raises
    ------
    InputError
        As in `log_matrix`, and if `n_genes` is not between 1 and the number of genes.
    """
    x = log_matrix(adata, layer)
    if not 1 <= whole_number("n_genes", n_genes, least=0) <= x.shape[1]:
        raise InputError(f"{n_genes} genes are asked for: the data have {x.shape[1]}")
    variance = gene_variance(x)
    chosen = np.sort(np.argsort(-variance, kind="stable")[:n_genes])
    return adata.var_names[chosen].tolist()
