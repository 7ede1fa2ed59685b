"""The objective: the estimate that training maximizes, its draws, its maximum, and the KL weight.

Page: `derivations/objective.md`. The exactly solvable worlds of `oracle.py`, SciPy's densities and a
forward pass written here a second time are the other routes. Where the decoder is affine, the 2^n sign
vectors taken as draws make the average over the draws equal to the expectation, so that a claim about
a mean becomes an exact one.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from vae_np import elbo, model
from vae_np.verify import oracle
from vae_np.verify.checks.densities import mean_of, scipy_kl, scipy_log_likelihood
from vae_np.verify.judges import (
    complex_step,
    gradient,
    hermite,
    identities,
    monte_carlo,
    normal_expectation,
    not_above,
    proved,
    random_gaussians,
    rounding,
    taylor,
    wide_gaussians,
    worst,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]
LOG_2PI = np.log(2 * np.pi)


# ----------------------------------------------------------------------- the estimate of the bound


def points(rng: np.random.Generator) -> Iterator[tuple]:
    """Draw (x, x_hat, mu, log_var, variance) of various sizes, with one variance and with one a feature."""
    for n, k, d, n_draws in ((4, 1, 3, 1), (3, 2, 5, 3), (5, 3, 2, 4)):
        x, x_hat = rng.normal(size=(n, d)), rng.normal(size=(n_draws, n, d))
        q = random_gaussians(rng, n, k)
        yield x, x_hat, *q, float(rng.uniform(0.3, 1.5))
        yield x, x_hat, *q, rng.uniform(0.3, 1.5, d)


def wide_points(rng: np.random.Generator) -> Iterator[tuple]:
    """Draw the same with log sigma^2 to +-10 and variances from 1e-3 to 1e3; all sizes are equal."""
    x, x_hat = rng.normal(size=(3, 3)), rng.normal(size=(3, 3, 3))
    yield x, x_hat, *wide_gaussians(rng, 3, 3), np.array([1e-3, 1.0, 1e3])


def exact_mean(
    f: Values, theta: oracle.LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> np.ndarray:
    """Expectation of the estimate over its noise, for an affine decoder: the 2^k sign vectors as draws."""
    eps, _ = hermite(mu.shape[1], 2)
    z = mu + np.exp(log_var / 2) * eps[:, None, :]
    return f(x, theta.decode(z), mu, log_var, theta.variance)


def affine_worlds(
    rng: np.random.Generator,
) -> Iterator[tuple[oracle.LinearGaussian, np.ndarray, np.ndarray, np.ndarray]]:
    """Draw linear-Gaussian models with 1 to 3 latent dimensions, cells, and any q for them."""
    for k, d in ((1, 3), (2, 4), (3, 6)):
        theta = oracle.random_linear(rng, k, d)
        yield theta, oracle.sample(theta, 20, rng), *random_gaussians(rng, 20, k)


def estimate_by_scipy(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, mu, log_var, variance in (*points(rng), *wide_points(rng)):
            average = scipy_log_likelihood(x, x_hat, variance).sum(axis=0) / len(x_hat)
            # up to 4 draws of 5 features and 8 nodes in 3 dimensions, about 8 operations each
            yield rounding(f(x, x_hat, mu, log_var, variance), average - scipy_kl(mu, log_var), 400)

    return worst(compare())


def mean_is_the_closed_form(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for theta, x, mu, log_var in affine_worlds(rng):
            closed = oracle.linear_gaussian_elbo(theta, x, mu, log_var)
            yield rounding(exact_mean(f, theta, x, mu, log_var), closed, 1000)  # 8 nodes, 6 features, 20 each

    return worst(compare())


def mean_lies_below_by_the_gap(f: Values, rng: np.random.Generator) -> Measured:
    """E[estimate] + KL(Q||posterior) = log P(x)."""

    def compare() -> Iterator[Measured]:
        for theta, x, mu, log_var in affine_worlds(rng):
            mean = exact_mean(f, theta, x, mu, log_var)
            gap = oracle.kl_to_posterior(mu, log_var, *oracle.linear_gaussian_posterior(theta, x))
            evidence = oracle.linear_gaussian_evidence(theta, x)
            # matrices of k x k and d x d are solved, which multiplies rounding by their condition number
            n_operations = int(1000 * np.linalg.cond(theta.M))
            yield rounding(mean + gap, evidence, n_operations, scale=np.abs(mean).max())

    return worst(compare())


def mean_is_the_evidence(_: object, rng: np.random.Generator) -> Measured:
    """The print puts '=' between log P(x) and the estimate: not even its mean is equal."""
    theta, x, mu, log_var = next(affine_worlds(rng))
    mean = exact_mean(elbo.monte_carlo_elbo, theta, x, mu, log_var)
    return rounding(mean, oracle.linear_gaussian_evidence(theta, x), 1000)


def single_estimates_stay_below(_: object, rng: np.random.Generator) -> Measured:
    """At the exact posterior the mean is log P(x) itself, so that a large part of the estimates exceed it."""
    weight = rng.choice([-1.0, 1.0], size=(1, 4)) * rng.uniform(0.5, 2, (1, 4))
    theta = oracle.LinearGaussian(weight, rng.normal(size=4), float(rng.uniform(0.3, 1.5)))
    x = np.broadcast_to(oracle.sample(theta, 1, rng), (1000, 4))
    mu, covariance = oracle.linear_gaussian_posterior(theta, x)
    log_var = np.log(np.broadcast_to(covariance, mu.shape))
    z = mu + np.exp(log_var / 2) * rng.standard_normal((1, *mu.shape))
    estimates = elbo.monte_carlo_elbo(x, theta.decode(z), mu, log_var, theta.variance)
    return not_above(estimates, oracle.linear_gaussian_evidence(theta, x), 1000)


def unbiased_for_a_curved_decoder(f: Values, rng: np.random.Generator) -> Measured:
    """50,000 estimates with L = 3; the decoder's tanh bounds the log likelihood and thus its variance."""
    theta = oracle.random_curved(rng)
    x = oracle.sample(theta, 1, rng)
    # q is narrow (sigma from 0.2 to 0.5), so that the average is sharp, and inside the grid
    mu, log_var = rng.uniform(-1, 1, (1, 1)), rng.uniform(-3, -1.5, (1, 1))
    expected = oracle.elbo_by_quadrature(theta, x, mu, log_var, oracle.latent_grid(1, n_nodes=200))
    n = 50_000
    many_x, many_mu, many_log_var = (np.repeat(a, n, axis=0) for a in (x, mu, log_var))
    z = many_mu + np.exp(many_log_var / 2) * rng.standard_normal((3, n, 1))
    return monte_carlo(f(many_x, theta.decode(z), many_mu, many_log_var, theta.variance), expected)


