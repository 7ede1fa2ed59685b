"""The reparameterization: a draw from Q as a function of noise, and what may be done with it.

Page: `derivations/reparameterization.md`. SciPy's distributions, the change of variables, quadrature and
SymPy are the other routes. Whether a function draws from Q is judged in law: mu - sigma eps is as right
as mu + sigma eps.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import erf
from scipy.stats import expon, logistic, multivariate_normal, norm, uniform

from vae_np import elbo
from vae_np.verify.checks.densities import bell_grid, mean_of, scipy_log_likelihood
from vae_np.verify.judges import (
    STEP,
    complex_step,
    gradient,
    hermite,
    identities,
    in_law,
    monte_carlo,
    normal_expectation,
    proved,
    random_gaussians,
    refined,
    rounding,
    wide_gaussians,
    worst,
)
from vae_np.verify.oracle import expected_log_likelihood, random_linear, sample
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]


def slope(f: Values, z: np.ndarray) -> np.ndarray:
    """Derivative of a function of one variable at each point, by the complex step."""
    return f(z + 1j * STEP).imag / STEP


def noise_nodes(per_unit: int) -> tuple[np.ndarray, np.ndarray]:
    """Trapezoid nodes (m, 1, 1) and weights (m,) for E f(eps), eps ~ N(0, 1), cut off at 12."""
    eps = np.arange(-12 * per_unit, 12 * per_unit + 1) / per_unit
    return eps[:, None, None], norm.pdf(eps) / per_unit


# ------------------------------------------------------------------------- a draw, and the noise in it


def draws_follow_scipys_law(_: object, rng: np.random.Generator) -> Measured:
    mu, log_var = random_gaussians(rng, 1, 1)
    z = elbo.reparameterize(mu, log_var, rng.standard_normal((200_000, 1)))
    return in_law(z, (norm(mu[0], np.exp(log_var[0] / 2)).cdf,))


def draws_hold_the_mass_of_the_density(_: object, rng: np.random.Generator) -> Measured:
    """Between two draws lies the integral of the density Q: it must be the share of noise between them.

    The noise is cut at the quantiles 1/40 .. 39/40 of its own law, so every share is 1/40.
    """
    mu, log_var = random_gaussians(rng, 20, 1)
    cuts = norm.ppf(np.arange(1, 40) / 40)
    z = np.sort(elbo.reparameterize(mu, log_var, np.tile(cuts[:, None, None], (1, 20, 1))), axis=0)
    middle, half = (z[1:] + z[:-1]) / 2, (z[1:] - z[:-1]) / 2  # (38, 20, 1)

    def mass(n_nodes: int) -> np.ndarray:
        nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
        density = np.exp([elbo.log_normal(middle + half * node, mu, log_var) for node in nodes])
        return half[..., 0] * np.tensordot(weights, density, axes=1)

    # a share is a difference of draws, so it carries the draws' rounding, up to 1/share times larger
    return refined(np.full((38, 20), 1 / 40), mass(12), mass(8), 40 * 20)


def both_estimators_have_the_true_mean(_: object, rng: np.random.Generator) -> Measured:
    """With f = log P(x|z), affine decoder: E_Q f is closed form, and 3 nodes are exact to degree 5."""
    got, expected = [], []
    for k in (1, 2, 3):
        model = random_linear(rng, k, 4)
        x, (mu, log_var) = sample(model, 2, rng), random_gaussians(rng, 2, k)
        eps, weight = hermite(k, 3)
        eps = np.broadcast_to(eps[:, None, :], (len(eps), 2, k))
        z = mu + np.exp(log_var / 2) * eps
        f = scipy_log_likelihood(x, model.decode(z), model.variance)
        d_f = (x - model.decode(z)) @ model.W.T / model.variance
        pathwise = elbo.reparameterize_backward(weight[:, None, None] * d_f, log_var, eps)
        score = elbo.score_function(len(eps) * weight[:, None] * f, z, mu, log_var)

        for i in (0, 1):
            true = complex_step(partial(expected_log_likelihood, model, x), (mu, log_var), i, np.ones(2))
            size = max(np.abs(f).max(), np.abs(true).max())  # the terms that the score function adds up
            got += [(pathwise[i] / size).ravel(), (score[i] / size).ravel()]
            expected += [(true / size).ravel()] * 2
    # 27 nodes, each weight times f times score: the sum of |terms| is a few times the largest f
    return rounding(np.concatenate(got), np.concatenate(expected), 27 * 40, scale=1.0)


def variances_by_nodes(f: Values, d_f: Values, mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Var(score function) / Var(pathwise) for the derivative of E f(z) in mu_1; exact for f = |z|^2."""
    eps, weight = hermite(len(mu), 4)
    z = mu + sigma * eps
    score, pathwise = f(z) * eps[:, 0] / sigma[0], d_f(z)[:, 0]

    def variance(values: np.ndarray) -> np.ndarray:
        return weight @ (values - weight @ values) ** 2

    return variance(score) / variance(pathwise)


