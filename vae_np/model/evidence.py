"""How well the trained model explains each cell: reconstruction, ELBO, log evidence, all estimated.

In evaluation mode, with draws from q for the first two and from the defensive mixture of q and the prior
for the third. Log likelihoods are added up in float64: thousands of genes make values of 1e4 nats, of
which float32 would keep three decimals.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vae_np.data.matrix import Matrix, chunks, dense_rows
from vae_np.elbo.gaussian import kl_standard_normal
from vae_np.elbo.likelihood import Likelihood
from vae_np.elbo.marginal import iwae, marginal_log_weights, sample_defensive_mixture
from vae_np.elbo.monte_carlo import elbo_estimate, monte_carlo_reconstruction
from vae_np.elbo.reparameterize import reparameterize
from vae_np.model.params import Params, Stats
from vae_np.model.vae import decode, encode


class Evidence(NamedTuple):
    """An estimate for each cell, (n,), in nats, and its Monte Carlo standard error, (n,)."""

    value: np.ndarray
    standard_error: np.ndarray


class CellDraws(NamedTuple):
    """Some cells with their posteriors, (n, k), and what draws the latent points."""

    x: np.ndarray
    mu: np.ndarray
    log_var: np.ndarray
    rng: np.random.Generator

    def noise(self, n_samples: int) -> np.ndarray:
        """Standard normal noise, (L, n, k)."""
        return self.rng.standard_normal((n_samples, *self.mu.shape))


def _log_likelihoods(
    params: Params, stats: Stats, x: np.ndarray, z: np.ndarray, likelihood: Likelihood
) -> np.ndarray:
    """Log likelihoods log p(x|z_l), (L, n), in float64, decoding one draw of all cells at a time."""
    dtype = params.flat.dtype
    decoded = (decode(params, stats, draw.astype(dtype))[0].astype(float) for draw in z)
    return np.stack([likelihood.log_prob(x, x_hat) for x_hat in decoded])


def _by_chunk(
    params: Params,
    stats: Stats,
    x: Matrix,
    rng: np.random.Generator,
    estimate: Callable[[CellDraws], Evidence],
) -> Evidence:
    """Estimate for every cell, 1,024 of them at a time."""
    parts = [Evidence(np.zeros(0), np.zeros(0))]
    for rows in chunks(x.shape[0]):
        batch = dense_rows(x, rows, params.flat.dtype)
        mu, log_var = (a.astype(float) for a in encode(params, stats, batch)[:2])
        parts.append(estimate(CellDraws(batch.astype(float), mu, log_var, rng)))
    return Evidence(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def reconstruction_error(
    params: Params,
    stats: Stats,
    x: Matrix,
    likelihood: Likelihood,
    n_samples: int,
    rng: np.random.Generator,
) -> Evidence:
    """Estimate -E_q log p(x|z) of each cell [mc-reconstruction].

    Parameters
    ----------
    params, stats
        The model.
    x
        Dense or CSR matrix (n, d).
    likelihood
        Of the data given the decoder's output.
    n_samples
        L, draws from q a cell; the standard error needs two.
    rng
        Source of randomness.

    Returns
    -------
    Evidence
        Nats; the smaller the better.
    """

    def estimate(cells: CellDraws) -> Evidence:
        z = reparameterize(cells.mu, cells.log_var, cells.noise(n_samples))
        log_lik = _log_likelihoods(params, stats, cells.x, z, likelihood)
        return Evidence(-monte_carlo_reconstruction(log_lik), _standard_error(log_lik))

    return _by_chunk(params, stats, x, rng, estimate)


def elbo(
    params: Params,
    stats: Stats,
    x: Matrix,
    likelihood: Likelihood,
    n_samples: int,
    rng: np.random.Generator,
) -> Evidence:
    """Estimate the ELBO of each cell, E_q log p(x|z) - KL(q||p) [mc-elbo].

    Parameters
    ----------
    params, stats, x, likelihood, n_samples, rng
        As in `reconstruction_error`.

    Returns
    -------
    Evidence
        Nats; on average a lower bound of log p(x).
    """

    def estimate(cells: CellDraws) -> Evidence:
        z = reparameterize(cells.mu, cells.log_var, cells.noise(n_samples))
        log_lik = _log_likelihoods(params, stats, cells.x, z, likelihood)
        kl = kl_standard_normal(cells.mu, cells.log_var)
        return Evidence(elbo_estimate(log_lik, kl), _standard_error(log_lik))

    return _by_chunk(params, stats, x, rng, estimate)


def marginal_log_likelihood(
    params: Params,
    stats: Stats,
    x: Matrix,
    likelihood: Likelihood,
    n_samples: int,
    rng: np.random.Generator,
) -> Evidence:
    """Estimate log p(x) of each cell by importance sampling [marginal-is].

    The mean weight is unbiased for p(x), hence its logarithm is on average a little below log p(x), by
    about half the squared standard error.

    Parameters
    ----------
    params, stats, x, likelihood, rng
        As in `reconstruction_error`.
    n_samples
        L, draws a cell from nine parts of q and one part of the prior.

    Returns
    -------
    Evidence
        Nats. A standard error near 1 or above says that a few draws carry all the weight.
    """

    def estimate(cells: CellDraws) -> Evidence:
        pick = cells.rng.random((n_samples, len(cells.x)))
        z = sample_defensive_mixture(cells.mu, cells.log_var, cells.noise(n_samples), pick)
        log_lik = _log_likelihoods(params, stats, cells.x, z, likelihood)
        log_w = marginal_log_weights(log_lik, z, cells.mu, cells.log_var)
        value = iwae(log_w)
        return Evidence(value, _standard_error(np.exp(log_w - value)))

    return _by_chunk(params, stats, x, rng, estimate)


def _standard_error(draws: np.ndarray) -> np.ndarray:
    """Standard error of the mean over the first axis; NaN would mean one draw, so it is infinite there."""
    n = len(draws)
    return draws.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(draws.shape[1], np.inf)
