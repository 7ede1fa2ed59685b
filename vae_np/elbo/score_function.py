"""The score-function gradient: the estimator that needs no derivative of what is averaged.

For z ~ q the gradient of an expectation can be taken on the density instead of on the draw, because
dq = q d log q:

    d/dphi E_q f(z) = E_q [ f(z) d log q(z)/dphi ]

Scalar case. q = N(mu, sigma^2): d log q/dmu = (z - mu)/sigma^2,
d log q/dlog_var = ((z - mu)^2/sigma^2 - 1)/2. Both have mean 0 under q, so a constant (a *baseline*)
may be subtracted from f without bias.

Full case. The same in each latent dimension. Unbiased even where f jumps; but f multiplies the noise as
a whole, so the variance over that of the reparameterized gradient grows like k^2: in a linear model at
its posterior it is 18 at k = 1 and 20,000 at k = 50, and with the mean of f as the baseline 4.5 and 78.

Source: Williams 1992 (doi:10.1007/BF00992696).
"""

import numpy as np

from vae_np.elbo.gaussian import log_normal_backward


def score_function(
    f: np.ndarray, z: np.ndarray, mu: np.ndarray, log_var: np.ndarray, baseline: float | np.ndarray = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the gradient of E_q f(z) in the parameters of q [score-function].

    d_mu = 1/L sum_l (f_l - baseline) (z_l - mu)/sigma^2,
    d_log_var = 1/L sum_l (f_l - baseline) ((z_l - mu)^2/sigma^2 - 1)/2

    Parameters
    ----------
    f
        f(z_l), shape (L, n).
    z
        Draws from q, (L, n, k).
    mu, log_var
        Shape (n, k).
    baseline
        Any number, or one a cell, (n,), that does not depend on the draws.

    Returns
    -------
    tuple of np.ndarray
        d_mu, d_log_var, each (n, k).
    """
    _, d_mu, d_log_var = log_normal_backward(f - baseline, z, mu, log_var)
    return d_mu.mean(axis=0), d_log_var.mean(axis=0)
