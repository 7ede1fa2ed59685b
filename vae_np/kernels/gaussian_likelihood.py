"""The Gaussian likelihood in one pass over x and x_hat: twins of the log density and its backward."""

import math

import numpy as np

from vae_np.kernels.jit import jit

LOG_2PI = math.log(2 * math.pi)


def _draws(x: np.ndarray, x_hat: np.ndarray, variance: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give x_hat the shape (L, n, d), and the variance one number a gene."""
    if x.shape != x_hat.shape[-2:]:
        raise ValueError(f"x {x.shape} and x_hat {x_hat.shape} do not fit together")
    draws = x_hat if x_hat.ndim == 3 else x_hat[None]
    return draws, np.full(x_hat.shape[-1], variance, x_hat.dtype)


@jit
def _log_density(x: np.ndarray, x_hat: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Shape (L, n); the sum over the genes is kept in float64."""
    n_draws, n, d = x_hat.shape
    log_lik = np.empty((n_draws, n), x_hat.dtype)
    constant = d * LOG_2PI + np.log(variance.astype(np.float64)).sum()
    for draw in range(n_draws):
        for i in range(n):
            total = constant
            for g in range(d):
                residual = x[i, g] - x_hat[draw, i, g]
                total += residual * residual / variance[g]
            log_lik[draw, i] = -0.5 * total
    return log_lik


def gaussian_log_likelihood(x: np.ndarray, x_hat: np.ndarray, variance: float | np.ndarray) -> np.ndarray:
    """Log density of the data under the decoder [gaussian-likelihood]."""
    return _log_density(x, *_draws(x, x_hat, variance)).reshape(x_hat.shape[:-1])


@jit
def _log_density_backward(
    d_ll: np.ndarray, x: np.ndarray, x_hat: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """d_ll is (L, n)."""
    d_x_hat = np.empty_like(x_hat)
    n_draws, n, d = x_hat.shape
    for draw in range(n_draws):
        for i in range(n):
            for g in range(d):
                d_x_hat[draw, i, g] = d_ll[draw, i] * (x[i, g] - x_hat[draw, i, g]) / variance[g]
    return d_x_hat


def gaussian_log_likelihood_backward(
    d_ll: np.ndarray, x: np.ndarray, x_hat: np.ndarray, variance: float | np.ndarray
) -> np.ndarray:
    """Carry the gradient back, d_x_hat = d_ll (x - x_hat) / variance [grad-likelihood]."""
    draws, variance = _draws(x, x_hat, variance)
    return _log_density_backward(d_ll.reshape(draws.shape[:2]), x, draws, variance).reshape(x_hat.shape)
