"""The score-function gradient: unbiased for every f, at the price of its variance.

Page: `derivations/score_function.md`. The other routes are the complex step, point sets and quadrature
that are exact here, the pathwise gradient, and the normal distribution function for a jump.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import norm

from vae_np import elbo
from vae_np.verify import oracle
from vae_np.verify.checks.densities import mean_of, scipy_log_likelihood, scipy_log_prior, scipy_log_q
from vae_np.verify.judges import (
    complex_step,
    hermite,
    monte_carlo,
    proved,
    random_gaussians,
    refined,
    rounding,
    wide_gaussians,
)
from vae_np.verify.record import Measured

Estimate = Callable[..., tuple[np.ndarray, np.ndarray]]


def elbo_integrand(
    model: oracle.Decoder, x: np.ndarray, z: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> np.ndarray:
    """Log p(x, z) - log q(z), whose mean under q is the ELBO, (L, n)."""
    log_lik = scipy_log_likelihood(x, model.decode(z), model.variance)
    return log_lik + scipy_log_prior(z) - scipy_log_q(z, mu, log_var)


def each_draw_is_the_slope_of_log_q(score: Estimate, rng: np.random.Generator) -> Measured:
    """With the draws held, the estimate is the slope of 1/L sum_l (f_l - baseline) log q(z_l)."""
    got: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    for n_draws, n, k, gaussians in (
        (1, 1, 1, random_gaussians),
        (1, 4, 3, random_gaussians),
        (3, 2, 2, wide_gaussians),
        (3, 3, 3, random_gaussians),
    ):
        mu, log_var = gaussians(rng, n, k)
        z = mu + np.exp(log_var / 2) * rng.standard_normal((n_draws, n, k))
        f, baseline = rng.normal(size=(n_draws, n)), rng.normal(size=n)
        for arguments, left in (((), f), ((0.7,), f - 0.7), ((baseline,), f - baseline)):
            got.extend(score(f, z, mu, log_var, *arguments))
            slopes = (complex_step(oracle.log_q, (z, mu, log_var), i, left / n_draws) for i in (1, 2))
            expected.extend(slopes)
    # 20 operations a draw, 3 draws, both ways; z - mu of the z that is given is not rounded again
    return rounding(tuple(got), tuple(expected), 300)


def five_moments(k: int) -> np.ndarray:
    """Lay out 6^k equally likely points with the moments of N(0, I) up to degree 5 in each variable."""
    line = np.sqrt(3) * np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    return np.stack(np.meshgrid(*[line] * k, indexing="ij"), axis=-1).reshape(-1, k)


def affine_decoder_is_exact(score: Estimate, rng: np.random.Generator) -> Measured:
    """For an affine decoder f times the score has degree 4: draws with five right moments give no noise.

    The gradient of the closed-form ELBO, by complex step, must come out with and without a baseline.
    """
    got: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    scale = 0.0
    for k in (1, 2, 3):
        model = oracle.random_linear(rng, k)
        x = oracle.sample(model, 2, rng)
        mu, log_var = random_gaussians(rng, 2, k)
        z = mu + np.exp(log_var / 2) * five_moments(k)[:, None, :]
        f = elbo_integrand(model, x, z, mu, log_var)

        def closed_elbo(
            mu: np.ndarray, log_var: np.ndarray, model: oracle.LinearGaussian = model, x: np.ndarray = x
        ) -> np.ndarray:
            return oracle.linear_gaussian_elbo(model, x, mu, log_var)

        slopes = [complex_step(closed_elbo, (mu, log_var), i, np.ones(2)) for i in (0, 1)]
        for arguments in ((), (3.0,), (f.mean(axis=0),)):
            got.extend(score(f, z, mu, log_var, *arguments))
            expected.extend(slopes)
        scale = max(scale, float(np.abs(f).max() * np.exp(-log_var / 2).max()))
    # relative to the largest summand: 216 draws, each with about 50 operations, several of them in |z|/sigma
    return rounding(tuple(got), tuple(expected), 1000, scale)


def curved_decoder_by_quadrature(score: Estimate, rng: np.random.Generator) -> Measured:
    """The quadrature weights of q stand in for frequencies: the sum must be the pathwise gradient."""
    model = oracle.random_curved(rng)
    x = oracle.sample(model, 3, rng)
    mu, log_var = random_gaussians(rng, 3, 1)
    log_var = -np.abs(log_var)  # q ends well inside the grid
    fine, coarse = oracle.latent_grid(1), oracle.latent_grid(1, n_nodes=300)
    z = np.broadcast_to(fine.z[:, None, :], (400, 3, 1))
    frequency = np.exp(oracle.log_q(z, mu, log_var) + fine.log_weight[:, None])
    f = elbo_integrand(model, x, z, mu, log_var)
    got = np.stack(score(400 * frequency * f, z, mu, log_var))
    by_path, coarsely = (
        np.stack(oracle.elbo_gradient_by_quadrature(model, x, mu, log_var, grid)) for grid in (fine, coarse)
    )
    # 400 terms of about 40 operations; f itself is up to 50 times the gradient
    return refined(got, by_path, coarsely, 20_000)


def curved_decoder_by_sampling(score: Estimate, rng: np.random.Generator) -> Measured:
    """Two latent dimensions; a draw is given to the function as a cell of its own, so it averages nothing.

    f is log p(x|z) alone, which tanh keeps bounded, so its mean lacks minus the gradient of the KL. Half of
    the draws have a baseline 1 above f at mu, half 1 below.
    """
    model = oracle.gentle_curved(rng, k=2)
    x = oracle.sample(model, 1, rng)
    mu, log_var = (
        rng.choice([-1.0, 1.0], (1, 2)) * rng.uniform(0.5, 1, (1, 2)),
        rng.uniform(-0.3, 0.3, (1, 2)),
    )
    grid = oracle.latent_grid(2, n_nodes=120)
    of_elbo = np.hstack(oracle.elbo_gradient_by_quadrature(model, x, mu, log_var, grid))[0]
    expected = of_elbo + np.hstack([mu, np.expm1(log_var) / 2])[0]
    z = mu + np.exp(log_var / 2) * rng.standard_normal((1, 100_000, 2))
    f, baseline = (scipy_log_likelihood(x, model.decode(a), 1.0) for a in (z, mu))
    above = np.hstack(score(f[:, ::2], z[:, ::2], mu, log_var, baseline + 1))
    below = np.hstack(score(f[:, 1::2], z[:, 1::2], mu, log_var, baseline - 1))
    return monte_carlo(np.hstack([above, below]), np.tile(expected, 2))


def jump(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Draw mu, log_var and a threshold c; with them the slopes of E_q 1{z > c} = Phi((mu - c) / sigma)."""
    mu, log_var = random_gaussians(rng, 1, 1)
    sigma = np.exp(log_var / 2)
    u = rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.2)
    slopes = norm.pdf(u) * np.hstack([1 / sigma, -u * np.ones((1, 1)) / 2])[0]
    return mu, log_var, float((mu - u * sigma)[0, 0]), slopes


