"""How well the trained model explains each cell: reconstruction, ELBO, log evidence, all estimated.

In evaluation mode, with draws from q for the first two and from the defensive mixture of q and the prior
for the third. Log likelihoods are added up in float64: thousands of genes make values of 1e4 nats, of
which float32 would keep three decimals.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from vae_np.data.matrix import CHUNK, Matrix, dense_rows, in_chunks
from vae_np.elbo.gaussian import kl_standard_normal
from vae_np.elbo.likelihood import Likelihood
from vae_np.elbo.marginal import iwae, marginal_log_weights, sample_defensive_mixture
from vae_np.elbo.monte_carlo import elbo_estimate, monte_carlo_reconstruction
from vae_np.elbo.reparameterize import reparameterize
from vae_np.model.params import Params, Stats
from vae_np.model.vae import decode, encode

# Most numbers that the noise of some draws, or the log weights of all draws, may take up: 32 MB.
ENTRIES = 2**22


class Evidence(NamedTuple):
    """An estimate for each cell, (n,), in nats, and its Monte Carlo standard error, (n,)."""

    value: np.ndarray
    standard_error: np.ndarray


class Cells(NamedTuple):
    """Posteriors of some cells, (n, k), and the log likelihood of latent points, (L, n, k) -> (L, n)."""

    mu: np.ndarray
    log_var: np.ndarray
    log_likelihood: Callable[[np.ndarray], np.ndarray]


def _by_chunk(
    params: Params,
    stats: Stats,
    x: Matrix,
    likelihood: Likelihood,
    n_samples: int,
    estimate: Callable[[Cells], Evidence],
) -> Evidence:
    """Estimate for every cell, so many at a time that the log weights of their draws fit in memory."""
    dtype = params.flat.dtype
    size = max(1, min(CHUNK, ENTRIES // n_samples))
    parts = [Evidence(np.zeros(0), np.zeros(0))]
    for part in in_chunks(x, size=size):
        batch = dense_rows(part, slice(None), dtype)
        mu, log_var = (a.astype(float) for a in encode(params, stats, batch)[:2])
        measured = batch.astype(float)

        def log_likelihood(z: np.ndarray, measured: np.ndarray = measured) -> np.ndarray:
            decoded = (decode(params, stats, draw.astype(dtype))[0].astype(float) for draw in z)
            return np.stack([likelihood.log_prob(measured, x_hat) for x_hat in decoded])

        parts.append(estimate(Cells(mu, log_var, log_likelihood)))
    return Evidence(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _noise(cells: Cells, n_samples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Standard normal noise of all draws, (L', n, k) at a time."""
    block = max(1, ENTRIES // max(1, cells.mu.size))
    for start in range(0, n_samples, block):
        yield rng.standard_normal((min(block, n_samples - start), *cells.mu.shape))


def _log_likelihoods(cells: Cells, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Log likelihoods of draws from q, (L, n)."""
    noise = _noise(cells, n_samples, rng)
    return np.concatenate(
        [cells.log_likelihood(reparameterize(cells.mu, cells.log_var, eps)) for eps in noise]
    )


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
        Matrix (n, d), in memory or in its file.
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

    def estimate(cells: Cells) -> Evidence:
        log_lik = _log_likelihoods(cells, n_samples, rng)
        return Evidence(-monte_carlo_reconstruction(log_lik), _standard_error(log_lik))

    return _by_chunk(params, stats, x, likelihood, n_samples, estimate)


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

    def estimate(cells: Cells) -> Evidence:
        log_lik = _log_likelihoods(cells, n_samples, rng)
        kl = kl_standard_normal(cells.mu, cells.log_var)
        return Evidence(elbo_estimate(log_lik, kl), _standard_error(log_lik))

    return _by_chunk(params, stats, x, likelihood, n_samples, estimate)


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
        Nats. The standard error is infinite where one draw carries more than half of the weight: the
        value then is a lower bound, and too low by an unknown amount.
    """

    def estimate(cells: Cells) -> Evidence:
        log_w = np.concatenate([_log_weights(cells, eps, rng) for eps in _noise(cells, n_samples, rng)])
        impossible = (log_w == -np.inf).all(axis=0)  # no draw has any weight
        log_w[:, impossible] = 0
        value = iwae(log_w)
        weight = np.exp(log_w - value)  # its mean is 1
        dominated = (weight.max(axis=0) > n_samples / 2) | impossible
        value = np.where(impossible, -np.inf, value)
        return Evidence(value, np.where(dominated, np.inf, _standard_error(weight)))

    return _by_chunk(params, stats, x, likelihood, n_samples, estimate)


def _log_weights(cells: Cells, eps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Log weights of draws from the defensive mixture, (L', n)."""
    z = sample_defensive_mixture(cells.mu, cells.log_var, eps, rng.random(eps.shape[:2]))
    return marginal_log_weights(cells.log_likelihood(z), z, cells.mu, cells.log_var)


def _standard_error(draws: np.ndarray) -> np.ndarray:
    """Standard error of the mean over the first axis; a single draw does not know its own, hence infinity."""
    n = len(draws)
    return draws.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(draws.shape[1], np.inf)
