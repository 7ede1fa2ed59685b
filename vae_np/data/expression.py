"""What the matrix of an AnnData is: checked, told apart as counts or logarithms, normalized, selected.

The model takes log1p of counts scaled to 10,000 a cell. Nothing here guesses: counts and log values
are told apart by their values, and what is neither is refused with what was seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from vae_np.data.matrix import Matrix, checked_matrix, gene_variance, smaller_form, stored_values
from vae_np.errors import InputError, whole_number

if TYPE_CHECKING:
    from anndata import AnnData

TARGET_SUM = 10_000.0
LARGEST_LOG = 20.0
LARGEST_COUNT = 2.0**53  # float64 tells no larger integer from the next


def place(layer: str | None) -> str:
    """Where values are, in words."""
    return "X" if layer is None else f"layer {layer!r}"


def expression_matrix(adata: AnnData, layer: str | None = None) -> Matrix:
    """Take the matrix out of an AnnData, as a dense array or CSR, after checking it.

    Parameters
    ----------
    adata
        n cells x d genes; of one that is backed by a file the values are read into memory.
    layer
        A key of `adata.layers`; None is `adata.X`.

    Returns
    -------
    np.ndarray or scipy.sparse.csr_matrix
        Shape (n, d).

    Raises
    ------
    InputError
        If this is no AnnData, the layer or X does not exist, there is no cell or no gene, a
        gene name stands twice, or a value is NaN, infinite, negative or not a number.
    """
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        raise InputError(f"an AnnData is needed, got {type(adata).__name__}: see vae_np.read_h5ad")
    if layer is not None and not (isinstance(layer, str) and layer in adata.layers):
        known = ", ".join(map(str, adata.layers)) or "none"
        raise InputError(f"layer {layer!r} does not exist: the layers are {known}")
    where = place(layer)
    x = adata.X if layer is None else adata.layers[layer]
    if x is None:
        raise InputError("X is empty: name the layer that holds the expression values")
    if 0 in x.shape:
        raise InputError(f"{where} has {x.shape[0]} cells and {x.shape[1]} genes: nothing to work on")
    require_unique_genes(adata)
    x = checked_matrix(x.to_memory() if hasattr(x, "to_memory") else x, where)  # sparse, still in its file
    if negative := np.count_nonzero(stored_values(x) < 0):
        advice = "expression is not negative"
        if layer is None and adata.raw is not None:
            advice = "it looks scaled; if raw holds the expression, use adata.raw.to_adata()"
        raise InputError(f"{where} holds {negative} negative values: {advice}")
    return x


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
    stored = stored_values(x)
    largest = float(stored.max(initial=0))
    if np.array_equal(stored, np.floor(stored)):
        if largest > LARGEST_COUNT:
            raise InputError(
                f"the values reach {largest:.4g}: too large for counts; start from the raw counts"
            )
        return "counts"
    if largest <= LARGEST_LOG:
        return "log"
    raise InputError(
        f"the values reach {largest:.4g} and are not all integers: neither counts nor "
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
    x = expression_matrix(adata, layer)
    if stored_values(x).any() and scale_of(x) == "counts":
        raise InputError(
            f"{place(layer)} holds raw counts (all values are integers) where log-normalized values belong: "
            "use vae_np.data.log_normalize(adata), or --normalize on the command line"
        )
    return x


def log_normalize(adata: AnnData, layer: str | None = None) -> AnnData:
    """Return a copy whose X is log1p of the counts scaled to 10,000 a cell, in float32.

    A cell without any count stays zero.

    Parameters
    ----------
    adata
        n cells x d genes with counts.
    layer
        Where the counts are; None is X.

    Returns
    -------
    AnnData
        A copy in memory; everything but X as it was.

    Raises
    ------
    InputError
        As in `expression_matrix`, and if a value is not an integer.
    """
    counts = expression_matrix(adata, layer)
    if scale_of(counts) != "counts":
        raise InputError(
            "the values to normalize are not all integers, they look log-normalized already: "
            "leave out log_normalize (on the command line: --normalize)"
        )
    totals = np.asarray(counts.astype(float).sum(axis=1)).ravel()
    factors = np.divide(TARGET_SUM, totals, out=np.zeros_like(totals), where=totals > 0)
    if sparse.issparse(counts):
        logs = sparse.diags_array(factors) @ counts
        logs = sparse.csr_matrix(logs.log1p().astype(np.float32))
    else:
        logs = np.log1p(factors[:, None] * counts).astype(np.float32)
    result = adata.to_memory(copy=True)
    result.X = logs
    return result


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
    variance = gene_variance(smaller_form(x))  # depends on the values alone
    chosen = np.sort(np.argsort(-variance, kind="stable")[:n_genes])
    return adata.var_names[chosen].tolist()
