"""The exactly solvable world: evidence, posterior, best parameters, and the price of a diagonal q.

Page: `derivations/linear_gaussian.md`. These functions are the oracle of other judges, so they get an
oracle themselves: SciPy's multivariate normal, quadrature, Bayes' rule, conditioning of the joint
normal, the singular values of the data, and stationarity by complex step.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from vae_np.verify import oracle
from vae_np.verify.checks.densities import bell_grid
from vae_np.verify.judges import (
    complex_step,
    hermite,
    not_above,
    proved,
    refined,
    rounding,
    worst,
)
from vae_np.verify.oracle import LinearGaussian
from vae_np.verify.record import Measured

Function = Callable[..., Any]
SIZES = ((1, 1), (2, 4), (3, 3), (4, 2))  # (k, d): fewer, as many, and more latent dimensions than genes


def covariance(model: LinearGaussian) -> np.ndarray:
    """Covariance of x, (d, d)."""
    return model.W.T @ model.W + model.variance * np.eye(model.W.shape[1])


def operations(model: LinearGaussian) -> int:
    """Roundings of a solution of linear equations: 50 an entry, amplified by the condition number.

    The largest eigenvalue over s^2 is the condition number of M or of the covariance of x, whichever is
    worse.
    """
    return int(50 * model.W.size * (1 + np.linalg.norm(model.W, 2) ** 2 / model.variance))


def evidence_by_scipy(model: LinearGaussian, x: np.ndarray) -> np.ndarray:
    """Log N(x; b, W^T W + variance I) by SciPy, (n,)."""
    return np.atleast_1d(multivariate_normal(model.b, covariance(model)).logpdf(x))


# ----------------------------------------------------------------------------------- the evidence


def evidence_is_scipys(evidence: Function, rng: np.random.Generator) -> Measured:
    measured = []
    for k, d in SIZES:
        model = oracle.random_linear(rng, k, d)
        x = oracle.sample(model, 6, rng)
        measured.append(rounding(evidence(model, x), evidence_by_scipy(model, x), operations(model)))
    return worst(measured)


def evidence_by_nodes(evidence: Function, rng: np.random.Generator) -> Measured:
    """Integrate p(x|z) p(z) over z by Gauss-Hermite, in a frame of our own around the likely z.

    The frame is a normal 1.2 times as wide in variance as needed, so the integrand is no constant; any
    frame would do, and n nodes are wrong by about (0.2 / 2.2)^n.
    """
    measured = []
    for k, d in ((1, 1), (2, 4), (3, 3)):
        model = oracle.random_linear(rng, k, d)
        x = oracle.sample(model, 3, rng)
        spread = 1.2 * np.linalg.inv(np.eye(k) + model.W @ model.W.T / model.variance)
        centers = (x - model.b) @ model.W.T @ spread / (1.2 * model.variance)
        lower = np.linalg.cholesky(spread)

        def integral(
            n_nodes: int,
            model: LinearGaussian = model,
            x: np.ndarray = x,
            centers: np.ndarray = centers,
            lower: np.ndarray = lower,
        ) -> np.ndarray:
            eps, weight = hermite(lower.shape[0], n_nodes)
            log_frame = oracle.log_prior(eps) - np.log(np.diag(lower)).sum()
            values = []
            for cell, center in zip(x, centers, strict=True):
                z = center + eps @ lower.T
                log_joint = oracle.log_likelihood(model, cell[None], z)[:, 0] + oracle.log_prior(z)
                values.append(logsumexp(log_joint - log_frame, b=weight))
            return np.array(values)

        measured.append(refined(evidence(model, x), integral(16), integral(12), operations(model)))
    return worst(measured)


def evidence_is_normalized(evidence: Function, rng: np.random.Generator) -> Measured:
    """Integral, mean and variance of exp(evidence) over x, d = 1, by the trapezoid rule."""
    model = oracle.random_linear(rng, 2, 1)
    spread = float(np.sqrt(covariance(model)[0, 0]))
    u, cell = bell_grid(1)
    density = np.exp(evidence(model, model.b + spread * u)) * spread * cell
    moments = np.array([(density * u[:, 0] ** p).sum() for p in range(3)])
    return rounding(moments, np.array([1.0, 0.0, 1.0]), 2000)


def evidence_by_symbols(evidence: Function, rng: np.random.Generator) -> Measured:
    """Scalar case: complete the square in z and integrate over it."""
    import sympy

    x, w, z, b, u = sympy.symbols("x w z b u", real=True)
    s = sympy.symbols("s", positive=True)
    total = w**2 + s
    mean, spread = w * (x - b) / total, sympy.sqrt(s / total)
    # the exponent of p(x|z) p(z) must be that of the evidence plus ((z - mean) / spread)^2 ...
    exponents = (x - w * z - b) ** 2 / s + z**2 - (x - b) ** 2 / total - (z - mean) ** 2 / spread**2
    # ... and the factors 1/(2 pi s) 1/(2 pi) spread^2 must be 1/(2 pi total) 1/(2 pi)
    factors = spread**2 / s - 1 / total
    bell = sympy.integrate(sympy.exp(-(u**2) / 2) / sympy.sqrt(2 * sympy.pi), (u, -sympy.oo, sympy.oo))
    closed = -(sympy.log(2 * sympy.pi * total) + (x - b) ** 2 / total) / 2
    model = oracle.random_linear(rng, 1, 1)
    cells = oracle.sample(model, 10, rng)
    formula = sympy.lambdify((x, w, b, s), closed)
    expected = formula(cells[:, 0], model.W[0, 0], model.b[0], model.variance)
    agrees = rounding(evidence(model, cells), expected, 200)
    return proved(agrees, sympy.cancel(exponents), factors, bell - 1)


# ---------------------------------------------------------------------------------- the posterior


def posterior_by_bayes(posterior: Function, rng: np.random.Generator) -> Measured:
    """Log p(z|x) = log p(x|z) + log p(z) - log p(x) at random z, the normal densities by SciPy."""
    measured = []
    for k, d in SIZES:
        model = oracle.random_linear(rng, k, d)
        x, z = oracle.sample(model, 5, rng), rng.standard_normal((5, k))
        means, spread = posterior(model, x)
        got = np.array(
            [multivariate_normal(m, spread).logpdf(point) for m, point in zip(means, z, strict=True)]
        )
        likelihood = [
            multivariate_normal(model.decode(point), model.variance * np.eye(d)).logpdf(cell)
            for point, cell in zip(z, x, strict=True)
        ]
        prior = multivariate_normal(np.zeros(k), np.eye(k)).logpdf(z)
        expected = np.array(likelihood) + prior - evidence_by_scipy(model, x)
        # the terms may cancel: relative to the largest of them
        scale = float(np.abs(likelihood).max() + np.abs(got).max())
        measured.append(rounding(got, expected, operations(model), scale))
    return worst(measured)


def posterior_by_conditioning(posterior: Function, rng: np.random.Generator) -> Measured:
    """Condition the joint normal of (z, x): inverts the d x d covariance of x, where M is k x k."""
    measured = []
    for k, d in SIZES:
        model = oracle.random_linear(rng, k, d)
        x = oracle.sample(model, 5, rng)
        gain = model.W @ np.linalg.inv(covariance(model))
        expected = (x - model.b) @ gain.T, np.eye(k) - gain @ model.W.T
        scale = float(max(1.0, np.abs(expected[0]).max()))  # of the 1 that is subtracted from
        measured.append(rounding(posterior(model, x), expected, operations(model), scale))
    return worst(measured)


def posterior_by_symbols(posterior: Function, rng: np.random.Generator) -> Measured:
    """The two routes are one, k = 2 and d = 2: every entry of both identities; then Bayes, k = d = 1."""
    import sympy

    entries = sympy.symbols("w1:5", real=True)
    s = sympy.symbols("s", positive=True)
    W, unit = sympy.Matrix(2, 2, entries), sympy.eye(2)
    M, C = W * W.T + s * unit, W.T * W + s * unit
    # multiplied out, so that nothing need be inverted: W C = M W and s I = M (I - W C^-1 W^T)
    push_through = W * C - M * W
    inverse = M * (C.det() * unit - W * C.adjugate() * W.T) - s * C.det() * unit
    x, w, z, b = sympy.symbols("x w z b", real=True)
    m, v = w * (x - b) / (w**2 + s), s / (w**2 + s)
    in_z = [
        sympy.diff((x - w * z - b) ** 2 / s + z**2 - (z - m) ** 2 / v, z, order).subs(z, 0)
        for order in (1, 2)
    ]
    model = oracle.random_linear(rng, 1, 1)
    cells = oracle.sample(model, 10, rng)
    arguments = (cells[:, 0], model.W[0, 0], model.b[0], model.variance)
    means, spread = posterior(model, cells)
    expected = sympy.lambdify((x, w, b, s), m)(*arguments), sympy.lambdify((x, w, b, s), v)(*arguments)
    agrees = rounding((means[:, 0], spread[0, 0]), expected, 200)
    differences = [sympy.expand(e) for e in (*push_through, *inverse)]
    return proved(agrees, *differences, *in_z)


# ------------------------------------------------------------------------------ the best parameters


def random_data(rng: np.random.Generator) -> list[tuple[np.ndarray, int]]:
    """Draw three data sets (n, d), each with a number k < d of latent dimensions."""
    return [
        (oracle.sample(oracle.random_linear(rng, k, d), n, rng), k)
        for n, d, k in ((40, 4, 1), (60, 5, 3), (30, 3, 2))
    ]


def mean_evidence(x: np.ndarray, W: np.ndarray, b: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Mean log evidence by determinant and linear equations, which complex numbers can pass through."""
    spread = W.T @ W + variance * np.eye(len(b))
    square = ((x - b).T * np.linalg.solve(spread, (x - b).T)).sum(axis=0).mean()
    return -0.5 * (len(b) * np.log(2 * np.pi) + np.log(np.linalg.det(spread)) + square)


