"""Tighter bounds: the mean of several weights inside the logarithm, their order, bounded weights.

Page: `derivations/tighter_bounds.md`. The other routes are SciPy's logsumexp and densities, quadrature
over one, two or three draws, and the exactly solvable models.
"""

from collections.abc import Callable

import numpy as np
from scipy.special import logsumexp, softmax
from scipy.stats import norm

from vae_np import elbo
from vae_np.verify import oracle
from vae_np.verify.judges import (
    gradient,
    hermite,
    in_law,
    monte_carlo,
    not_above,
    proved,
    random_gaussians,
    refined,
    rounding,
    standard_errors,
    taylor,
    wide_gaussians,
    worst,
)
from vae_np.verify.record import Measured

Values = Callable[..., np.ndarray]
SHARE = 0.1  # of the draws from the prior, which the functions must have as their default


# ------------------------------------------------------------------------- one logarithm of many weights


def iwae_is_scipys(iwae: Values, rng: np.random.Generator) -> Measured:
    """L = 1 .. 50 draws, log weights between -20 and 20."""
    got, expected = [], []
    for n_draws, n in ((1, 4), (2, 3), (7, 1), (50, 5)):
        log_w = rng.uniform(-20, 20, (n_draws, n))
        got.append(iwae(log_w))
        expected.append(logsumexp(log_w, axis=0) - np.log(n_draws))
    return rounding(tuple(got), tuple(expected), 100)  # exponents of 40 carry 40 roundings, 50 terms


