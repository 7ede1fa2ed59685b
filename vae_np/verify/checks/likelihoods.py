"""The likelihoods: what the decoder's output says about x, Gaussian or Bernoulli, and the derivatives.

Page: `derivations/likelihoods.md`. The other routes are SciPy's densities, the laws that any density and
any score obey (total mass 1, mean score 0), the complex step and SymPy.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from scipy.special import expit, log_expit
from scipy.stats import multivariate_normal, norm

from vae_np import elbo
from vae_np.verify.checks.densities import bell_grid
from vae_np.verify.judges import (
    complex_step,
    gradient,
    hermite,
    proved,
    rounding,
    taylor,
    worst,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]
SHAPES = ((4, 3), (1, 5, 2), (3, 2, 4), (3, 3, 3))  # of the decoder's output: no draws, L = 1, L = 3
FAR = np.array([50.0, 300.0, 710.0, 800.0, 1e4])  # log odds; e^710 is beyond the largest number


def gaussian_points(
    rng: np.random.Generator,
) -> Iterator[tuple[np.ndarray, np.ndarray, float | np.ndarray]]:
    """Draw x (n, d), the decoder's output in each of the shapes, and a variance: one, then one a feature."""
    for shape in SHAPES:
        n, d = shape[-2:]
        x, x_hat = rng.normal(size=(n, d)), 2 * rng.normal(size=shape)
        yield x, x_hat, float(rng.uniform(0.3, 2))
        yield x, x_hat, rng.uniform(0.3, 2, d)
    yield x, x_hat, np.array([1e-3, 1.0, 1e3])
    yield x, x_hat, 1e-3


