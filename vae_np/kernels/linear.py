"""The affine map by rows of its matrix: twin of `linear`.

Few cells meet a large matrix: to read it from memory takes about as long as to multiply. So each
matrix is read once, a block of its rows at a time, small enough to stay in cache and, where the library
can do without copies, for the product to need none; and of a sparse x only the rows of the genes that some
cell expresses are read. With several hundred cells a whole product of the matrix library is best, and it is
called.
"""

from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from vae_np.kernels.jit import jit
from vae_np.kernels.threads import in_parts, sum_of_parts

CACHED = 25_600  # numbers in a block: 100 kB in float32, a tenth of a core's second-level cache
DIRECT = {"skylakex", "cooperlake", "sapphirerapids"}  # OpenBLAS's kernels that can do without packing
UNPACKED = 1_000_000  # multiplications up to which they do
MANY_CELLS = 128
PACKED_ROWS = 128, 256  # rows that make packing worth while, with few cells and with many


@cache
def multiplies_directly() -> bool:
    """Say whether the matrix library on this machine multiplies small matrices without packing them."""
    import scipy.linalg.cython_blas  # noqa: F401 - what kernels multiply with; only what is loaded is seen

    libraries = ThreadpoolController().select(user_api="blas").info()
    return any((library.get("architecture") or "").lower() in DIRECT for library in libraries)


def block_of(n_cells: int, n_columns: int) -> int:
    """Rows of a matrix that are taken at a time: a multiple of 8, so that vector registers are full."""
    rows = min(CACHED // max(n_columns, 1), UNPACKED // max(n_cells * n_columns, 1)) // 8 * 8
    if rows and multiplies_directly():
        return rows
    few, many = PACKED_ROWS
    return many if n_cells >= MANY_CELLS else few


@jit
def _by_outputs(
    x: np.ndarray, rows: np.ndarray, b: np.ndarray, a: np.ndarray, start: int, stop: int, block: int
) -> None:
    """Columns start..stop of a = x W + b, where `rows` is W^T."""
    product = np.empty((block, len(x)), a.dtype)
    for low in range(start, stop, block):
        high = min(low + block, stop)
        np.dot(rows[low:high], x.T, product[: high - low])
        for i in range(len(x)):
            for o in range(low, high):
                a[i, o] = product[o - low, i] + b[o]


@jit
def _by_genes(
    starts: np.ndarray,
    cells: np.ndarray,
    values: np.ndarray,
    W: np.ndarray,
    a: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Add what genes start..stop contribute to a = x W, for x in CSC form: a row of W goes to its cells."""
    for gene in range(start, stop):
        row = W[gene]
        for entry in range(starts[gene], starts[gene + 1]):
            out, value = a[cells[entry]], values[entry]
            for o in range(len(row)):
                out[o] += value * row[o]


def linear(x: Any, W: np.ndarray, b: np.ndarray) -> np.ndarray:  # noqa: ANN401 - an array, or CSC
    """Map each row affinely, a = x W + b [grad-linear]; x may be in CSC form."""
    if x.ndim != 2 or x.shape[1] != len(W) or b.shape != W.shape[1:]:
        raise ValueError(f"x {x.shape}, W {W.shape} and b {b.shape} do not fit together")
    shape = x.shape[0], W.shape[1]
    if not isinstance(x, np.ndarray):
        x, W = x.tocsc(), np.ascontiguousarray(W)

        def add_genes(genes: slice) -> np.ndarray:
            a = np.zeros(shape, W.dtype)
            _by_genes(x.indptr, x.indices, x.data, W, a, genes.start, genes.stop)
            return a

        return sum_of_parts(add_genes, len(W), W.size) + b
    a = np.empty(shape, W.dtype)
    if len(x) >= MANY_CELLS:
        in_parts(lambda cells: np.add(x[cells] @ W, b, out=a[cells]), len(x), W.size)
    elif W.flags.c_contiguous:
        in_parts(lambda outputs: np.add(x @ W[:, outputs], b[outputs], out=a[:, outputs]), len(b), W.size, 16)
    else:
        x, rows, b = np.ascontiguousarray(x), np.ascontiguousarray(W.T), np.ascontiguousarray(b)
        block = block_of(*x.shape)
        in_parts(
            lambda part: _by_outputs(x, rows, b, a, part.start, part.stop, block), len(rows), W.size, block
        )
    return a
