"""Diagonal Gaussians: the density, its two expectations under q, and the KL divergence they add up to.

q(z) = N(mu, diag(sigma^2)) and the prior p(z) = N(0, I). The variable is log_var = log sigma^2
everywhere: it may be any real number, and sigma = exp(log_var / 2).

Scalar case.  E_q log p = -1/2 [log 2 pi + mu^2 + sigma^2]      since E_q z^2 = mu^2 + sigma^2
              E_q log q = -1/2 [log 2 pi + 1 + log sigma^2]     since E_q (z - mu)^2 = sigma^2
              KL(q||p)  = E_q log q - E_q log p = 1/2 [mu^2 + sigma^2 - 1 - log sigma^2]

Full case. The density is a product over the k latent dimensions, its logarithm a sum, and each
function below sums over the last axis (never averages). Values are in nats, one a cell.
"""

import math

import numpy as np

LOG_2PI = math.log(2 * math.pi)


def log_normal(z: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Log density of a diagonal Gaussian [gaussian-q].

    log q(z) = -1/2 sum_j [ log 2 pi + log_var_j + (z_j - mu_j)^2 exp(-log_var_j) ]

    Parameters
    ----------
    z
        Shape (n, k), or (L, n, k) for L draws.
    mu, log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        Shape (n,) or (L, n), nats.
    """
    return -0.5 * (LOG_2PI + log_var + (z - mu) ** 2 * np.exp(-log_var)).sum(axis=-1)


def log_normal_backward(
    d_log_q: np.ndarray, z: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Carry the gradient back; with r = (z - mu) / sigma^2, d_z = -r, d_mu = r [gaussian-q].

    d_log_var = ((z - mu)^2 / sigma^2 - 1) / 2, each times d_log_q of its cell.

    Parameters
    ----------
    d_log_q
        Shape (n,) or (L, n).
    z, mu, log_var
        What `log_normal` was given.

    Returns
    -------
    tuple of np.ndarray
        d_z, d_mu, d_log_var, each of the shape of `z`: with L draws, one gradient a draw.
    """
    d = d_log_q[..., None]
    r = (z - mu) * np.exp(-log_var)
    return -d * r, d * r, 0.5 * d * ((z - mu) * r - 1)


def log_standard_normal(z: np.ndarray) -> np.ndarray:
    """Log density of the prior, log p(z) = -k/2 log 2 pi - 1/2 sum_j z_j^2 [gaussian-prior].

    Parameters
    ----------
    z
        Shape (n, k), or (L, n, k) for L draws.

    Returns
    -------
    np.ndarray
        Shape (n,) or (L, n), nats.
    """
    return -0.5 * (LOG_2PI + z**2).sum(axis=-1)


def log_standard_normal_backward(d_log_p: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Carry the gradient back, d_z = -z d_log_p [gaussian-prior].

    Parameters
    ----------
    d_log_p
        Shape (n,).
    z
        Shape (n, k).

    Returns
    -------
    np.ndarray
        d_z, shape (n, k).
    """
    return -d_log_p[..., None] * z


def cross_entropy_standard_normal(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Expectation of the prior's log density under q, E_q log p(z) [cross-entropy].

    = -k/2 log 2 pi - 1/2 sum_j (sigma_j^2 + mu_j^2)

    Parameters
    ----------
    mu, log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return -0.5 * (LOG_2PI + np.exp(log_var) + mu**2).sum(axis=-1)


def cross_entropy_standard_normal_backward(
    d_cross: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry the gradient back, d_mu = -mu, d_log_var = -sigma^2 / 2, times d_cross [cross-entropy].

    Parameters
    ----------
    d_cross
        Shape (n,).
    mu, log_var
        Shape (n, k).

    Returns
    -------
    tuple of np.ndarray
        d_mu, d_log_var, each (n, k).
    """
    d = d_cross[..., None]
    return -d * mu, -0.5 * d * np.exp(log_var)


def negative_entropy(log_var: np.ndarray) -> np.ndarray:
    """Expectation of q's own log density, E_q log q(z) [neg-entropy].

    = -k/2 log 2 pi - 1/2 sum_j (1 + log_var_j); the mean has no part in it.

    Parameters
    ----------
    log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return -0.5 * (LOG_2PI + 1 + log_var).sum(axis=-1)


def negative_entropy_backward(d_negative_entropy: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Carry the gradient back, d_log_var = -1/2 d_negative_entropy [neg-entropy].

    Parameters
    ----------
    d_negative_entropy
        Shape (n,).
    log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        d_log_var, shape (n, k).
    """
    return -0.5 * d_negative_entropy[..., None] * np.ones_like(log_var)


def kl_standard_normal(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """KL divergence of q from the prior in closed form [kl-closed].

    KL(q||p) = 1/2 sum_j [ mu_j^2 + sigma_j^2 - 1 - log_var_j ], at least 0, and 0 only at the prior.

    Parameters
    ----------
    mu, log_var
        Shape (n, k).

    Returns
    -------
    np.ndarray
        Shape (n,), nats.
    """
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)


def kl_standard_normal_backward(
    d_kl: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry the gradient back [grad-kl-mu] [grad-kl-log-var].

    d_mu = mu d_kl and d_log_var = (sigma^2 - 1) / 2 d_kl: the mean is pulled to 0, the variance to 1.

    Parameters
    ----------
    d_kl
        Shape (n,).
    mu, log_var
        Shape (n, k).

    Returns
    -------
    tuple of np.ndarray
        d_mu, d_log_var, each (n, k).
    """
    d = d_kl[..., None]
    return d * mu, 0.5 * d * (np.exp(log_var) - 1)
