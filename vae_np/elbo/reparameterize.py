"""The reparameterization: noise that does not depend on the parameters is mapped onto a draw from q.

Scalar case. z = mu + sigma eps with eps ~ N(0, 1) has the law N(mu, sigma^2), and with eps held
fixed it is a smooth function of mu and of log_var:

    dz/dmu = 1,      dz/dlog_var = eps dsigma/dlog_var = eps sigma / 2,   as sigma = exp(log_var / 2)

Full case. The same for each cell and latent dimension; L draws share one mu and one log_var, so
their gradients add up.
"""

import numpy as np


def reparameterize(mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """Map noise onto draws from q, z = mu + exp(log_var / 2) * eps [reparam-gaussian].

    Parameters
    ----------
    mu, log_var
        Shape (n, k).
    eps
        Standard normal noise, (n, k) or (L, n, k).

    Returns
    -------
    np.ndarray
        z, shape of `eps`.
    """
    return mu + np.exp(0.5 * log_var) * eps


def reparameterize_backward(
    d_z: np.ndarray, log_var: np.ndarray, eps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry the gradient back through the same noise [grad-reparam-mu] [grad-reparam-log-var].

    d_mu = sum_l d_z_l and d_log_var = sigma / 2 * sum_l d_z_l eps_l.

    Parameters
    ----------
    d_z
        Gradient of the loss in z, shape of `eps`.
    log_var
        Shape (n, k).
    eps
        What `reparameterize` was given.

    Returns
    -------
    tuple of np.ndarray
        d_mu, d_log_var, each (n, k): summed over the draws.
    """
    d_sigma = d_z * eps
    if eps.ndim == 3:
        d_z, d_sigma = d_z.sum(axis=0), d_sigma.sum(axis=0)
    return d_z, 0.5 * np.exp(0.5 * log_var) * d_sigma
