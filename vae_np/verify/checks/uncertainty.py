"""How far delta can be trusted: agreement of the types, variance over types and over cells, its length.

Page: `derivations/uncertainty.md`. The other routes are constructed angles, leave-one-out over the cells
themselves, quantiles in closed form, the coverage as an integral, and all resamples of a few cells listed.
"""

from collections.abc import Callable
from functools import cache
from itertools import product
from math import acos, cos, fsum, pi, sqrt, tan

import numpy as np
from scipy.special import erf, gammaln
from scipy.stats import norm

from vae_np.scgen.delta import delta_balanced
from vae_np.verify import oracle
from vae_np.verify.checks.delta import (
    OF_A_FIT,
    OF_MEANS,
    SHARED,
    SHRINKAGE_OPERATIONS,
    UNEQUAL,
    Cells,
    Spectrum,
    cells_with_spectrum,
    encode,
    mean_by_fsum,
    place,
    random_cells,
    random_means,
    spectra,
)
from vae_np.verify.judges import hermite, identities, monte_carlo, not_above, proved, refined, rounding
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]

# roundings on both routes together
OF_A_COSINE = 1000  # sums of 8 terms, 6 products; the others' sum may be 20 times shorter than its terms
OF_A_QUANTILE = 4000  # SciPy's incomplete beta function is inverted to about 1e-13
OF_A_LIST = 3000  # mean and covariance of 432 listed resamples, both summed pairwise

LEVELS = ((2, 0.9), (3, 0.5), (3, 0.99), (6, 0.9))  # number of types, level


def random_deltas(rng: np.random.Generator, K: int, k: int) -> np.ndarray:
    """Deltas (K, k) of types that share a step and differ from it."""
    return rng.normal(size=k) + rng.normal(size=(K, k))


def without_each(deltas: np.ndarray) -> np.ndarray:
    """Mean of the other types' deltas, for each type, by leaving it out."""
    return np.array([mean_by_fsum(np.delete(deltas, t, axis=0)) for t in range(len(deltas))])


# ------------------------------------------------------------------------------------- agreement


def agreement_by_leaving_out(f: Values, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for K, k in ((2, 3), (4, 6), (8, 5)):
        deltas = random_deltas(rng, K, k)
        pairs = zip(deltas, without_each(deltas), strict=True)
        got.append(f(deltas))
        expected.append(np.array([fsum(a * b) / sqrt(fsum(a * a) * fsum(b * b)) for a, b in pairs]))
    return rounding(tuple(got), tuple(expected), OF_A_COSINE)


def agreement_of_known_angles(f: Values, rng: np.random.Generator) -> Measured:
    """Two types in a plane: the cosine of the angle between them, whatever their lengths."""
    got, expected = [], []
    for angle in (0.0, 0.3, 1.0, 2.0, pi):
        turn, lengths = rng.uniform(0, 2 * pi), rng.uniform(0.1, 5, size=2)
        angles = np.array([turn, turn + angle])
        got.append(f(lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)))
        expected.append(np.full(2, cos(angle)))
    return rounding(tuple(got), tuple(expected), OF_A_COSINE)


def agreement_of_equal_correlations(f: Values, rng: np.random.Generator) -> Measured:
    """Unit deltas with the same cosine c between any two: c sqrt( (K-1) / (1 + (K-2) c) )."""
    got, expected = [], []
    for K, c in ((2, 0.4), (3, 0.0), (4, 0.3), (8, 0.9), (3, -0.4)):
        turn = np.linalg.qr(rng.normal(size=(K, K)))[0]
        got.append(f(np.linalg.cholesky((1 - c) * np.eye(K) + c) @ turn))
        expected.append(np.full(K, c * sqrt((K - 1) / (1 + (K - 2) * c))))
    return rounding(tuple(got), tuple(expected), OF_A_COSINE)


def agreement_without_direction(f: Values, rng: np.random.Generator) -> Measured:
    """No answer and others that cancel have cosine 0; one type alone has 1."""
    a, b = rng.normal(size=3), rng.normal(size=3)
    got = (f(np.stack([0 * a, a, a / 2**20])), f(np.stack([a, -a, b]))[2:], f(a[None]))
    return rounding(got, (np.array([0.0, 1, 1]), np.zeros(1), np.ones(1)), OF_A_COSINE)


