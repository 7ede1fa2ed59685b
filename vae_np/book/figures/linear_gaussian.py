"""Figures of the page on the linear-Gaussian model."""

import numpy as np
from matplotlib.figure import Figure

from vae_np.plots import posterior_ellipses_plot
from vae_np.verify.oracle import LinearGaussian, linear_gaussian_posterior

M = np.array([[3.0, 1.0], [1.0, 2.0]])  # the page's example of a posterior that is tilted
VARIANCE = 0.25
X = np.array([[1.5, 2.0], [2.5, -0.5], [-1.5, 0.5], [-1.0, -2.0]])


def model() -> LinearGaussian:
    """Linear-Gaussian model with the matrix M = W W^T + variance I of the page's example."""
    return LinearGaussian(np.linalg.cholesky(M - VARIANCE * np.eye(2)), np.zeros(2), VARIANCE)


def best_diagonal(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best diagonal Q of each cell: the posterior's mean, and log(variance / M_jj) [rotation-gap].

    Parameters
    ----------
    mean
        Of the posterior, (n, 2).

    Returns
    -------
    tuple of np.ndarray
        mu, log_var, each (n, 2).
    """
    return mean, np.broadcast_to(np.log(VARIANCE / np.diag(M)), mean.shape)


def diagonal_posterior() -> Figure:
    """Draw the exact posteriors of four cells, and the best diagonal ones [rotation-gap]."""
    mean, covariance = linear_gaussian_posterior(model(), X)
    return posterior_ellipses_plot(mean, covariance, *best_diagonal(mean))
