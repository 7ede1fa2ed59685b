"""The evidence log p(x): an integral over z, what training maximizes, and what Q has to approximate.

Page: `derivations/evidence.md`. No function of the library computes these claims; they are relations
between densities. SciPy's densities, the trapezoid rule, SymPy and the linear-Gaussian model, where
everything is closed form, decide them.
"""

import numpy as np
from scipy.linalg import block_diag
from scipy.special import logsumexp, ndtr
from scipy.stats import multivariate_normal

from vae_np.verify.checks.densities import scipy_log_likelihood, scipy_log_prior
from vae_np.verify.judges import (
    complex_step,
    identities,
    in_law,
    monte_carlo,
    not_above,
    rounding,
)
from vae_np.verify.oracle import (
    LOG_2PI,
    LatentGrid,
    LinearGaussian,
    evidence_by_quadrature,
    linear_gaussian_elbo,
    linear_gaussian_evidence,
    linear_gaussian_posterior,
    log_joint,
    log_likelihood,
    log_prior,
    ppca_optimum,
    random_curved,
    random_linear,
    sample,
)
from vae_np.verify.record import Measured

SIZES = ((1, 1), (1, 4), (2, 3), (2, 5))  # (k, d): latent dimensions, genes


def trapezoid(mean: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Nodes (m, k) and log weight of the trapezoid rule for a bell-shaped integrand.

    Steps of half a standard deviation, to 9 of them each way: for a bell of this mean and covariance
    the rule is wrong by exp(-2 pi^2 4) and by the tails' exp(-40), less than rounding.
    """
    steps = np.arange(-18, 19) / 2
    u = np.stack(np.meshgrid(*[steps] * len(covariance)), axis=-1).reshape(-1, len(covariance))
    lower = np.linalg.cholesky(covariance)
    return mean + u @ lower.T, float(np.log(np.diag(lower) / 2).sum())


def line(n_nodes: int) -> LatentGrid:
    """Trapezoid rule for an integral over z, k = 1, with n_nodes a unit of z and to 9 units each way."""
    z = np.arange(-9 * n_nodes, 9 * n_nodes + 1)[:, None] / n_nodes
    return LatentGrid(z, np.full(len(z), -np.log(n_nodes)))


def scipy_log_joint(model: LinearGaussian, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log p(x, z) of one cell by SciPy, x (d,), z (m, k) -> (m,)."""
    return scipy_log_likelihood(x, model.decode(z), model.variance) + scipy_log_prior(z)


# ------------------------------------------------------------------------ the evidence integral


def evidence_by_trapezoid(_: object, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k, d in SIZES:
        model = random_linear(rng, k, d)
        x = sample(model, 2, rng)
        mean, covariance = linear_gaussian_posterior(model, x)
        for i in range(2):
            z, log_weight = trapezoid(mean[i], covariance)
            got.append(logsumexp(scipy_log_joint(model, x[i], z)) + log_weight)
        expected.append(linear_gaussian_evidence(model, x))
    # 7 densities of 8 operations at a node, 1369 nodes in two pairwise sums, a Cholesky factor of
    # condition up to 100
    return rounding(np.array(got), np.concatenate(expected), 1000)


def evidence_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Scalar case: int N(x; w z + b, v) N(z; 0, 1) dz = N(x; b, w^2 + v)."""
    import sympy

    x, w, b, z, linear = sympy.symbols("x w b z linear", real=True)
    v, curvature = sympy.symbols("v curvature", positive=True)
    integral = sympy.integrate(sympy.exp(-curvature * z**2 / 2 + linear * z), (z, -sympy.oo, sympy.oo))
    exponent = sympy.Poly(-((x - w * z - b) ** 2) / (2 * v) - z**2 / 2, z)
    constant = exponent.coeff_monomial(1)
    coefficients = {curvature: -2 * exponent.coeff_monomial(z**2), linear: exponent.coeff_monomial(z)}
    by_integral = integral.subs(coefficients) * sympy.exp(constant) / (2 * sympy.pi * sympy.sqrt(v))
    total = w**2 + v
    closed = sympy.exp(-((x - b) ** 2) / (2 * total)) / sympy.sqrt(2 * sympy.pi * total)
    return identities(sympy.simplify(by_integral / closed) - 1)


def evidence_is_a_density(_: object, rng: np.random.Generator) -> Measured:
    """Integrate p(x) of a curved decoder over all x, by the trapezoid rule with step sd/2.

    p(x) is a mixture of bells of width sd around decode(z), and tanh keeps those within sum |C|.
    """
    integrals = []
    for _repeat in range(3):
        model = random_curved(rng, k=1, d=1)
        sd = np.sqrt(model.variance)
        reach = np.abs(model.C).sum() + 9 * sd
        x = np.arange(-reach, reach, sd / 2)
        integrals.append(np.exp(evidence_by_quadrature(model, x[:, None], line(16))).sum() * sd / 2)
    # sums over 300 nodes and about 50 values of x; an exponent of up to 80 loses 80 units of rounding
    return rounding(np.array(integrals), np.ones(3), 500)


def evidence_is_the_law_of_generated_cells(_: object, rng: np.random.Generator) -> Measured:
    """Draw z, then x given z: int Phi((x - decode(z)) / sd) p(z) dz is the distribution function of x."""
    model = random_curved(rng, k=1, d=1)
    grid = line(8)
    weight = np.exp(grid.log_weight + log_prior(grid.z))

    def cdf(x: np.ndarray) -> np.ndarray:
        return ndtr((x[:, None] - model.decode(grid.z)[:, 0]) / np.sqrt(model.variance)) @ weight

    return in_law(sample(model, 10_000, rng), [cdf])


def evidence_by_sampling_the_prior(_: object, rng: np.random.Generator) -> Measured:
    """The mean of p(x|z) over z ~ p(z), relative to the closed form of p(x); p(x|z) is bounded."""
    model = random_linear(rng, k=1, d=2)
    x = model.decode(np.array([[0.5], [-0.5]]))  # cells that many draws of the prior explain
    log_lik = log_likelihood(model, x, rng.standard_normal((50_000, 1)))
    return monte_carlo(np.exp(log_lik - linear_gaussian_evidence(model, x)), np.ones(2))


# ------------------------------------------------------------------------- the sum over cells


def sum_is_the_log_joint_density(_: object, rng: np.random.Generator) -> Measured:
    """Independent cells: their joint density, one Gaussian in n d dimensions by SciPy."""
    got, expected = [], []
    for k, d in SIZES:
        model = random_linear(rng, k, d)
        x = sample(model, 4, rng)
        covariance = block_diag(*[model.W.T @ model.W + model.variance * np.eye(d)] * 4)
        expected.append(multivariate_normal(np.tile(model.b, 4), covariance).logpdf(x.ravel()))
        got.append(linear_gaussian_evidence(model, x).sum())
    # 20 dimensions of 2 operations, times a condition number of up to 100
    return rounding(np.array(got), np.array(expected), 4000)


def sum_for_cells_that_share_a_latent_variable(_: object, rng: np.random.Generator) -> Measured:
    """Pairs of cells with one z between them are not independent: the sum is not their log density."""
    model = random_linear(rng, k=2, d=3)
    shared = model.W.T @ model.W
    covariance = np.kron(np.ones((2, 2)), shared) + model.variance * np.eye(6)
    z = rng.standard_normal((20, 2))
    noise = np.sqrt(model.variance) * rng.standard_normal((2, 20, 3))
    first, second = model.decode(z) + noise
    joint = multivariate_normal(np.tile(model.b, 2), covariance).logpdf(np.hstack([first, second]))
    separate = linear_gaussian_evidence(model, first) + linear_gaussian_evidence(model, second)
    return rounding(separate, joint, 4000)


def _cells(rng: np.random.Generator) -> np.ndarray:
    return sample(random_linear(rng, k=2, d=5), 60, rng)


def maximum_by_its_formula(_: object, rng: np.random.Generator) -> Measured:
    x = _cells(rng)
    model, best = ppca_optimum(x, 2)
    # 5 dimensions of 8 operations, times a ratio of eigenvalues of up to 100
    return rounding(linear_gaussian_evidence(model, x).mean(), np.float64(best), 4000)


def no_other_parameters_are_better(_: object, rng: np.random.Generator) -> Measured:
    """Against the optimum with noise of size 1, 0.1, ..., 0.0001 in all its parameters."""
    x = _cells(rng)
    model, _best = ppca_optimum(x, 2)
    others = [
        LinearGaussian(
            model.W + size * rng.normal(size=model.W.shape),
            model.b + size * rng.normal(size=model.b.shape),
            float(model.variance * np.exp(size * rng.normal())),
        )
        for size in np.tile(10.0 ** -np.arange(5), 20)
    ]
    sums = np.array([linear_gaussian_evidence(other, x).sum() for other in others])
    return not_above(sums, np.full(100, linear_gaussian_evidence(model, x).sum()), 4000)


def slope_at_the_maximum(_: object, rng: np.random.Generator) -> Measured:
    """The two parts of the mean log evidence, -1/2 log|C| and -1/2 tr(C^-1 S), have opposite slopes."""
    x = _cells(rng)
    model, _best = ppca_optimum(x, 2)
    S = np.cov(x.T, bias=True)

    def covariance(W: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return W.T @ W + variance * np.eye(5)

    def log_det(W: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return np.log(np.linalg.det(covariance(W, variance)))

    def square(W: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return np.trace(np.linalg.solve(covariance(W, variance), S))

    theta = (model.W, np.array(model.variance))
    up, down = (
        tuple(complex_step(part, theta, which, np.ones(())) for which in range(2))
        for part in (log_det, square)
    )
    # two factorizations, 5 dimensions of 4 operations, times a condition number of up to 100
    return rounding(up, tuple(-slope for slope in down), 4000)


# ----------------------------------------------------------------- which z belong to a given cell


def joint_over_posterior_is_the_same_everywhere(_: object, rng: np.random.Generator) -> Measured:
    """Log p(x|z) + log p(z) - log p(z|x) at 50 latent points, for the posterior N(mean, covariance)."""
    got, expected = [], []
    for k, d in SIZES:
        model = random_linear(rng, k, d)
        x = sample(model, 3, rng)
        mean, covariance = linear_gaussian_posterior(model, x)
        for i in range(3):
            z = rng.multivariate_normal(mean[i], 4 * covariance, size=50)
            posterior = multivariate_normal(mean[i], covariance).logpdf(z)
            got.append(scipy_log_joint(model, x[i], z) - np.atleast_1d(posterior))
        expected.append(np.repeat(linear_gaussian_evidence(model, x)[:, None], 50, axis=1))
    # 7 densities of 8 operations; the posterior's covariance has a condition number of up to 100
    return rounding(np.stack(got), np.concatenate(expected), 5000)


def posterior_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Scalar case, for every z: mean w (x - b) / (w^2 + v), variance v / (w^2 + v)."""
    import sympy

    x, w, b, z = sympy.symbols("x w b z", real=True)
    v = sympy.symbols("v", positive=True)
    total = w**2 + v

    def log_density(value: sympy.Expr, mean: sympy.Expr, variance: sympy.Expr) -> sympy.Expr:
        return -(sympy.log(2 * sympy.pi) + sympy.log(variance) + (value - mean) ** 2 / variance) / 2

    joint = log_density(x, w * z + b, v) + log_density(z, sympy.Integer(0), sympy.Integer(1))
    posterior = log_density(z, w * (x - b) / total, v / total)
    difference = joint - posterior - log_density(x, b, total)
    return identities(sympy.expand_log(difference, force=True))


def posteriors_of_all_cells_make_up_the_prior(_: object, rng: np.random.Generator) -> Measured:
    """Averaged over x ~ p(x), p(z|x) is the prior: within- plus between-cell covariance is I.

    The posterior's mean is affine in x; its slope is read off at the unit vectors.
    """
    got, expected = [], []
    for k, d in SIZES:
        model = random_linear(rng, k, d)
        at_units, within = linear_gaussian_posterior(model, model.b + np.eye(d))
        between = at_units.T @ (model.W.T @ model.W + model.variance * np.eye(d)) @ at_units
        got.append((within + between).ravel())
        expected.append(np.eye(k).ravel())
    return rounding(np.concatenate(got), np.concatenate(expected), 2000)  # 20 operations, condition up to 100


def prior_as_the_source_of_the_cells_z(_: object, rng: np.random.Generator) -> Measured:
    """With r = p(z) in the place of p(z|x), log p(x|z) + log p(z) - log r(z) differs from draw to draw."""
    model = random_linear(rng)
    x = sample(model, 10, rng)
    log_w = log_likelihood(model, x, rng.standard_normal((200, 2)))
    return rounding(log_w, np.tile(linear_gaussian_evidence(model, x), (200, 1)), 5000)


# ------------------------------------------------------------------------ what Q approximates


def log_mass_of_the_likelihood(model: LinearGaussian, x: np.ndarray) -> np.ndarray:
    """Log of the integral of p(x|z) over z, in closed form, x (n, d) -> (n,).

    -(d - k)/2 log(2 pi variance) - 1/2 log|W W^T| - (square of the distance from x - b to the rows of
    W) / (2 variance).
    """
    k, d = model.W.shape
    rest = x - model.b
    nearest = np.linalg.lstsq(model.W.T, rest.T)[0].T @ model.W
    square = ((rest - nearest) ** 2).sum(axis=1)
    log_det = np.linalg.slogdet(model.W @ model.W.T)[1]
    return -0.5 * ((d - k) * (LOG_2PI + np.log(model.variance)) + log_det + square / model.variance)


def _one_latent_dimension(rng: np.random.Generator) -> tuple[LinearGaussian, np.ndarray]:
    model = random_linear(rng, k=1, d=4)
    return model, sample(model, 10, rng)


def posterior_has_mass_one(_: object, rng: np.random.Generator) -> Measured:
    """p(x|z) p(z) / p(x) integrated over z, with p(x) from nodes of another step."""
    masses = []
    for _repeat in range(3):
        model = random_curved(rng)
        x = sample(model, 3, rng)
        nodes = line(128)
        log_posterior = log_joint(model, x, nodes) - evidence_by_quadrature(model, x, line(100))
        masses.append(np.exp(log_posterior + nodes.log_weight[:, None]).sum(axis=0))
    # an exponent of up to 500 loses 500 units of rounding, in either sum
    return rounding(np.concatenate(masses), np.ones(9), 1000)


def elbo_slope(model: LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> Measured:
    """Size of the ELBO's slope in mu and log_var, relative to the larger of 1 and mu: 0 at the best q."""

    def elbo(mu: np.ndarray, log_var: np.ndarray) -> np.ndarray:
        return linear_gaussian_elbo(model, x, mu, log_var)

    slopes = tuple(complex_step(elbo, (mu, log_var), which, np.ones(len(x))) for which in range(2))
    zero = np.zeros(mu.shape)
    # 4 genes of 10 operations, on terms up to 100 times larger than their sum
    return rounding(slopes, (zero, zero), 4000, scale=max(1.0, float(np.abs(mu).max())))


def posterior_is_the_best_q(_: object, rng: np.random.Generator) -> Measured:
    model, x = _one_latent_dimension(rng)
    mean, covariance = linear_gaussian_posterior(model, x)
    return elbo_slope(model, x, mean, np.full((10, 1), np.log(covariance[0, 0])))


def scaled_likelihood_is_not_the_best_q(_: object, rng: np.random.Generator) -> Measured:
    """p(x|z) divided by its mass is N(least squares, variance / |W|^2): it knows nothing of the prior."""
    model, x = _one_latent_dimension(rng)
    square = float((model.W**2).sum())
    least_squares = (x - model.b) @ model.W.T / square
    return elbo_slope(model, x, least_squares, np.full((10, 1), np.log(model.variance / square)))


def likelihood_over_its_mass_is_a_bell(_: object, rng: np.random.Generator) -> Measured:
    """Divided by its mass, p(x|z) is SciPy's density of N(least squares, variance (W W^T)^-1) in z."""
    got, expected = [], []
    for k, d in ((1, 3), (2, 5)):
        model = random_linear(rng, k, d)
        x = sample(model, 3, rng)
        square = model.W @ model.W.T
        log_mass = log_mass_of_the_likelihood(model, x)
        for i in range(3):
            center = np.linalg.solve(square, model.W @ (x[i] - model.b))
            bell = multivariate_normal(center, model.variance * np.linalg.inv(square))
            z = np.atleast_2d(bell.rvs(50, random_state=rng)).reshape(50, k)
            got.append(scipy_log_likelihood(x[i], model.decode(z), model.variance) - log_mass[i])
            expected.append(bell.logpdf(z))
    # 5 densities of 8 operations on terms up to 100 times larger; W W^T of a condition number up to 100
    return rounding(np.array(got), np.array(expected), 5000)


def likelihood_as_a_density_of_z(_: object, rng: np.random.Generator) -> Measured:
    """A density of z has mass 1; log mass of p(x|z), in nats, where 0 is expected."""
    model, x = _one_latent_dimension(rng)
    return rounding(log_mass_of_the_likelihood(model, x), np.zeros(10), 5000)