def objective_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """Scalar case, x|z ~ N(w z + b, v): the mean over eps is log N(x; b, w^2 + v) - KL(Q||posterior)."""
    import sympy

    x, w, b, m, u = sympy.symbols("x w b m u", real=True)
    s, v = sympy.symbols("s v", positive=True)
    half, log_2pi = sympy.Rational(1, 2), sympy.log(2 * sympy.pi)
    log_lik = -half * (log_2pi + sympy.log(v) + (x - w * (m + s * u) - b) ** 2 / v)
    bound = mean_of(log_lik, u) - half * (m**2 + s**2 - 1 - 2 * sympy.log(s))
    total = w**2 + v
    evidence = -half * (log_2pi + sympy.log(total) + (x - b) ** 2 / total)
    center, spread = w * (x - b) / total, v / total
    log_ratio = sympy.log(v) - sympy.log(total) - 2 * sympy.log(s)
    gap = half * (s**2 / spread + (m - center) ** 2 / spread - 1 + log_ratio)
    theta = oracle.random_linear(rng, 1, 1)
    cells = oracle.sample(theta, 10, rng)
    mu, log_var = random_gaussians(rng, 10, 1)
    formula = sympy.lambdify((x, w, b, v, m, s), bound)
    expected = formula(cells, theta.W[0, 0], theta.b[0], theta.variance, mu, np.exp(log_var / 2))[:, 0]
    agrees = rounding(exact_mean(f, theta, cells, mu, log_var), expected, 200)
    return proved(agrees, sympy.ratsimp(bound - evidence + gap))