def variance_ratio_of_the_square(_: object, rng: np.random.Generator) -> Measured:
    """For f = |z|^2: n = 1, (r^2 + 14 r + 15)/4 with r = mu^2/sigma^2; mu = 0, one sigma: (n+2)(n+4)/4."""
    got, expected = [], []
    for mu, log_var in zip(*random_gaussians(rng, 10, 1), strict=True):
        got.append(variances_by_nodes(lambda z: z[:, 0] ** 2, lambda z: 2 * z, mu, np.exp(log_var / 2)))
        r = mu[0] ** 2 / np.exp(log_var[0])
        expected.append((r**2 + 14 * r + 15) / 4)
    for n in range(1, 6):
        sigma = np.full(n, rng.uniform(0.5, 2.0))
        got.append(
            variances_by_nodes(lambda z: (z**2).sum(axis=1), lambda z: 2 * z, np.zeros(n), sigma),
        )
        expected.append((n + 2) * (n + 4) / 4)
    # up to 1024 nodes of 5 factors, added up in blocks; entry by entry, as the ratios differ in size
    return rounding(np.array(got) / np.array(expected), np.ones(15), 2000)


def variance_ratio_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """The same two ratios: n = 1 by integrals, all n by the third moment of a chi-square law."""
    import sympy

    m, u = sympy.symbols("m u", real=True)
    s, n, t = sympy.symbols("s n t", positive=True)
    z = m + s * u
    score, path = z**2 * u / s, 2 * z
    variances = [mean_of(f**2, u) - mean_of(f, u) ** 2 for f in (score, path)]
    ratio = variances[0] / variances[1]
    r = m**2 / s**2
    chi_square = t ** (n / 2 - 1) * sympy.exp(-t / 2) / (2 ** (n / 2) * sympy.gamma(n / 2))
    third = sympy.integrate(t**3 * chi_square, (t, 0, sympy.oo), conds="none")
    return identities(
        ratio - (r**2 + 14 * r + 15) / 4,
        sympy.gammasimp(third / n / 4) - (n + 2) * (n + 4) / 4,
    )


