"""Tighter bounds and estimates of log p(x): importance weights, averaged before the logarithm.

For any density r(z) with p(x, z) = 0 wherever r(z) = 0, the weight w = p(x, z) / r(z) of a draw
z ~ r has mean p(x). The logarithm is concave, so the expectation of log(1/L sum_l w_l) is never above
log p(x) and never falls as L grows; at L = 1 with r = q it is the ELBO.

Scalar case. With two draws of log weights a and b: log((e^a + e^b)/2), and the derivative in a is
e^a / (e^a + e^b): each draw gets its share of the total weight.

Full case. One such logarithm a cell. The largest log weight is taken out first, so nothing overflows.

Where q falls off faster than p(x, z)^2, as it does if its variance is below 1/2 and the decoder is
bounded, E_q w^2 is infinite and the average of weights is at the mercy of rare draws. Drawing a tenth
of them from the prior (Hesterberg's defensive mixture) bounds the weight by p(x|z) / 0.1.

Sources: Burda, Grosse and Salakhutdinov 2016 (arXiv:1509.00519); Hesterberg 1995
(doi:10.1080/00401706.1995.10484303).
"""

import numpy as np

from vae_np.elbo.gaussian import log_normal, log_standard_normal
from vae_np.elbo.reparameterize import reparameterize

PRIOR_SHARE = 0.1


def iwae(log_w: np.ndarray) -> np.ndarray:
    """Logarithm of the mean weight, log(1/L sum_l exp(log_w_l)) [iwae].

    Parameters
    ----------
    log_w
        log p(x, z_l) - log r(z_l), shape (L, n), nats.

    Returns
    -------
    np.ndarray
        Shape (n,), nats; its expectation is a lower bound of log p(x).

    Raises
    ------
    ValueError
        If the axis of the draws is missing.
    """
    if log_w.ndim != 2:
        raise ValueError(f"the log weights have shape {log_w.shape}: give (L, n)")
    largest = log_w.real.max(axis=0)
    return largest + np.log(np.exp(log_w - largest).mean(axis=0))


def iwae_backward(d_iwae: np.ndarray, log_w: np.ndarray) -> np.ndarray:
    """Share the gradient by weight, d_log_w_l = d_iwae w_l / sum_m w_m [iwae].

    Parameters
    ----------
    d_iwae
        Shape (n,).
    log_w
        What `iwae` was given.

    Returns
    -------
    np.ndarray
        d_log_w, shape (L, n).
    """
    w = np.exp(log_w - log_w.max(axis=0))
    return d_iwae * w / w.sum(axis=0)


def log_defensive_mixture(
    z: np.ndarray, mu: np.ndarray, log_var: np.ndarray, prior_share: float = PRIOR_SHARE
) -> np.ndarray:
    """Log density of the mixture r(z) = a p(z) + (1 - a) q(z), a = `prior_share` [marginal-is].

    Parameters
    ----------
    z
        Shape (n, k) or (L, n, k).
    mu, log_var
        Of q, shape (n, k).
    prior_share
        a, between 0 and 1.

    Returns
    -------
    np.ndarray
        Shape (n,) or (L, n), nats.
    """
    from_prior = np.log(prior_share) + log_standard_normal(z)
    from_q = np.log1p(-prior_share) + log_normal(z, mu, log_var)
    return np.logaddexp(from_prior, from_q)


def sample_defensive_mixture(
    mu: np.ndarray,
    log_var: np.ndarray,
    eps: np.ndarray,
    pick: np.ndarray,
    prior_share: float = PRIOR_SHARE,
) -> np.ndarray:
    """Draw from the defensive mixture: the noise itself where pick < a, else mu + sigma eps [marginal-is].

    Parameters
    ----------
    mu, log_var
        Of q, shape (n, k).
    eps
        Standard normal noise, (L, n, k).
    pick
        Uniform on [0, 1), (L, n).
    prior_share
        a, between 0 and 1.

    Returns
    -------
    np.ndarray
        z, shape (L, n, k).
    """
    return np.where(pick[..., None] < prior_share, eps, reparameterize(mu, log_var, eps))


def marginal_log_weights(
    log_lik: np.ndarray,
    z: np.ndarray,
    mu: np.ndarray,
    log_var: np.ndarray,
    prior_share: float = PRIOR_SHARE,
) -> np.ndarray:
    """Log weight of each draw from the defensive mixture [marginal-is].

    log w = log p(x|z) + log p(z) - log r(z); the mean of w is p(x), and w <= p(x|z) / a.

    Parameters
    ----------
    log_lik
        log p(x|z_l), shape (L, n), nats.
    z
        The draws, (L, n, k).
    mu, log_var
        Of q, shape (n, k).
    prior_share
        a, between 0 and 1.

    Returns
    -------
    np.ndarray
        Shape (L, n), nats; `iwae` of it estimates log p(x).
    """
    return log_lik + log_standard_normal(z) - log_defensive_mixture(z, mu, log_var, prior_share)
