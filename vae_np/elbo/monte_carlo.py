"""The Monte Carlo ELBO: an average over L draws stands for the expectation, the KL is exact.

    ELBO(x) = E_q log p(x|z) - KL(q||p)   is estimated without bias by   1/L sum_l log p(x|z_l) - KL

1/L covers the draws only. A single estimate may exceed log p(x); its mean cannot.

Scalar case. The mean of L numbers has derivative 1/L in each of them; the difference has 1 and -1.
Full case: one such estimate a cell.
"""

import numpy as np

from vae_np.elbo.gaussian import kl_standard_normal, kl_standard_normal_backward
from vae_np.elbo.gaussian_likelihood import (
    gaussian_log_likelihood,
    gaussian_log_likelihood_backward,
)


def monte_carlo_reconstruction(log_lik: np.ndarray) -> np.ndarray:
    """Average over the draws, E_q log p(x|z) ~ 1/L sum_l log p(x|z_l) [mc-reconstruction].

    Parameters
    ----------
    log_lik
        log p(x|z_l), shape (L, n), nats.

    Returns
    -------
    np.ndarray
        Shape (n,), nats.

    Raises
    ------
    ValueError
        If the axis of the draws is missing.
    """
    if log_lik.ndim != 2:
        raise ValueError(f"the log likelihoods have shape {log_lik.shape}: give (L, n)")
    return log_lik.mean(axis=0)


def monte_carlo_reconstruction_backward(d_reconstruction: np.ndarray, n_draws: int) -> np.ndarray:
    """Share the gradient among the draws, d_log_lik_l = d_reconstruction / L [mc-reconstruction].

    Parameters
    ----------
    d_reconstruction
        Shape (n,).
    n_draws
        L.

    Returns
    -------
    np.ndarray
        d_log_lik, shape (L, n).
    """
    return np.tile(d_reconstruction / n_draws, (n_draws, 1))


def elbo_estimate(log_lik: np.ndarray, kl: np.ndarray) -> np.ndarray:
    """Estimate the ELBO of each cell, 1/L sum_l log p(x|z_l) - KL(q||p) [mc-elbo].

    Parameters
    ----------
    log_lik
        log p(x|z_l), shape (L, n), nats.
    kl
        Shape (n,), nats.

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return monte_carlo_reconstruction(log_lik) - kl


def elbo_estimate_backward(d_elbo: np.ndarray, n_draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Carry the gradient back, d_log_lik_l = d_elbo / L and d_kl = -d_elbo [mc-elbo].

    Parameters
    ----------
    d_elbo
        Shape (n,).
    n_draws
        L.

    Returns
    -------
    tuple of np.ndarray
        d_log_lik (L, n), d_kl (n,).
    """
    return monte_carlo_reconstruction_backward(d_elbo, n_draws), -d_elbo


def monte_carlo_elbo(
    x: np.ndarray,
    x_hat: np.ndarray,
    mu: np.ndarray,
    log_var: np.ndarray,
    variance: float | np.ndarray,
) -> np.ndarray:
    """Estimate the ELBO of each cell under a Gaussian likelihood [objective].

    1/L sum_l log N(x; x_hat_l, variance) - KL(q||p); larger is better.

    Parameters
    ----------
    x
        Shape (n, d).
    x_hat
        Decoded draws, (L, n, d).
    mu, log_var
        Shape (n, k).
    variance
        A positive float, or one a feature, (d,).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    log_lik = gaussian_log_likelihood(x, x_hat, variance)
    return elbo_estimate(log_lik, kl_standard_normal(mu, log_var))


def monte_carlo_elbo_backward(
    d_elbo: np.ndarray,
    x: np.ndarray,
    x_hat: np.ndarray,
    mu: np.ndarray,
    log_var: np.ndarray,
    variance: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry the gradient back to the decoded draws and, through the KL alone, to q [objective].

    d_x_hat_l = d_elbo / L (x - x_hat_l) / variance, d_mu = -mu d_elbo,
    d_log_var = (1 - sigma^2) / 2 d_elbo. The other path to mu and log_var runs through x_hat.

    Parameters
    ----------
    d_elbo
        Shape (n,).
    x, x_hat, mu, log_var, variance
        What `monte_carlo_elbo` was given.

    Returns
    -------
    tuple of np.ndarray
        d_x_hat (L, n, d), d_mu (n, k), d_log_var (n, k).
    """
    d_log_lik, d_kl = elbo_estimate_backward(d_elbo, len(x_hat))
    d_x_hat = gaussian_log_likelihood_backward(d_log_lik, x, x_hat, variance)
    return d_x_hat, *kl_standard_normal_backward(d_kl, mu, log_var)
