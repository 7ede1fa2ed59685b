"""The tools that judges are made of: each turns a comparison into an error and a derived bound.

No bound is a loose constant. A comparison of two exact routes may differ by rounding, so many
operations times 2.2e-16 of the largest value; a quadrature rule estimates its own error by being
refined; a Monte Carlo average may be 4.892 standard errors off, once in a million runs, and when
several averages are judged together they share that one in a million.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy.stats import norm

from vae_np.verify.record import Measured

EPS = 2.0**-52
STEP = 1e-30  # the complex step subtracts nothing, so the step can be this small
FALSE_ALARM = 1e-6


def _distance(got: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute difference; infinite where the shapes differ."""
    got, expected = np.asarray(got), np.asarray(expected)
    return float(np.abs(got - expected).max()) if got.shape == expected.shape else math.inf


def rounding(got: Any, expected: Any, n_operations: int, scale: float | None = None) -> Measured:  # noqa: ANN401
    """Compare two exact routes: they may differ by the rounding of their operations.

    Parameters
    ----------
    got, expected
        Arrays, or tuples of arrays, of the same shapes.
    n_operations
        Roundings on the way to one entry, both routes together, generously counted.
    scale
        Size of the terms that were added up; by default the largest entry expected.

    Returns
    -------
    Measured
        Error relative to `scale`, bound n_operations * 2.2e-16.
    """
    pairs = (
        list(zip(got, expected, strict=True))
        if isinstance(got, tuple) and isinstance(expected, tuple)
        else [(got, expected)]
    )
    if scale is None:
        scale = max(float(np.abs(e).max()) for _, e in pairs) or 1.0
    error = float(np.max([_distance(g, e) for g, e in pairs])) / scale  # unlike max, keeps a NaN
    return Measured(error, n_operations * EPS, f"rounding of {n_operations} operations, relative")


def refined(got: Any, fine: Any, coarse: Any, n_operations: int) -> Measured:  # noqa: ANN401
    """Compare with a quadrature whose error is estimated by a coarser rule of the same kind.

    Parameters
    ----------
    got
        What is judged.
    fine, coarse
        The same integrals by a fine and by a coarse rule; the fine one is taken.
    n_operations
        As in `rounding`.

    Returns
    -------
    Measured
        Error relative to the largest entry; the bound is the difference of the two rules plus rounding.
    """
    scale = float(np.abs(fine).max()) or 1.0
    bound = _distance(fine, coarse) / scale + n_operations * EPS
    return Measured(_distance(got, fine) / scale, bound, "difference of two rules plus rounding, relative")


def not_above(lower: np.ndarray, upper: np.ndarray, n_operations: int) -> Measured:
    """Decide lower <= upper entry by entry, up to rounding.

    Parameters
    ----------
    lower, upper
        Arrays of the same shape.
    n_operations
        As in `rounding`.

    Returns
    -------
    Measured
        The largest excess of `lower` relative to the largest entry, at least 0; NaN if one is not finite.
    """
    scale = float(max(np.abs(lower).max(), np.abs(upper).max())) or 1.0
    excess = float(np.max(np.asarray(lower) - np.asarray(upper))) / scale if np.isfinite(scale) else math.nan
    return Measured(
        float(np.maximum(excess, 0.0)), n_operations * EPS, f"rounding of {n_operations} operations, relative"
    )


def ratio(error: float, bound: float) -> float:
    """Error over bound; 0 for no error at all, infinite for an error where none is allowed, and for NaN."""
    if error == 0:
        return 0.0
    quotient = error / bound if bound else math.inf
    return math.inf if math.isnan(quotient) else quotient


def worst(several: Iterable[Measured]) -> Measured:
    """Keep the measurement that lies closest to its bound, or farthest beyond it; NaN is farthest of all.

    Parameters
    ----------
    several
        Of the same claim, at several sizes, say.

    Returns
    -------
    Measured
        One of them.
    """
    return max(several, key=lambda measured: ratio(measured.error, measured.bound))


def standard_errors(n_statistics: int) -> float:
    """How many standard errors one of `n_statistics` may be off: 4.892 for one, shared by more."""
    return float(norm.isf(FALSE_ALARM / (2 * n_statistics)))


