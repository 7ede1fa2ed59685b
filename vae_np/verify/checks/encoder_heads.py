"""The encoder's heads: the gradients of mu and log_var through the sample, through the KL, and their sum.

Page: `derivations/encoder_heads.md`. An affine decoder makes the expected gradient a closed form, which
Gauss-Hermite nodes in the place of draws must reproduce; the other routes are the score of q, the exact
posterior, the complex step and SymPy. The function of a record is the backward one; its forward partner
is judged with it.
"""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import expit, ndtri

from vae_np import elbo
from vae_np.model import heads
from vae_np.verify.checks.densities import mean_of, scipy_log_prior, scipy_log_q
from vae_np.verify.judges import (
    complex_step,
    gradient,
    hermite,
    normal_expectation,
    not_above,
    proved,
    random_gaussians,
    rounding,
    steps_of_one,
    taylor,
    wide_gaussians,
    worst,
)
from vae_np.verify.oracle import (
    Curved,
    LinearGaussian,
    linear_gaussian_elbo,
    linear_gaussian_posterior,
    random_curved,
    random_linear,
    sample,
)
from vae_np.verify.record import Measured

Pair = tuple[np.ndarray, np.ndarray]
Backward = Callable[..., Pair]
SHAPES = ((5, 2), (1, 4, 3), (3, 5, 2), (3, 3, 3))  # of eps: no axis of draws, L = 1, L = 3


# ---------------------------------------------------------------------------- through the sample