def optimum_is_stationary(optimum: Function, rng: np.random.Generator) -> Measured:
    """The gradient of the mean evidence in W, b and the variance is 0, by complex step."""
    measured = []
    for x, k in random_data(rng):
        model, _ = optimum(x, k)
        arguments = (model.W, model.b, np.array(model.variance))

        def evidence(*theta: np.ndarray, x: np.ndarray = x) -> np.ndarray:
            return mean_evidence(x, *theta)

        slopes = tuple(complex_step(evidence, arguments, i, np.ones(())) for i in range(3))
        # two terms that cancel: C^-1 W for W, the largest, and likewise for the others
        precision = np.linalg.inv(covariance(model))
        scale = float(np.abs(model.W @ precision).max() + np.trace(precision))
        zeros = tuple(np.zeros_like(slope) for slope in slopes)
        measured.append(rounding(slopes, zeros, len(x) * operations(model), scale))
    return worst(measured)


def optimum_is_attained(optimum: Function, rng: np.random.Generator) -> Measured:
    """The maximum that is returned is the mean evidence, by SciPy, at the parameters that are returned."""
    measured = []
    for x, k in random_data(rng):
        model, best = optimum(x, k)
        measured.append(rounding(best, evidence_by_scipy(model, x).mean(), len(x) * operations(model)))
    return worst(measured)


