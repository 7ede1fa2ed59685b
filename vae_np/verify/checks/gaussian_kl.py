"""The Gaussian KL: two densities, two integrals, every step of them, and the closed form.

Page: `derivations/gaussian_kl.md`. SciPy's densities, quadrature and SymPy are the other routes; none of
them uses the functions under test.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import multivariate_normal, norm

from vae_np import elbo
from vae_np.verify.checks.densities import bell_grid, scipy_kl, scipy_log_prior, scipy_log_q
from vae_np.verify.judges import (
    gradient,
    identities,
    monte_carlo,
    normal_expectation,
    not_above,
    proved,
    random_gaussians,
    rounding,
    wide_gaussians,
    worst,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]
LOG_2PI = np.log(2 * np.pi)
WIDE_SIZES = ((30, 1), (4, 4))  # (n, k) for mu and log sigma^2 to +-10


def all_sizes(expectation: Values, f: Values, rng: np.random.Generator) -> Measured:
    """Compare f(mu, log_var) with an expectation in k = 1 .. 4 dimensions at random points."""
    got, expected = [], []
    for k in range(1, 5):
        mu, log_var = random_gaussians(rng, 30, k)
        got.append(f(mu, log_var))
        expected.append(expectation(mu, log_var))
    # 16 nodes, 4 dimensions, about 8 operations each, and as many in SciPy's density
    return rounding(np.concatenate(got), np.concatenate(expected), 400)


# ---------------------------------------------------------------------------- the two densities


def q_is_scipys_multivariate_normal(log_q: Values, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k in (1, 2, 5):
        mu, log_var = random_gaussians(rng, 20, k)
        z = mu + rng.normal(size=mu.shape)
        got.append(log_q(z, mu, log_var))
        expected.append(
            [
                multivariate_normal(m, np.diag(np.exp(v))).logpdf(point)
                for m, v, point in zip(mu, log_var, z, strict=True)
            ]
        )
    return rounding(np.concatenate(got), np.concatenate(expected), 400)


def q_far_out(log_q: Values, rng: np.random.Generator) -> Measured:
    """Mu and log sigma^2 to +-10, z out to where one draw in 1e8 lies, and all sizes equal."""
    mu, log_var = wide_gaussians(rng, 4, 4)
    z = mu + np.exp(log_var / 2) * norm.ppf([[1e-8], [1e-4], [0.3], [1 - 1e-8]])
    return rounding(log_q(z, mu, log_var), scipy_log_q(z, mu, log_var), 400)


def q_is_normalized_with_the_right_moments(log_q: Values, rng: np.random.Generator) -> Measured:
    """Integrate q, z q and z^2 q over the real line by the trapezoid rule, which is exact here."""
    mu, log_var = random_gaussians(rng, 10, 1)
    sigma = np.exp(log_var / 2)
    u, cell = bell_grid(1)
    z = mu + sigma * u.T  # (10, 97)
    density = np.exp([log_q(z[:, [i]], mu, log_var) for i in range(97)]).T * sigma * cell
    moments = np.stack([(z**p * density).sum(axis=1) for p in range(3)])
    expected = np.stack([np.ones(10), mu[:, 0], (sigma**2 + mu**2)[:, 0]])
    return rounding(moments, expected, 2000)  # 97 terms, an exponential of up to 72 in each


def q_by_symbols(log_q: Values, rng: np.random.Generator) -> Measured:
    import sympy

    z, m = sympy.symbols("z m", real=True)
    s = sympy.symbols("s", positive=True)
    q = sympy.exp(-((z - m) ** 2) / (2 * s**2)) / sympy.sqrt(2 * sympy.pi * s**2)

    def integral(f: sympy.Expr) -> sympy.Expr:
        return sympy.integrate(sympy.expand(f.subs(z, m + s * z)) * s, (z, -sympy.oo, sympy.oo))

    mu, log_var = random_gaussians(rng, 10, 1)
    points = mu + rng.normal(size=mu.shape)
    formula = sympy.lambdify((z, m, s), sympy.log(q))
    agrees = rounding(log_q(points, mu, log_var), formula(points, mu, np.exp(log_var / 2))[:, 0], 400)
    return proved(agrees, integral(q) - 1, integral(z * q) - m, integral((z - m) ** 2 * q) - s**2)


def prior_is_scipys(log_p: Values, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k, scale in ((1, 2), (2, 2), (5, 2), (5, 20)):
        z = rng.normal(scale=scale, size=(20, k))
        got.append(log_p(z))
        expected.append(multivariate_normal(np.zeros(k), np.eye(k)).logpdf(z))
    return worst(rounding(g, np.array(e), 100) for g, e in zip(got, expected, strict=True))


def prior_by_symbols(log_p: Values, rng: np.random.Generator) -> Measured:
    """Two dimensions: the density integrates to 1, and each z_j has mean 0 and variance 1."""
    import sympy

    z = sympy.symbols("z1:3", real=True)
    p = sympy.exp(-sum(c**2 for c in z) / 2) / sympy.sqrt((2 * sympy.pi) ** 2)

    def integral(f: sympy.Expr) -> sympy.Expr:
        for c in z:
            f = sympy.integrate(f, (c, -sympy.oo, sympy.oo))
        return f

    points = rng.normal(scale=2, size=(10, 2))
    agrees = rounding(log_p(points), sympy.lambdify(z, sympy.log(p))(*points.T), 400)
    return proved(
        agrees, integral(p) - 1, *(integral(c * p) for c in z), *(integral(c**2 * p) - 1 for c in z)
    )


def draws_have_an_axis_of_their_own(_: object, rng: np.random.Generator) -> Measured:
    """The library's densities take z of shape (L, n, k) too: both of them, at one stroke."""
    mu, log_var = random_gaussians(rng, 4, 3)
    z = mu + rng.normal(size=(2, 4, 3))
    got = elbo.log_normal(z, mu, log_var), elbo.log_standard_normal(z)
    return rounding(got, (scipy_log_q(z, mu, log_var), scipy_log_prior(z)), 400)