def monte_carlo(draws: np.ndarray, expected: Any) -> Measured:  # noqa: ANN401
    """Compare the mean of independent draws with its expectation, by the central limit theorem.

    Parameters
    ----------
    draws
        Shape (N, ...), independent along the first axis, N in the thousands.
    expected
        Shape (...).

    Returns
    -------
    Measured
        Of the statistic that comes closest to its bound: absolute error, bound, and the deviation that
        would be noticed for sure.
    """
    draws = np.asarray(draws).reshape(len(draws), -1)
    mean, expected = draws.mean(axis=0), np.broadcast_to(expected, draws.shape[1:]).ravel()
    n_se = standard_errors(draws.shape[1])
    rounding_of_mean = len(draws) * EPS * np.abs(draws).max()
    bound = n_se * draws.std(axis=0, ddof=1) / np.sqrt(len(draws)) + rounding_of_mean
    error = np.abs(mean - expected)
    worst = int(np.argmax(error / bound))
    origin = f"{n_se:.3f} standard errors, one false alarm in a million, {draws.shape[1]} statistics"
    detectable = float(bound[worst] * (1 + standard_errors(1) / n_se))
    return Measured(float(error[worst]), float(bound[worst]), origin, detectable)


def in_law(samples: np.ndarray, cdfs: Sequence[Callable[[np.ndarray], np.ndarray]]) -> Measured:
    """Compare the distribution of samples with a law (Dvoretzky, Kiefer, Wolfowitz).

    Parameters
    ----------
    samples
        Shape (N, m): independent along the first axis, a column for each law.
    cdfs
        The m distribution functions.

    Returns
    -------
    Measured
        The largest distance between an empirical and a true distribution function.
    """
    n, m = samples.shape
    ranks = np.arange(n + 1) / n
    distances = []
    for column, cdf in zip(np.sort(samples, axis=0).T, cdfs, strict=True):
        values = cdf(column)
        distances += [np.max(ranks[1:] - values), np.max(values - ranks[:-1])]
    error = float(np.max(distances))
    bound = float(np.sqrt(np.log(2 * m / FALSE_ALARM) / (2 * n)))
    return Measured(error, bound, f"DKW, one false alarm in a million, {m} laws", 2 * bound)


def complex_step(f: Callable[..., Any], arguments: tuple, which: int, d_out: np.ndarray) -> np.ndarray:
    """Gradient of sum(d_out * f(*arguments)) in one argument, entry by entry: Im f(a + ih) / h.

    Parameters
    ----------
    f
        Takes complex arrays and returns one array.
    arguments
        Real arrays.
    which
        Index of the argument.
    d_out
        Shape of the output.

    Returns
    -------
    np.ndarray
        Shape of the argument.
    """
    argument = arguments[which]
    gradient = np.empty(argument.shape)
    for index in np.ndindex(argument.shape):
        stepped = argument.astype(complex)
        stepped[index] += 1j * STEP
        out = f(*arguments[:which], stepped, *arguments[which + 1 :])
        gradient[index] = np.sum(d_out * out).imag / STEP
    return gradient


def gradient(
    f: Callable[..., Any], arguments: tuple, d_out: np.ndarray, gradients: tuple, n_operations: int
) -> Measured:
    """Compare hand-written gradients of sum(d_out * f) with the complex step.

    Parameters
    ----------
    f
        The forward function; complex arrays must pass through it.
    arguments
        Real arrays, those to be differentiated first.
    d_out
        Shape of the output.
    gradients
        One array for each of the first arguments.
    n_operations
        As in `rounding`.

    Returns
    -------
    Measured
        Error relative to the largest entry of all the gradients, since a single one may be zero.
    """
    expected = tuple(complex_step(f, arguments, i, d_out) for i in range(len(gradients)))
    return rounding(tuple(gradients), expected, n_operations)


def taylor(
    f: Callable[..., Any],
    arguments: tuple,
    d_out: np.ndarray,
    gradients: tuple,
    rng: np.random.Generator,
) -> Measured:
    """Fit how fast f(a + h u) - f(a) - h g.u falls along random directions u: with h squared.

    Parameters
    ----------
    f, arguments, d_out, gradients
        As in `gradient`; real arrays are enough.
    rng
        Draws the directions.

    Returns
    -------
    Measured
        |slope - 2|, the median of seven directions: along one in a few hundred the second derivative
        nearly vanishes, and along four of seven hardly ever. The next Taylor term makes the remainder
        h^2 (1 + c h), c a third of a ratio of derivatives, and the slope 2 + c h: with h <= 1e-3 the
        bound 0.01 covers c up to 10. A wrong gradient gives slope 1.
    """
    steps = 1e-3 / 2.0 ** np.arange(4)

    def slope() -> float:
        directions = [rng.standard_normal(g.shape) for g in gradients]
        first_order = sum(float(np.sum(g * u)) for g, u in zip(gradients, directions, strict=True))

        def along(h: float) -> float:
            moved = [a + h * u for a, u in zip(arguments, directions, strict=False)]
            return float(np.sum(d_out * f(*moved, *arguments[len(moved) :])))

        start = along(0.0)
        remainders = [abs(along(h) - start - h * first_order) for h in steps]
        return float(np.polyfit(np.log(steps), np.log(remainders), 1)[0])

    error = abs(float(np.median([slope() for _ in range(7)])) - 2)
    return Measured(error, 0.01, "slope of the Taylor remainder, 2 if the gradient is right")