def jump_by_sampling(score: Estimate, rng: np.random.Generator) -> Measured:
    mu, log_var, c, slopes = jump(rng)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((1, 100_000, 1))
    return monte_carlo(np.hstack(score((z[..., 0] > c).astype(float), z, mu, log_var)), slopes)


def jump_by_path(_: object, rng: np.random.Generator) -> Measured:
    """The pathwise gradient of a jump: no draw moves across it, so every slope is 0."""
    mu, log_var, c, slopes = jump(rng)
    eps = rng.standard_normal((1000, 1, 1))

    def share_above(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return np.where(elbo.reparameterize(mu, log_var, eps).real > c, 1.0, 0.0).mean(axis=0)

    by_path = [complex_step(share_above, (mu, log_var), i, np.ones((1, 1)))[0, 0] for i in (0, 1)]
    return rounding(np.array(by_path), slopes, 1000)


class AtThePosterior:
    """A linear model with uncorrelated posterior, q = that posterior, and f(z) = log p(x|z).

    In z = mu + sigma eps the integrand is mean_f + sum_j [b_j eps_j - a_j (eps_j^2 - 1) / 2].
    """

    def __init__(self, rng: np.random.Generator, k: int) -> None:
        d = 2 * k
        rows = np.linalg.qr(rng.standard_normal((d, k)))[0].T
        W = rng.uniform(0.7, 1.5, (k, 1)) * rows
        self.model = oracle.LinearGaussian(W, rng.standard_normal(d), float(rng.uniform(0.5, 1.5)))
        self.x = oracle.sample(self.model, 1, rng)
        precision = 1 + (W**2).sum(axis=1) / self.model.variance
        residual = self.x - self.model.b
        self.mu, self.log_var = residual @ W.T / self.model.variance / precision, -np.log(precision)[None]
        self.a = 1 - 1 / precision
        self.b = self.mu[0] / np.sqrt(precision)
        at_mu = scipy_log_likelihood(self.x, self.model.decode(self.mu), self.model.variance)
        self.mean_f = float(at_mu[0]) - self.a.sum() / 2

    def draws(self, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Turn noise (m, k) into f (1, m) and z (1, m, k)."""
        z = (self.mu + np.exp(self.log_var / 2) * eps)[None]
        return scipy_log_likelihood(self.x, self.model.decode(z), self.model.variance), z

    def score_second_moment(self, baseline: float) -> np.ndarray:
        """E of the squared score-function draw in mu and log_var, (2, k), by the moments of eps."""
        a, b, c = self.a, self.b, self.mean_f - baseline
        in_mu = c**2 - 2 * c * a + (b**2).sum() + 2 * b**2 + (a**2).sum() / 2 + 2 * a**2
        in_log_var = 2 * c**2 - 8 * c * a + 2 * (b**2).sum() + 8 * b**2 + (a**2).sum() + 14 * a**2
        return np.stack([in_mu * np.exp(-self.log_var[0]), in_log_var / 4])

    def mean(self) -> np.ndarray:
        """Expectation of either estimator, (2, k)."""
        return np.stack([self.b * np.exp(-self.log_var[0] / 2), -self.a / 2])

    def path_variance(self) -> np.ndarray:
        """Variance of the pathwise draw in mu and log_var, (2, k)."""
        return np.stack([self.a**2 * np.exp(-self.log_var[0]), (self.b**2 + 2 * self.a**2) / 4])


def variance_ratio_by_nodes(score: Estimate, rng: np.random.Generator) -> Measured:
    """Var(score)/Var(path), both by Gauss-Hermite nodes; squares have degree 8, so 5 nodes are exact."""
    got, expected = [], []
    for k in (1, 2, 3):
        world = AtThePosterior(rng, k)
        eps, weight = hermite(k, 5)
        f, z = world.draws(eps)

        def variance(draws: np.ndarray, weight: np.ndarray = weight) -> np.ndarray:
            return np.tensordot(weight, draws**2, 1) - np.tensordot(weight, draws, 1) ** 2

        d_z = (world.x - world.model.decode(z[0])) @ world.model.W.T / world.model.variance
        path = np.stack([d_z, d_z * np.exp(world.log_var / 2) * eps / 2], axis=1)
        for baseline in (0.0, world.mean_f):
            arguments = (baseline,) if baseline else ()
            draws = np.stack(score(f, z, world.mu, world.log_var, *arguments), axis=1)
            got.append(variance(draws) / variance(path))
            closed = world.score_second_moment(baseline) - world.mean() ** 2
            expected.append(closed / world.path_variance())
    # 125 nodes, 30 operations each; the path's variance is down to 1/50 of the squares it is made of
    return rounding(tuple(got), tuple(expected), 20_000)


def variance_ratio_by_sampling(score: Estimate, rng: np.random.Generator) -> Measured:
    """Squared draws in mu, relative to the path's variance, k = 1 .. 20: about 8 k^2 times as large.

    They have degree 6 in the noise, so normal noise would make them heavy-tailed. The noise here has four
    values, the Gauss-Hermite nodes with their weights: the same moments up to degree 7, but bounded.
    """
    nodes, weight = hermite(1, 4)
    draws, expected = [], []
    for k in (1, 2, 5, 10, 20):
        world = AtThePosterior(rng, k)
        f, z = world.draws(rng.choice(nodes[:, 0], (30_000, k), p=weight))
        d_mu, _ = score(f, z, world.mu, world.log_var)
        path = world.path_variance()[0].sum()
        draws.append((d_mu**2).sum(axis=1) / path)
        expected.append(world.score_second_moment(0.0)[0].sum() / path)
    return monte_carlo(np.stack(draws, axis=1), np.array(expected))


def score_by_symbols(score: Estimate, rng: np.random.Generator) -> Measured:
    """Scalar case: powers of z up to 4 and a jump at c, the slopes in mu and in log sigma^2.

    After z = m + s u the mean of a power needs moments of u only. Beyond a jump the score times q has the
    antiderivatives -q and -(z - m) q / 2, which vanish at infinity.
    """
    import sympy

    z, m, u, c = sympy.symbols("z m u c", real=True)
    s = sympy.symbols("s", positive=True)
    log_q = -(sympy.log(2 * sympy.pi) + 2 * sympy.log(s) + (z - m) ** 2 / s**2) / 2

    def slopes(f: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr]:
        return sympy.diff(f, m), s / 2 * sympy.diff(f, s)  # s = exp(log_var / 2)

    def mean(f: sympy.Expr) -> sympy.Expr:
        return mean_of(f.subs(z, m + s * u), u)

    scores = slopes(log_q)
    differences = [
        sympy.expand(mean(z**power * by_score) - slope)
        for power in range(5)
        for by_score, slope in zip(scores, slopes(mean(z**power)), strict=True)
    ]
    above = (1 - sympy.erf((c - m) / (s * sympy.sqrt(2)))) / 2
    bell = sympy.exp(-((c - m) ** 2) / (2 * s**2))
    q_at_jump = bell / (s * sympy.sqrt(2 * sympy.pi))
    for antiderivative, by_score, slope in zip((-1, -(z - m) / 2), scores, slopes(above), strict=True):
        # d/dz (a q) = q (da/dz + a d log q/dz)
        in_z = sympy.diff(antiderivative, z) + antiderivative * sympy.diff(log_q, z)
        differences.append(sympy.expand(in_z - by_score))
        at_jump = -sympy.sympify(antiderivative).subs(z, c) * q_at_jump
        differences.append(sympy.expand(slope - at_jump))
    mu, log_var = random_gaussians(rng, 10, 1)
    points = mu + rng.normal(size=mu.shape)
    formulas = tuple(sympy.lambdify((z, m, s), f)(points, mu, np.exp(log_var / 2)) for f in scores)
    return proved(rounding(score(np.ones((1, 10)), points[None], mu, log_var), formulas, 200), *differences)
