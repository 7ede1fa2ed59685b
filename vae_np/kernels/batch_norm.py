"""Batch normalization in a few passes that stay in cache: twins of `batch_norm` and its backward."""

import math
from typing import Any

import numpy as np

from vae_np.kernels.jit import jit


@jit
def _normalize(
    a: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    epsilon: float,
    momentum: float,
    train: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return h, u, 1/s and the new running mean and variance."""
    n, n_features = a.shape
    real = a.dtype.type
    h, u, inverse_s = np.empty_like(a), np.empty_like(a), np.empty_like(gamma)
    start, middle, var = running_mean.copy(), np.zeros_like(gamma), running_var.copy()
    if train:
        start[:], var[:] = a[0], 0
        for i in range(n):
            for j in range(n_features):
                middle[j] += a[i, j] - start[j]
        middle /= real(n)
        for i in range(n):
            for j in range(n_features):
                var[j] += (a[i, j] - start[j] - middle[j]) ** 2
        var /= real(n)
    for j in range(n_features):
        inverse_s[j] = real(1) / math.sqrt(var[j] + real(epsilon))
    for i in range(n):
        for j in range(n_features):
            u[i, j] = (a[i, j] - start[j] - middle[j]) * inverse_s[j]
            h[i, j] = gamma[j] * u[i, j] + beta[j]
    mean = start + middle
    if train:
        keep, add = real(1 - momentum), real(momentum)
        mean = keep * running_mean + add * mean
        var = keep * running_var + add * real(n / (n - 1)) * var
    return h, u, inverse_s, mean, var


def batch_norm(
    a: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    stats: Any,  # noqa: ANN401 - RunningStats, of a higher import layer
    epsilon: float = 1e-3,
    momentum: float = 0.01,
    train: bool = True,
) -> tuple[np.ndarray, tuple, Any]:
    """Normalize each column, h = gamma (a - mean) / sqrt(var + epsilon) + beta [grad-batch-norm]."""
    if train and len(a) < 2:
        raise ValueError(f"batch norm in training needs at least two rows, got {len(a)}")
    if any(vector.shape != a.shape[1:] for vector in (gamma, beta, *stats)):
        raise ValueError(f"a has shape {a.shape}: gamma, beta and the statistics need one number a column")
    h, u, inverse_s, mean, var = _normalize(a, gamma, beta, *stats, epsilon, momentum, train)
    return h, (u, inverse_s, gamma, train), type(stats)(mean, var)


@jit
def _carry_back(
    d_h: np.ndarray, u: np.ndarray, inverse_s: np.ndarray, gamma: np.ndarray, train: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return d_a, d_gamma and d_beta."""
    n, n_features = d_h.shape
    real = d_h.dtype.type
    d_a, d_gamma, d_beta = np.empty_like(d_h), np.zeros_like(gamma), np.zeros_like(gamma)
    for i in range(n):
        for j in range(n_features):
            d_gamma[j] += d_h[i, j] * u[i, j]
            d_beta[j] += d_h[i, j]
    # the means of d_u and of d_u u over the batch are gamma / n times d_beta and d_gamma
    share = real(1 / n) if train else real(0)
    for i in range(n):
        for j in range(n_features):
            d_centered = d_h[i, j] - share * (d_beta[j] + u[i, j] * d_gamma[j])
            d_a[i, j] = gamma[j] * d_centered * inverse_s[j]
    return d_a, d_gamma, d_beta


def batch_norm_backward(d_h: np.ndarray, cache: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry the gradient back through the values and through both statistics [grad-batch-norm]."""
    if d_h.shape != cache[0].shape:
        raise ValueError(f"d_h has shape {d_h.shape}, the batch had {cache[0].shape}")
    return _carry_back(d_h, *cache)