def _random_draws(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """mu, log_var, eps and d_z."""
    return *random_gaussians(rng, *shape[-2:]), rng.normal(size=shape), rng.normal(size=shape)


def sample_by_complex_step(backward: Backward, rng: np.random.Generator) -> Measured:
    results = []
    for shape in SHAPES:
        mu, log_var, eps, d_z = _random_draws(rng, shape)
        d = backward(d_z, log_var, eps)
        # 30 outputs of 5 operations each, both ways
        results.append(gradient(elbo.reparameterize, (mu, log_var, eps), d_z, d, 300))
    return worst(results)


def sample_far_out(backward: Backward, rng: np.random.Generator) -> Measured:
    """Complex step with log sigma^2 to +-10 and noise out to where one draw in 1e8 lies."""
    far = -ndtri(1e-8)

    def compare() -> Iterator[Measured]:
        for shape in SHAPES:
            mu, log_var = wide_gaussians(rng, *shape[-2:])
            eps, d_z = rng.uniform(-far, far, shape), rng.normal(size=shape)
            eps[..., 0, :] = far * np.sign(eps[..., 0, :])
            d = backward(d_z, log_var, eps)
            yield gradient(elbo.reparameterize, (mu, log_var, eps), d_z, d, 300)

    return worst(compare())


def sample_by_taylor(backward: Backward, rng: np.random.Generator) -> Measured:
    mu, log_var, eps, d_z = _random_draws(rng, (3, 5, 2))
    return taylor(elbo.reparameterize, (mu, log_var, eps), d_z, backward(d_z, log_var, eps), rng)


def sample_by_steps_of_one(backward: Backward, rng: np.random.Generator) -> Measured:
    """With log_var = 0 and integers, z(mu + 1) - z(mu) is free of rounding."""
    mu, eps, d_z = (rng.integers(-9, 10, shape).astype(float) for shape in ((4, 2), (3, 4, 2), (3, 4, 2)))
    log_var = np.zeros((4, 2))
    expected = steps_of_one(elbo.reparameterize, (mu, log_var, eps), 0, d_z)
    return rounding(backward(d_z, log_var, eps)[0], expected, 0)


def _reconstruction_gradient(
    model: LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray
) -> Pair:
    """Gradient of E_q log p(x|z) for an affine decoder: W (x - decode(mu)) / v, -sigma_j^2 |W_j|^2 / 2v."""
    d_mu = (x - model.decode(mu)) @ model.W.T / model.variance
    return d_mu, -np.exp(log_var) * (model.W**2).sum(axis=1) / (2 * model.variance)


def _nodes(model: LinearGaussian, x: np.ndarray, mu: np.ndarray, log_var: np.ndarray) -> Pair:
    """Two nodes a dimension as draws: eps (m, n, k), and at each the weighted d/dz log p(x|z)."""
    nodes, weight = hermite(mu.shape[1], 2)
    eps = np.broadcast_to(nodes[:, None, :], (len(nodes), *mu.shape))
    z = mu + np.exp(log_var / 2) * eps
    return eps, weight[:, None, None] * (x - model.decode(z)) @ model.W.T / model.variance


def _exact_worlds(rng: np.random.Generator) -> list[tuple]:
    """Affine decoders with 1 .. 3 latent dimensions, cells, and some q for each cell."""
    worlds: list[tuple] = []
    for k in (1, 2, 3):
        model = random_linear(rng, k, 4)
        worlds.append((model, sample(model, 5, rng), *random_gaussians(rng, 5, k)))
    return worlds


def sample_by_nodes(backward: Backward, rng: np.random.Generator) -> Measured:
    """Gauss-Hermite nodes as draws, d_z weighted: the gradient is quadratic in eps, so two are exact."""
    results = []
    for world in _exact_worlds(rng):
        eps, d_z = _nodes(*world)
        # 8 nodes, 4 features, 3 dimensions, 10 operations
        results.append(rounding(tuple(backward(d_z, world[3], eps)), _reconstruction_gradient(*world), 1000))
    return worst(results)


def _pathwise_by_symbols(which: int, backward: Backward, rng: np.random.Generator) -> Measured:
    """Derivative of E z^p, p = 1 .. 4, is E p z^(p-1) times dz/dmu or dz/dlog_var, by Gaussian moments."""
    import sympy

    m, u = sympy.symbols("m u", real=True)
    s = sympy.symbols("s", positive=True)
    z = m + s * u
    path = (sympy.Integer(1), s * u / 2)[which]

    def derivative(f: sympy.Expr) -> sympy.Expr:
        return (sympy.diff(f, m), s / 2 * sympy.diff(f, s))[which]  # ds/dlog_var = s/2

    differences = (derivative(mean_of(z**p, u)) - mean_of(p * z ** (p - 1) * path, u) for p in range(1, 5))
    _, log_var, eps, d_z = _random_draws(rng, (1, 6, 1))
    expected = d_z[0] * sympy.lambdify((s, u), path)(np.exp(log_var / 2), eps[0])
    return proved(rounding(backward(d_z, log_var, eps)[which], expected, 20), *differences)


def sample_mu_by_symbols(backward: Backward, rng: np.random.Generator) -> Measured:
    return _pathwise_by_symbols(0, backward, rng)


def sample_log_var_by_symbols(backward: Backward, rng: np.random.Generator) -> Measured:
    return _pathwise_by_symbols(1, backward, rng)


def _wrong_sample(
    wrong: Callable[..., Pair],
    backward: Backward,
    rng: np.random.Generator,
    shape: tuple[int, ...] = (3, 5, 2),
) -> Measured:
    """Measure a wrong version, wrong(d_mu, d_log_var, d_z, log_var, eps), by the complex step."""
    mu, log_var, eps, d_z = _random_draws(rng, shape)
    d = wrong(*backward(d_z, log_var, eps), d_z, log_var, eps)
    return gradient(elbo.reparameterize, (mu, log_var, eps), d_z, d, 300)


def sample_averaged_over_draws(backward: Backward, rng: np.random.Generator) -> Measured:
    """1/L a second time: d_z holds it already."""
    return _wrong_sample(lambda d_mu, d_log_var, *_: (d_mu / 3, d_log_var), backward, rng)


def sample_stopped_at_sigma(backward: Backward, rng: np.random.Generator) -> Measured:
    """d/dsigma in the place of d/dlog_var: the factor sigma / 2 is missing."""
    return _wrong_sample(lambda d_mu, _d, d_z, _log_var, eps: (d_mu, (d_z * eps).sum(axis=0)), backward, rng)


def sample_without_eps(backward: Backward, rng: np.random.Generator) -> Measured:
    def wrong(d_mu: np.ndarray, _: np.ndarray, d_z: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> Pair:
        return d_mu, np.exp(log_var / 2) / 2 * d_z.sum(axis=0)

    return _wrong_sample(wrong, backward, rng)


def sample_with_fresh_noise(backward: Backward, rng: np.random.Generator) -> Measured:
    def wrong(d_mu: np.ndarray, _: np.ndarray, d_z: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> Pair:
        return d_mu, backward(d_z, log_var, rng.normal(size=eps.shape))[1]

    return _wrong_sample(wrong, backward, rng)


# -------------------------------------------------------------------------------- through the KL


def kl_by_complex_step(backward: Backward, rng: np.random.Generator) -> Measured:
    results = []
    for n, k in ((1, 3), (5, 2), (4, 4)):
        q, d_kl = random_gaussians(rng, n, k), rng.normal(size=n)
        results.append(gradient(elbo.kl_standard_normal, q, d_kl, backward(d_kl, *q), 100))  # 16 terms of 5
    return worst(results)


def kl_far_out(backward: Backward, rng: np.random.Generator) -> Measured:
    """Complex step with mu and log sigma^2 to +-10."""

    def compare() -> Iterator[Measured]:
        for n, k in ((2, 1), (5, 2), (4, 4)):
            q, d_kl = wide_gaussians(rng, n, k), rng.normal(size=n)
            yield gradient(elbo.kl_standard_normal, q, d_kl, backward(d_kl, *q), 100)

    return worst(compare())


def kl_by_taylor(backward: Backward, rng: np.random.Generator) -> Measured:
    q, d_kl = random_gaussians(rng, 5, 2), rng.normal(size=5)
    return taylor(elbo.kl_standard_normal, q, d_kl, backward(d_kl, *q), rng)


def kl_by_the_score(backward: Backward, rng: np.random.Generator) -> Measured:
    """E_q [d log q / d(mu, log_var) (log q - log p)] with SciPy's densities; E_q of the score itself is 0.

    The integrands have degree 3 and 4 in z: three nodes are exact.
    """
    results = []
    for k in (1, 2, 3):
        (mu, log_var), d_kl = random_gaussians(rng, 5, k), rng.normal(size=5)
        sigma = np.exp(log_var / 2)

        def log_ratio(z: np.ndarray, mu: np.ndarray = mu, log_var: np.ndarray = log_var) -> np.ndarray:
            return (scipy_log_q(z, mu, log_var) - scipy_log_prior(z))[..., None]

        def score_mu(z: np.ndarray, mu: np.ndarray = mu, sigma: np.ndarray = sigma) -> np.ndarray:
            return (z - mu) / sigma**2 * log_ratio(z)

        def score_log_var(z: np.ndarray, mu: np.ndarray = mu, sigma: np.ndarray = sigma) -> np.ndarray:
            return ((z - mu) ** 2 / sigma**2 - 1) / 2 * log_ratio(z)

        expected = tuple(
            d_kl[:, None] * normal_expectation(f, mu, log_var, 3) for f in (score_mu, score_log_var)
        )
        # 27 nodes, 3 dimensions, 10 operations; the terms exceed their sum by the score times the ratio
        scale = float(np.abs(np.concatenate(expected)).max()) + float(np.abs(d_kl).max())
        results.append(rounding(tuple(backward(d_kl, mu, log_var)), expected, 1000, scale))
    return worst(results)


def kl_is_flat_at_the_prior(backward: Backward, rng: np.random.Generator) -> Measured:
    """At mu = 0, log_var = 0 both gradients are exactly 0."""
    prior, d_kl = np.zeros((5, 3)), rng.normal(size=5)
    return rounding(tuple(backward(d_kl, prior, prior)), (prior, prior), 0)


def kl_pulls_to_the_prior(backward: Backward, rng: np.random.Generator) -> Measured:
    """A step against the gradient lowers every |mu| and every |log_var|: the signs agree."""
    mu, log_var = random_gaussians(rng, 50, 3)
    d_mu, d_log_var = backward(np.ones(50), mu, log_var)
    toward = np.stack([np.sign(d_mu) * np.sign(mu), np.sign(d_log_var) * np.sign(log_var)])
    return rounding(toward, np.ones_like(toward), 0)


def _kl_by_symbols(which: int, backward: Backward, rng: np.random.Generator) -> Measured:
    """Differentiate the integral of q (log q - log p), scalar case, with s = exp(v/2)."""
    import sympy

    m, v, u = sympy.symbols("m v u", real=True)
    ratio = -(u**2) / 2 - v / 2 + (m + sympy.exp(v / 2) * u) ** 2 / 2
    kl = mean_of(ratio, u)
    claimed = (m, (sympy.exp(v) - 1) / 2)[which]
    (mu, log_var), d_kl = random_gaussians(rng, 5, 2), rng.normal(size=5)
    expected = d_kl[:, None] * sympy.lambdify((m, v), claimed)(mu, log_var)
    agrees = rounding(backward(d_kl, mu, log_var)[which], expected, 20)
    return proved(agrees, sympy.diff(kl, (m, v)[which]) - claimed)


def kl_mu_by_symbols(backward: Backward, rng: np.random.Generator) -> Measured:
    return _kl_by_symbols(0, backward, rng)


def kl_log_var_by_symbols(backward: Backward, rng: np.random.Generator) -> Measured:
    return _kl_by_symbols(1, backward, rng)


def _wrong_kl(wrong: Callable[..., Pair], backward: Backward, rng: np.random.Generator) -> Measured:
    """Measure a wrong version, wrong(d_mu, d_log_var, d_kl, log_var), by the complex step."""
    (mu, log_var), d_kl = random_gaussians(rng, 5, 2), rng.normal(size=5)
    d = wrong(*backward(d_kl, mu, log_var), d_kl[:, None], log_var)
    return gradient(elbo.kl_standard_normal, (mu, log_var), d_kl, d, 100)


def kl_with_minus_mu(backward: Backward, rng: np.random.Generator) -> Measured:
    return _wrong_kl(lambda d_mu, d_log_var, *_: (-d_mu, d_log_var), backward, rng)


def kl_by_sigma_squared(backward: Backward, rng: np.random.Generator) -> Measured:
    """d/dsigma^2 = (1 - 1/sigma^2) / 2 in the place of d/dlog_var."""

    def wrong(d_mu: np.ndarray, _: np.ndarray, d_kl: np.ndarray, log_var: np.ndarray) -> Pair:
        return d_mu, d_kl * (1 - np.exp(-log_var)) / 2

    return _wrong_kl(wrong, backward, rng)


# ---------------------------------------------------------------------------------- both together


def _sample_and_kl(mu: np.ndarray, log_var: np.ndarray, eps: np.ndarray) -> np.ndarray:
    """Everything that the heads reach, in one vector: z, then the KL of each cell."""
    z = elbo.reparameterize(mu, log_var, eps)
    return np.concatenate([z.ravel(), elbo.kl_standard_normal(mu, log_var)])


def heads_by_complex_step(backward: Backward, rng: np.random.Generator) -> Measured:
    results = []
    for shape in SHAPES:
        mu, log_var, eps, d_z = _random_draws(rng, shape)
        d_kl = rng.normal(size=len(mu))
        d = backward(d_z, d_kl, mu, log_var, eps)
        d_out = np.concatenate([d_z.ravel(), d_kl])
        results.append(gradient(_sample_and_kl, (mu, log_var, eps), d_out, d, 400))
    return worst(results)


def heads_far_out(backward: Backward, rng: np.random.Generator) -> Measured:
    """Complex step with mu and log sigma^2 to +-10."""

    def compare() -> Iterator[Measured]:
        for shape in SHAPES:
            mu, log_var = wide_gaussians(rng, *shape[-2:])
            eps, d_z, d_kl = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=len(mu))
            d = backward(d_z, d_kl, mu, log_var, eps)
            d_out = np.concatenate([d_z.ravel(), d_kl])
            yield gradient(_sample_and_kl, (mu, log_var, eps), d_out, d, 400)

    return worst(compare())


def heads_by_taylor(backward: Backward, rng: np.random.Generator) -> Measured:
    mu, log_var, eps, d_z = _random_draws(rng, (3, 5, 2))
    d_kl = rng.normal(size=5)
    d_out = np.concatenate([d_z.ravel(), d_kl])
    return taylor(_sample_and_kl, (mu, log_var, eps), d_out, backward(d_z, d_kl, mu, log_var, eps), rng)


def heads_by_nodes(backward: Backward, rng: np.random.Generator) -> Measured:
    """Nodes as draws, an affine decoder: the gradient of the closed-form ELBO."""
    results = []
    for model, x, mu, log_var in _exact_worlds(rng):
        eps, d_z = _nodes(model, x, mu, log_var)
        got = backward(d_z, -np.ones(5), mu, log_var, eps)
        expected = tuple(
            complex_step(
                lambda m, v, model=model, x=x: linear_gaussian_elbo(model, x, m, v),
                (mu, log_var),
                which,
                np.ones(5),
            )
            for which in range(2)
        )
        results.append(rounding(got, expected, 1000))
    return worst(results)


def heads_at_the_posterior(backward: Backward, rng: np.random.Generator) -> Measured:
    """Where q is the exact posterior the ELBO is at its maximum: the two paths cancel, entry by entry.

    Orthogonal rows of W make the posterior diagonal, so that q can reach it.
    """
    rows = np.linalg.qr(rng.normal(size=(4, 2)))[0].T
    model = LinearGaussian(rng.uniform(0.5, 2, (2, 1)) * rows, rng.normal(size=4), rng.uniform(0.3, 1.5))
    x = sample(model, 5, rng)
    mean, covariance = linear_gaussian_posterior(model, x)
    log_var = np.log(np.tile(np.diag(covariance), (5, 1)))
    eps, d_z = _nodes(model, x, mean, log_var)
    d_mu, d_log_var = backward(d_z, -np.ones(5), mean, log_var, eps)
    # 4 nodes, 4 features, 20 operations; the posterior itself solves a system with a condition below 20
    scale = float(np.abs(x).max() * np.abs(model.W).max() / model.variance)
    return rounding((d_mu, d_log_var), (np.zeros((5, 2)), np.zeros((5, 2))), 1000, scale)


def heads_with_a_curved_decoder(backward: Backward, rng: np.random.Generator) -> Measured:
    """The Monte Carlo ELBO of L = 1 and L = 3 draws, written out: 1/L on the draws, none on the KL."""
    results = []
    for n_draws in (1, 3):
        model = random_curved(rng, 2)
        x, (mu, log_var) = sample(model, 4, rng), random_gaussians(rng, 4, 2)
        eps = rng.normal(size=(n_draws, 4, 2))

        def estimate(
            mu: np.ndarray,
            log_var: np.ndarray,
            model: Curved = model,
            x: np.ndarray = x,
            eps: np.ndarray = eps,
        ) -> np.ndarray:
            square = ((x - model.decode(mu + np.exp(log_var / 2) * eps)) ** 2).sum(axis=-1)
            kl = (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1) / 2
            return -square.mean(axis=0) / (2 * model.variance) - kl

        z = mu + np.exp(log_var / 2) * eps
        residual = (x - model.decode(z)) / (model.variance * n_draws)
        d_z = np.einsum("lnd,lnkd->lnk", residual, model.decode_slope(z))
        d = backward(d_z, -np.ones(4), mu, log_var, eps)
        # 3 draws of 3 features through 4 hidden units, 10 operations each, both ways
        results.append(gradient(estimate, (mu, log_var), np.ones(4), d, 1000))
    return worst(results)


def guard_is_a_logistic_curve(_: object, rng: np.random.Generator) -> Measured:
    """10 tanh(a/10) = 20 / (1 + exp(-a/5)) - 10, with SciPy's logistic function; finite for any a."""
    a = np.concatenate([rng.normal(scale=10, size=30), [-1e6, -800.0, 0.0, 800.0, 1e6]])
    return rounding(heads.guard_log_var(a), 20 * expit(a / 5) - 10, 20)


def guard_is_near_the_identity(_: object, rng: np.random.Generator) -> Measured:
    """For small a the guard is off by less than |a|^3 / 300, and on the side of 0."""
    a = rng.uniform(-3, 3, 50)
    shortfall = np.sign(a) * (a - heads.guard_log_var(a))
    return not_above(
        np.concatenate([shortfall, np.zeros(50)]), np.concatenate([np.abs(a) ** 3 / 300, shortfall]), 20
    )


def guard_by_complex_step(_: object, rng: np.random.Generator) -> Measured:
    a, d = rng.normal(scale=6, size=(6, 3)), rng.normal(size=(6, 3))
    d_a = heads.guard_log_var_backward(d, heads.guard_log_var(a))
    return gradient(heads.guard_log_var, (a,), d, (d_a,), 20)


def guard_by_taylor(_: object, rng: np.random.Generator) -> Measured:
    a, d = rng.normal(scale=6, size=(6, 3)), rng.normal(size=(6, 3))
    d_a = heads.guard_log_var_backward(d, heads.guard_log_var(a))
    return taylor(heads.guard_log_var, (a,), d, (d_a,), rng)


def _wrong_heads(wrong: Callable[..., Pair], backward: Backward, rng: np.random.Generator) -> Measured:
    """Measure a wrong version, wrong(through z, through the KL), by the complex step."""
    mu, log_var, eps, d_z = _random_draws(rng, (3, 5, 2))
    d_kl = rng.normal(size=5)
    through_z = backward(d_z, np.zeros(5), mu, log_var, eps)
    through_kl = backward(np.zeros_like(d_z), d_kl, mu, log_var, eps)
    d_out = np.concatenate([d_z.ravel(), d_kl])
    return gradient(_sample_and_kl, (mu, log_var, eps), d_out, wrong(through_z, through_kl), 400)


def heads_without_the_kl_path(backward: Backward, rng: np.random.Generator) -> Measured:
    return _wrong_heads(lambda through_z, _: through_z, backward, rng)


def heads_with_the_kl_reversed(backward: Backward, rng: np.random.Generator) -> Measured:
    def wrong(through_z: Pair, through_kl: Pair) -> Pair:
        return through_z[0] - through_kl[0], through_z[1] - through_kl[1]

    return _wrong_heads(wrong, backward, rng)


def guard_forgotten_in_backward(_: object, rng: np.random.Generator) -> Measured:
    a, d = rng.normal(scale=6, size=(6, 3)), rng.normal(size=(6, 3))
    return gradient(heads.guard_log_var, (a,), d, (d,), 20)