def a_drawn_number_has_no_derivative(_: object, rng: np.random.Generator) -> Measured:
    """Draw z from Q by the generator and differentiate f(z) = z^2 in mu: the draw is a number, mu is gone."""
    mu, log_var = random_gaussians(rng, 20, 1)

    def direct(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return rng.normal(mu.real, np.exp(log_var / 2)) ** 2 + 0j

    return rounding(complex_step(direct, (mu, log_var), 0, np.ones((20, 1))), 2 * mu, 10)


# -------------------------------------------------------------- what g must do: push p onto Q


def log_stretch(g: Values, eps: np.ndarray) -> np.ndarray:
    """Log |det dg/deps| at each of the points (m, n), by the complex step."""
    columns = []
    for j in range(eps.shape[1]):
        stepped = eps.astype(complex)
        stepped[:, j] += 1j * STEP
        columns.append(g(stepped).imag / STEP)
    return np.linalg.slogdet(np.stack(columns, axis=-1))[1]


def pushforwards(rng: np.random.Generator) -> list[tuple[np.ndarray, Values, np.ndarray, np.ndarray]]:
    """Five pairs of noise and g: points, g, log p at the points, log Q at their images (SciPy)."""
    pairs: list[tuple[np.ndarray, Values, np.ndarray, np.ndarray]] = []

    def add(eps: np.ndarray, g: Values, log_p: Values, log_q: Values) -> None:
        pairs.append((eps, g, log_p(eps).reshape(len(eps), -1).sum(axis=1), log_q(g(eps)).ravel()))

    for n in (1, 3):
        (mu,), (log_var,) = random_gaussians(rng, 1, n)
        q = multivariate_normal(mu, np.diag(np.exp(log_var)))
        add(
            rng.normal(size=(20, n)),
            lambda eps, mu=mu, log_var=log_var: elbo.reparameterize(mu, log_var, eps),
            norm.logpdf,
            q.logpdf,
        )
    (mu,), (log_var,) = random_gaussians(rng, 1, 3)
    lower = np.tril(rng.uniform(-1, 1, (3, 3)), -1) + np.diag(np.exp(log_var / 2))
    correlated = multivariate_normal(mu, lower @ lower.T)
    add(rng.normal(size=(20, 3)), lambda eps: mu + eps @ lower.T, norm.logpdf, correlated.logpdf)
    rate = rng.uniform(1.5, 4.0)
    u = rng.uniform(0.05, 0.95, size=(20, 1))
    add(u, lambda u: -np.log(1 - u) / rate, uniform.logpdf, expon(scale=1 / rate).logpdf)
    add(
        u,
        lambda u: mu[0] + np.log(u / (1 - u)) / rate,
        uniform.logpdf,
        logistic(mu[0], 1 / rate).logpdf,
    )
    return pairs


def density_times_stretch(_: object, rng: np.random.Generator) -> Measured:
    pairs = pushforwards(rng)
    got = np.concatenate([log_q + log_stretch(g, eps) for eps, g, _, log_q in pairs])
    # a covariance of three dimensions is decomposed; its condition, up to 1e3, multiplies 50 operations
    return rounding(got, np.concatenate([log_p for _, _, log_p, _ in pairs]), 50_000)


def density_without_stretch(_: object, rng: np.random.Generator) -> Measured:
    pairs = pushforwards(rng)
    got = np.concatenate([log_q for *_, log_q in pairs])
    return rounding(got, np.concatenate([log_p for _, _, log_p, _ in pairs]), 50_000)


def pushforward_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Q(g(eps)) |det dg/deps| / p(eps) = 1: Gaussian n = 1, correlated Gaussian n = 2, exponential."""
    import sympy

    m = sympy.Matrix(sympy.symbols("m1:3", real=True))
    e = sympy.Matrix(sympy.symbols("e1:3", real=True))
    a, c, rate = sympy.symbols("a c lambda", positive=True)
    b = sympy.symbols("b", real=True)
    u = sympy.symbols("u", positive=True)

    def log_normal(z: sympy.Matrix, mean: sympy.Matrix, covariance: sympy.Matrix) -> sympy.Expr:
        r = z - mean
        form = (r.T * covariance.inv() * r)[0]
        return -(form + sympy.log(covariance.det()) + len(z) * sympy.log(2 * sympy.pi)) / 2

    differences = []
    for lower in (sympy.Matrix([[a]]), sympy.Matrix([[a, 0], [b, c]])):
        n = lower.rows
        mean, noise = m[:n, :], e[:n, :]
        log_q = log_normal(mean + lower * noise, mean, lower * lower.T)
        stretch = (mean + lower * noise).jacobian(noise).det()  # positive
        log_p = log_normal(noise, sympy.zeros(n, 1), sympy.eye(n))
        differences.append(sympy.expand_log(sympy.simplify(log_q + sympy.log(stretch) - log_p)))
    g = -sympy.log(1 - u) / rate
    differences.append(rate * sympy.exp(-rate * g) * sympy.diff(g, u) - 1)
    return identities(*differences)


# --------------------------------------------------------------- expectations, and their derivatives


def smooth_functions(z: np.ndarray) -> np.ndarray:
    """Six functions of one variable, (..., 1) -> (..., 6), all analytic on the real line."""
    return np.concatenate(
        [z**2, np.tanh(z), np.cos(z), np.exp(z / 2), np.log(1 + np.exp(z)), 1 / (1 + np.exp(-z)) ** 2],
        axis=-1,
    )


def density_integral(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """Integrals of Q f for the six functions, (n, 1) -> (n, 6), on z-nodes that know no mu and sigma.

    mu lies in [-2, 2], sigma in [1/e, e]: the nodes reach 12 sigma, and a step of 1/16 leaves an error of
    exp(-2 pi d/step), d the distance of the nearest pole (pi/2 or pi): less than 1e-60.
    """
    z = np.arange(-36 * 16, 36 * 16 + 1)[:, None, None] / 16
    density = np.exp(-((z - mu) ** 2) / np.exp(log_var) / 2) / np.sqrt(2 * np.pi * np.exp(log_var))
    return (density * smooth_functions(z)).sum(axis=0) / 16


def expectation_by_two_integrals(_: object, rng: np.random.Generator) -> Measured:
    mu, log_var = random_gaussians(rng, 5, 1)

    def over_noise(per_unit: int) -> np.ndarray:
        eps, weight = noise_nodes(per_unit)
        z = elbo.reparameterize(mu, log_var, np.tile(eps, (1, 5, 1)))
        return np.tensordot(weight, smooth_functions(z), axes=1)

    # 1153 terms, and an exponential of up to 72 in each
    return refined(density_integral(mu, log_var), over_noise(16), over_noise(12), 2000)


def expectation_of_two_variables(_: object, rng: np.random.Generator) -> Measured:
    """Trapezoid rule over Q dz; 40 Gauss-Hermite nodes over the noise."""
    mu, log_var = random_gaussians(rng, 1, 2)
    log_var = log_var / 2  # so that 30 nodes integrate exp(z_1 - z_2) as well as 40 do
    sigma = np.exp(log_var[0] / 2)
    u, cell = bell_grid(2)
    z = mu + sigma * u
    density = multivariate_normal(mu[0], np.diag(sigma**2)).pdf(z) * sigma.prod() * cell

    def f(z: np.ndarray) -> np.ndarray:
        a, b = z[..., 0], z[..., 1]
        return np.stack([a**2 * b, np.cos(a + b), np.exp((a - b) / 2), np.sin(a) * b], axis=-1)

    fine, coarse = (normal_expectation(f, mu, log_var, n)[0] for n in (40, 30))
    # 9409 terms in blocks, an exponential of up to 144 in each; 1600 terms on the other side
    return refined(density @ f(z), fine, coarse, 4000)


def exponential_law_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Both lines for f = z, z^2, z^3, z = -log(u)/rate, u uniform: mean, and derivative in the rate."""
    import sympy

    z, u, rate = sympy.symbols("z u lambda", positive=True)
    g = -sympy.log(u) / rate
    differences = []
    for power in (1, 2, 3):
        over_density = sympy.integrate(rate * sympy.exp(-rate * z) * z**power, (z, 0, sympy.oo))
        over_noise = sympy.integrate(sympy.expand(g**power), (u, 0, 1))
        path = power * g ** (power - 1) * sympy.diff(g, rate)
        pathwise = sympy.integrate(sympy.expand(path), (u, 0, 1))
        differences += [over_density - over_noise, sympy.diff(over_density, rate) - pathwise]
    return identities(*differences)


def pathwise_derivative_by_nodes(_: object, rng: np.random.Generator) -> Measured:
    """d/dmu and d/dlog_var of the integral of Q f (complex step) are E f'(z) dz/dmu, E f'(z) dz/dlog_var."""
    q, d = random_gaussians(rng, 5, 1), rng.normal(size=(5, 6))
    eps, weight = noise_nodes(16)
    eps = np.tile(eps, (1, 5, 1))
    z = q[0] + np.exp(q[1] / 2) * eps
    d_z = weight[:, None, None] * (d * slope(smooth_functions, z)).sum(axis=-1, keepdims=True)
    pathwise = elbo.reparameterize_backward(d_z, q[1], eps)
    return gradient(density_integral, q, d, pathwise, 2000)


LEAK = 0.01


def leaky_mean(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """E f(z), f = z above 0, LEAK z below: LEAK mu + (1 - LEAK) [mu Phi(r) + sigma phi(r)], r = mu/sigma."""
    sigma = np.exp(log_var / 2)
    r = mu / sigma
    above = mu * (1 + erf(r / np.sqrt(2))) / 2 + sigma * np.exp(-(r**2) / 2) / np.sqrt(2 * np.pi)
    return LEAK * mu + (1 - LEAK) * above


def pathwise_derivative_across_a_kink(_: object, rng: np.random.Generator) -> Measured:
    """Leaky ReLU: continuous, with a kink at 0. The noise is integrated on either side of it."""
    q = random_gaussians(rng, 20, 1)
    kink = -q[0] / np.exp(q[1] / 2)  # |kink| < 6
    nodes, weights = (a[:, None, None] for a in np.polynomial.legendre.leggauss(80))
    d_z, eps = [], []
    for low, high, f_slope in ((-14.0, kink, LEAK), (kink, 14.0, 1.0)):
        half = (high - low) / 2
        eps.append((high + low) / 2 + half * nodes)
        d_z.append(f_slope * half * weights * norm.pdf(eps[-1]))
    pathwise = elbo.reparameterize_backward(np.concatenate(d_z), q[1], np.concatenate(eps))
    return gradient(leaky_mean, q, np.ones((20, 1)), pathwise, 2000)  # 160 terms, exponentials of up to 98


def cantor(z: np.ndarray) -> np.ndarray:
    """Cantor's function: ternary digits up to the first 1, twos become ones, read in binary."""
    rest, value, growing = np.clip(z.real, 0.0, 1.0), np.zeros(z.shape), np.ones(z.shape, dtype=bool)
    for place in range(1, 40):
        digit = np.minimum(np.floor(3 * rest), 2)
        value += growing * (digit > 0) * 0.5**place
        growing &= digit != 1
        rest = 3 * rest - digit
    return value


def cantor_slope(mu: np.ndarray, log_var: np.ndarray, depth: int) -> np.ndarray:
    """Derivative of E cantor(z) in mu: E cantor(z) = E_C Phi((mu - C)/sigma), C Cantor-distributed.

    cantor(z) = P(C <= z); the 2^depth intervals that hold C are replaced by their midpoints.
    """
    left = np.zeros(1)
    for place in range(1, depth + 1):
        left = np.concatenate([left, left + 2 / 3.0**place])
    return norm.pdf(mu, left + 0.5 / 3.0**depth, np.exp(log_var / 2)).mean(axis=1, keepdims=True)


def score_form_needs_no_smoothness(_: object, rng: np.random.Generator) -> Measured:
    """Cantor's function: integral of cantor(z) dQ/dmu dz, midpoints of 3^9 cells, against its true slope."""
    mu, log_var = random_gaussians(rng, 3, 1)
    var = np.exp(log_var)

    def on_cells(depth: int) -> np.ndarray:
        z = (np.arange(3**depth) + 0.5) / 3**depth
        density = norm.pdf(z, mu, np.sqrt(var))
        below_1 = (cantor(z) * (z - mu) / var * density).mean(axis=1, keepdims=True)
        return below_1 + norm.pdf(1.0, mu, np.sqrt(var))  # cantor = 1 above 1

    return refined(cantor_slope(mu, log_var, 12), on_cells(9), on_cells(8), 10_000)


def pathwise_mean(f: Values, mu: np.ndarray, log_var: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The derivative in mu that the pathwise estimator gives: f'(z) at 1000 draws, averaged."""
    z = mu + np.exp(log_var / 2) * rng.standard_normal((1000, *mu.shape))
    return slope(lambda z: f(z) + 0j, z).mean(axis=0)


def pathwise_across_a_jump(_: object, rng: np.random.Generator) -> Measured:
    """With f = 1 where z > c, E f = Phi((mu - c)/sigma), whose slope is the density at c."""
    mu, log_var = random_gaussians(rng, 5, 1)
    c = mu + rng.normal(size=mu.shape)
    true = norm.pdf(c, mu, np.exp(log_var / 2))
    return rounding(pathwise_mean(lambda z: np.where(z.real > c, 1.0, 0.0), mu, log_var, rng), true, 100)


def pathwise_along_cantors_function(_: object, rng: np.random.Generator) -> Measured:
    """Continuous, with slope 0 almost everywhere, yet it rises from 0 to 1."""
    mu, log_var = random_gaussians(rng, 3, 1)
    true = cantor_slope(mu, log_var, 12)
    return rounding(pathwise_mean(cantor, mu, log_var, rng), true, 10_000)


# ------------------------------------------------------------------------- the Gaussian case


def stratified_noise_gives_the_quantiles(g: Values, rng: np.random.Generator) -> Measured:
    """Noise at the quantiles 1/100 .. 99/100 must land on these quantiles of Q, in any order."""
    levels = np.arange(1, 100) / 100
    got, expected = [], []
    for n, k in ((1, 1), (4, 3)):
        mu, log_var = random_gaussians(rng, n, k)
        eps = rng.permuted(np.tile(norm.ppf(levels)[:, None, None], (1, n, k)), axis=0)
        got.append(norm(mu, np.exp(log_var / 2)).cdf(np.sort(g(mu, log_var, eps), axis=0)).ravel())
        expected.append(np.repeat(levels, n * k))
        one_draw = norm(mu, np.exp(log_var / 2)).cdf(g(mu, log_var, eps[0]))  # without the axis of draws
        uniform_noise = norm.cdf(eps[0])
        got.append(np.minimum(one_draw, 1 - one_draw).ravel())
        expected.append(np.minimum(uniform_noise, 1 - uniform_noise).ravel())
    # mu up to 2 is added and taken off again: its rounding is up to 2/sigma = 6 times that of eps
    return rounding(np.concatenate(got), np.concatenate(expected), 100)


def far_noise_gives_the_far_quantiles(g: Values, rng: np.random.Generator) -> Measured:
    """Log sigma^2 to +-10, and noise that only one draw in 1e8 exceeds: log tail mass by SciPy.

    g may turn the noise around, so the draws are sorted: the lower ones count from below, the upper ones
    from above.
    """
    log_tail = np.log(10.0) * -np.arange(8, 0, -1)
    far = norm.isf(np.exp(log_tail))

    def compare() -> Iterator[Measured]:
        for n, k in ((2, 1), (3, 3), (4, 2)):
            mu, log_var = wide_gaussians(rng, n, k)
            eps = rng.permuted(np.tile(np.append(-far, far)[:, None, None], (1, n, k)), axis=0)
            z, q = np.sort(g(mu, log_var, eps), axis=0), norm(mu, np.exp(log_var / 2))
            got = np.stack([q.logcdf(z[:8]), q.logsf(z[:7:-1])])
            # mu up to 10 is added and taken off again: over sigma = 1/148 that is 1500 roundings of eps, and
            # the logarithm falls by up to 6 in a unit of eps, relative to 18
            yield rounding(got, np.broadcast_to(log_tail[:, None, None], got.shape), 1000)

    return worst(compare())


def marginals_and_a_projection(g: Values, rng: np.random.Generator) -> Measured:
    """Three dimensions, and a sum of them: its variance would differ if they were correlated."""
    mu, log_var = (a[0] for a in random_gaussians(rng, 1, 3))
    sigma, w = np.exp(log_var / 2), rng.uniform(0.5, 1.5, 3) * rng.choice([-1, 1], 3)
    z = g(np.tile(mu, (4, 1)), np.tile(log_var, (4, 1)), rng.standard_normal((25_000, 4, 3))).reshape(-1, 3)
    cdfs = [norm(m, s).cdf for m, s in zip(mu, sigma, strict=True)]
    projected = norm(w @ mu, np.sqrt(w**2 @ sigma**2)).cdf
    return in_law(np.column_stack([z, z @ w]), (*cdfs, projected))


def gaussian_by_symbols(g: Values, rng: np.random.Generator) -> Measured:
    """The density of m + s e is that of N(m, s^2), and E exp(t z) = exp(m t + s^2 t^2/2).

    The square is completed: exp(t z) p(e) is that second factor times p(e - s t). The function is held
    to the density, not to the formula: q(g(eps)) |dg/deps| = p(eps).
    """
    import sympy

    m, z, e, t = sympy.symbols("m z e t", real=True)
    s = sympy.symbols("s", positive=True)
    bell = sympy.exp(-(e**2) / 2) / sympy.sqrt(2 * sympy.pi)
    pushed = bell.subs(e, (z - m) / s) * sympy.diff((z - m) / s, z)
    q = sympy.exp(-((z - m) ** 2) / (2 * s**2)) / sympy.sqrt(2 * sympy.pi * s**2)
    generating = sympy.exp(t * (m + s * e)) * bell
    completed = sympy.exp(m * t + s**2 * t**2 / 2) * bell.subs(e, e - s * t)
    total = sympy.integrate(bell, (e, -sympy.oo, sympy.oo))
    mu, log_var = random_gaussians(rng, 10, 3)
    eps = rng.normal(size=(10, 3))
    density = sympy.lambdify((z, m, s), q)(g(mu, log_var, eps), mu, np.exp(log_var / 2))
    stretch = np.abs(slope(lambda eps: g(mu, log_var, eps), eps))
    agrees = rounding(density * stretch, norm.pdf(eps), 100)
    return proved(agrees, pushed - q, generating / completed - 1, total - 1)


def gaussian_backward(_: object, rng: np.random.Generator) -> Measured:
    """No axis of draws, L = 1 and L = 3, at once."""
    got, expected = [], []
    for shape in ((4, 3), (1, 5, 2), (3, 4, 3), (3, 3, 3)):
        q, eps = random_gaussians(rng, *shape[-2:]), rng.normal(size=shape)
        d = rng.normal(size=shape)
        for i, d_q in enumerate(elbo.reparameterize_backward(d, q[1], eps)):
            got.append(d_q)
            expected.append(complex_step(elbo.reparameterize, (*q, eps), i, d))
    return rounding(tuple(got), tuple(expected), 50)


# ------------------------------------------------------------------------------- its two moments


def by_nodes(f: Values, mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
    """E f(g(eps)) with two Gauss-Hermite nodes a dimension, exact for squares; g is the library's."""
    eps, weight = hermite(mu.shape[1], 2)
    z = elbo.reparameterize(mu, log_var, np.repeat(eps[:, None, :], len(mu), axis=1))
    return np.tensordot(weight, f(z), axes=1)


def outer(r: np.ndarray) -> np.ndarray:
    return r[..., :, None] * r[..., None, :]


def mean_by_nodes(_: object, rng: np.random.Generator) -> Measured:
    points = [random_gaussians(rng, 20, k) for k in range(1, 5)]
    got = tuple(by_nodes(lambda z: z, *q) for q in points)
    return rounding(got, tuple(mu for mu, _ in points), 100)  # 16 nodes, each up to mu + e sigma


def mean_by_sampling(_: object, rng: np.random.Generator) -> Measured:
    mu, log_var = random_gaussians(rng, 1, 3)
    return monte_carlo(elbo.reparameterize(mu, log_var, rng.standard_normal((200_000, 1, 3)))[:, 0], mu[0])


def covariance_by_nodes(_: object, rng: np.random.Generator) -> Measured:
    points = [random_gaussians(rng, 20, k) for k in range(1, 5)]
    got = tuple(by_nodes(lambda z, mu=mu: outer(z - mu), mu, log_var) for mu, log_var in points)
    expected = tuple(np.exp(log_var)[:, :, None] * np.eye(log_var.shape[1]) for _, log_var in points)
    return rounding(got, expected, 200)


def covariance_by_sampling(_: object, rng: np.random.Generator) -> Measured:
    mu, log_var = random_gaussians(rng, 1, 3)
    z = elbo.reparameterize(mu, log_var, rng.standard_normal((200_000, 1, 3)))[:, 0]
    i, j = np.triu_indices(3)
    return monte_carlo(((z - mu)[:, i] * (z - mu)[:, j]), np.diag(np.exp(log_var[0]))[i, j])


def _mean_by_symbols(*functions: Callable[..., Any]) -> list:
    """SymPy: E f(m_1 + s_1 u_1, m_2 + s_2 u_2) for each f, and the symbols m and s."""
    import sympy

    m, u = sympy.symbols("m1:3", real=True), sympy.symbols("u1:3", real=True)
    s = sympy.symbols("s1:3", positive=True)
    bell = sympy.exp(-(u[0] ** 2) / 2 - u[1] ** 2 / 2) / (2 * sympy.pi)
    z = [m[j] + s[j] * u[j] for j in range(2)]
    limits = [(symbol, -sympy.oo, sympy.oo) for symbol in u]
    return [*(sympy.integrate(sympy.expand(f(z, m)) * bell, *limits) for f in functions), m, s]


def mean_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    first, second, m, _s = _mean_by_symbols(lambda z, _m: z[0], lambda z, _m: z[1])
    return identities(first - m[0], second - m[1])


def covariance_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    on_diagonal, off_diagonal, _m, s = _mean_by_symbols(
        lambda z, m: (z[0] - m[0]) ** 2, lambda z, m: (z[0] - m[0]) * (z[1] - m[1])
    )
    return identities(on_diagonal - s[0] ** 2, off_diagonal)


# ----------------------------------------------------------------- two moments do not make a law

ROOT_3 = np.sqrt(3)


def standardized_noises() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Nodes and weights that are exact to degree 9, and E eps^4, of three laws with mean 0 and variance 1."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    normal, normal_weights = hermite(1, 5)
    return {
        "normal": (normal[:, 0], normal_weights, 3.0),
        "signs": (np.array([-1.0, 1.0]), np.array([0.5, 0.5]), 1.0),
        "uniform": (ROOT_3 * nodes, weights / 2, 9 / 5),
    }


def fourth_moments(mu: np.ndarray, sigma: np.ndarray, noise: str) -> np.ndarray:
    nodes, weights, _ = standardized_noises()[noise]
    return (weights * (mu[:, None] + sigma[:, None] * nodes) ** 4).sum(axis=1)


def random_laws(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    mu, log_var = random_gaussians(rng, 20, 1)
    return mu[:, 0], np.exp(log_var[:, 0] / 2)


def affine_images_keep_all_moments(_: object, rng: np.random.Generator) -> Measured:
    """E z^p of mu + sigma eps is that of SciPy's normal law, p = 1 .. 9, not for two moments only."""
    mu, log_var = random_gaussians(rng, 5, 1)
    eps, weight = hermite(1, 5)
    z = elbo.reparameterize(mu, log_var, np.repeat(eps[:, None, :], 5, axis=1))[..., 0]
    scales, got, expected = [], [], []
    for p in range(1, 10):
        got.append(weight @ z**p)
        expected.append(norm.moment(p, mu[:, 0], np.exp(log_var[:, 0] / 2)))
        scales.append(weight @ np.abs(z) ** p)
    return rounding(np.array(got) / scales, np.array(expected) / scales, 500, scale=1.0)


def three_noises_share_two_moments(_: object, rng: np.random.Generator) -> Measured:
    mu, sigma = random_laws(rng)
    got, expected = [], []
    for nodes, weights, _fourth in standardized_noises().values():
        z = mu[:, None] + sigma[:, None] * nodes
        mean = z @ weights
        got += [mean, (z - mean[:, None]) ** 2 @ weights]
        expected += [mu, sigma**2]
    return rounding(np.array(got), np.array(expected), 100)


def fourth_moments_differ_as_stated(_: object, rng: np.random.Generator) -> Measured:
    mu, sigma = random_laws(rng)
    noises = standardized_noises()
    got = np.array([fourth_moments(mu, sigma, name) for name in noises])
    expected = [mu**4 + 6 * mu**2 * sigma**2 + fourth * sigma**4 for *_, fourth in noises.values()]
    return rounding(got, np.array(expected), 100)


def signs_are_read_as_normal(_: object, rng: np.random.Generator) -> Measured:
    mu, sigma = random_laws(rng)
    return rounding(fourth_moments(mu, sigma, "signs"), fourth_moments(mu, sigma, "normal"), 100)


def uniform_is_read_as_normal(_: object, rng: np.random.Generator) -> Measured:
    mu, sigma = random_laws(rng)
    return rounding(fourth_moments(mu, sigma, "uniform"), fourth_moments(mu, sigma, "normal"), 100)