def optimum_is_not_exceeded(optimum: Function, rng: np.random.Generator) -> Measured:
    """Neither by random parameters nor by steps of any size away from the best ones."""
    measured = []
    for x, k in random_data(rng):
        model, best = optimum(x, k)
        others = [oracle.random_linear(rng, k, x.shape[1]) for _ in range(10)]
        for size in (1e-3, 1e-2, 1e-1, 1.0) * 3:
            away = oracle.random_linear(rng, k, x.shape[1])
            W, b = model.W + size * away.W, model.b + size * away.b
            others.append(LinearGaussian(W, b, model.variance * float(np.exp(size * rng.normal()))))
        values = np.array([mean_evidence(x, o.W, o.b, np.array(o.variance)) for o in others])
        measured.append(not_above(values, np.full_like(values, best), len(x) * operations(model)))
    return worst(measured)


def optimum_by_singular_values(optimum: Function, rng: np.random.Generator) -> Measured:
    """M is diagonal and holds the leading eigenvalues, here squared singular values of the centered data."""
    measured = []
    for x, k in random_data(rng):
        model, _ = optimum(x, k)
        values = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2 / len(x)
        expected = np.diag(values[:k]), values[k:].mean(), x.mean(axis=0)
        got = model.M, np.array(model.variance), model.b
        measured.append(rounding(got, expected, 20 * x.size))  # sums over the cells, and two decompositions
    return worst(measured)


def optimum_by_elbo(optimum: Function, rng: np.random.Generator) -> Measured:
    """At the optimum the posterior is diagonal: its ELBO, in closed form, is the maximum."""
    measured = []
    for x, k in random_data(rng):
        model, best = optimum(x, k)
        diagonal = np.diag(model.M)
        mu = (x - model.b) @ model.W.T / diagonal
        log_var = np.log(model.variance / diagonal) * np.ones_like(mu)
        bound = oracle.linear_gaussian_elbo(model, x, mu, log_var).mean()
        measured.append(rounding(bound, best, len(x) * operations(model)))
    return worst(measured)


