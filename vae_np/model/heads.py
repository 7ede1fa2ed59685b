"""The encoder's two heads: how log_var is kept in range, and how two gradients meet there.

mu and log_var act on the loss along two paths. Through the sample z they move the reconstruction,
through the closed form they move the KL; by the chain rule the two gradients add.

The guard. The log_var head gives any real a; log_var = 10 tanh(a / 10) is close to a for small a and
never leaves (-10, 10), so exp(log_var) cannot overflow. (The published tools take exp(a) + 1e-4
unguarded, and it does explode, in evaluation mode above all.)

Scalar case: d/da 10 tanh(a/10) = 1 - tanh^2(a/10) = 1 - (log_var/10)^2. Full case: entry by entry.
"""

import numpy as np

from vae_np.elbo.gaussian import kl_standard_normal_backward
from vae_np.elbo.reparameterize import reparameterize_backward

LIMIT = 10.0


def guard_log_var(a: np.ndarray) -> np.ndarray:
    """Bound the head's output smoothly, log_var = 10 tanh(a / 10) [grad-heads-add].

    Parameters
    ----------
    a
        Shape (n, k).

    Returns
    -------
    np.ndarray
        log_var in (-10, 10), shape (n, k).
    """
    return LIMIT * np.tanh(a / LIMIT)


def guard_log_var_backward(d_log_var: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Carry the gradient back, d_a = (1 - (log_var / 10)^2) d_log_var [grad-heads-add].

    Parameters
    ----------
    d_log_var
        Shape (n, k).
    log_var
        What `guard_log_var` returned.

    Returns
    -------
    np.ndarray
        d_a, shape (n, k).
    """
    return (1 - (log_var / LIMIT) ** 2) * d_log_var


def heads_backward(
    d_z: np.ndarray, d_kl: np.ndarray, mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add the gradients of the two paths, through z and through the KL [grad-heads-add].

    d_mu = sum_l d_z_l + mu d_kl,
    d_log_var = sigma / 2 sum_l d_z_l eps_l + (sigma^2 - 1) / 2 d_kl.

    Parameters
    ----------
    d_z
        Gradient of the loss in z, shape of `eps`.
    d_kl
        Gradient of the loss in the KL of each cell, (n,).
    mu, log_var
        Shape (n, k).
    eps
        The noise of the forward pass, (n, k) or (L, n, k).

    Returns
    -------
    tuple of np.ndarray
        d_mu, d_log_var, each (n, k).
    """
    d_mu_z, d_log_var_z = reparameterize_backward(d_z, log_var, eps)
    d_mu_kl, d_log_var_kl = kl_standard_normal_backward(d_kl, mu, log_var)
    return d_mu_z + d_mu_kl, d_log_var_z + d_log_var_kl
