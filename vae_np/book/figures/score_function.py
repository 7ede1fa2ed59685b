"""Two unbiased gradients of one expectation, in the world of the page: W = I, variance 1, Q the posterior."""

import numpy as np
from matplotlib.figure import Figure

from vae_np.elbo.gaussian_likelihood import gaussian_log_likelihood, gaussian_log_likelihood_backward
from vae_np.elbo.reparameterize import reparameterize, reparameterize_backward
from vae_np.elbo.score_function import score_function
from vae_np.plots import gradient_noise_plot

N_DRAWS = 20_000
SHOWN = 2  # latent dimensions of the distributions
DIMENSIONS = (1, 2, 5, 10, 20, 50)
PATH, SCORE, BASELINE = "pathwise", "score function", "score function, baseline"


def mean_log_likelihood(k: np.ndarray | int) -> np.ndarray:
    """Mean of log P(x|z) under Q, -k/2 (log 2 pi + 1), the baseline of the page [score-function].

    Parameters
    ----------
    k
        Latent dimensions, any shape; x has as many, each sqrt(2).

    Returns
    -------
    np.ndarray
        The shape of k, nats.
    """
    return -np.asarray(k) / 2 * (np.log(2 * np.pi) + 1)


def estimates(k: int, n_draws: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Estimate the slope of E_Q log P(x|z) in the first mean by three estimators, a draw each.

    Parameters
    ----------
    k
        Latent dimensions; x has as many, each sqrt(2).
    n_draws
        How many draws, the same for all estimators.
    rng
        Source of the noise.

    Returns
    -------
    dict
        Name of each estimator and its estimates, (n_draws,).
    """
    x = np.full((n_draws, k), np.sqrt(2))
    mu, log_var = x / 2, np.full((n_draws, k), np.log(0.5))
    eps = rng.standard_normal((1, n_draws, k))
    z = reparameterize(mu, log_var, eps)
    f = gaussian_log_likelihood(x, z, 1.0)
    d_z = gaussian_log_likelihood_backward(np.ones((1, n_draws)), x, z, 1.0)
    return {
        PATH: reparameterize_backward(d_z, log_var, eps)[0][:, 0],
        SCORE: score_function(f, z, mu, log_var)[0][:, 0],
        BASELINE: score_function(f, z, mu, log_var, mean_log_likelihood(k))[0][:, 0],
    }


def variances(k: np.ndarray) -> dict[str, np.ndarray]:
    """Variances of the three estimators in k dimensions [score-function].

    With a = 1/2, b^2 = 1/4, sigma^2 = 1/2 in every dimension, and gamma = E_Q log P(x|z) - baseline,

        Var(path) = a^2 / sigma^2
        Var(score) = [gamma^2 - 2 gamma a + k b^2 + b^2 + k a^2 / 2 + 2 a^2] / sigma^2

    Parameters
    ----------
    k
        Latent dimensions, (m,).

    Returns
    -------
    dict
        Name of each estimator and its variances, (m,).
    """
    a, b_squared, variance = 0.5, 0.25, 0.5
    gamma = mean_log_likelihood(k)
    common = k * b_squared + b_squared + k * a**2 / 2 + 2 * a**2
    return {
        PATH: np.full(len(k), a**2 / variance),
        SCORE: (gamma**2 - 2 * gamma * a + common) / variance,
        BASELINE: common / variance,
    }


def gradient_noise() -> Figure:
    """Draw the estimates for two latent dimensions, and the variances for up to 50."""
    rng = np.random.default_rng(0)
    by_dimension = {k: estimates(k, N_DRAWS, rng) for k in DIMENSIONS}
    measured = {
        name: np.array([draws[name].var(ddof=1) for draws in by_dimension.values()])
        for name in (PATH, SCORE, BASELINE)
    }
    k = np.array(DIMENSIONS)
    return gradient_noise_plot(by_dimension[SHOWN], np.sqrt(2) / 2, k, measured, variances(k))