def q_backward(_: object, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for (mu, log_var), n in ((random_gaussians(rng, 5, 3), 5), (wide_gaussians(rng, 3, 3), 3)):
            z, d = mu + np.exp(log_var / 2) * rng.normal(size=mu.shape), rng.normal(size=n)
            gradients = elbo.log_normal_backward(d, z, mu, log_var)
            yield gradient(elbo.log_normal, (z, mu, log_var), d, gradients, 200)

    return worst(compare())


def prior_backward(_: object, rng: np.random.Generator) -> Measured:
    z, d = rng.normal(size=(5, 3)), rng.normal(size=5)
    return gradient(elbo.log_standard_normal, (z,), d, (elbo.log_standard_normal_backward(d, z),), 200)


def joint_is_the_product(_: object, rng: np.random.Generator) -> Measured:
    """A diagonal covariance makes the joint density the product of the marginals."""
    mu, log_var = random_gaussians(rng, 20, 4)
    z = mu + rng.normal(size=mu.shape)
    joint = [
        multivariate_normal(m, np.diag(np.exp(v))).logpdf(point)
        for m, v, point in zip(mu, log_var, z, strict=True)
    ]
    return rounding(np.array(joint), scipy_log_q(z, mu, log_var), 400)


def diagonal_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """For Sigma = diag(s_i^2), n = 4: determinant, inverse (16 entries), and the quadratic form."""
    import sympy

    s = sympy.symbols("s1:5", positive=True)
    r = sympy.Matrix(sympy.symbols("r1:5", real=True))
    sigma = sympy.diag(*[x**2 for x in s])
    inverse = sigma.inv()
    expected = sympy.diag(*[1 / x**2 for x in s])
    form = sum(r[i] ** 2 / s[i] ** 2 for i in range(4))
    return identities(
        sigma.det() - sympy.prod([x**2 for x in s]),
        *(inverse - expected),
        (r.T * inverse * r)[0] - form,
    )


# ------------------------------------------------------------------- the first integral, E_q log p


def cross_entropy_split_by_nodes(_: object, rng: np.random.Generator) -> Measured:
    """Line 1, E_q log p(z), and line 2, -n/2 log 2 pi - 1/2 E_q |z|^2."""

    def line_2(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        square = normal_expectation(lambda z: (z**2).sum(axis=-1), mu, log_var, 2)
        return -mu.shape[1] / 2 * LOG_2PI - square / 2

    return all_sizes(lambda mu, log_var: normal_expectation(scipy_log_prior, mu, log_var, 2), line_2, rng)


def _gaussian_integrals(n: int) -> tuple:
    """SymPy: integral of exp(-(z-m)^2/2s^2) and of z^2 times it, for each of n dimensions."""
    import sympy

    m = sympy.symbols(f"m1:{n + 1}", real=True)
    s = sympy.symbols(f"s1:{n + 1}", positive=True)
    u = sympy.symbols("u", real=True)
    bell = sympy.exp(-(u**2) / 2)

    def integral(f: sympy.Expr) -> sympy.Expr:
        return sympy.integrate(sympy.expand(f) * bell, (u, -sympy.oo, sympy.oo))

    plain = [s[j] * integral(sympy.Integer(1)) for j in range(n)]
    squared = [s[j] * integral((m[j] + s[j] * u) ** 2) for j in range(n)]
    centered = [s[j] * integral((s[j] * u) ** 2) for j in range(n)]
    return m, s, plain, squared, centered


def second_moment_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Both arrows for n = 3: product of one-dimensional integrals, then the closed form."""
    import sympy

    n = 3
    m, s, plain, squared, _centered = _gaussian_integrals(n)
    root = sympy.sqrt(2 * sympy.pi)
    others = [sympy.prod([plain[j] for j in range(n) if j != i]) for i in range(n)]
    line_1 = sum(others[i] * squared[i] for i in range(n))
    line_2 = sum(
        root ** (n - 1) * sympy.prod([s[j] for j in range(n) if j != i]) * squared[i] for i in range(n)
    )
    line_3 = root**n * sympy.prod(s) * sum(s[i] ** 2 + m[i] ** 2 for i in range(n))
    return identities(line_1 - line_2, line_2 - line_3)


def _bell(mu: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Trapezoid nodes (m, 2), the unnormalized bell at them, and the cell size."""
    u, cell = bell_grid(2)
    z = mu + sigma * u
    return z, np.exp(-0.5 * ((z - mu) ** 2 / sigma**2).sum(axis=1)), float(sigma.prod() * cell)


def second_moment_by_trapezoid(_: object, rng: np.random.Generator) -> Measured:
    mu, log_var = (a[0] for a in random_gaussians(rng, 1, 2))
    sigma = np.exp(log_var / 2)
    z, bell, cell = _bell(mu, sigma)
    integral = ((z**2).sum(axis=1) * bell).sum() * cell
    closed = 2 * np.pi * sigma.prod() * (sigma**2 + mu**2).sum()
    return rounding(integral, closed, 2000)


def second_moment_with_the_printed_index(_: object, rng: np.random.Generator) -> Measured:
    """The factor as printed has j in the exponent and i in dz: its exponent does not fall with z_i.

    Cut off at |z_i| <= T the integral of z_i^2 is then 2 T^3/3 times a constant: from T to 2T it
    grows eightfold, where a convergent one would not grow.
    """
    mu, log_var = (a[0] for a in random_gaussians(rng, 1, 2))
    z_j = 0.3  # any fixed value of the other variable
    bell = np.exp(-((z_j - mu[1]) ** 2) / (2 * np.exp(log_var[1])))

    def cut_off(limit: float) -> float:
        z_i = np.linspace(-limit, limit, 20_001)
        return float(np.trapezoid(z_i**2 * bell, z_i))

    return rounding(cut_off(200.0), cut_off(100.0), 10**6)


def cross_entropy_by_nodes(f: Values, rng: np.random.Generator) -> Measured:
    return all_sizes(lambda mu, log_var: normal_expectation(scipy_log_prior, mu, log_var, 2), f, rng)


def cross_entropy_far_out(f: Values, rng: np.random.Generator) -> Measured:
    """Mu and log sigma^2 to +-10, against SciPy's density at 0 and second moments."""

    def compare() -> Iterator[Measured]:
        for n, k in WIDE_SIZES:
            mu, log_var = wide_gaussians(rng, n, k)
            square = norm.moment(2, mu, np.exp(log_var / 2))
            yield rounding(f(mu, log_var), (norm.logpdf(0) - square / 2).sum(axis=1), 200)

    return worst(compare())


def cross_entropy_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """From the product integrals for n = 3, divided by sqrt((2 pi)^n |Sigma|)."""
    import sympy

    n = 3
    m, s, plain, squared, _centered = _gaussian_integrals(n)
    total = sum(squared[i] * sympy.prod([plain[j] for j in range(n) if j != i]) for i in range(n))
    normalizer = sympy.sqrt(2 * sympy.pi) ** n * sympy.prod(s)
    log_2pi = sympy.log(2 * sympy.pi)
    integral = -sympy.Rational(n, 2) * log_2pi - total / normalizer / 2
    closed = -sympy.Rational(n, 2) * log_2pi - sum(s[i] ** 2 + m[i] ** 2 for i in range(n)) / 2
    mu, log_var = random_gaussians(rng, 10, n)
    formula = sympy.lambdify((*m, *s), closed)
    agrees = rounding(f(mu, log_var), formula(*mu.T, *np.exp(log_var / 2).T), 100)
    return proved(agrees, sympy.expand(integral - closed))


def pair(f: Values, backward: Callable[..., tuple], rng: np.random.Generator) -> Measured:
    """Compare a function of mu and log_var with its backward: in the middle, and to +-10."""

    def compare() -> Iterator[Measured]:
        for q in (random_gaussians(rng, 5, 3), wide_gaussians(rng, 3, 3)):
            d = rng.normal(size=len(q[0]))
            yield gradient(f, q, d, backward(d, *q), 200)

    return worst(compare())


def cross_entropy_backward(_: object, rng: np.random.Generator) -> Measured:
    return pair(elbo.cross_entropy_standard_normal, elbo.cross_entropy_standard_normal_backward, rng)


# ------------------------------------------------------------------ the second integral, E_q log q


def neg_entropy_split_by_nodes(_: object, rng: np.random.Generator) -> Measured:
    """Line 1, E_q log q(z), and line 2 with the constants taken out of the integral."""

    def line_1(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return normal_expectation(lambda z: scipy_log_q(z, mu, log_var), mu, log_var, 2)

    def line_2(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        scaled = normal_expectation(lambda z: ((z - mu) ** 2 / np.exp(log_var)).sum(axis=-1), mu, log_var, 2)
        return -mu.shape[1] / 2 * LOG_2PI - log_var.sum(axis=1) / 2 - scaled / 2

    return all_sizes(line_1, line_2, rng)


def scaled_second_moment_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    import sympy

    n = 3
    _m, s, plain, _squared, centered = _gaussian_integrals(n)
    root = sympy.sqrt(2 * sympy.pi)
    others = [sympy.prod([plain[j] for j in range(n) if j != i]) for i in range(n)]
    line_1 = sum(others[i] * centered[i] / s[i] ** 2 for i in range(n))
    line_2 = sum(
        root ** (n - 1) * sympy.prod([s[j] for j in range(n) if j != i]) * root * s[i] ** 3 / s[i] ** 2
        for i in range(n)
    )
    line_3 = n * root**n * sympy.prod(s)
    return identities(line_1 - line_2, line_2 - line_3)


def scaled_second_moment_by_trapezoid(_: object, rng: np.random.Generator) -> Measured:
    mu, log_var = (a[0] for a in random_gaussians(rng, 1, 2))
    sigma = np.exp(log_var / 2)
    z, bell, cell = _bell(mu, sigma)
    integral = (((z - mu) ** 2 / sigma**2).sum(axis=1) * bell).sum() * cell
    return rounding(integral, 2 * 2 * np.pi * sigma.prod(), 2000)


def scaled_second_moment_without_the_shift(_: object, rng: np.random.Generator) -> Measured:
    """Reading z_i^2 with the exponent still centered at mu adds mu_i^2/sigma_i^2 to each term."""
    mu, log_var = (a[0] for a in random_gaussians(rng, 1, 2))
    sigma = np.exp(log_var / 2)
    z, bell, cell = _bell(mu, sigma)
    integral = ((z**2 / sigma**2).sum(axis=1) * bell).sum() * cell
    return rounding(integral, 2 * 2 * np.pi * sigma.prod(), 2000)


def neg_entropy_by_nodes(f: Values, rng: np.random.Generator) -> Measured:
    def by_nodes(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return normal_expectation(lambda z: scipy_log_q(z, mu, log_var), mu, log_var, 2)

    return all_sizes(by_nodes, lambda _mu, log_var: f(log_var), rng)


def neg_entropy_is_scipys(f: Values, rng: np.random.Generator) -> Measured:
    """The middle, and log sigma^2 to +-10."""

    def compare() -> Iterator[Measured]:
        for _, log_var in (random_gaussians(rng, 30, 4), *(wide_gaussians(rng, *s) for s in WIDE_SIZES)):
            yield rounding(f(log_var), -norm(0, np.exp(log_var / 2)).entropy().sum(axis=1), 100)

    return worst(compare())


def neg_entropy_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    import sympy

    n = 3
    _m, s, plain, _squared, centered = _gaussian_integrals(n)
    normalizer = sympy.sqrt(2 * sympy.pi) ** n * sympy.prod(s)
    total = sum(
        centered[i] / s[i] ** 2 * sympy.prod([plain[j] for j in range(n) if j != i]) for i in range(n)
    )
    constant = -sympy.Rational(n, 2) * sympy.log(2 * sympy.pi)
    integral = constant - sum(sympy.log(x) for x in s) - total / normalizer / 2
    closed = constant - sum(1 + 2 * sympy.log(x) for x in s) / 2
    _, log_var = random_gaussians(rng, 10, n)
    agrees = rounding(f(log_var), sympy.lambdify(s, closed)(*np.exp(log_var / 2).T), 100)
    return proved(agrees, sympy.expand(integral - closed))


def neg_entropy_backward(_: object, rng: np.random.Generator) -> Measured:
    (_, log_var), d = wide_gaussians(rng, 5, 3), rng.normal(size=5)
    d_log_var = elbo.negative_entropy_backward(d, log_var)
    return gradient(elbo.negative_entropy, (log_var,), d, (d_log_var,), 200)


# ----------------------------------------------------------------------------- the closed form


def kl_by_nodes(kl: Values, rng: np.random.Generator) -> Measured:
    return all_sizes(scipy_kl, kl, rng)


def kl_is_the_difference_of_the_integrals(kl: Values, rng: np.random.Generator) -> Measured:
    mu, log_var = random_gaussians(rng, 30, 4)
    difference = elbo.negative_entropy(log_var) - elbo.cross_entropy_standard_normal(mu, log_var)
    return rounding(kl(mu, log_var), difference, 100)


def kl_far_out(kl: Values, rng: np.random.Generator) -> Measured:
    """Mu and log sigma^2 to +-10, against SciPy's entropy and second moment: E log q - E log p."""

    def compare() -> Iterator[Measured]:
        for n, k in WIDE_SIZES:
            mu, log_var = wide_gaussians(rng, n, k)
            sigma = np.exp(log_var / 2)
            log_p = norm.logpdf(0) - norm.moment(2, mu, sigma) / 2
            yield rounding(kl(mu, log_var), (-norm(0, sigma).entropy() - log_p).sum(axis=1), 200)

    return worst(compare())


def kl_by_the_general_formula(kl: Values, rng: np.random.Generator) -> Measured:
    """KL of two full Gaussians, 1/2 [tr(S1^-1 S0) + d' S1^-1 d - k + log(|S1|/|S0|)], k up to 100."""
    got, expected = [], []
    for k in (2, 10, 100):
        mu, log_var = random_gaussians(rng, 3, k)
        got.append(kl(mu, log_var))
        covariances = np.stack([np.diag(np.exp(v)) for v in log_var])
        log_det = np.linalg.slogdet(covariances)[1]
        trace = np.trace(covariances, axis1=1, axis2=2)
        expected.append(0.5 * (trace + (mu[:, None, :] @ mu[:, :, None])[:, 0, 0] - k - log_det))
    return rounding(np.concatenate(got), np.concatenate(expected), 1000)


def kl_is_zero_only_at_the_prior(kl: Values, rng: np.random.Generator) -> Measured:
    """0 at mu = 0, sigma = 1; everywhere else at least the KL of its nearest-to-prior dimension, > 0."""
    mu, log_var = random_gaussians(rng, 2000, 4)
    at_prior = kl(np.zeros((1, 4)), np.zeros((1, 4)))
    smallest = 0.5 * (np.exp(-0.3) - 1 + 0.3 + 0.2**2)  # of the draws' nearest point, one dimension
    return not_above(
        np.concatenate([np.abs(at_prior), np.full(2000, 4 * smallest)]),
        np.concatenate([np.zeros(1), kl(mu, log_var)]),
        100,
    )


def kl_by_sampling(kl: Values, rng: np.random.Generator) -> Measured:
    mu, log_var = random_gaussians(rng, 1, 3)
    z = mu + np.exp(log_var / 2) * rng.standard_normal((50_000, 3))
    return monte_carlo(scipy_log_q(z, mu, log_var) - scipy_log_prior(z), kl(mu, log_var)[0])


def kl_by_symbols(kl: Values, rng: np.random.Generator) -> Measured:
    """Scalar case: integrate q (log q - log p) after z = m + s u."""
    import sympy

    m, u = sympy.symbols("m u", real=True)
    s = sympy.symbols("s", positive=True)
    difference = -(u**2) / 2 - sympy.log(s) + (m + s * u) ** 2 / 2
    bell = sympy.exp(-(u**2) / 2) / sympy.sqrt(2 * sympy.pi)
    integral = sympy.integrate(sympy.expand(difference) * bell, (u, -sympy.oo, sympy.oo))
    closed = (m**2 + s**2 - 1 - 2 * sympy.log(s)) / 2
    mu, log_var = random_gaussians(rng, 10, 3)
    expected = sympy.lambdify((m, s), closed)(mu, np.exp(log_var / 2)).sum(axis=1)
    agrees = rounding(kl(mu, log_var), expected, 100)
    return proved(agrees, sympy.expand(integral - closed))


def kl_backward(_: object, rng: np.random.Generator) -> Measured:
    return pair(elbo.kl_standard_normal, elbo.kl_standard_normal_backward, rng)
