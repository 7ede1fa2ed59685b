"""A linear layer's way back and its update in one pass over W: twins of functions of `vae_np.train.step`.

Of W, m and v a few rows at a time are read, used and written. Those rows take part in d_x with their
old values; their gradient is a small product that never leaves the cache. In the output layer the rows
are genes, and under a Gaussian likelihood one gene's share of the loss has nothing to do with another's:
the way forth fits into the same pass.
"""

from typing import Any

import numpy as np
from scipy import sparse

from vae_np.kernels.adam import rates, update
from vae_np.kernels.gaussian_likelihood import LOG_2PI
from vae_np.kernels.jit import jit
from vae_np.kernels.linear import block_of
from vae_np.kernels.threads import in_parts, sum_of_parts


@jit
def add(total: np.ndarray, part: np.ndarray) -> None:
    """Add a matrix to another in place; written out, since Numba's own `+=` takes three times as long."""
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            total[i, j] += part[i, j]


@jit
def _update_rows(
    theta: np.ndarray,
    grad: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    factors: np.ndarray,
    low: int,
    high: int,
) -> None:
    """Update rows low..high of theta, m and v; their gradient is in the first rows of `grad`."""
    rows = theta[low:high].reshape(-1), m[low:high].reshape(-1), v[low:high].reshape(-1)
    update(rows[0], grad[: high - low].reshape(-1), rows[1], rows[2], factors)


@jit
def _dense(
    theta: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    factors: np.ndarray,
    onward: np.ndarray,
    start: int,
    stop: int,
    block: int,
) -> None:
    """Update rows start..stop by left^T right; `onward`, if it has rows, gains left theta, the old one."""
    width = theta.shape[1]
    grad = np.empty((block, width), theta.dtype)
    product = np.empty((len(onward), width), theta.dtype)
    for low in range(start, stop, block):
        high = min(low + block, stop)
        columns = np.ascontiguousarray(left[:, low:high])
        if len(onward):
            np.dot(columns, theta[low:high], product)
            add(onward, product)
        np.dot(columns.T, right, grad[: high - low])
        _update_rows(theta, grad, m, v, factors, low, high)


@jit
def _sparse(
    theta: np.ndarray,
    starts: np.ndarray,
    cells: np.ndarray,
    values: np.ndarray,
    d_a: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    factors: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Update the rows of genes start..stop by x^T d_a, for x in CSC form."""
    grad = np.empty(theta.shape[1], theta.dtype)
    for gene in range(start, stop):
        grad[:] = 0
        for entry in range(starts[gene], starts[gene + 1]):
            value, row = values[entry], d_a[cells[entry]]
            for o in range(len(grad)):
                grad[o] += value * row[o]
        update(theta[gene], grad, m[gene], v[gene], factors)


def linear_backward_step(
    d_a: np.ndarray,
    x: Any,  # noqa: ANN401 - an array, or CSC
    W: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    wants_d_x: bool,
    *settings: float,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Carry the gradient back through a linear layer, then update W, in place [adam-step].

    W, m and v lie in memory in the same order, by inputs or by outputs; `settings` are those of
    `adam_update`, from t on.
    """
    d_a = np.ascontiguousarray(d_a)
    by_inputs = W.flags.c_contiguous
    theta, m, v = (W, m, v) if by_inputs else (W.T, m.T, v.T)
    factors = rates(theta, *settings)
    d_x = d_a @ W.T if by_inputs and wants_d_x else None
    if not isinstance(x, np.ndarray):
        entries = x.indptr, x.indices, x.data

        def update_genes(rows: slice) -> None:
            _sparse(theta, *entries, d_a, m, v, factors, rows.start, rows.stop)

        in_parts(update_genes, len(theta), theta.size)
        return d_x, d_a.sum(axis=0)

    x = np.ascontiguousarray(x)
    left, right = (x, d_a) if by_inputs else (d_a, x)
    block = block_of(*right.shape)
    n_onward = len(x) if wants_d_x and not by_inputs else 0

    def update_rows(rows: slice) -> np.ndarray:
        onward = np.zeros((n_onward, theta.shape[1]), theta.dtype)
        _dense(theta, left, right, m, v, factors, onward, rows.start, rows.stop, block)
        return onward

    onward = sum_of_parts(update_rows, len(theta), theta.size, block)
    return onward if n_onward else d_x, d_a.sum(axis=0)


@jit
def _gaussian_output(
    theta: np.ndarray,
    b: np.ndarray,
    h: np.ndarray,
    entries: tuple[np.ndarray, np.ndarray, np.ndarray],
    n_cells: int,
    precision: np.ndarray,
    d_log_lik: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    factors: np.ndarray,
    d_h: np.ndarray,
    d_b: np.ndarray,
    squares: np.ndarray,
    start: int,
    stop: int,
) -> None:
    """Take genes start..stop forth and back: add to d_h, d_b and the weighted squares, update theta."""
    starts, cells, values = entries
    n, block = squares.shape
    grad = np.empty((block, h.shape[1]), h.dtype)
    product = np.empty_like(h)
    for low in range(start, stop, block):
        high = min(low + block, stop)
        residual = np.dot(h, theta[low:high].T)  # becomes x_hat - x, then the gradient of the loss in x_hat
        for i in range(n):
            for g in range(high - low):
                residual[i, g] += b[low + g]
        for gene in range(low, high):
            for entry in range(starts[gene], starts[gene + 1]):
                for i in range(cells[entry], n, n_cells):
                    residual[i, gene - low] -= values[entry]
        for i in range(n):
            for g in range(high - low):
                weighted = residual[i, g] * precision[low + g]
                squares[i, g] += residual[i, g] * weighted
                residual[i, g] = -d_log_lik[i] * weighted
                d_b[low + g] += residual[i, g]
        np.dot(residual, theta[low:high], product)
        add(d_h, product)
        np.dot(residual.T, h, grad[: high - low])
        _update_rows(theta, grad, m, v, factors, low, high)


def gaussian_output_step(
    d_log_lik: np.ndarray,
    x: Any,  # noqa: ANN401 - an array, or CSC
    h: np.ndarray,
    output: tuple[np.ndarray, np.ndarray],
    variance: float | np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    *settings: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take the output layer and a Gaussian likelihood forth and back, then update W, in place [adam-step]."""
    W, b = output
    theta, real = W.T, W.dtype
    x = sparse.csc_matrix(x)
    entries = x.indptr, x.indices, x.data
    variances = np.full(len(b), variance, float)
    precision, weights = (1 / variances).astype(real), d_log_lik.ravel()
    factors = rates(theta, *settings)
    d_b, block = np.zeros_like(b), block_of(*h.shape)

    def take(genes: slice) -> np.ndarray:
        d_h, squares = np.zeros_like(h), np.zeros((len(h), block), real)
        _gaussian_output(
            theta,
            b,
            h,
            entries,
            x.shape[0],
            precision,
            weights,
            m.T,
            v.T,
            factors,
            d_h,
            d_b,
            squares,
            genes.start,
            genes.stop,
        )
        return np.column_stack([d_h, squares.sum(axis=1)])

    summed = sum_of_parts(take, len(theta), theta.size, block)
    constant = len(b) * LOG_2PI + np.log(variances).sum()
    log_lik = (-0.5 * (constant + summed[:, -1].astype(float))).astype(real)
    return log_lik.reshape(d_log_lik.shape), summed[:, :-1], d_b
