"""The bound: what the KL from the posterior consists of, and why the ELBO lies below log p(x).

Page: `derivations/bound.md`. In the linear-Gaussian model every term is closed form; for a curved
decoder the trapezoid rule integrates them.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.stats import multivariate_normal, norm

from vae_np.verify.checks.densities import (
    mean_of,
    scipy_kl,
    scipy_log_likelihood,
    scipy_log_prior,
    scipy_log_q,
)
from vae_np.verify.checks.evidence import line
from vae_np.verify.judges import (
    complex_step,
    identities,
    monte_carlo,
    normal_expectation,
    not_above,
    proved,
    random_gaussians,
    refined,
    rounding,
)
from vae_np.verify.oracle import (
    Curved,
    LatentGrid,
    LinearGaussian,
    evidence_by_quadrature,
    expectation_by_quadrature,
    expected_log_likelihood,
    gentle_curved,
    kl_to_posterior,
    linear_gaussian_elbo,
    linear_gaussian_evidence,
    linear_gaussian_posterior,
    log_joint,
    log_q,
    random_curved,
    random_linear,
    rotation_gap,
    sample,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]
SIZES = ((1, 1), (1, 4), (2, 3), (3, 6), (4, 7))  # (k, d): latent dimensions, genes


class LinearCase(NamedTuple):
    """A linear-Gaussian model, cells x (n, d), and a q for each of them."""

    model: LinearGaussian
    x: np.ndarray
    mu: np.ndarray
    log_var: np.ndarray


class CurvedCase(NamedTuple):
    """The same for a decoder that is not affine, with one latent dimension."""

    model: Curved
    x: np.ndarray
    mu: np.ndarray
    log_var: np.ndarray


Case = LinearCase | CurvedCase


def linear_case(rng: np.random.Generator, k: int, d: int, n: int) -> LinearCase:
    """Draw a model, n cells from it, and n times mu and log_var."""
    model = random_linear(rng, k, d)
    return LinearCase(model, sample(model, n, rng), *random_gaussians(rng, n, k))


def curved_case(rng: np.random.Generator) -> CurvedCase:
    """Draw a decoder and 4 cells; every q lies within the 9 units that `line` covers."""
    model = random_curved(rng)
    log_var = 2 * np.log(rng.uniform(0.2, 0.8, (4, 1)))
    return CurvedCase(model, sample(model, 4, rng), rng.uniform(-1, 1, (4, 1)), log_var)


def exact_case(rng: np.random.Generator, k: int) -> LinearCase:
    """Draw a model whose rows of W are orthogonal: its posterior is diagonal, and q is the posterior."""
    directions = np.linalg.qr(rng.normal(size=(k + 3, k)))[0].T
    W = rng.uniform(0.5, 3.0, (k, 1)) * directions
    model = LinearGaussian(W, rng.normal(size=k + 3), float(rng.uniform(0.3, 1.5)))
    x = sample(model, 20, rng)
    mean, covariance = linear_gaussian_posterior(model, x)
    return LinearCase(model, x, mean, np.tile(np.log(np.diag(covariance)), (20, 1)))


def expectation(f: Values, case: Case) -> np.ndarray:
    """E_q f(z), one latent dimension, by the trapezoid rule: 16 nodes a sigma, to 9 sigma each way."""
    u = np.arange(-144, 145) / 16
    z = case.mu + np.exp(case.log_var / 2) * u[:, None, None]
    return np.tensordot(norm.pdf(u) / 16, f(z), axes=1)


def log_likelihood(case: Case, z: np.ndarray) -> np.ndarray:
    """Log p(x_i|z_i) by SciPy, z (..., n, k) -> (..., n)."""
    return scipy_log_likelihood(case.x, case.model.decode(z), case.model.variance)


def log_density(case: Case, z: np.ndarray) -> np.ndarray:
    """Log q(z_i) by SciPy, (..., n, k) -> (..., n)."""
    return scipy_log_q(z, case.mu, case.log_var)


def reconstruction(case: Case) -> np.ndarray:
    """E_q log p(x|z): two Gauss-Hermite nodes are exact for an affine decoder."""
    if isinstance(case, CurvedCase):
        return expectation(partial(log_likelihood, case), case)
    return normal_expectation(partial(log_likelihood, case), case.mu, case.log_var, 2)


def elbo_by_expectations(case: Case) -> np.ndarray:
    """E_q log p(x|z) - KL(q||p), by expectations over q."""
    return reconstruction(case) - scipy_kl(case.mu, case.log_var)


def kl_on_a_grid(case: CurvedCase, grid: LatentGrid) -> np.ndarray:
    """KL(q||p(z|x)) by its definition, the posterior being the joint density divided by its sum."""
    log_posterior = log_joint(case.model, case.x, grid) - evidence_by_quadrature(case.model, case.x, grid)
    return expectation_by_quadrature(
        lambda z: log_q(z, case.mu, case.log_var) - log_posterior, case.mu, case.log_var, grid
    )


def closed_gap(case: LinearCase) -> np.ndarray:
    """KL(q||p(z|x)) in the linear-Gaussian model, by the formula for two Gaussians."""
    mean, covariance = linear_gaussian_posterior(case.model, case.x)
    return kl_to_posterior(case.mu, case.log_var, mean, covariance)


# ------------------------------------------------------------------- the five lines of the KL


def third_line(case: CurvedCase, log_evidence: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log Q - log[P(z) P(x|z) / P(x)]."""
    return log_density(case, z) - (scipy_log_prior(z) + log_likelihood(case, z) - log_evidence)