def steps_of_one(f: Callable[..., np.ndarray], arguments: tuple, which: int, d_out: np.ndarray) -> np.ndarray:
    """Gradient of sum(d_out * f) from f(a + 1) - f(a): exact, without rounding, for an affine f of integers.

    Parameters
    ----------
    f, arguments, which, d_out
        As in `complex_step`; the arrays hold integers.

    Returns
    -------
    np.ndarray
        Shape of the argument.
    """
    start, argument = f(*arguments), arguments[which]
    slopes = np.empty(argument.shape)
    for index in np.ndindex(argument.shape):
        stepped = argument.copy()
        stepped[index] += 1
        slopes[index] = np.sum(d_out * (f(*arguments[:which], stepped, *arguments[which + 1 :]) - start))
    return slopes


def identities(*differences: Any) -> Measured:  # noqa: ANN401 - SymPy expressions
    """Decide symbolically that every expression is zero.

    Parameters
    ----------
    *differences
        SymPy expressions.

    Returns
    -------
    Measured
        The number of expressions that do not simplify to zero; the bound is 0.
    """
    import sympy

    wrong = sum(sympy.simplify(difference) != 0 for difference in differences)
    return Measured(float(wrong), 0.0, f"{len(differences)} symbolic identities")


def proved(agrees: Measured, *differences: Any) -> Measured:  # noqa: ANN401 - SymPy expressions
    """Decide that expressions are zero, and that the function computes what was proved.

    Parameters
    ----------
    agrees
        From `rounding`: the function against the proved formula at random points.
    *differences
        SymPy expressions.

    Returns
    -------
    Measured
        `agrees` if every expression simplifies to zero, else how many do not.
    """
    symbolic = identities(*differences)
    return agrees if symbolic.error == 0 else symbolic


def hermite(k: int, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (m, k) and weights (m,) for E f(eps), eps ~ N(0, I): exact to degree 2 n_nodes - 1.

    Parameters
    ----------
    k
        Number of dimensions.
    n_nodes
        Nodes in each; m = n_nodes^k.

    Returns
    -------
    tuple of np.ndarray
        Nodes and weights.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    eps = np.stack(np.meshgrid(*[nodes] * k, indexing="ij"), axis=-1).reshape(-1, k)
    weight = np.stack(np.meshgrid(*[weights / weights.sum()] * k, indexing="ij")).reshape(k, -1)
    return eps, weight.prod(axis=0)


def normal_expectation(
    f: Callable[[np.ndarray], np.ndarray], mu: np.ndarray, log_var: np.ndarray, n_nodes: int
) -> np.ndarray:
    """E f(z) for z ~ N(mu, diag(exp(log_var))), by Gauss-Hermite quadrature.

    Parameters
    ----------
    f
        (m, n, k) -> (m, n, ...).
    mu, log_var
        Shape (n, k).
    n_nodes
        Nodes a dimension: n_nodes are exact to degree 2 n_nodes - 1.

    Returns
    -------
    np.ndarray
        Shape (n, ...).
    """
    eps, weight = hermite(mu.shape[1], n_nodes)
    return np.tensordot(weight, f(mu + np.exp(log_var / 2) * eps[:, None, :]), axes=1)


def random_gaussians(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw mu and log_var, (n, k) each, with every sigma well away from 1 and mu away from 0."""
    sign = rng.choice([-1.0, 1.0], size=(2, n, k))
    return sign[0] * rng.uniform(0.2, 2.0, (n, k)), sign[1] * rng.uniform(0.3, 2.0, (n, k))


def wide_gaussians(rng: np.random.Generator, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw mu and log_var, (n, k) each, out to the limits of the heads: -10 and 10 in the first cell."""
    mu, log_var = rng.uniform(-10, 10, (2, n, k))
    mu[0], log_var[0] = rng.permuted(np.resize([-10.0, 10.0], (2, k)), axis=1)
    return mu, log_var