def optimum_by_symbols(optimum: Function, rng: np.random.Generator) -> Measured:
    """Three genes, k = 1, eigenvalues l1 > l2 > l3: four slopes are 0, and the value is the closed form."""
    import sympy

    l3, gap2, gap1 = sympy.symbols("l3 gap2 gap1", positive=True)
    values = (l3 + gap2 + gap1, l3 + gap2, l3)
    w = sympy.Matrix(sympy.symbols("w1:4", real=True))
    s = sympy.symbols("s", positive=True)
    # for one latent dimension: |C| = s^2 (s + |w|^2) and C^-1 = (I - w w^T / (s + |w|^2)) / s
    total = s + w.dot(w)
    trace = (sum(values) - sum(value * a**2 for value, a in zip(values, w, strict=True)) / total) / s
    doubled = -3 * sympy.log(2 * sympy.pi) - 2 * sympy.log(s) - sympy.log(total) - trace
    rest = (values[1] + values[2]) / 2
    at_best = {w[0]: sympy.sqrt(values[0] - rest), w[1]: 0, w[2]: 0, s: rest}
    slopes = [sympy.diff(doubled, parameter).subs(at_best) for parameter in (*w, s)]
    closed = -3 * sympy.log(2 * sympy.pi) - sympy.log(values[0]) - 2 * sympy.log(rest) - 3
    numbers = rng.uniform(0.3, 1.5, 3)
    spectrum = sympy.lambdify((l3, gap2, gap1), values)(*numbers)
    axes = np.diag(np.sqrt(3 * np.array(spectrum)))
    model, best = optimum(np.vstack([axes, -axes]), 1)  # its covariance is diag(spectrum)
    at_numbers = (rest, sympy.sqrt(values[0] - rest), closed / 2)
    expected = tuple(np.array(sympy.lambdify((l3, gap2, gap1), e)(*numbers)) for e in at_numbers)
    got = tuple(np.array(e) for e in (model.variance, np.abs(model.W).max(), best))
    agrees = rounding(got, expected, 1000)
    return proved(agrees, *slopes, sympy.expand_log(sympy.simplify(doubled.subs(at_best) - closed)))


# ------------------------------------------------------------------------------- the diagonal's price