def far_apart(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw log weights near -1e4, 0 and 1e4, one of each cell 2000 lower: its weight is 0 in all digits."""
    near = rng.normal(size=(5, 3))
    near[2] -= 2000
    return near, np.array([-1e4, 0.0, 1e4])


def iwae_does_not_overflow(iwae: Values, rng: np.random.Generator) -> Measured:
    near, shift = far_apart(rng)
    expected = logsumexp(near, axis=0) - np.log(5)
    return rounding(iwae(near + shift) - shift, expected, 100, 1e4)


def shares_by_complex_step(iwae: Values, rng: np.random.Generator) -> Measured:
    results = []
    for n_draws, n in ((1, 3), (3, 2), (6, 4), (3, 3)):
        log_w, d = rng.normal(scale=2, size=(n_draws, n)), rng.normal(size=n)
        results.append(gradient(iwae, (log_w,), d, (elbo.iwae_backward(d, log_w),), 100))
    return worst(results)


def shares_by_taylor(iwae: Values, rng: np.random.Generator) -> Measured:
    log_w, d = rng.normal(size=(4, 2)), np.array([1.0, 0.7])
    return taylor(iwae, (log_w,), d, (elbo.iwae_backward(d, log_w),), rng)


def shares_do_not_overflow(_: object, rng: np.random.Generator) -> Measured:
    """The shares, by SciPy's softmax, depend on the differences of the log weights only."""
    near, shift = far_apart(rng)
    d = rng.normal(size=3)
    # a log weight of 1e4 is rounded to 1e4 x 2.2e-16
    return rounding(elbo.iwae_backward(d, near + shift), d * softmax(near, axis=0), 10**5)


def iwae_by_symbols(iwae: Values, rng: np.random.Generator) -> Measured:
    """Two draws: each derivative is the draw's share; taking out the larger weight changes nothing."""
    import sympy

    a, b = sympy.symbols("a b", real=True)
    value = sympy.log((sympy.exp(a) + sympy.exp(b)) / 2)
    shares = [sympy.exp(c) / (sympy.exp(a) + sympy.exp(b)) for c in (a, b)]
    slopes = [sympy.diff(value, c) for c in (a, b)]
    # exp(a + log(1/2 [1 + e^(b - a)])) is the mean weight again
    without_a = sympy.expand(sympy.exp(a) * (1 + sympy.exp(b - a)) / 2)
    log_w, d = rng.normal(size=(2, 6)), rng.normal(size=6)
    formulas = [sympy.lambdify((a, b), e)(*log_w) for e in (value, *shares)]
    got = iwae(log_w), *elbo.iwae_backward(d, log_w)
    agrees = rounding(got, (formulas[0], d * formulas[1], d * formulas[2]), 100)
    differences = (slopes[0] - shares[0], slopes[1] - shares[1], sympy.exp(value) - without_a)
    return proved(agrees, *(sympy.expand(e) for e in differences))


# --------------------------------------------------------------------------------------- the order


def one_draw_left_out(_: object, rng: np.random.Generator) -> Measured:
    """The step from k to k + 1, draw by draw: L_(k+1) is at least the mean of its k + 1 versions of L_k.

    Leaving out each draw in turn, the k + 1 means of k weights average to the mean of all; the logarithm
    of an average is at least the average of the logarithms. No expectation is needed.
    """
    lower, upper = [], []
    for k in range(1, 7):
        log_w = rng.normal(scale=3, size=(k + 1, 200))
        parts = [elbo.iwae(np.delete(log_w, left_out, axis=0)) for left_out in range(k + 1)]
        lower.append(np.mean(parts, axis=0))
        upper.append(elbo.iwae(log_w))
    return not_above(np.stack(lower), np.stack(upper), 200)


class BoundedWeights:
    """A linear model with one latent dimension and a q wider than its posterior: the weights are bounded."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.model = oracle.random_linear(rng, 1, 3)
        self.x = oracle.sample(self.model, 1, rng)
        precision = 1 + (self.model.W**2).sum() / self.model.variance
        mean = float(((self.x - self.model.b) @ self.model.W.T)[0, 0]) / self.model.variance / precision
        off = rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0) / np.sqrt(precision)
        self.mu = np.array([[mean + off]])
        self.log_var = np.array([[np.log(rng.uniform(1.3, 2.0) / precision)]])

    def expectation(self, k: int, n_nodes: int) -> float:
        """E of the bound with k draws, by Gauss-Hermite over all k of them."""
        nodes, weight = hermite(1, n_nodes)
        z = self.mu + np.exp(self.log_var / 2) * nodes
        log_joint = oracle.log_likelihood(self.model, self.x, z)[:, 0] + oracle.log_prior(z)
        log_w = log_joint - norm(self.mu[0, 0], np.exp(self.log_var[0, 0] / 2)).logpdf(z[:, 0])
        draws = np.stack(np.meshgrid(*[log_w] * k, indexing="ij")).reshape(k, -1)
        probability = np.stack(np.meshgrid(*[weight] * k, indexing="ij")).reshape(k, -1).prod(axis=0)
        return float(probability @ elbo.iwae(draws))

    def evidence(self) -> float:
        """Log p(x) in closed form."""
        return float(oracle.linear_gaussian_evidence(self.model, self.x)[0])

    def elbo(self) -> float:
        """The ELBO in closed form."""
        return float(oracle.linear_gaussian_elbo(self.model, self.x, self.mu, self.log_var)[0])


def one_draw_is_the_elbo(_: object, rng: np.random.Generator) -> Measured:
    """The log weight is quadratic, so two nodes are exact."""
    worlds = [BoundedWeights(rng) for _ in range(5)]
    expected = np.array([world.elbo() for world in worlds])
    n_operations = int(max(50 * np.exp(-world.log_var).max() for world in worlds)) + 500
    return rounding(np.array([world.expectation(1, 2) for world in worlds]), expected, n_operations)


def order_by_quadrature(_: object, rng: np.random.Generator) -> Measured:
    """ELBO < L_2 < L_3 < log p(x), the ends in closed form and the middle by quadrature."""
    levels = []
    for _world in range(2):
        world = BoundedWeights(rng)
        levels.append([world.elbo(), world.expectation(2, 30), world.expectation(3, 30), world.evidence()])
    rising = np.array(levels)
    return not_above(rising[:, :-1], rising[:, 1:], 200)


def three_draws_are_not_the_evidence(_: object, rng: np.random.Generator) -> Measured:
    """Reading '=' for '>=': three draws fall short of log p(x) by far more than the quadrature's error."""
    world = BoundedWeights(rng)
    return refined(world.evidence(), world.expectation(3, 30), world.expectation(3, 20), 1000)


def equality_at_the_posterior(_: object, rng: np.random.Generator) -> Measured:
    """With q the exact posterior all weights are p(x): every draw and every k give log p(x)."""
    model = oracle.random_linear(rng, 1, 3)
    x = oracle.sample(model, 4, rng)
    mean, spread = oracle.linear_gaussian_posterior(model, x)
    log_var = np.full((4, 1), np.log(spread[0, 0]))
    z = mean + np.sqrt(spread[0, 0]) * rng.standard_normal((6, 4, 1))
    log_lik = np.diagonal(
        oracle.log_likelihood(model, x, z.reshape(-1, 1)).reshape(6, 4, 4), axis1=1, axis2=2
    )
    log_w = log_lik + oracle.log_prior(z) - oracle.log_q(z, mean, log_var)
    got = np.stack([elbo.iwae(log_w[:k]) for k in range(1, 7)])
    evidence = oracle.linear_gaussian_evidence(model, x)
    scale = float(np.abs(log_lik).max())
    return rounding(got, np.tile(evidence, (6, 1)), int(500 / spread[0, 0]), scale)


def order_by_sampling(_: object, rng: np.random.Generator) -> Measured:
    """Curved decoder, weights bounded by a defensive mixture: k = 1, 2, 5, 10, 50 never fall on average."""
    model, x, mu, log_var, evidence = curved_world(rng)
    n, ks = 4000, (1, 2, 5, 10, 50)
    log_w = defensive_log_weights(model, x, mu, log_var, (50, n), rng)
    levels = [elbo.iwae(log_w[:k]) for k in ks] + [np.full(n, evidence)]
    rises = np.diff(np.stack(levels), axis=0)
    n_se = standard_errors(len(rises))
    bound = n_se * rises.std(axis=1, ddof=1) / np.sqrt(n)
    falls = np.maximum(-rises.mean(axis=1), 0)
    lowest = int(np.argmax(falls / bound))
    origin = f"{n_se:.3f} standard errors, one false alarm in a million, {len(rises)} statistics"
    detectable = float(bound[lowest] * (1 + standard_errors(1) / n_se))
    return Measured(float(falls[lowest]), float(bound[lowest]), origin, detectable)


# ----------------------------------------------------------------------------- the bounded weights


def curved_world(
    rng: np.random.Generator,
) -> tuple[oracle.Curved, np.ndarray, np.ndarray, np.ndarray, float]:
    """Draw a curved decoder and a cell; with them a q near the posterior, and log p(x).

    q has 1.5 times the posterior's variance, and its mean is half a standard deviation off: the weights then
    vary in the middle of q, not by rare draws only, and more draws do gain.
    """
    model = oracle.gentle_curved(rng)
    x = oracle.sample(model, 1, rng)
    grid = oracle.latent_grid(1)
    evidence = oracle.evidence_by_quadrature(model, x, grid)
    posterior = np.exp(oracle.log_joint(model, x, grid)[:, 0] + grid.log_weight - evidence)
    mean = posterior @ grid.z[:, 0]
    variance = posterior @ (grid.z[:, 0] - mean) ** 2
    mu, log_var = np.full((1, 1), mean + np.sqrt(variance) / 2), np.full((1, 1), np.log(1.5 * variance))
    return model, x, mu, log_var, float(evidence[0])


def defensive_log_weights(
    model: oracle.Curved,
    x: np.ndarray,
    mu: np.ndarray,
    log_var: np.ndarray,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Log weights of draws from the mixture for one cell, (L, n)."""
    eps, pick = rng.standard_normal((*shape, 1)), rng.uniform(size=shape)
    z = elbo.sample_defensive_mixture(mu, log_var, eps, pick)
    log_lik = oracle.log_likelihood(model, x, z.reshape(-1, 1)).reshape(shape)
    return elbo.marginal_log_weights(log_lik, z, mu, log_var)


def scipy_log_mixture(z: np.ndarray, mu: np.ndarray, log_var: np.ndarray, share: float) -> np.ndarray:
    """Log of share p(z) + (1 - share) q(z), the densities multiplied out by SciPy."""
    prior = norm.pdf(z).prod(axis=-1)
    q = norm(mu, np.exp(log_var / 2)).pdf(z).prod(axis=-1)
    return np.log(share * prior + (1 - share) * q)


def mixture_is_scipys(_: object, rng: np.random.Generator) -> Measured:
    got, expected = [], []
    for k, gaussians in (
        (1, random_gaussians),
        (2, random_gaussians),
        (4, random_gaussians),
        (1, wide_gaussians),
    ):
        mu, log_var = gaussians(rng, 6, k)
        for shape in ((6, k), (3, 6, k)):
            z = mu + np.exp(log_var / 2) * rng.normal(size=shape)
            got.append(elbo.log_defensive_mixture(z, mu, log_var))
            expected.append(scipy_log_mixture(z, mu, log_var, SHARE))
            share = rng.uniform(0.2, 0.8)
            got.append(elbo.log_defensive_mixture(z, mu, log_var, share))
            expected.append(scipy_log_mixture(z, mu, log_var, share))
    return rounding(tuple(got), tuple(expected), 500)  # 4 dimensions; exponents of up to 50


def mixture_is_normalized(_: object, rng: np.random.Generator) -> Measured:
    """Integral over two dimensions by the trapezoid rule, exact for Gaussians of spread >= 4 steps."""
    mu, log_var = random_gaussians(rng, 1, 2)
    log_var = log_var / 2  # spreads between 0.6 and 1.65
    line = np.arange(-120, 121) * 0.15
    z = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 1, 2)
    mass = [np.exp(elbo.log_defensive_mixture(z, mu, log_var, a)).sum() * 0.15**2 for a in (0.1, 0.5)]
    return rounding(np.array(mass), np.ones(2), 1000)


def draws_follow_the_mixture(_: object, rng: np.random.Generator) -> Measured:
    """Both coordinates and their sum: a draw takes all its coordinates from one of the two Gaussians."""
    mu, log_var = random_gaussians(rng, 1, 2)
    eps, pick = rng.standard_normal((1, 40_000, 2)), rng.uniform(size=(1, 40_000))
    samples, laws = [], []
    for share in (None, 0.6):
        half = slice(0, 20_000) if share is None else slice(20_000, None)
        arguments = () if share is None else (share,)
        z = elbo.sample_defensive_mixture(mu, log_var, eps[:, half], pick[:, half], *arguments)[0]
        samples += [z[:, 0], z[:, 1], z.sum(axis=1)]
        centers = [*mu[0], mu.sum()]
        spreads = np.sqrt([*np.exp(log_var[0]), np.exp(log_var).sum()])
        for center, spread, of_prior in zip(centers, spreads, (1, 1, np.sqrt(2)), strict=True):
            a = SHARE if share is None else share

            def cdf(
                t: np.ndarray, a: float = a, q: tuple = (center, spread), prior: float = of_prior
            ) -> np.ndarray:
                return a * norm.cdf(t, 0, prior) + (1 - a) * norm.cdf(t, *q)

            laws.append(cdf)
    return in_law(np.stack(samples, axis=1), laws)


def shares_of_0_and_1(_: object, rng: np.random.Generator) -> Measured:
    """A share of 0 is q alone and of 1 the prior alone, for every uniform number in [0, 1)."""
    mu, log_var = random_gaussians(rng, 3, 2)
    eps, pick = rng.standard_normal((4, 3, 2)), rng.uniform(size=(4, 3))
    pick[0], pick[1] = 0.0, 1 - 2.0**-53
    got = tuple(elbo.sample_defensive_mixture(mu, log_var, eps, pick, share) for share in (0.0, 1.0))
    return rounding(got, (mu + np.exp(log_var / 2) * eps, eps), 20)


def weight_times_mixture_is_the_joint(log_weights: Values, rng: np.random.Generator) -> Measured:
    """At random z, log w + log r by SciPy = log p(x|z) + log p(z) by SciPy, default share and another."""
    got, expected = [], []
    for n_draws, n, k in ((1, 4, 1), (3, 5, 2)):
        mu, log_var = random_gaussians(rng, n, k)
        z, log_lik = mu + rng.normal(size=(n_draws, n, k)), rng.normal(scale=5, size=(n_draws, n))
        for share in (None, rng.uniform(0.2, 0.8)):
            arguments = () if share is None else (share,)
            mixture = scipy_log_mixture(z, mu, log_var, SHARE if share is None else share)
            got.append(log_weights(log_lik, z, mu, log_var, *arguments) + mixture)
            expected.append(log_lik + norm.logpdf(z).sum(axis=-1))
    return rounding(tuple(got), tuple(expected), 500)


def mean_weight_by_quadrature(log_weights: Values, rng: np.random.Generator) -> Measured:
    """The integral of r(z) w(z), r by SciPy, is p(x) by quadrature; curved decoder, random q."""
    model = oracle.random_curved(rng)
    x = oracle.sample(model, 3, rng)
    mu, log_var = random_gaussians(rng, 3, 1)
    grid = oracle.latent_grid(1)
    z = np.broadcast_to(grid.z[:, None, :], (400, 3, 1))
    log_w = log_weights(oracle.log_likelihood(model, x, grid.z), z, mu, log_var)
    log_mass = scipy_log_mixture(z, mu, log_var, SHARE) + grid.log_weight[:, None]
    expected = oracle.evidence_by_quadrature(model, x, grid)
    return rounding(logsumexp(log_mass + log_w, axis=0), expected, 2000)


def mean_weight_by_sampling(log_weights: Values, rng: np.random.Generator) -> Measured:
    """The mean weight over p(x) is 1; curved decoder, q near the posterior."""
    model, x, mu, log_var, evidence = curved_world(rng)
    eps, pick = rng.standard_normal((1, 50_000, 1)), rng.uniform(size=(1, 50_000))
    z = elbo.sample_defensive_mixture(mu, log_var, eps, pick)
    log_lik = oracle.log_likelihood(model, x, z[0]).T
    return monte_carlo(np.exp(log_weights(log_lik, z, mu, log_var) - evidence)[0], 1.0)


def narrow_q(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a q of a variance below 1/2, and z (L, n, k) from the middle to far out."""
    mu, _ = random_gaussians(rng, 4, 2)
    log_var = np.log(rng.uniform(0.05, 0.4, (4, 2)))
    return mu, log_var, rng.normal(size=(50, 4, 2)) * np.geomspace(0.1, 30, 50)[:, None, None]


def weights_are_bounded(log_weights: Values, rng: np.random.Generator) -> Measured:
    """Log w <= log p(x|z) - log a, everywhere; far out, where q is 0 in all its digits, it is an equality."""
    mu, log_var, z = narrow_q(rng)
    log_lik = rng.normal(size=(50, 4))
    return not_above(log_weights(log_lik, z, mu, log_var), log_lik - np.log(SHARE), 10_000)


def weights_of_q_alone(_: object, rng: np.random.Generator) -> Measured:
    """Without the prior's share the weights exceed p(x|z)/a without limit."""
    mu, log_var, z = narrow_q(rng)
    plain = oracle.log_prior(z) - oracle.log_q(z, mu, log_var)
    return not_above(plain, np.full_like(plain, -np.log(SHARE)), 10_000)


def second_moments(q_alone: bool, rng: np.random.Generator, log_weights: Values) -> tuple[float, float]:
    """E_r w^2 / p(x)^2 cut off at |z| = 12 and at 24, curved decoder and q of a variance below 1/2."""
    model = oracle.random_curved(rng)
    x = oracle.sample(model, 1, rng)
    mu, log_var = random_gaussians(rng, 1, 1)
    log_var = np.log(rng.uniform(0.1, 0.4, (1, 1)))
    evidence = oracle.evidence_by_quadrature(model, x, oracle.latent_grid(1))[0]

    def cut_off(limit: float) -> float:
        line = np.linspace(-limit, limit, int(50 * limit) + 1)[:, None, None]
        log_lik = oracle.log_likelihood(model, x, line[:, 0])
        if q_alone:
            log_w = log_lik + oracle.log_prior(line) - oracle.log_q(line, mu, log_var)
        else:
            log_w = log_weights(log_lik, line, mu, log_var)
        # E_r w^2 is the integral of w p(x, z)
        log_terms = log_w + log_lik + oracle.log_prior(line) - 2 * evidence
        return float(logsumexp(log_terms) + np.log(0.04))

    return cut_off(12.0), cut_off(24.0)


def second_moment_converges(log_weights: Values, rng: np.random.Generator) -> Measured:
    """The logarithm of E w^2/p(x)^2 is the same however far out it is cut off."""
    near, far = second_moments(False, rng, log_weights)
    return rounding(near, far, 10_000, 1.0)


def second_moment_of_q_alone(log_weights: Values, rng: np.random.Generator) -> Measured:
    """With draws from q alone it grows by hundreds of nats: E w^2 is infinite."""
    near, far = second_moments(True, rng, log_weights)
    return rounding(near, far, 10_000, 1.0)