def objective_pair(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, mu, log_var, variance in (*points(rng), *wide_points(rng)):
            d = rng.normal(size=len(x))
            gradients = elbo.monte_carlo_elbo_backward(d, x, x_hat, mu, log_var, variance)
            yield gradient(lambda *a, x=x, v=variance: f(x, *a, v), (x_hat, mu, log_var), d, gradients, 200)

    return worst(compare())


def objective_taylor(f: Values, rng: np.random.Generator) -> Measured:
    """With positive weights, for then all second derivatives are negative and none cancels another."""

    def compare() -> Iterator[Measured]:
        for x, x_hat, mu, log_var, variance in points(rng):
            d = rng.uniform(0.5, 1.5, len(x))
            gradients = elbo.monte_carlo_elbo_backward(d, x, x_hat, mu, log_var, variance)
            yield taylor(lambda *a, x=x, v=variance: f(x, *a, v), (x_hat, mu, log_var), d, gradients, rng)

    return worst(compare())


# ------------------------------------------------------------------- a network, and its second writing


class Net(NamedTuple):
    """A small network at a generic point, with a batch of cells, noise and masks."""

    params: model.Params
    stats: model.Stats
    x: np.ndarray
    eps: np.ndarray
    masks: tuple[np.ndarray, ...] | None


def random_net(rng: np.random.Generator, n_layers: int, n_draws: int, with_masks: bool) -> Net:
    """Draw a network with 4 genes, 3 hidden units, 2 latent dimensions, and a batch of 5 cells."""
    n, d, h, k = 5, 4, 3, 2
    sizes = model.Sizes(d, h, k, n_layers)
    params = model.Params(sizes, rng.normal(scale=0.7, size=sizes.n_params))
    stats = model.Stats(sizes, rng.uniform(0.5, 2, sizes.n_stats))
    rows = [n] * n_layers + [n_draws * n] * n_layers
    masks = tuple((rng.random((r, h)) > 0.3) / 0.7 for r in rows) if with_masks else None
    return Net(params, stats, rng.normal(size=(n, d)), rng.normal(size=(n_draws, n, k)), masks)


def random_nets(rng: np.random.Generator) -> Iterator[tuple[Net, bool]]:
    """Draw networks of 0, 1 and 2 layers with 1 and 3 draws, with and without masks, in both modes."""
    for n_layers, n_draws in ((0, 3), (1, 1), (1, 3), (2, 3)):
        for with_masks in (True, False):
            for train in (True, False):
                yield random_net(rng, n_layers, n_draws, with_masks), train


class Forward(NamedTuple):
    """What the second writing of the forward pass gives."""

    mu: np.ndarray
    log_var: np.ndarray
    x_hat: np.ndarray
    stats: np.ndarray


def by_hand(net: Net, train: bool) -> Forward:
    """Write the forward pass a second time, for comparison: blocks, heads, draws, blocks, output."""
    params, stats, x, eps, masks = net
    layers = list(zip((*params.encoder, *params.decoder), (*stats.encoder, *stats.decoder), strict=True))
    new_stats: list[np.ndarray] = []

    def block(h: np.ndarray, layer: int) -> np.ndarray:
        (W, b, gamma, beta), (mean, var) = layers[layer]
        a = np.einsum("ij,jo->io", h, W) + b
        if train:
            new_stats.extend([0.99 * mean + 0.01 * a.mean(axis=0), 0.99 * var + 0.01 * a.var(axis=0, ddof=1)])
            mean, var = a.mean(axis=0), a.var(axis=0)
        else:
            new_stats.extend([mean, var])
        h = gamma * (a - mean) / np.sqrt(var + 1e-3) + beta
        h = np.maximum(h, 0.01 * h)
        return h if masks is None else h * masks[layer]

    half = len(params.encoder)
    h = x
    for layer in range(half):
        h = block(h, layer)
    mu, a = (np.einsum("ij,jo->io", h, head.W) + head.b for head in (params.mu, params.log_var))
    log_var = 10 * np.tanh(a / 10)
    h = np.concatenate([mu + np.sqrt(np.exp(log_var)) * noise for noise in eps])
    for layer in range(half, 2 * half):
        h = block(h, layer)
    x_hat = np.einsum("ij,jo->io", h, params.output.W) + params.output.b
    return Forward(mu, log_var, x_hat.reshape(len(eps), *x.shape), np.array(new_stats).ravel())


def minus_log_likelihood(net: Net, forward: Forward, variance: float) -> np.ndarray:
    """Average over the draws, by SciPy's density."""
    return -scipy_log_likelihood(net.x, forward.x_hat, variance).sum(axis=0) / len(net.eps)


# Some 300 roundings on the way through 4 blocks, the heads and the densities. Batch norm divides by the
# spread of as few as 5 rows, which can be smaller than what was rounded: a factor 8 for each of two in a row.
NET_OPERATIONS = 20_000


# --------------------------------------------------------------------------------- one pass, L draws


def one_mean_and_one_sigma(_: object, rng: np.random.Generator) -> Measured:
    """From the draws with eps = 0 and eps = 1, mu and sigma are read off; they give the other draws too."""

    def compare() -> Iterator[Measured]:
        for n_layers in (0, 1):
            net = random_net(rng, n_layers, 4, with_masks=True)
            net.eps[0], net.eps[1] = 0, 1
            _, cache, _ = model.loss(*net)
            forward = by_hand(net, train=True)
            read_off = cache.z[0] + (cache.z[1] - cache.z[0]) * net.eps
            yield rounding(
                (cache.z, cache.z[0], cache.z[1] - cache.z[0]),
                (read_off, forward.mu, np.sqrt(np.exp(forward.log_var))),
                NET_OPERATIONS,
            )

    return worst(compare())


class Passes(NamedTuple):
    """Four passes of a random encoder over the same cells, in a linear-Gaussian world."""

    theta: oracle.LinearGaussian
    x: np.ndarray
    mu: np.ndarray
    log_var: np.ndarray


def four_passes(rng: np.random.Generator) -> Passes:
    """Draw mu and log_var, (4, n, k): different in every pass, as dropout in the encoder makes them."""
    theta = oracle.random_linear(rng)
    mu, log_var = random_gaussians(rng, 10, 2)
    passes = rng.normal(size=(2, 4, 10, 2))
    return Passes(theta, oracle.sample(theta, 10, rng), mu + passes[0], log_var + 0.5 * passes[1])


def mean_reconstruction(passes: Passes) -> np.ndarray:
    """Average of log p(x|z) over the passes, exact within each by the sign vectors."""
    eps, _ = hermite(2, 2)
    z = passes.mu + np.exp(passes.log_var / 2) * eps[:, None, None, :]
    x_hat = passes.theta.decode(z).reshape(-1, *passes.x.shape)
    return elbo.monte_carlo_reconstruction(
        elbo.gaussian_log_likelihood(passes.x, x_hat, passes.theta.variance)
    )


def mean_bound(passes: Passes) -> np.ndarray:
    """Average over the passes of the ELBO in closed form."""
    bounds = [
        oracle.linear_gaussian_elbo(passes.theta, passes.x, mu, log_var)
        for mu, log_var in zip(passes.mu, passes.log_var, strict=True)
    ]
    return np.mean(bounds, axis=0)


def every_pass_with_its_kl(_: object, rng: np.random.Generator) -> Measured:
    passes = four_passes(rng)
    estimate = mean_reconstruction(passes) - elbo.kl_standard_normal(passes.mu, passes.log_var).mean(axis=0)
    return rounding(estimate, mean_bound(passes), 1000)


def every_pass_with_its_kl_is_below(_: object, rng: np.random.Generator) -> Measured:
    passes = four_passes(rng)
    estimate = mean_reconstruction(passes) - elbo.kl_standard_normal(passes.mu, passes.log_var).mean(axis=0)
    return not_above(estimate, oracle.linear_gaussian_evidence(passes.theta, passes.x), 1000)


def every_pass_with_one_kl(_: object, rng: np.random.Generator) -> Measured:
    """Mu and sigma carry (l) in the draws, as printed, but not in the KL: taken at their means."""
    passes = four_passes(rng)
    one_kl = elbo.kl_standard_normal(passes.mu.mean(axis=0), passes.log_var.mean(axis=0))
    return rounding(mean_reconstruction(passes) - one_kl, mean_bound(passes), 1000)


def one_kl_stays_below(_: object, rng: np.random.Generator) -> Measured:
    """Decoder z^2: the posterior has two peaks, at +-sqrt(x), and pass l sits on the one or the other.

    Each has the ELBO log P(x) - log 2, nearly, but the KL at their mean, 0, leaves out x/2 nats.
    """
    x, variance = rng.uniform(3, 5, (1, 1)), 0.05
    mu, log_var = np.sqrt(x), -np.log(1 + 4 * x / variance)  # Laplace's approximation of a peak

    def log_lik(z: np.ndarray) -> np.ndarray:
        return scipy_log_likelihood(x, z**2, variance)

    reconstruction = [normal_expectation(log_lik, sign * mu, log_var, 3) for sign in (-1, 1)]  # degree 4
    estimate = np.mean(reconstruction, axis=0) - elbo.kl_standard_normal(0 * mu, log_var)
    z = np.linspace(-6, 6, 4001)[:, None, None]  # a peak is some 0.05 wide, the step 0.003
    evidence = np.log(np.exp(log_lik(z) + norm.logpdf(z)[..., 0]).sum(axis=0) * 0.003)
    return not_above(estimate, evidence, 10_000)


# ------------------------------------------------------------------------------------- the maximum


class Optimum(NamedTuple):
    """Cells, the best theta for them, the best phi (a q for each cell), and the maximum a cell."""

    x: np.ndarray
    theta: oracle.LinearGaussian
    mu: np.ndarray
    log_var: np.ndarray
    best: float


def optimum(rng: np.random.Generator) -> Optimum:
    """Solve the linear-Gaussian model for 60 cells with 5 genes and 2 latent dimensions."""
    x = oracle.sample(oracle.random_linear(rng, 2, 5), 60, rng)
    theta, best = oracle.ppca_optimum(x, 2)
    mean, covariance = oracle.linear_gaussian_posterior(theta, x)
    return Optimum(x, theta, mean, np.broadcast_to(np.log(np.diag(covariance)), mean.shape), best)


def maximum_is_the_best_evidence(_: object, rng: np.random.Generator) -> Measured:
    x, theta, mu, log_var, best = optimum(rng)
    mean = exact_mean(elbo.monte_carlo_elbo, theta, x, mu, log_var).mean()
    return rounding(mean, np.array(best), 2000)  # 60 cells, and the eigenvalues of a 5 x 5 matrix


def no_slope_at_the_maximum(_: object, rng: np.random.Generator) -> Measured:
    """The affine model as a network without layers: the gradient in all of theta and phi is zero there."""
    x, theta, _mu, log_var, _best = optimum(rng)
    params = model.Params(model.Sizes(5, 1, 2, 0), np.zeros(model.Sizes(5, 1, 2, 0).n_params))
    params.mu.W[:] = theta.W.T @ np.linalg.inv(theta.M)
    params.mu.b[:] = -theta.b @ params.mu.W
    params.log_var.b[:] = 10 * np.arctanh(log_var[0] / 10)  # the head's guard, undone
    params.output.W[:], params.output.b[:] = theta.W, theta.b
    stats = model.Stats(params.sizes, np.zeros(0))
    eps = np.repeat(hermite(2, 2)[0][:, None, :], len(x), axis=1)
    _, cache, _ = model.loss(params, stats, x, eps, None, model.gaussian(theta.variance))
    slopes = model.loss_backward(cache).flat
    # each slope is a mean of products of a residual over the variance, a weight, and a cell
    scale = np.abs(x).max() * max(1, np.abs(theta.W).max()) * np.abs(cache.x_hat - x).max() / theta.variance
    return rounding(slopes, np.zeros_like(slopes), 2000, scale=float(scale))


def nothing_is_higher(_: object, rng: np.random.Generator) -> Measured:
    """30 other values of theta and phi together, near and far."""
    x, theta, mu, log_var, best = optimum(rng)
    means = []
    for size in np.geomspace(1e-4, 1, 30):
        moved = oracle.LinearGaussian(
            theta.W + size * rng.normal(size=theta.W.shape),
            theta.b + size * rng.normal(size=5),
            theta.variance * float(np.exp(size * rng.normal())),
        )
        near_mu, near_log_var = (a + size * rng.normal(size=a.shape) for a in (mu, log_var))
        means.append(exact_mean(elbo.monte_carlo_elbo, moved, x, near_mu, near_log_var).mean())
    return not_above(np.array(means), np.full(30, best), 2000)


def theta_alone(_: object, rng: np.random.Generator) -> Measured:
    """With phi held at the prior, z says nothing about x: the best theta is one round Gaussian, W = 0."""
    x, _theta, mu, _log_var, best = optimum(rng)
    zeros = np.zeros_like(mu)
    round_gaussian = oracle.LinearGaussian(np.zeros((2, 5)), x.mean(axis=0), float(x.var(axis=0).mean()))
    mean = exact_mean(elbo.monte_carlo_elbo, round_gaussian, x, zeros, zeros).mean()
    return rounding(mean, np.array(best), 2000)


def phi_alone(_: object, rng: np.random.Generator) -> Measured:
    """With theta held, the best phi reaches log P(x; theta) and no more (one latent dimension)."""
    x, theta, _mu, _log_var, best = optimum(rng)
    held = oracle.LinearGaussian(theta.W[:1], theta.b, theta.variance)
    mean, covariance = oracle.linear_gaussian_posterior(held, x)
    log_var = np.broadcast_to(np.log(np.diag(covariance)), mean.shape)
    return rounding(exact_mean(elbo.monte_carlo_elbo, held, x, mean, log_var).mean(), np.array(best), 2000)


def one_cell_alone(_: object, rng: np.random.Generator) -> Measured:
    """Without the sum over cells nothing is maximal: a decoder that names x_1 gains with every halving of v.

    Each gain is d/2 log 2.
    """
    x = rng.normal(size=(1, 5))
    mu = log_var = np.zeros((1, 2))
    at, halved = (elbo.monte_carlo_elbo(x, x[None], mu, log_var, variance) for variance in (1e-6, 0.5e-6))
    return rounding(halved, at, 1000)


# ------------------------------------------------------------------------ the weight is a variance


def loss_by_hand(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """Total, reconstruction, KL and running statistics, with a variance and a weight that are not 1."""

    def compare() -> Iterator[Measured]:
        for net, train in random_nets(rng):
            values, _, stats = loss(*net, model.gaussian(0.7), 0.3, train)
            forward = by_hand(net, train)
            reconstruction = minus_log_likelihood(net, forward, 0.7)
            kl = scipy_kl(forward.mu, forward.log_var)
            expected = (reconstruction + 0.3 * kl, reconstruction, kl)
            # an affine model without layers has no statistics: compare with a zero on both sides
            got_stats, expected_stats = (np.append(a, 0.0) for a in (stats.flat, forward.stats))
            yield rounding((*values, got_stats), (*expected, expected_stats), NET_OPERATIONS)

    return worst(compare())


def loss_by_default(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """Without further arguments: variance 1, weight 1, training."""
    net = random_net(rng, 1, 3, with_masks=True)
    forward = by_hand(net, train=True)
    expected = minus_log_likelihood(net, forward, 1.0) + scipy_kl(forward.mu, forward.log_var)
    return rounding(loss(*net)[0].total, expected, NET_OPERATIONS)


def decode_by_default(_: object, rng: np.random.Generator) -> Measured:
    """Without further arguments the decoder evaluates and drops nothing; draws may have an axis or not."""
    net = random_net(rng, 2, 3, with_masks=False)
    forward = by_hand(net, train=False)
    z = forward.mu + np.sqrt(np.exp(forward.log_var)) * net.eps
    got = tuple(model.decode(net.params, net.stats, points)[0] for points in (z, z[0]))
    return rounding(got, (forward.x_hat, forward.x_hat[0]), NET_OPERATIONS)


def weight_is_a_variance(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """The loss at variance 1 and weight a; minus a times the ELBO at variance a, by hand; the constant."""

    def compare() -> Iterator[Measured]:
        for net, train in random_nets(rng):
            a = float(rng.uniform(0.05, 3))
            d = net.x.shape[1]
            forward = by_hand(net, train)
            minus_elbo = minus_log_likelihood(net, forward, a) + scipy_kl(forward.mu, forward.log_var)
            squares = loss(*net, kl_weight=a, train=train)[0].total - d / 2 * LOG_2PI
            yield rounding(squares, a * minus_elbo - a * d / 2 * np.log(2 * np.pi * a), NET_OPERATIONS)

    return worst(compare())


def slopes_have_the_same_factor(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """The constant has no slope: every partial derivative is a times that of -ELBO at variance a."""

    def compare() -> Iterator[Measured]:
        for net, train in random_nets(rng):
            a = float(rng.uniform(0.05, 3))
            weighted = model.loss_backward(loss(*net, kl_weight=a, train=train)[1]).flat
            minus_elbo = model.loss_backward(loss(*net, model.gaussian(a), train=train)[1]).flat
            yield rounding(weighted, a * minus_elbo, NET_OPERATIONS)

    return worst(compare())


def published(net: Net) -> np.ndarray:
    """The published loss of each cell, 0.5 squares + 0.5 (kl_weight KL), at its kl_weight of 5e-5."""
    forward = by_hand(net, train=True)
    squares = ((net.x - forward.x_hat) ** 2).sum(axis=-1).mean(axis=0)
    return 0.5 * squares + 0.5 * (5e-5 * scipy_kl(forward.mu, forward.log_var))


def against_the_published(loss: Callable[..., tuple], kl_weight: float, rng: np.random.Generator) -> Measured:
    net = random_net(rng, 1, 1, with_masks=False)
    squares = loss(*net, kl_weight=kl_weight)[0].total - net.x.shape[1] / 2 * LOG_2PI
    return rounding(squares, published(net), NET_OPERATIONS)


def published_weight_halved(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    return against_the_published(loss, 2.5e-5, rng)


def published_weight_as_it_stands(_: object, rng: np.random.Generator) -> Measured:
    return against_the_published(model.loss, 5e-5, rng)


def slope_in_the_variance(loss: Callable[..., tuple], net: Net, variance: float) -> Measured:
    """Derivative of the mean loss in the variance, by the complex step; 0 where the variance is best."""

    def total(value: np.ndarray) -> np.ndarray:
        likelihood = model.gaussian()._replace(log_prob=partial(elbo.gaussian_log_likelihood, variance=value))
        return loss(*net, likelihood)[0].total

    slope = complex_step(total, (np.array(variance),), 0, np.ones(len(net.x)))
    d_over_2v = net.x.size / (2 * variance)  # from log v; the squares balance it
    return rounding(slope, np.zeros(()), NET_OPERATIONS, scale=d_over_2v)


def best_variance_is_the_mean_square(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    net = random_net(rng, 1, 3, with_masks=True)
    forward = by_hand(net, train=True)
    return slope_in_the_variance(loss, net, float(((net.x - forward.x_hat) ** 2).mean()))


def best_variance_is_the_weight(_: object, rng: np.random.Generator) -> Measured:
    net = random_net(rng, 1, 3, with_masks=True)
    return slope_in_the_variance(model.loss, net, 2.5e-5)


def loss_pair(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """Every parameter, stepped one after the other through the whole flat vector."""

    def compare() -> Iterator[Measured]:
        for n_layers, n_draws, with_masks, train in (
            (0, 3, False, True),
            (1, 3, True, True),
            (1, 1, False, False),
        ):
            net = random_net(rng, n_layers, n_draws, with_masks)

            def total(flat: np.ndarray, net: Net = net, train: bool = train) -> np.ndarray:
                stepped = net._replace(params=model.Params(net.params.sizes, flat))
                return loss(*stepped, model.gaussian(0.7), 0.3, train)[0].total.mean()

            _, cache, _ = loss(*net, model.gaussian(0.7), 0.3, train)
            yield gradient(
                total, (net.params.flat,), np.ones(()), (model.loss_backward(cache).flat,), NET_OPERATIONS
            )

    return worst(compare())


def loss_keeps_single_precision(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """How many of the loss, its two parts and the gradient leave float32, with a weight of float64."""
    params, stats, x, eps, masks = random_net(rng, 1, 3, with_masks=True)
    single = (
        model.Params(params.sizes, params.flat.astype(np.float32)),
        model.Stats(stats.sizes, stats.flat.astype(np.float32)),
        x.astype(np.float32),
        eps.astype(np.float32),
        [mask.astype(np.float32) for mask in masks or ()],
    )
    values, cache, _ = loss(*single, kl_weight=np.float64(0.3))
    wider = sum(a.dtype != np.float32 for a in (*values, model.loss_backward(cache).flat))
    return Measured(float(wider), 0.0, "no array may be wider")


def loss_refuses_other_shapes(loss: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """How many wrong shapes of the noise are taken: no axis of draws, one row for all, too many columns."""
    net = random_net(rng, 0, 1, with_masks=False)
    taken = 0
    for shape in ((5, 2), (3, 1, 2), (3, 5, 3), (3, 5, 1)):
        try:
            loss(*net._replace(eps=rng.normal(size=shape)))
            taken += 1
        except ValueError:
            pass
    return Measured(float(taken), 0.0, "no wrong shape may pass")


def weight_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Scalar case: (x - m)^2/2 + a K = a [(log 2 pi a + (x - m)^2/a)/2 + K] - a/2 log 2 pi a."""
    import sympy

    x, m, kl = sympy.symbols("x m K", real=True)
    a = sympy.symbols("a", positive=True)
    log_a = sympy.log(2 * sympy.pi * a)
    minus_elbo = (log_a + (x - m) ** 2 / a) / 2 + kl
    best = sympy.symbols("v", positive=True)
    slope = sympy.diff((sympy.log(2 * sympy.pi * best) + (x - m) ** 2 / best) / 2, best)
    return identities(
        sympy.expand((x - m) ** 2 / 2 + a * kl - a * minus_elbo + a / 2 * log_a),
        slope.subs(best, (x - m) ** 2),
    )
