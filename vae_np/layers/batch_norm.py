"""Batch normalization: each feature is centered and scaled by the statistics of the batch.

Scalar case. One feature with values a_1 .. a_n, u_i = (a_i - mean) / s, s = sqrt(var + epsilon),
h_i = gamma u_i + beta. A change of one a_j moves its own u_j, and through the mean and the variance
*every* u_i:

    du_i/da_j = ( [i = j] - 1/n - u_i u_j / n ) / s

so with d_u = gamma d_h

    d_a_j = ( d_u_j - mean_i(d_u_i) - u_j mean_i(d_u_i u_i) ) / s
    d_gamma = sum_i d_h_i u_i,      d_beta = sum_i d_h_i

The two means are the terms that go missing when the statistics are wrongly treated as constants. A
shift common to
the whole batch, and (up to epsilon) a rescaling of it, have no effect, so d_a sums to zero: the
bias of the linear layer before has no gradient in training.

Matrix case. Every column is a feature of its own. In evaluation mode the statistics *are* constants,
the running ones, and d_a = gamma d_h / s.

Running statistics are values, not state: they come in, and the updated ones go out. Only squares of
differences appear (no `abs`), so a complex step passes through.

In floating point a mean is known to about a rounding of its own size, which is much where a column is nearly
constant and far from 0. So each column is measured from its first row: that difference is exact or nearly so,
its mean is small, and a constant column has variance 0 exactly.
"""

from typing import NamedTuple

import numpy as np

from vae_np.kernels import accelerated

EPSILON = 1e-3
MOMENTUM = 0.01


class RunningStats(NamedTuple):
    """Running mean and variance of one batch-norm layer, each of shape (n_features,)."""

    mean: np.ndarray
    var: np.ndarray


class BatchNormCache(NamedTuple):
    """What the backward pass needs: u (n, n_features), 1/s and gamma (n_features,), and the mode."""

    u: np.ndarray
    inverse_s: np.ndarray
    gamma: np.ndarray
    train: bool


@accelerated
def batch_norm(
    a: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    stats: RunningStats,
    epsilon: float = EPSILON,
    momentum: float = MOMENTUM,
    train: bool = True,
) -> tuple[np.ndarray, BatchNormCache, RunningStats]:
    """Normalize each column, h = gamma (a - mean) / sqrt(var + epsilon) + beta [grad-batch-norm].

    In training the batch's mean and biased variance (1/n) normalize, and the new running statistics
    are (1 - momentum) * old + momentum * batch, the variance there with 1/(n-1), as published
    (scvi-tools, PyTorch). In evaluation the running statistics normalize and go out unchanged.

    Parameters
    ----------
    a
        Shape (n, n_features).
    gamma, beta
        Learned scale and shift, shape (n_features,).
    stats
        Running mean and variance.
    epsilon, momentum
        The published model's 1e-3 and 0.01.
    train
        Whether the batch's own statistics normalize.

    Returns
    -------
    tuple
        h (n, n_features), the cache for `batch_norm_backward`, the new running statistics.

    Raises
    ------
    ValueError
        In training with fewer than two rows: one row has no variance.
    """
    running_mean, running_var = stats
    if train:
        n = a.shape[0]
        if n < 2:
            raise ValueError(f"batch norm in training needs at least two rows, got {n}")
        from_first = a - a[0]
        middle = from_first.mean(axis=0)
        mean, centered = a[0] + middle, from_first - middle
        var = (centered * centered).mean(axis=0)
        new_stats = RunningStats(
            (1 - momentum) * running_mean + momentum * mean,
            (1 - momentum) * running_var + momentum * (n / (n - 1)) * var,
        )
    else:
        centered, var = a - running_mean, running_var
        new_stats = RunningStats(running_mean, running_var)
    inverse_s = 1 / np.sqrt(var + epsilon)
    u = centered * inverse_s
    return gamma * u + beta, BatchNormCache(u, inverse_s, gamma, train), new_stats


@accelerated
def batch_norm_backward(d_h: np.ndarray, cache: BatchNormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry the gradient back through the values and through both statistics [grad-batch-norm].

    d_a = (d_u - mean(d_u) - u mean(d_u u)) / s in training, d_u / s in evaluation, d_u = gamma d_h.

    Parameters
    ----------
    d_h
        Gradient of the loss in h, shape (n, n_features).
    cache
        From `batch_norm`.

    Returns
    -------
    tuple of np.ndarray
        d_a (n, n_features), d_gamma (n_features,), d_beta (n_features,).
    """
    u, inverse_s, gamma, train = cache
    d_u = d_h * gamma
    d_gamma, d_beta = (d_h * u).sum(axis=0), d_h.sum(axis=0)
    if train:
        d_u = d_u - d_u.mean(axis=0) - u * (d_u * u).mean(axis=0)
    return d_u * inverse_s, d_gamma, d_beta