def agreement_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """Squares and products of unit vectors with cosine c, K = 2..6, summed term by term."""
    import sympy

    c = sympy.Symbol("c", positive=True)
    differences = []
    for K in range(2, 7):
        gram = sympy.Matrix(K, K, lambda i, j: 1 if i == j else c)
        others = sympy.Matrix([0] + [1] * (K - 1))
        cosine = gram[0, :] * others / sympy.sqrt((others.T * gram * others)[0])
        differences.append(cosine[0] ** 2 - c**2 * (K - 1) / (1 + (K - 2) * c))
    return proved(agreement_of_equal_correlations(f, rng), *differences)


def own_delta_among_the_others(f: Values, rng: np.random.Generator) -> Measured:
    """Cosine with the mean of *all* types: even deltas at right angles to each other seem to agree."""
    deltas = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    mean = deltas.mean(axis=0)
    return rounding(deltas @ mean / np.linalg.norm(mean), f(deltas), OF_A_COSINE, scale=1.0)


# ------------------------------------------------------------------------------------- jackknife


def jackknife_is_the_variance_of_the_mean(f: Values, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for K, k in ((2, 1), (3, 5), (9, 4)):
        deltas = random_deltas(rng, K, k)
        squares = (deltas - mean_by_fsum(deltas)) ** 2
        got.append(f(deltas))
        expected.append(np.array([fsum(column) for column in squares.T]) / (K - 1) / K)
    return rounding(tuple(got), tuple(expected), OF_MEANS)


def jackknife_over_the_cells(f: Values, rng: np.random.Generator) -> Measured:
    """Remove the cells of one type, balance again; and so for each type."""
    cells = random_cells(rng, SHARED)
    z0, z1, t0, t1 = cells
    without = [delta_balanced(z0[t0 != t], z1[t1 != t], t0[t0 != t], t1[t1 != t]) for t in SHARED]
    alone = [delta_balanced(*cells_of(cells, t)) for t in SHARED]
    expected = (len(SHARED) - 1) * np.var(without, axis=0)
    return rounding(f(np.array(alone)), expected, OF_MEANS, cells.scale**2)


def cells_of(cells: Cells, name: str) -> Cells:
    """Cells of one type."""
    z0, z1, t0, t1 = cells
    return Cells(z0[t0 == name], z1[t1 == name], t0[t0 == name], t1[t1 == name])


def jackknife_is_unbiased(f: Values, rng: np.random.Generator) -> Measured:
    """Three normal types: E of the estimate = sigma^2 / 3, the variance of their mean; two nodes suffice."""
    sigma, step = rng.uniform(0.5, 2, size=4), rng.normal(size=4)
    eps, weight = hermite(3, 2)
    estimates = np.array([f(step + sigma * e[:, None]) for e in eps])
    return rounding(weight @ estimates, sigma**2 / 3, OF_MEANS)


def jackknife_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    import sympy

    differences = []
    for K in range(2, 6):
        d = sympy.symbols(f"d1:{K + 1}")
        without = [(sum(d) - one) / (K - 1) for one in d]
        jackknife = sympy.Rational(K - 1, K) * sum((w - sum(without) / K) ** 2 for w in without)
        variance = sum((one - sum(d) / K) ** 2 for one in d) / (K - 1)
        differences.append(sympy.expand(jackknife - variance / K))
    return proved(jackknife_is_the_variance_of_the_mean(f, rng), *differences)


def plain_variance_of_the_leave_one_outs(f: Values, rng: np.random.Generator) -> Measured:
    """Treat the K leave-one-out deltas as K independent ones: too small, by (K - 1)^2."""
    deltas = random_deltas(rng, 4, 3)
    return rounding(without_each(deltas).var(axis=0, ddof=1) / 4, f(deltas), OF_MEANS)


# -------------------------------------------------------------------------------------- interval


def quantile(p: float, freedom: int) -> float:
    """Quantile of Student's t with 1, 2 or 4 degrees of freedom, where it has a closed form."""
    if freedom == 1:
        return tan(pi * (p - 0.5))
    alpha = 4 * p * (1 - p)
    if freedom == 2:
        return (2 * p - 1) * sqrt(2 / alpha)
    return 2 * sqrt(cos(acos(sqrt(alpha)) / 3) / sqrt(alpha) - 1)


def interval_of_closed_quantiles(f: Values, rng: np.random.Generator) -> Measured:
    """Two, three and five types, with a variance on top and without."""
    got, expected = [], []
    for K, level in ((2, 0.9), (3, 0.5), (3, 0.95), (5, 0.9), (5, 0.99)):
        values = random_deltas(rng, K, 4)
        spread = ((values - mean_by_fsum(values)) ** 2).sum(axis=0) / (K - 1)
        t = quantile((1 + level) / 2, K - 1)
        for more in (0.0, 0.7, rng.uniform(0, 2, size=4)):
            got.append(f(values, more, level))
            expected.append(t * np.sqrt(spread + spread / K + more))
    got.append(f(values))
    expected.append(quantile(0.95, 4) * np.sqrt(spread + spread / K))  # nothing more, and 90 %
    return rounding(tuple(got), tuple(expected), OF_A_QUANTILE)


def interval_of_an_affine_decoder(f: Values, rng: np.random.Generator) -> Measured:
    """The interval of a gene is that of the latent delta along the gene's row of the decoder."""
    model = oracle.random_linear(rng, 3, 5)
    z, deltas = rng.normal(size=(20, 3)), random_deltas(rng, 5, 3)
    values = np.array([mean_by_fsum(model.decode(z + d)) for d in deltas])
    along = np.einsum("kd,kl,ld->d", model.W, np.cov(deltas.T), model.W)
    return rounding(f(values), quantile(0.95, 4) * np.sqrt(along * 6 / 5), OF_A_QUANTILE)


@cache
def legendre(n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre quadrature from 0 to 14; chi lies beyond with less than 1e-38."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    return 7 * (nodes + 1), 7 * weights


def coverage(
    f: Values, K: int, level: float, rng: np.random.Generator, n_nodes: int, share: float = 0.0
) -> float:
    """Probability that a further normal type lies inside, as an integral over the chi law of s.

    Given s, a further value minus the mean of the K is normal with variance sigma^2 (1 + 1/K), since mean
    and s are independent; its own noise has `share` times this variance. Each node is a gene whose values
    have this s.
    """
    mean, sigma, freedom = rng.normal(), rng.uniform(0.5, 2), K - 1
    pattern = rng.normal(size=K)
    pattern = (pattern - pattern.mean()) / pattern.std(ddof=1)
    chi, weights = legendre(n_nodes)
    log_density = freedom * np.log(chi) - np.log(chi) - chi**2 / 2
    log_density -= (freedom / 2 - 1) * np.log(2) + gammaln(freedom / 2)
    values = mean + sigma * pattern[:, None] * chi / sqrt(freedom)
    variance = sigma**2 * (1 + 1 / K)
    inside = erf(f(values, share * variance, level) / sqrt(2 * variance * (1 + share)))
    return float(fsum(weights * np.exp(log_density) * inside))


def interval_covers(f: Values, rng: np.random.Generator) -> Measured:
    fine, coarse = (np.array([coverage(f, K, p, rng, n) for K, p in LEVELS]) for n in (80, 60))
    return refined(np.array([p for _, p in LEVELS]), fine, coarse, OF_A_QUANTILE)


def interval_covers_noisy_values(f: Values, rng: np.random.Generator) -> Measured:
    """With normal noise of a tenth to ten times the variance on top: never below the level."""
    cases = [(K, level, share) for K, level in LEVELS for share in (0.1, 1.0, 10.0)]
    covered = np.array([coverage(f, K, level, rng, 80, share) for K, level, share in cases])
    return not_above(np.array([level for _, level, _ in cases]), covered, OF_A_QUANTILE)


def interval_covers_drawn_types(f: Values, rng: np.random.Generator) -> Measured:
    """In 4000 worlds: latent deltas of the types and of one more, an affine decoder, one gene."""
    hits = []
    for K in (3, 8):
        spread, gene = rng.normal(size=(2, 2)), rng.normal(size=2)
        deltas = rng.normal(size=2) + rng.normal(size=(K + 1, 4000, 2)) @ spread
        values = deltas @ gene + rng.normal()
        known, new = values[:-1], values[-1]
        hits.append(np.abs(new - known.mean(axis=0)) <= f(known))
    return monte_carlo(np.array(hits, dtype=float).T, 0.9)


def interval_of_the_mean(f: Values, rng: np.random.Generator) -> Measured:
    """The confidence interval of the mean over types, s / sqrt(K), taken for that of a further type."""

    def narrow(values: np.ndarray, more: float, level: float) -> np.ndarray:
        return f(values, more, level) / sqrt(1 + len(values))

    fine, coarse = (np.array([coverage(narrow, 6, 0.9, rng, n)]) for n in (80, 60))
    return refined(np.array([0.9]), fine, coarse, OF_A_QUANTILE)


def normal_quantile(_: object, rng: np.random.Generator) -> Measured:
    """The normal quantile in place of Student's, as if the variance over types were known."""

    def narrow(values: np.ndarray, _more: float, level: float) -> np.ndarray:
        return norm.ppf((1 + level) / 2) * values.std(axis=0, ddof=1) * sqrt(1 + 1 / len(values))

    fine, coarse = (np.array([coverage(narrow, 4, 0.9, rng, n)]) for n in (80, 60))
    return refined(np.array([0.9]), fine, coarse, OF_A_QUANTILE)


# ---------------------------------------------------------------------------------------- errors


def errors_of_others(values: np.ndarray) -> np.ndarray:
    """What is left when each type is predicted by the mean of the others, by leaving out."""
    return values - np.array([mean_by_fsum(np.delete(values, t, axis=0)) for t in range(len(values))])


def errors_of_closed_quantiles(f: Values, rng: np.random.Generator) -> Measured:
    """An exact linear world: the interval of the types themselves, with a variance on top and without."""
    got, expected = [], []
    for K, level in ((2, 0.9), (3, 0.5), (3, 0.95), (5, 0.9), (5, 0.99)):
        values = random_deltas(rng, K, 4)
        spread = ((values - mean_by_fsum(values)) ** 2).sum(axis=0) / (K - 1)
        for more in (0.0, 0.7, rng.uniform(0, 2, size=4)):
            got.append(f(errors_of_others(values), more, level))
            expected.append(quantile((1 + level) / 2, K - 1) * np.sqrt(spread + spread / K + more))
    got.append(f(errors_of_others(values)))
    expected.append(quantile(0.95, 4) * np.sqrt(spread + spread / K))  # nothing more, and 90 %
    return rounding(tuple(got), tuple(expected), OF_A_QUANTILE)


def errors_cover(f: Values, rng: np.random.Generator) -> Measured:
    """Without an error of the decoder the level is met, as an integral over the chi law of s."""

    def from_errors(values: np.ndarray, more: float, level: float) -> np.ndarray:
        return f(errors_of_others(values), more, level)

    fine, coarse = (np.array([coverage(from_errors, K, p, rng, n) for K, p in LEVELS]) for n in (80, 60))
    return refined(np.array([p for _, p in LEVELS]), fine, coarse, OF_A_QUANTILE)


def errors_count_what_the_decoder_misses(f: Values, rng: np.random.Generator) -> Measured:
    """A decoder that is off by c for every one of three types adds 8/27 times 3 c^2 under the root."""
    values, c = random_deltas(rng, 3, 4), rng.uniform(1, 2)
    errors = errors_of_others(values)
    errors -= mean_by_fsum(errors)  # already zero but for rounding
    half = f(errors + c)
    spread = ((values - mean_by_fsum(values)) ** 2).sum(axis=0) / 2
    return rounding(half, quantile(0.95, 2) * np.sqrt(spread * 4 / 3 + 8 / 27 * 3 * c**2), OF_A_QUANTILE)


def error_of_a_mean(f: Values, rng: np.random.Generator) -> Measured:
    """The errors taken for deviations from the mean of all types: each is K/(K - 1) of that."""

    def wide(values: np.ndarray, _more: float, level: float) -> np.ndarray:
        K = len(values)
        spread = (errors_of_others(values) ** 2).sum(axis=0) / (K - 1)
        return np.array([quantile((1 + level) / 2, K - 1)]) * np.sqrt(spread * (1 + 1 / K))

    fine, coarse = (np.array([coverage(wide, 5, 0.9, rng, n)]) for n in (80, 60))
    return refined(np.array([0.9]), fine, coarse, OF_A_QUANTILE)


# ------------------------------------------------------------------------------------- bootstrap

TINY = {"a": (2, 3), "b": (1, 2), "c": (3, 0)}  # 4 x 27 x 1 x 4 = 432 resamples of the shared types


def covariance_over_cells(cells: Cells, names: str, ddof: int = 0) -> np.ndarray:
    """1/K^2 times the sum over types and conditions of covariance / n, (k, k)."""
    groups = [z[t == name] for name in names for z, t in (cells[::2], cells[1::2])]
    covariances = [np.cov(rows.T, ddof=ddof) / len(rows) for rows in groups if len(rows) > ddof]
    return np.sum(covariances, axis=0) / len(names) ** 2


def all_resamples(cells: Cells) -> np.ndarray:
    """The balanced delta of types a and b for each of their resamples, all equally likely."""
    means = [
        [rows[list(chosen)].mean(axis=0) for chosen in product(range(len(rows)), repeat=len(rows))]
        for name in "ab"
        for rows in (cells.z_ctrl[cells.type_ctrl == name], cells.z_stim[cells.type_stim == name])
    ]
    return np.array([(a1 - a0 + b1 - b0) / 2 for a0, a1, b0, b1 in product(*means)])


def listed_resamples_have_these_moments(_: object, rng: np.random.Generator) -> Measured:
    """Mean and covariance of the whole list, no draws."""
    cells = random_cells(rng, TINY, k=2)
    listed = all_resamples(cells)
    got = (listed.mean(axis=0), np.cov(listed.T, ddof=0))
    expected = (delta_balanced(*cells), covariance_over_cells(cells, "ab"))
    return rounding(got, expected, OF_A_LIST, cells.scale**2)


def every_draw_is_in_the_list(f: Values, rng: np.random.Generator) -> Measured:
    cells = random_cells(rng, TINY, k=2)
    draws, listed = f(*cells, 100, rng), all_resamples(cells)
    nearest = np.abs(draws[:, None] - listed).max(axis=-1).argmin(axis=1)
    return rounding(draws, listed[nearest], OF_MEANS, cells.scale)


def bootstrap_without_chance(f: Values, rng: np.random.Generator) -> Measured:
    """Cells of a type alike: every draw is the mean of the known steps of the types that enter."""
    means, steps = random_means(rng, UNEQUAL, 3)
    cells = place(rng, UNEQUAL, means, steps, spread=0.0)
    got, expected = [], []
    for settings, rows in (({}, [0, 1, 2, 5]), ({"min_cells": 2}, [0, 1, 2]), ({"min_cells": 3}, [0, 2])):
        got.append(f(*cells, 5, rng, **settings))
        expected.append(np.tile(steps[rows].sum(axis=0) / len(rows), (5, 1)))
    return rounding(tuple(got), tuple(expected), OF_MEANS, cells.scale)


def bootstrap_mean_and_covariance(f: Values, rng: np.random.Generator) -> Measured:
    cells = random_cells(rng, {"a": (20, 12), "b": (15, 25), "c": (9, 0)}, k=2)
    center = delta_balanced(*cells)
    deviations = f(*cells, 4000, rng) - center
    i, j = np.triu_indices(2)
    squares = deviations[:, i] * deviations[:, j]
    expected = np.concatenate([np.zeros(2), covariance_over_cells(cells, "ab")[i, j]])
    return monte_carlo(np.concatenate([deviations, squares], axis=1), expected)


def resamples_by_symbols(_: object, rng: np.random.Generator) -> Measured:
    """Two and three cells, all resamples listed: mean and variance of the resamples' means."""
    import sympy

    differences = []
    for n in (2, 3):
        z = sympy.symbols(f"z1:{n + 1}")
        means = [sum(chosen) / n for chosen in product(z, repeat=n)]
        center = sum(z) / n
        variance = sum((mean - center) ** 2 for mean in means) / len(means)
        differences += [sum(means) / len(means) - center]
        differences += [sympy.expand(variance - sum((one - center) ** 2 for one in z) / n / n)]
    return identities(*differences)


def divided_by_one_less(_: object, rng: np.random.Generator) -> Measured:
    """The unbiased covariance of the cells in place of the one that resampling has."""
    cells = random_cells(rng, TINY, k=2)
    expected = covariance_over_cells(cells, "ab", ddof=1)
    return rounding(np.cov(all_resamples(cells).T, ddof=0), expected, OF_A_LIST, cells.scale**2)


# ----------------------------------------------------------------------------------------- scale


def scale_by_least_squares(f: Callable[..., float], rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for K, d in ((1, 3), (2, 2), (4, 7)):
        decoded = rng.normal(size=(K, d))
        changes = 1.4 * decoded + rng.normal(scale=0.3, size=(K, d))
        got.append(f(changes, decoded))
        expected.append(np.linalg.lstsq(decoded.reshape(-1, 1), changes.ravel(), rcond=None)[0][0])
    return rounding(np.array(got), np.array(expected), OF_A_FIT)


def decoded_steps(world: Spectrum, changes: np.ndarray) -> np.ndarray:
    """What a linear VAE at its optimum makes of shifts of its cells, (K, d)."""
    model, _best = oracle.ppca_optimum(world.x, world.kept)
    start = world.x[:1]
    return model.decode(encode(model, start + changes)) - model.decode(encode(model, start))


def scale_undoes_the_shrinkage(f: Callable[..., float], rng: np.random.Generator) -> Measured:
    """Types that move along one eigenvector, each as far as it likes: lambda / (lambda - s2)."""
    got, expected = [], []
    for world in spectra(rng):
        for j in range(world.kept):
            changes = rng.uniform(0.5, 2, size=(3, 1)) * world.U[:, j]
            got.append(f(changes, decoded_steps(world, changes)))
            expected.append(1 / world.factor[j])
    return rounding(np.array(got), np.array(expected), SHRINKAGE_OPERATIONS)


def scale_is_a_weighted_mean(f: Callable[..., float], rng: np.random.Generator) -> Measured:
    """Any shifts: the mean of lambda_j / (lambda_j - s2), weighted by the square of what comes back."""
    got, expected = [], []
    for world in spectra(rng):
        along = rng.normal(size=(4, len(world.U)))
        changes = along @ world.U.T
        returned = ((along * world.factor) ** 2).sum(axis=0)[: world.kept]
        got.append(f(changes, decoded_steps(world, changes)))
        expected.append(np.average(1 / world.factor[: world.kept], weights=returned))
    return rounding(np.array(got), np.array(expected), SHRINKAGE_OPERATIONS)


def scale_by_symbols(f: Callable[..., float], rng: np.random.Generator) -> Measured:
    """Three pairs: where the derivative of the sum of squares is zero; one eigenvector: the inverse."""
    import sympy

    a, value, s2, h = sympy.symbols("a lambda s2 h", positive=True)
    m, d = sympy.symbols("m1:4"), sympy.symbols("d1:4")
    squares = sum((x - a * y) ** 2 for x, y in zip(m, d, strict=True))
    products = sum(x * y for x, y in zip(m, d, strict=True))
    solved = sympy.solve(sympy.diff(squares, a), a)[0]
    best = products / sum(y**2 for y in d)
    shrunk = best.subs({m[0]: h, d[0]: h * (value - s2) / value, m[1]: 0, m[2]: 0, d[1]: 0, d[2]: 0})
    return proved(scale_by_least_squares(f, rng), solved - best, shrunk - value / (value - s2))


def measured_on_decoded_the_wrong_way(f: Callable[..., float], rng: np.random.Generator) -> Measured:
    """One over the slope of decoded on measured: never smaller, and larger if they are not parallel."""
    decoded = rng.normal(size=(3, 5))
    changes = decoded + rng.normal(scale=0.5, size=(3, 5))
    wrong = np.sum(changes**2) / np.sum(changes * decoded)
    return rounding(np.array(wrong), np.array(f(changes, decoded)), OF_A_FIT)


def one_number_for_every_direction(f: Callable[..., float], rng: np.random.Generator) -> Measured:
    """A shift along two kept eigenvectors, scaled, is not the shift: the two are shrunk unequally."""
    world = cells_with_spectrum(rng, 40, np.array([9.0, 4.0, 1.0, 0.4]), 2)
    changes = world.U[:, :2].sum(axis=1)[None]
    decoded = decoded_steps(world, changes)
    return rounding(f(changes, decoded) * decoded, changes, SHRINKAGE_OPERATIONS)
