"""The Monte Carlo ELBO: what an average over L draws has in common with the expectation, and what not.

Page: `derivations/monte_carlo.md`. "Equal in expectation" is decided without sampling: for an affine
decoder log P(x|z) is a square in the noise, and Gauss-Hermite nodes over the noise of all L draws at once
give the exact mean and variance of the estimator. A curved decoder is sampled.
"""

from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy.stats import norm

from vae_np import elbo
from vae_np.verify.checks.densities import scipy_kl, scipy_log_likelihood
from vae_np.verify.judges import (
    complex_step,
    hermite,
    monte_carlo,
    random_gaussians,
    rounding,
)
from vae_np.verify.oracle import (
    Decoder,
    LinearGaussian,
    elbo_by_quadrature,
    expected_log_likelihood,
    gentle_curved,
    kl_to_posterior,
    latent_grid,
    linear_gaussian_elbo,
    linear_gaussian_evidence,
    linear_gaussian_posterior,
    random_linear,
    sample,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]


def log_likelihood(model: Decoder, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log P(x|z) by SciPy, every cell with its own draws: x (n, d), z (..., n, k) -> (..., n)."""
    return scipy_log_likelihood(x, model.decode(z), model.variance)


def random_case(
    rng: np.random.Generator, n: int, k: int, d: int = 4
) -> tuple[LinearGaussian, np.ndarray, np.ndarray, np.ndarray]:
    """Draw an affine decoder, n cells of it, and a Q for each cell."""
    model = random_linear(rng, k, d)
    return model, sample(model, n, rng), *random_gaussians(rng, n, k)


def variance_of_log_likelihood(
    model: LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> np.ndarray:
    """Var_Q log P(x|z) of an affine decoder: [|A r|^2 + |A A^T|^2/2] / variance^2 with A = diag(sigma) W.

    With r = x - decode(mu) the logarithm is a constant plus [2 r.(eps A) - |eps A|^2]/(2 variance).
    """
    A = np.exp(log_var / 2)[..., None] * model.W  # (n, k, d)
    r = x - model.decode(mu)
    linear = np.einsum("nkd,nd->nk", A, r)
    square = A @ A.swapaxes(1, 2)
    return ((linear**2).sum(axis=1) + (square**2).sum(axis=(1, 2)) / 2) / model.variance**2


def over_all_draws(
    n_draws: int, n_nodes: int, mu: np.ndarray, log_var: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes for the joint law of L draws: z (L, m, n, k) and weights (m,)."""
    k = mu.shape[1]
    eps, weight = hermite(n_draws * k, n_nodes)
    eps = eps.reshape(-1, n_draws, k).swapaxes(0, 1)
    return mu + np.exp(log_var / 2) * eps[:, :, None, :], weight


SIZES = ((1, 1, 3), (1, 3, 2), (2, 2, 4), (3, 1, 5), (3, 2, 2))  # L, k, n


def flat(log_lik: np.ndarray) -> np.ndarray:
    """Every node is a cell of its own to the function under test: (L, m, n) -> (L, m n)."""
    return log_lik.reshape(len(log_lik), -1)


# -------------------------------------------------------------------------------- the average


def average_has_the_true_mean(average: Values, rng: np.random.Generator) -> Measured:
    """Two nodes for each of the L k noise variables are exact: log P(x|z) is a square."""
    got, expected = [], []
    for n_draws, k, n in SIZES:
        case = random_case(rng, n, k)
        z, weight = over_all_draws(n_draws, 2, *case[2:])
        estimates = average(flat(log_likelihood(*case[:2], z))).reshape(-1, n)
        got.append(weight @ estimates)
        expected.append(expected_log_likelihood(*case))
    return rounding(np.concatenate(got), np.concatenate(expected), 64 * 20)  # 64 nodes, 20 each


def average_has_the_variance_over_l(average: Values, rng: np.random.Generator) -> Measured:
    """Three nodes each are exact for the square of the estimator: Var = Var_Q log P(x|z) / L."""
    got, expected = [], []
    for n_draws, k, n in SIZES:
        case = random_case(rng, n, k)
        z, weight = over_all_draws(n_draws, 3, *case[2:])
        estimates = average(flat(log_likelihood(*case[:2], z))).reshape(-1, n)
        true = variance_of_log_likelihood(*case)
        got.append(n_draws * (weight @ (estimates - weight @ estimates) ** 2) / true)
        expected.append(np.ones(n))
    # 40 operations for a log-likelihood, which is up to 1000 standard deviations large
    return rounding(np.concatenate(got), np.concatenate(expected), 40 * 1000)


def tame_case(rng: np.random.Generator, n: int) -> tuple[LinearGaussian, np.ndarray, np.ndarray, np.ndarray]:
    """A case whose log P(x|z) is close to normal over Q, so that the central limit sets in early.

    Q is narrow, and the cells lie off decode(mu) by the longest row of W: log P(x|z) has a slope at mu.
    """
    model, _, mu, log_var = random_case(rng, n, 2)
    longest = model.W[np.argmax((model.W**2).sum(axis=1))]
    return model, model.decode(mu) + longest, mu, log_var - 10


def average_by_sampling(average: Values, rng: np.random.Generator) -> Measured:
    """Replicates of L = 5 draws for two cells."""
    model, x, mu, log_var = tame_case(rng, 2)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((5, 10_000, 2, 2))
    estimates = average(flat(log_likelihood(model, x, z))).reshape(-1, 2)
    return monte_carlo(estimates, expected_log_likelihood(model, x, mu, log_var))


def square_error_falls_as_one_over_l(average: Values, rng: np.random.Generator) -> Measured:
    """L times the mean square error over 20,000 replicates is Var_Q log P(x|z) at L = 1, 3 and 9."""
    case = tame_case(rng, 1)
    model, x, mu, log_var = case
    true = expected_log_likelihood(*case)
    scaled = []
    for n_draws in (1, 3, 9):
        z = mu + np.exp(log_var / 2) * rng.standard_normal((n_draws, 20_000, 1, 2))
        scaled.append(n_draws * (average(flat(log_likelihood(model, x, z))) - true) ** 2)
    return monte_carlo(np.stack(scaled, axis=1), variance_of_log_likelihood(*case)[0])


def one_average_is_not_the_expectation(average: Values, rng: np.random.Generator) -> Measured:
    """The printed '=': three draws for each of ten cells."""
    model, x, mu, log_var = random_case(rng, 10, 2)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((3, 10, 2))
    return rounding(
        average(log_likelihood(model, x, z)), expected_log_likelihood(model, x, mu, log_var), 1000
    )


def average_backward(_: object, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for n_draws, n in ((1, 4), (3, 5), (3, 3)):
        log_lik, d = rng.normal(size=(n_draws, n)), rng.normal(size=n)
        got.append(elbo.monte_carlo_reconstruction_backward(d, n_draws))
        expected.append(complex_step(elbo.monte_carlo_reconstruction, (log_lik,), 0, d))
    return rounding(tuple(got), tuple(expected), 20)


# ------------------------------------------------------------------------------ independent draws


def joint_moments_of_two_draws_factor(_: object, rng: np.random.Generator) -> Measured:
    """E z1^a z2^b = E z1^a E z2^b for a, b = 0 .. 5: three nodes for each draw are exact, SciPy's moments."""
    mu, log_var = random_gaussians(rng, 5, 1)
    eps, weight = hermite(2, 3)
    z1, z2 = elbo.reparameterize(mu, log_var, np.repeat(eps.T[:, :, None, None], 5, axis=2))[..., 0]  # (9, 5)
    moments = np.stack([norm.moment(p, mu[:, 0], np.exp(log_var[:, 0] / 2)) for p in range(6)], axis=1)
    a, b = np.divmod(np.arange(36), 6)
    got = np.tensordot(weight, z1[..., None] ** a * z2[..., None] ** b, axes=1)
    size = np.tensordot(weight, np.abs(z1[..., None] ** a * z2[..., None] ** b), axes=1)
    return rounding(got / size, moments[:, a] * moments[:, b] / size, 300, scale=1.0)


def each_draw_sees_its_own_noise_only(_: object, rng: np.random.Generator) -> Measured:
    """Jacobian of all z in all eps: sigma on the diagonal, nothing from another draw, cell or dimension."""
    (mu, log_var), eps = random_gaussians(rng, 2, 2), rng.normal(size=(3, 2, 2))
    jacobian = [
        complex_step(elbo.reparameterize, (mu, log_var, eps), 2, d.reshape(3, 2, 2)).ravel()
        for d in np.eye(12)
    ]
    return rounding(np.array(jacobian), np.diag(np.tile(np.exp(log_var / 2).ravel(), 3)), 20)


def draws_are_uncorrelated(_: object, rng: np.random.Generator) -> Measured:
    """Two draws for two cells as the training loop takes them: all six correlations are 0."""
    mu, log_var = random_gaussians(rng, 2, 1)
    # the replicates stand on the middle axis as cells do: 2 draws x (100,000 replicates of 2 cells)
    eps = rng.standard_normal((2, 100_000, 2, 1))
    r = (elbo.reparameterize(mu, log_var, eps) - mu) / np.exp(log_var / 2)
    variables = r[..., 0].transpose(1, 0, 2).reshape(-1, 4)
    return monte_carlo(
        np.stack([variables[:, i] * variables[:, j] for i, j in combinations(range(4), 2)], axis=1),
        np.zeros(6),
    )


def shared_noise_averages_nothing_out(_: object, rng: np.random.Generator) -> Measured:
    """One noise for all L = 4 draws: the average varies as one draw does, not a fourth as much."""
    case = random_case(rng, 5, 2)
    z, weight = over_all_draws(1, 3, *case[2:])
    estimates = elbo.monte_carlo_reconstruction(flat(log_likelihood(*case[:2], np.repeat(z, 4, axis=0))))
    estimates = estimates.reshape(-1, 5)
    variance = weight @ (estimates - weight @ estimates) ** 2
    return rounding(variance, variance_of_log_likelihood(*case) / 4, 9 * 1000)


# ----------------------------------------------------------------------------------- the estimate


def estimate_has_the_elbo_as_mean(estimate: Values, rng: np.random.Generator) -> Measured:
    """Affine decoder, L = 1, 2, 3: exact mean of the estimator against the closed form of the ELBO."""
    got, expected = [], []
    for n_draws, k, n in SIZES:
        case = random_case(rng, n, k)
        z, weight = over_all_draws(n_draws, 2, *case[2:])
        kl = np.tile(scipy_kl(*case[2:]), len(weight))
        estimates = estimate(flat(log_likelihood(*case[:2], z)), kl).reshape(-1, n)
        got.append(weight @ estimates)
        expected.append(linear_gaussian_elbo(*case))
    return rounding(np.concatenate(got), np.concatenate(expected), 64 * 20)


def estimate_by_sampling(estimate: Values, rng: np.random.Generator) -> Measured:
    """Curved decoder, 20,000 replicates of L = 4 draws for two cells, against quadrature."""
    model = gentle_curved(rng)
    x, mu, log_var = sample(model, 2, rng), rng.uniform(-1, 1, (2, 1)), rng.uniform(-3, -1, (2, 1))
    z = mu + np.exp(log_var / 2) * rng.standard_normal((4, 20_000, 2, 1))
    estimates = estimate(flat(log_likelihood(model, x, z)), np.tile(scipy_kl(mu, log_var), 20_000))
    # 9 prior deviations hold Q with room to spare
    expected = elbo_by_quadrature(model, x, mu, log_var, latent_grid(1, 9.0, 200))
    return monte_carlo(estimates.reshape(-1, 2), expected)


def infinitely_many_draws(
    estimate: Values, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The estimate at L = infinity, log P(x), and KL(Q||posterior), for 5 cells.

    The two Gauss-Hermite nodes have equal weights, so the 2^k draws at them average like infinitely many.
    """
    case = random_case(rng, 5, 2)
    model, x, mu, log_var = case
    z = np.concatenate(over_all_draws(1, 2, mu, log_var)[0])  # (2^k, n, k)
    limit = estimate(log_likelihood(model, x, z), scipy_kl(mu, log_var))
    gap = kl_to_posterior(mu, log_var, *linear_gaussian_posterior(model, x))
    return limit, linear_gaussian_evidence(model, x), gap


def limit_misses_by_the_gap(estimate: Values, rng: np.random.Generator) -> Measured:
    """At L = infinity the estimate and KL(Q||posterior) add up to log P(x)."""
    limit, evidence, gap = infinitely_many_draws(estimate, rng)
    size = max(np.abs(limit).max(), np.abs(gap).max())
    # two matrices of condition up to 1e2 are inverted or decomposed, in about 50 operations
    return rounding(limit + gap, evidence, 5000, scale=size)


def limit_is_not_the_evidence(estimate: Values, rng: np.random.Generator) -> Measured:
    """The printed '=', read at its kindest: L = infinity."""
    limit, evidence, _ = infinitely_many_draws(estimate, rng)
    return rounding(limit, evidence, 5000)


def estimate_is_not_the_evidence(estimate: Values, rng: np.random.Generator) -> Measured:
    """The printed '=' with L = 3 draws, for ten cells."""
    model, x, mu, log_var = random_case(rng, 10, 2)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((3, 10, 2))
    got = estimate(log_likelihood(model, x, z), scipy_kl(mu, log_var))
    return rounding(got, linear_gaussian_evidence(model, x), 5000)


def estimate_backward(_: object, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for n_draws, n in ((1, 4), (3, 5), (3, 3)):
        arguments = rng.normal(size=(n_draws, n)), rng.normal(size=n)
        d = rng.normal(size=n)
        for i, d_argument in enumerate(elbo.elbo_estimate_backward(d, n_draws)):
            got.append(d_argument)
            expected.append(complex_step(elbo.elbo_estimate, arguments, i, d))
    return rounding(tuple(got), tuple(expected), 20)