def best_diagonal(model: LinearGaussian, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the posterior, and log(variance / M_jj): the q whose optimality a judge decides."""
    mean = (x - model.b) @ np.linalg.solve(covariance(model), model.W.T)
    return mean, np.log(model.variance / np.diag(model.M)) * np.ones_like(mean)


def gap_is_evidence_minus_elbo(gap: Function, rng: np.random.Generator) -> Measured:
    measured = []
    for k, d in SIZES:
        model = oracle.random_linear(rng, k, d)
        x = oracle.sample(model, 5, rng)
        evidence = evidence_by_scipy(model, x)
        difference = evidence - oracle.linear_gaussian_elbo(model, x, *best_diagonal(model, x))
        scale = float(np.abs(evidence).max() + 1)
        measured.append(rounding(np.full(5, gap(model.M)), difference, operations(model), scale))
    return worst(measured)


def no_diagonal_does_better(gap: Function, rng: np.random.Generator) -> Measured:
    """Evidence minus the ELBO of 200 other diagonal q, near and far, is never less than the gap."""
    measured = []
    for k, d in SIZES:
        model = oracle.random_linear(rng, k, d)
        x = np.repeat(oracle.sample(model, 1, rng), 200, axis=0)
        size = np.repeat([1e-3, 1e-2, 1e-1, 1.0], 50)[:, None]
        mu, log_var = (a + size * rng.standard_normal(a.shape) for a in best_diagonal(model, x))
        lost = evidence_by_scipy(model, x) - oracle.linear_gaussian_elbo(model, x, mu, log_var)
        n_operations = int(operations(model) * (1 + np.abs(evidence_by_scipy(model, x)).max()))
        measured.append(not_above(np.full(200, gap(model.M)), lost, n_operations))
    return worst(measured)


def best_diagonal_is_stationary(_: object, rng: np.random.Generator) -> Measured:
    """The slope of the ELBO in mu and log_var is 0 at the posterior mean and log(variance / M_jj)."""
    measured = []
    for k, d in SIZES:
        model = oracle.random_linear(rng, k, d)
        x = oracle.sample(model, 2, rng)
        q = best_diagonal(model, x)

        def elbo(
            mu: np.ndarray, log_var: np.ndarray, model: LinearGaussian = model, x: np.ndarray = x
        ) -> np.ndarray:
            return oracle.linear_gaussian_elbo(model, x, mu, log_var)

        slopes = tuple(complex_step(elbo, q, i, np.ones(2)) for i in (0, 1))
        scale = float(np.abs((x - model.b) @ model.W.T).max() / model.variance + 1)
        zeros = tuple(np.zeros_like(slope) for slope in slopes)
        measured.append(rounding(slopes, zeros, operations(model), scale))
    return worst(measured)


def gap_is_scipys_total_correlation(gap: Function, rng: np.random.Generator) -> Measured:
    """Entropies of the coordinates of N(0, M) minus the joint entropy; k = 2: -1/2 log(1 - rho^2)."""
    measured = []
    for k in (1, 2, 3, 5):
        M = oracle.random_linear(rng, k, k + 1).M
        alone = sum(multivariate_normal(0, M[j, j]).entropy() for j in range(k))
        joint = multivariate_normal(np.zeros(k), M).entropy()
        amplified = int(50 * k**2 * np.linalg.cond(M))
        measured.append(rounding(gap(M), alone - joint, amplified, float(abs(alone) + abs(joint) + 1)))
        if k == 2:
            correlation = M[0, 1] / np.sqrt(M[0, 0] * M[1, 1])
            closed = -0.5 * np.log1p(-(correlation**2))
            measured.append(rounding(gap(M), closed, amplified, float(closed + 1)))
    return worst(measured)


def rotation_costs_the_gap(gap: Function, rng: np.random.Generator) -> Measured:
    """At the optimum the gap is 0; turning W keeps the evidence and lowers the best ELBO by the gap."""
    measured = []
    for x, k in random_data(rng):
        model, best = oracle.ppca_optimum(x, k)
        turn = np.linalg.qr(rng.standard_normal((k, k)))[0]
        turned = LinearGaussian(turn @ model.W, model.b, model.variance)
        bound = oracle.linear_gaussian_elbo(turned, x, *best_diagonal(turned, x)).mean()
        kept = evidence_by_scipy(turned, x).mean()
        got = np.array([gap(model.M), gap(turned.M), kept])
        expected = np.array([0.0, best - bound, best])
        measured.append(rounding(got, expected, len(x) * operations(model)))
    return worst(measured)


def only_the_diagonal_is_free(gap: Function, rng: np.random.Generator) -> Measured:
    """Hadamard: never negative, 0 for a diagonal M, and the same after any rescaling of the axes."""
    got, expected, amplified = [], [], 0
    for k, factor in product((2, 4), (1.0, 1e3)):
        M = oracle.random_linear(rng, k, k + 1).M
        stretch = np.diag(rng.uniform(0.5, 2, k))
        amplified = max(amplified, int(50 * k**2 * np.linalg.cond(stretch @ M @ stretch)))
        got += [gap(np.diag(np.diag(M))), gap(factor * stretch @ M @ stretch), np.minimum(gap(M), 0)]
        expected += [0.0, gap(M), 0.0]
    return rounding(np.array(got), np.array(expected), 20 * amplified, 1.0)  # logarithms of up to 1e4


def gap_by_symbols(gap: Function, rng: np.random.Generator) -> Measured:
    """Both slopes of KL(q, posterior) in the variances are 0 at 1/M_jj, k = 2; there it is the gap."""
    import sympy

    a, c, v1, v2 = sympy.symbols("a c v1 v2", positive=True)
    r = sympy.symbols("r", real=True)
    M = sympy.Matrix([[a, r * sympy.sqrt(a * c)], [r * sympy.sqrt(a * c), c]])
    kl = (M[0, 0] * v1 + M[1, 1] * v2 - 2 - sympy.log(M.det()) - sympy.log(v1) - sympy.log(v2)) / 2
    best = {v1: 1 / a, v2: 1 / c}
    slopes = [sympy.diff(kl, v).subs(best) for v in (v1, v2)]
    hadamard = (sympy.log(a) + sympy.log(c) - sympy.log(M.det())) / 2
    in_correlation = sympy.simplify(sympy.exp(-2 * hadamard) - (1 - r**2))
    values = rng.uniform(0.5, 2, 2)
    rho = rng.uniform(0.2, 0.8)
    off = rho * np.sqrt(values.prod())
    got = gap(np.array([[values[0], off], [off, values[1]]]))
    agrees = rounding(got, sympy.lambdify((a, c, r), hadamard)(*values, rho), 400)
    differences = (*slopes, sympy.expand_log(kl.subs(best) - hadamard), in_correlation)
    return proved(agrees, *differences)