def bernoulli_points(rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw x in (0, 1), then binary x, and logits in each of the shapes."""
    for shape in SHAPES:
        gray, logits = rng.uniform(size=shape[-2:]), 2 * rng.normal(size=shape)
        yield gray, logits
        yield (gray > 0.5) * 1.0, logits


def in_single_precision(f: Values, arguments: tuple, *others: float | np.ndarray) -> Measured:
    """Round the arguments to float32, not the others: float32 comes out, and the value that float64 gives."""
    single = [np.asarray(a, np.float32) for a in arguments]
    got, expected = f(*single, *others), f(*(a.astype(float) for a in single), *others)
    error = rounding(got, expected, 0).error if got.dtype == np.float32 else np.inf
    return Measured(error, 100 * 2.0**-23, "rounding of 100 operations in float32, relative")  # 4 features


def weights(rng: np.random.Generator, x_hat: np.ndarray) -> np.ndarray:
    """Draw a positive d_ll for each cell: all second derivatives keep one sign, so none cancels in Taylor."""
    return rng.uniform(0.5, 1.5, x_hat.shape[:-1])


# ------------------------------------------------------------------------------------ Gaussian


def gaussian_is_scipys(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            covariance = np.diag(np.broadcast_to(variance, x.shape[-1:]))
            density = multivariate_normal(np.zeros(x.shape[-1]), covariance)
            # up to 4 features, about 8 operations each, and as many in SciPy's density
            expected = np.reshape(density.logpdf(x - x_hat), x_hat.shape[:-1])
            yield rounding(f(x, x_hat, variance), expected, 100)

    return worst(compare())


def gaussian_mass(f: Values, rng: np.random.Generator) -> Measured:
    """Integrate exp f over x in the plane by the trapezoid rule: total 1, mean x_hat, variances as given."""
    x_hat, variance = rng.normal(size=(1, 2)), rng.uniform(0.3, 2, 2)
    u, cell = bell_grid(2)
    x = x_hat + np.sqrt(variance) * u
    mass = np.exp(f(x, np.broadcast_to(x_hat, x.shape), variance)) * np.sqrt(variance.prod()) * cell
    moments = np.array([mass.sum(), *(mass @ x), *(mass @ (x - x_hat) ** 2)])
    # 97 terms each way, each an exponential of up to 144 whose rounding it multiplies
    return rounding(moments, np.array([1.0, *x_hat[0], *variance]), 500)


def squares_alone_have_no_unit_mass(_: object, rng: np.random.Generator) -> Measured:
    """Without its constants, exp(-1/2 sum of squares / variance) has the mass (2 pi variance)^(d/2)."""
    variance = float(rng.uniform(0.3, 2))
    u, cell = bell_grid(1)
    mass = np.exp(-0.5 * u**2).sum() * np.sqrt(variance) * cell  # x = sqrt(variance) u
    return rounding(mass, 1.0, 500)


def gaussian_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """Scalar case: the mass is 1, the mean a, the variance v, after x = a + sqrt(v) u."""
    import sympy

    x, a = sympy.symbols("x a", real=True)
    v = sympy.symbols("v", positive=True)
    log_density = -(sympy.log(2 * sympy.pi * v) + (x - a) ** 2 / v) / 2
    density = sympy.powsimp(sympy.exp(sympy.expand_log(log_density.subs(x, a + sympy.sqrt(v) * x))))

    def integral(power: int) -> sympy.Expr:
        return sympy.integrate(
            (sympy.sqrt(v) * x) ** power * density * sympy.sqrt(v), (x, -sympy.oo, sympy.oo)
        )

    points, x_hat = rng.normal(size=(2, 10, 3))
    variance = rng.uniform(0.3, 2, 3)
    formula = sympy.lambdify((x, a, v), log_density)
    agrees = rounding(f(points, x_hat, variance), formula(points, x_hat, variance).sum(axis=1), 100)
    return proved(agrees, integral(0) - 1, integral(1), integral(2) - v)


def gaussian_draws_keep_the_rank_of_the_noise(_: object, rng: np.random.Generator) -> Measured:
    """The distribution function of the likelihood at a draw is that of N(0, 1) at its noise."""

    def compare() -> Iterator[Measured]:
        for _x, x_hat, variance in gaussian_points(rng):
            noise = rng.standard_normal(x_hat.shape)
            draws = elbo.gaussian_sample(x_hat, variance, noise)
            # 4 operations, and x_hat up to 300 standard deviations away from 0
            yield rounding(norm.cdf(draws, x_hat, np.sqrt(variance)), norm.cdf(noise), 1000)

    return worst(compare())


def gaussian_pair(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            d = rng.normal(size=x_hat.shape[:-1])
            d_x_hat = elbo.gaussian_log_likelihood_backward(d, x, x_hat, variance)
            yield gradient(lambda a, x=x, v=variance: f(x, a, v), (x_hat,), d, (d_x_hat,), 100)

    return worst(compare())


def gaussian_in_the_variance(f: Values, rng: np.random.Generator) -> Measured:
    """Complex step in the variance, one or one a feature: half of (square / v - 1) / v."""

    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            d = rng.normal(size=x_hat.shape[:-1])
            v = np.array(variance)
            slopes = d[..., None] * ((x - x_hat) ** 2 / v - 1) / (2 * v)
            expected = slopes.sum(axis=tuple(range(x_hat.ndim - v.ndim))) if v.ndim else slopes.sum()
            got = complex_step(lambda v, x=x, x_hat=x_hat: f(x, x_hat, v), (v,), 0, d)
            # up to 27 terms of 10 operations; relative to the terms that may cancel
            yield rounding(got, expected, 300, scale=float(np.abs(slopes).max()))

    return worst(compare())


def gaussian_keeps_single_precision(f: Values, rng: np.random.Generator) -> Measured:
    """So do draws; the variance is a float, a float64, or an array of it. Integers count as float64."""

    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            noise = rng.normal(size=x_hat.shape)
            for v in (variance, np.float64(0.7)):
                yield in_single_precision(f, (x, x_hat), v)
                yield in_single_precision(
                    lambda a, noise, v=v: elbo.gaussian_sample(a, v, noise), (x_hat, noise)
                )
        x, x_hat = rng.integers(0, 9, (2, 4, 3))
        yield rounding(f(x, x_hat, 0.7), f(x * 1.0, x_hat * 1.0, 0.7), 0)

    return worst(compare())


def gaussian_gradient_keeps_single_precision(backward: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            d = rng.normal(size=x_hat.shape[:-1])
            for v in (variance, np.float64(0.7)):
                yield in_single_precision(backward, (d, x, x_hat), v)
        x, x_hat = rng.integers(0, 9, (2, 4, 3))
        yield rounding(backward(np.ones(4), x, x_hat, 0.7), (x - x_hat) / 0.7, 5)

    return worst(compare())


def gaussian_gradient(backward: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            d = rng.normal(size=x_hat.shape[:-1])
            yield gradient(
                lambda a, x=x, v=variance: elbo.gaussian_log_likelihood(x, a, v),
                (x_hat,),
                d,
                (backward(d, x, x_hat, variance),),
                100,
            )

    return worst(compare())


def gaussian_taylor(backward: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, x_hat, variance in gaussian_points(rng):
            d = weights(rng, x_hat)
            yield taylor(
                lambda a, x=x, v=variance: elbo.gaussian_log_likelihood(x, a, v),
                (x_hat,),
                d,
                (backward(d, x, x_hat, variance),),
                rng,
            )

    return worst(compare())


def gaussian_score_laws(backward: Values, rng: np.random.Generator) -> Measured:
    """The score of one feature, averaged over x ~ N(x_hat, v): mean 0, variance 1/v (two nodes are exact)."""
    x_hat, variance = rng.normal(size=(1, 3)), rng.uniform(0.3, 2, 3)
    eps, weight = hermite(3, 2)
    x = x_hat + np.sqrt(variance) * eps
    score = backward(np.ones(len(x)), x, np.broadcast_to(x_hat, x.shape), variance)
    laws = np.stack([weight @ score, weight @ score**2])
    return rounding(laws, np.stack([np.zeros(3), 1 / variance]), 100)  # 8 nodes, some 6 operations each


def gaussian_gradient_by_symbols(backward: Values, rng: np.random.Generator) -> Measured:
    """Scalar case: differentiate the log density."""
    import sympy

    x, a = sympy.symbols("x a", real=True)
    v = sympy.symbols("v", positive=True)
    slope = sympy.diff(-(sympy.log(2 * sympy.pi * v) + (x - a) ** 2 / v) / 2, a)
    points, x_hat = rng.normal(size=(2, 10, 3))
    variance = rng.uniform(0.3, 2, 3)
    expected = sympy.lambdify((x, a, v), slope)(points, x_hat, variance)
    agrees = rounding(backward(np.ones(10), points, x_hat, variance), expected, 20)
    return proved(agrees, slope - (x - a) / v)


# ----------------------------------------------------------------------------------- Bernoulli


def bernoulli_is_scipys(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, logits in bernoulli_points(rng):
            expected = (x * log_expit(logits) + (1 - x) * log_expit(-logits)).sum(axis=-1)
            # up to 4 features, some 8 operations each way; log(1 + e^a) and x a may cancel, scale 10
            yield rounding(f(x, logits), expected, 100, scale=max(1.0, np.abs(logits).max()))

    return worst(compare())


def far_logits(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lay out x = 0, x = 1 and a gray x, (n, 1), at logits of +-50 to +-1e4, some of them random."""
    a = np.concatenate([-FAR, FAR, rng.uniform(-1000, 1000, 20)])
    x = np.repeat([0.0, 1.0, rng.uniform()], len(a))
    return x[:, None], np.tile(a, 3)[:, None]


def bernoulli_far_out(f: Values, rng: np.random.Generator) -> Measured:
    """Where the sigmoid rounds to 0 or 1 and e^a overflows; each value relative to its log odds."""
    x, logits = far_logits(rng)
    expected = (x * log_expit(logits) + (1 - x) * log_expit(-logits))[:, 0]
    size = np.maximum(np.abs(logits[:, 0]), 1)
    return rounding(f(x, logits) / size, expected / size, 10, scale=1.0)


def bernoulli_keeps_single_precision(f: Values, rng: np.random.Generator) -> Measured:
    """So do draws, with noise that is not so near to p that rounding would decide."""

    def compare() -> Iterator[Measured]:
        for x, logits in bernoulli_points(rng):
            yield in_single_precision(f, (x, logits))
            noise = expit(logits) * rng.choice([0.9, 1.1], size=logits.shape)
            yield in_single_precision(elbo.bernoulli_sample, (logits, noise))

    return worst(compare())


def bernoulli_mass(f: Values, rng: np.random.Generator) -> Measured:
    """Sum over all 2^5 binary x: the probabilities add up to 1, and the mean of x is the sigmoid."""
    logits = 2 * rng.normal(size=(1, 5))
    x = np.array(list(product([0.0, 1.0], repeat=5)))
    p = np.exp(f(x, np.broadcast_to(logits, x.shape)))
    # 32 terms, each an exponential of a sum of up to some 40 whose rounding it multiplies
    return rounding(np.array([p.sum(), *(p @ x)]), np.array([1.0, *expit(logits[0])]), 500)


def gray_mass(f: Values, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Integrate exp f over x from 0 to 1, by 20 Gauss-Legendre nodes, for 10 logits: the mass, the logits."""
    logits = rng.choice([-1.0, 1.0], size=10) * rng.uniform(0.3, 4, 10)
    nodes, node_weights = np.polynomial.legendre.leggauss(20)
    x = np.broadcast_to((nodes[:, None, None] + 1) / 2, (20, 10, 1))
    density = np.exp(f(x, np.broadcast_to(logits[:, None], x.shape)))
    return node_weights @ density / 2, logits


def gray_values_have_their_mass(f: Values, rng: np.random.Generator) -> Measured:
    """Between 0 and 1, exp(x a) / (1 + e^a) has the integral tanh(a/2) / a."""
    mass, logits = gray_mass(f, rng)
    return rounding(mass, np.tanh(logits / 2) / logits, 200)  # 20 nodes; their own error is below 1e-30


def gray_values_have_no_unit_mass(_: object, rng: np.random.Generator) -> Measured:
    mass, logits = gray_mass(elbo.bernoulli_log_likelihood, rng)
    return rounding(mass, np.ones_like(logits), 200)


def bernoulli_by_symbols(f: Values, rng: np.random.Generator) -> Measured:
    """With the odds r = e^a, p = r/(1+r): x log p + (1-x) log(1-p) = x a - log(1+e^a), also for gray x."""
    import sympy

    x = sympy.symbols("x", real=True)
    r = sympy.symbols("r", positive=True)
    coin = sympy.expand_log(x * sympy.log(r / (1 + r)) + (1 - x) * sympy.log(1 / (1 + r)), force=True)
    closed = x * sympy.log(r) - sympy.log(1 + r)
    gray, logits = rng.uniform(size=(10, 3)), rng.normal(size=(10, 3))
    expected = sympy.lambdify((x, r), closed)(gray, np.exp(logits)).sum(axis=1)
    return proved(rounding(f(gray, logits), expected, 100, scale=1.0), sympy.expand(coin - closed))


def bernoulli_draws_are_ones_below_p(_: object, rng: np.random.Generator) -> Measured:
    """Uniform noise just below p gives 1, just above it 0: a 1 has the probability p, and p = 0 none."""

    def compare() -> Iterator[Measured]:
        for _x, logits in bernoulli_points(rng):
            p = expit(logits)
            draws = tuple(elbo.bernoulli_sample(logits, p * factor) for factor in (1 - 1e-12, 1 + 1e-12))
            never = elbo.bernoulli_sample(logits - 2000, np.zeros(logits.shape))
            yield rounding((*draws, never), (np.ones(logits.shape), *np.zeros((2, *logits.shape))), 0)

    return worst(compare())


def bernoulli_pair(f: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, logits in bernoulli_points(rng):
            d = rng.normal(size=logits.shape[:-1])
            d_logits = elbo.bernoulli_log_likelihood_backward(d, x, logits)
            yield gradient(lambda a, x=x: f(x, a), (logits,), d, (d_logits,), 100)

    return worst(compare())


def bernoulli_gradient(backward: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, logits in bernoulli_points(rng):
            d = rng.normal(size=logits.shape[:-1])
            yield gradient(
                lambda a, x=x: elbo.bernoulli_log_likelihood(x, a),
                (logits,),
                d,
                (backward(d, x, logits),),
                100,
            )

    return worst(compare())


def bernoulli_taylor(backward: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, logits in bernoulli_points(rng):
            d = weights(rng, logits)
            yield taylor(
                lambda a, x=x: elbo.bernoulli_log_likelihood(x, a),
                (logits,),
                d,
                (backward(d, x, logits),),
                rng,
            )

    return worst(compare())


def bernoulli_score_laws(backward: Values, rng: np.random.Generator) -> Measured:
    """The score, averaged over the two values of a coin: mean 0, variance p (1 - p)."""
    logits = rng.normal(size=(1, 4))
    p = expit(logits[0])
    score_0, score_1 = (backward(np.ones(1), np.full((1, 4), x), logits)[0] for x in (0.0, 1.0))
    laws = np.stack([(1 - p) * score_0 + p * score_1, (1 - p) * score_0**2 + p * score_1**2])
    return rounding(laws, np.stack([np.zeros(4), p * (1 - p)]), 100, scale=1.0)


def bernoulli_gradient_far_out(backward: Values, rng: np.random.Generator) -> Measured:
    """Where e^a overflows: x - sigmoid by SciPy."""
    x, logits = far_logits(rng)
    return rounding(backward(np.ones(len(x)), x, logits), x - expit(logits), 10)


def bernoulli_gradient_keeps_single_precision(backward: Values, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for x, logits in bernoulli_points(rng):
            yield in_single_precision(backward, (rng.normal(size=logits.shape[:-1]), x, logits))

    return worst(compare())


def bernoulli_gradient_by_symbols(backward: Values, rng: np.random.Generator) -> Measured:
    """Scalar case: differentiate x a - log(1 + e^a)."""
    import sympy

    x, a = sympy.symbols("x a", real=True)
    slope = sympy.diff(x * a - sympy.log(1 + sympy.exp(a)), a)
    gray, logits = rng.uniform(size=(10, 3)), rng.normal(size=(10, 3))
    expected = sympy.lambdify((x, a), slope)(gray, logits)
    agrees = rounding(backward(np.ones(10), gray, logits), expected, 20, scale=1.0)
    return proved(agrees, slope - (x - 1 / (1 + sympy.exp(-a))))