def third_line_without_its_bracket(case: CurvedCase, log_evidence: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log Q - log[P(z) / P(x)] P(x|z)."""
    product = (scipy_log_prior(z) - log_evidence) * np.exp(log_likelihood(case, z))
    return log_density(case, z) - product


def five_lines_for_a_curved_decoder(_: object, rng: np.random.Generator) -> Measured:
    """Lines 3, 4 and 5 by expectations over q, against lines 1 and 2, the definition, on a grid."""
    fine, coarse, lines = [], [], []
    for _repeat in range(3):
        case = curved_case(rng)
        log_evidence = evidence_by_quadrature(case.model, case.x, line(100))
        line_3 = expectation(partial(third_line, case, log_evidence), case)
        line_4 = (
            expectation(partial(log_density, case), case)
            - expectation(scipy_log_prior, case)
            - reconstruction(case)
            + log_evidence
        )
        line_5 = -reconstruction(case) + log_evidence + scipy_kl(case.mu, case.log_var)
        lines.append([line_3, line_4, line_5])
        fine.append([kl_on_a_grid(case, line(128))] * 3)
        coarse.append([kl_on_a_grid(case, line(64))] * 3)
    # log densities of up to a few hundred nats, 20 operations each, cancel to a KL of a few nats
    return refined(np.array(lines), np.array(fine), np.array(coarse), 2000)


def first_and_last_line_for_affine_decoders(_: object, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k, d in SIZES:
        for _repeat in range(2):
            case = linear_case(rng, k, d, 20)
            got.append(linear_gaussian_evidence(case.model, case.x) - elbo_by_expectations(case))
            expected.append(closed_gap(case))
    # 7 + 4 densities of 8 operations at 16 nodes; the posterior's condition number is up to 100
    return rounding(np.array(got), np.array(expected), 5000)


def lines_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Scalar affine decoder: lines 2 to 5 in turn, after z = m + s u."""
    import sympy

    x, w, b, m, u = sympy.symbols("x w b m u", real=True)
    s, v = sympy.symbols("s v", positive=True)
    z, total = m + s * u, w**2 + v
    log_2pi = sympy.log(2 * sympy.pi)

    def log_density(value: sympy.Expr, mean: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
        log_variance = sympy.expand_log(sympy.log(variance), force=True)
        return -(log_2pi + log_variance + (value - mean) ** 2 / variance) / 2

    q, prior = log_density(z, m, s**2), log_density(z, sympy.Integer(0), sympy.Integer(1))
    likelihood, evidence = log_density(x, w * z + b, v), log_density(x, b, total)
    posterior = log_density(z, w * (x - b) / total, v / total)
    line_2 = mean_of(q - posterior, u)
    line_3 = mean_of(q - (prior - evidence + likelihood), u)
    line_4 = mean_of(q, u) - mean_of(prior, u) - mean_of(likelihood, u) + evidence
    line_5 = -mean_of(likelihood, u) + evidence + (m**2 + s**2 - 1 - 2 * sympy.log(s)) / 2
    return identities(line_2 - line_3, line_3 - line_4, line_4 - line_5)


def third_line_as_printed(_: object, rng: np.random.Generator) -> Measured:
    case = curved_case(rng)
    log_evidence = evidence_by_quadrature(case.model, case.x, line(100))
    printed = expectation(partial(third_line_without_its_bracket, case, log_evidence), case)
    return rounding(printed, kl_on_a_grid(case, line(128)), 2000)


# --------------------------------------------------------------------- the KL is not nearly zero


def never_negative(_: object, rng: np.random.Generator) -> Measured:
    kl = np.concatenate([closed_gap(linear_case(rng, k, d, 100)) for k, d in SIZES * 6])
    return not_above(np.zeros(3000), kl, 1000)  # 4 dimensions of 20 operations, condition up to 100


def never_negative_for_a_curved_decoder(_: object, rng: np.random.Generator) -> Measured:
    kl = np.array([kl_on_a_grid(curved_case(rng), line(64)) for _repeat in range(10)])
    return not_above(np.zeros(kl.shape), kl, 1000)


def three_parts_that_are_not_negative(_: object, rng: np.random.Generator) -> Measured:
    """Mean, variances, correlation: 1/2 d' P d + 1/2 sum_j (t_j - 1 - log t_j) + Hadamard's gap.

    P is the precision of the posterior, d the distance of the means, t_j = sigma_j^2 P_jj; their sum
    against log p - ELBO.
    """
    got, expected = [], []
    for k, d in SIZES:
        case = linear_case(rng, k, d, 30)
        mean, _covariance = linear_gaussian_posterior(case.model, case.x)
        precision = case.model.M / case.model.variance
        apart, t = case.mu - mean, np.exp(case.log_var) * np.diag(precision)
        means = 0.5 * ((apart @ precision) * apart).sum(axis=1)
        got.append(means + 0.5 * (t - 1 - np.log(t)).sum(axis=1) + rotation_gap(case.model.M))
        expected.append(gap_by_the_elbo(case))
    return rounding(np.array(got), np.array(expected), 5000)  # 50 operations, condition up to 100


def zero_at_the_posterior(_: object, rng: np.random.Generator) -> Measured:
    kl = np.array([closed_gap(exact_case(rng, k)) for k in (1, 2, 4)])
    return rounding(kl, np.zeros((3, 20)), 1000)  # in nats, 4 dimensions of 20 operations


def best_diagonal_q(rng: np.random.Generator, k: int) -> tuple[LinearCase, float]:
    """The diagonal q nearest to a correlated posterior: its mean, and 1 / P_jj as variances."""
    model = random_linear(rng, k, k + 3)
    x = sample(model, 20, rng)
    mean, _covariance = linear_gaussian_posterior(model, x)
    log_var = np.tile(np.log(model.variance / np.diag(model.M)), (20, 1))
    return LinearCase(model, x, mean, log_var), rotation_gap(model.M)


def best_diagonal_q_by_hadamard(_: object, rng: np.random.Generator) -> Measured:
    pairs = [best_diagonal_q(rng, k) for k in (1, 2, 3, 4)]
    kl = np.array([closed_gap(case) for case, _gap in pairs])
    expected = np.repeat([[gap] for _case, gap in pairs], 20, axis=1)
    return rounding(kl, expected, 1000, scale=1.0)  # in nats: at k = 1 all gaps are 0


def best_diagonal_q_has_slope_zero(_: object, rng: np.random.Generator) -> Measured:
    case, _gap = best_diagonal_q(rng, 3)

    def elbo(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return linear_gaussian_elbo(case.model, case.x, mu, log_var)

    slopes = tuple(complex_step(elbo, (case.mu, case.log_var), i, np.ones(20)) for i in range(2))
    zero = np.zeros(case.mu.shape)
    # terms up to 100 times larger than the mean cancel; 6 genes of 10 operations
    return rounding(slopes, (zero, zero), 6000, scale=max(1.0, float(np.abs(case.mu).max())))


def logarithm_below_its_tangent(_: object, rng: np.random.Generator) -> Measured:
    """The function t - 1 - log t has value and slope 0 at 1 and second derivative 1/t^2 > 0."""
    import sympy

    t = sympy.symbols("t", positive=True)
    f = t - 1 - sympy.log(t)
    return identities(f.subs(t, 1), f.diff(t).subs(t, 1), f.diff(t, 2) - t**-2)


def nearly_zero_for_a_random_phi(_: object, rng: np.random.Generator) -> Measured:
    """The smallest of 300 gaps, in nats."""
    gaps = np.array([closed_gap(linear_case(rng, 2, 4, 30)) for _repeat in range(10)])
    return rounding(gaps.min(), np.float64(0.0), 1000)


def nearly_zero_for_the_best_phi(_: object, rng: np.random.Generator) -> Measured:
    """The gap of the best diagonal q where the posterior is correlated, in nats."""
    case, _gap = best_diagonal_q(rng, 3)
    return rounding(closed_gap(case), np.zeros(20), 1000)


# ---------------------------------------------------------------------------------- the bound


def never_above_the_evidence(_: object, rng: np.random.Generator) -> Measured:
    cases = [linear_case(rng, k, d, 100) for k, d in SIZES * 6]
    elbo = np.concatenate([linear_gaussian_elbo(*case) for case in cases])
    evidence = np.concatenate([linear_gaussian_evidence(case.model, case.x) for case in cases])
    return not_above(elbo, evidence, 1000)  # 7 genes of 10 operations each


def never_above_the_evidence_of_a_curved_decoder(_: object, rng: np.random.Generator) -> Measured:
    cases = [curved_case(rng) for _repeat in range(5)]
    bounds = np.array([elbo_by_expectations(case) for case in cases])
    evidence = np.array([evidence_by_quadrature(case.model, case.x, line(64)) for case in cases])
    return not_above(bounds, evidence, 1000)


def equality_at_the_posterior(_: object, rng: np.random.Generator) -> Measured:
    cases = [exact_case(rng, k) for k in (1, 2, 4)]
    bounds = np.array([elbo_by_expectations(case) for case in cases])
    evidence = np.array([linear_gaussian_evidence(case.model, case.x) for case in cases])
    return rounding(bounds, evidence, 5000)  # 200 operations, condition up to 30


def bound_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Scalar affine decoder: log p - ELBO = (m - mean)^2 / 2c + 1/2 (t - 1 - log t), t = s^2 / c.

    mean and c are the posterior's; a square and a function that `kl-nearly-zero` shows to be at least 0.
    """
    import sympy

    x, w, b, m = sympy.symbols("x w b m", real=True)
    s, v = sympy.symbols("s v", positive=True)
    total = w**2 + v
    expected_square = (x - w * m - b) ** 2 + w**2 * s**2
    elbo = -(sympy.log(2 * sympy.pi * v) + expected_square / v + m**2 + s**2 - 1 - 2 * sympy.log(s)) / 2
    evidence = -(sympy.log(2 * sympy.pi) + sympy.log(total) + (x - b) ** 2 / total) / 2
    mean, t = w * (x - b) / total, s**2 * total / v
    gap = (m - mean) ** 2 * total / (2 * v) + (t - 1 - sympy.log(t)) / 2
    return identities(sympy.expand_log(evidence - elbo - gap, force=True))


def read_as_an_approximate_equality(_: object, rng: np.random.Generator) -> Measured:
    case = linear_case(rng, 2, 4, 30)
    return rounding(linear_gaussian_elbo(*case), linear_gaussian_evidence(case.model, case.x), 1000)


# ------------------------------------------------------------------------------------ its gap


def gap_by_the_elbo(case: LinearCase) -> np.ndarray:
    """Log p - ELBO, both in closed form."""
    return linear_gaussian_evidence(case.model, case.x) - linear_gaussian_elbo(*case)


def gap_is_evidence_minus_elbo(kl: Values, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k, d in SIZES:
        case = linear_case(rng, k, d, 30)
        got.append(kl(case.mu, case.log_var, *linear_gaussian_posterior(case.model, case.x)))
        expected.append(gap_by_the_elbo(case))
    return rounding(np.array(got), np.array(expected), 5000)  # 50 operations, condition up to 100


def gap_by_nodes(kl: Values, rng: np.random.Generator) -> Measured:
    """E_q of log q - log posterior, SciPy's densities at two Gauss-Hermite nodes a dimension: exact."""
    got, expected = [], []
    for k, d in SIZES[1:]:
        case = linear_case(rng, k, d, 3)
        mean, covariance = linear_gaussian_posterior(case.model, case.x)

        def difference(
            z: np.ndarray,
            case: LinearCase = case,
            mean: np.ndarray = mean,
            covariance: np.ndarray = covariance,
        ) -> np.ndarray:
            log_posterior = multivariate_normal(cov=covariance).logpdf((z - mean).reshape(-1, mean.shape[1]))
            return log_density(case, z) - log_posterior.reshape(z.shape[:-1])

        got.append(kl(case.mu, case.log_var, mean, covariance))
        expected.append(normal_expectation(difference, case.mu, case.log_var, 2))
    return rounding(np.array(got), np.array(expected), 5000)  # 50 operations, condition up to 100


def gap_has_minus_the_slope_of_the_elbo(kl: Values, rng: np.random.Generator) -> Measured:
    """Since log p does not depend on phi, raising the ELBO is lowering the KL."""
    case = linear_case(rng, 3, 5, 4)
    posterior = linear_gaussian_posterior(case.model, case.x)
    phi, ones = (case.mu, case.log_var), np.ones(4)

    def elbo(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return linear_gaussian_elbo(case.model, case.x, mu, log_var)

    down = tuple(complex_step(lambda *q: kl(*q, *posterior), phi, which, ones) for which in range(2))
    up = tuple(-complex_step(elbo, phi, which, ones) for which in range(2))
    return rounding(down, up, 5000)  # 50 operations, condition up to 100


def gap_by_symbols(kl: Values, rng: np.random.Generator) -> Measured:
    """Scalar case: integrate q (log q - log N(z; a, c)) after z = m + s u."""
    import sympy

    m, a, u = sympy.symbols("m a u", real=True)
    s, c = sympy.symbols("s c", positive=True)
    difference = -sympy.log(s) - u**2 / 2 + sympy.log(c) / 2 + (m + s * u - a) ** 2 / (2 * c)
    closed = (s**2 / c + (m - a) ** 2 / c - 1 + sympy.log(c) - 2 * sympy.log(s)) / 2
    mu, log_var = random_gaussians(rng, 10, 1)
    mean, variance = rng.normal(size=(10, 1)), float(rng.uniform(0.2, 2.0))
    expected = sympy.lambdify((m, s, a, c), closed)(mu, np.exp(log_var / 2), mean, variance)[:, 0]
    agrees = rounding(kl(mu, log_var, mean, np.array([[variance]])), expected, 100)
    return proved(agrees, mean_of(difference, u) - closed)


def gap_of_a_curved_decoder(_: object, rng: np.random.Generator) -> Measured:
    """Log p - ELBO by expectations over q, against the KL by its definition on a grid."""
    cases = [curved_case(rng) for _repeat in range(5)]
    gap = [
        evidence_by_quadrature(case.model, case.x, line(100)) - elbo_by_expectations(case) for case in cases
    ]
    fine, coarse = (np.array([kl_on_a_grid(case, line(n)) for case in cases]) for n in (128, 64))
    return refined(np.array(gap), fine, coarse, 2000)  # as in `kl-decomposition`


# ------------------------------------------------------------------ the first term of the bound


def closed_form_by_nodes(_: object, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k, d in SIZES[:-1]:
        case = linear_case(rng, k, d, 10)
        got.append(expected_log_likelihood(*case))
        expected.append(normal_expectation(partial(log_likelihood, case), case.mu, case.log_var, 6))
    return rounding(np.array(got), np.array(expected), 1000)  # 6 genes of 15 operations, 216 nodes


def closed_form_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    import sympy

    x, w, b, m, u = sympy.symbols("x w b m u", real=True)
    s, v = sympy.symbols("s v", positive=True)
    log_likelihood = -(sympy.log(2 * sympy.pi * v) + (x - w * (m + s * u) - b) ** 2 / v) / 2
    closed = -(sympy.log(2 * sympy.pi * v) + ((x - w * m - b) ** 2 + w**2 * s**2) / v) / 2
    return identities(mean_of(log_likelihood, u) - closed)


def sampling_for_a_curved_decoder(_: object, rng: np.random.Generator) -> Measured:
    """Where no closed form is known, the average over draws of q; tanh keeps log p(x|z) bounded.

    The four cells are added up, so that one whose log p(x|z) is nearly flat at mu does not matter.
    """
    model = gentle_curved(rng)
    case = curved_case(rng)
    case = case._replace(model=model, x=sample(model, 4, rng), log_var=case.log_var - 1)
    z = case.mu + np.exp(case.log_var / 2) * rng.standard_normal((40_000, 4, 1))
    return monte_carlo(log_likelihood(case, z).sum(axis=1), reconstruction(case).sum())


def closed_form_of_the_tangent(_: object, rng: np.random.Generator) -> Measured:
    """The affine formula with the decoder's tangent at mu in the place of the curved decoder."""
    case = curved_case(rng)
    got = []
    for i in range(4):
        x, mu, log_var = case.x[[i]], case.mu[[i]], case.log_var[[i]]
        slope = case.model.decode_slope(mu)[0]
        tangent = LinearGaussian(slope, (case.model.decode(mu) - mu @ slope)[0], case.model.variance)
        got.append(expected_log_likelihood(tangent, x, mu, log_var)[0])
    return rounding(np.array(got), reconstruction(case), 2000)
