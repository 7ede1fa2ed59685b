"""The conditional VAE: its estimate of the bound of log p(x|c), and what c is to a layer.

Page: `derivations/conditional.md`. A forward pass written here a second time, where c enters as biases
of its own and never stands beside x or z; the affine network, whose evidence given c is closed form; and
the trapezoid rule for a network with a hidden layer.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import norm

from vae_np import model
from vae_np.verify import oracle
from vae_np.verify.checks.densities import (
    mean_of,
    scipy_kl,
    scipy_log_likelihood,
    scipy_log_prior,
    scipy_log_q,
)
from vae_np.verify.checks.objective import NET_OPERATIONS, Forward
from vae_np.verify.judges import gradient, hermite, not_above, proved, refined, rounding, worst
from vae_np.verify.record import Measured

ConditionalLoss = Callable[..., tuple]


class Told(NamedTuple):
    """A small conditional network at a generic point, with cells, their conditions, noise and masks."""

    params: model.Params
    stats: model.Stats
    x: Any
    c: np.ndarray
    eps: np.ndarray
    masks: tuple[np.ndarray, ...] | None


def random_told(rng: np.random.Generator, n_layers: int, n_draws: int, with_masks: bool) -> Told:
    """Draw a network with 4 genes, 3 hidden units, 2 latent dimensions, 3 conditions; a batch of 6 cells."""
    n, d, h, k, n_conditions = 6, 4, 3, 2, 3
    sizes = model.Sizes(d, h, k, n_layers, n_conditions)
    params = model.Params(sizes, rng.normal(scale=0.7, size=sizes.n_params))
    stats = model.Stats(sizes, rng.uniform(0.5, 2, sizes.n_stats))
    rows = [n] * n_layers + [n_draws * n] * n_layers
    masks = tuple((rng.random((r, h)) > 0.3) / 0.7 for r in rows) if with_masks else None
    x, c, eps = (rng.normal(size=shape) for shape in ((n, d), (n, n_conditions), (n_draws, n, k)))
    return Told(params, stats, x, c, eps, masks)


def random_tolds(rng: np.random.Generator) -> Iterator[tuple[Told, bool]]:
    """Draw networks of 0, 1 and 2 layers with 1 and 3 draws, with and without masks, in both modes."""
    for n_layers, n_draws in ((0, 3), (1, 1), (2, 3)):
        for with_masks in (True, False):
            for train in (True, False):
                yield random_told(rng, n_layers, n_draws, with_masks), train


def by_hand(told: Told, train: bool) -> Forward:
    """Write the forward pass a second time: what reads x or z has the biases b + U c, one for each cell."""
    params, stats, x, c, eps, masks = told
    layers = list(zip((*params.encoder, *params.decoder), (*stats.encoder, *stats.decoder), strict=True))
    new_stats: list[np.ndarray] = []

    def affine(h: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
        n_read = h.shape[1]
        biases = np.tile(c, (len(h) // len(c), 1)) if len(W) > n_read else np.zeros((len(h), 0))
        return np.einsum("ij,jo->io", h, W[:n_read]) + np.einsum("ij,jo->io", biases, W[n_read:]) + b

    def block(h: np.ndarray, layer: int) -> np.ndarray:
        (W, b, gamma, beta), (mean, var) = layers[layer]
        a = affine(h, W, b)
        if train:
            new_stats.extend([0.99 * mean + 0.01 * a.mean(axis=0), 0.99 * var + 0.01 * a.var(axis=0, ddof=1)])
            mean, var = a.mean(axis=0), a.var(axis=0)
        else:
            new_stats.extend([mean, var])
        h = gamma * (a - mean) / np.sqrt(var + 1e-3) + beta
        h = np.maximum(h, 0.01 * h)
        return h if masks is None else h * masks[layer]

    half = len(params.encoder)
    h = x
    for layer in range(half):
        h = block(h, layer)
    mu, log_var = affine(h, *params.mu), 10 * np.tanh(affine(h, *params.log_var) / 10)
    h = np.concatenate([mu + np.sqrt(np.exp(log_var)) * noise for noise in eps])
    for layer in range(half, 2 * half):
        h = block(h, layer)
    x_hat = affine(h, *params.output).reshape(len(eps), *x.shape)
    return Forward(mu, log_var, x_hat, np.array(new_stats).ravel())


def parts_by_hand(told: Told, train: bool, variance: float, kl_weight: float) -> tuple[np.ndarray, ...]:
    """Total, reconstruction, KL by SciPy's densities, and the running statistics."""
    forward = by_hand(told, train)
    log_lik = scipy_log_likelihood(told.x, forward.x_hat, variance).sum(axis=0) / len(told.eps)
    kl = scipy_kl(forward.mu, forward.log_var)
    # an affine network without layers has no statistics: compare with a zero on both sides
    return -log_lik + kl_weight * kl, -log_lik, kl, np.append(forward.stats, 0.0)


def loss_by_hand(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    def compare() -> Iterator[Measured]:
        for told, train in random_tolds(rng):
            expected = parts_by_hand(told, train, 0.7, 0.3)
            for x in (told.x, sparse.csc_matrix(told.x)):
                values, _, stats = loss(*told._replace(x=x), model.gaussian(0.7), 0.3, train)
                yield rounding((*values, np.append(stats.flat, 0.0)), expected, NET_OPERATIONS)

    return worst(compare())


def loss_by_default(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """Without further arguments: variance 1, weight 1, training."""
    told = random_told(rng, 1, 3, with_masks=True)
    return rounding(loss(*told)[0].total, parts_by_hand(told, True, 1.0, 1.0)[0], NET_OPERATIONS)


def loss_keeps_single_precision(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """How many of the loss, its parts and the gradient leave float32, with a weight of float64."""
    params, stats, *arrays, masks = random_told(rng, 1, 3, with_masks=True)
    single = (
        model.Params(params.sizes, params.flat.astype(np.float32)),
        model.Stats(stats.sizes, stats.flat.astype(np.float32)),
        *(array.astype(np.float32) for array in arrays),
        [mask.astype(np.float32) for mask in masks or ()],
    )
    values, cache, _ = loss(*single, kl_weight=np.float64(0.3))
    wider = sum(a.dtype != np.float32 for a in (*values, model.conditional_loss_backward(cache).flat))
    return Measured(float(wider), 0.0, "no array may be wider")


def loss_pair(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """Every parameter, stepped one after the other through the whole flat vector."""

    def compare() -> Iterator[Measured]:
        for n_layers, n_draws, with_masks, train in (
            (0, 3, False, True),
            (1, 3, True, True),
            (1, 1, False, False),
        ):
            told = random_told(rng, n_layers, n_draws, with_masks)

            def total(flat: np.ndarray, told: Told = told, train: bool = train) -> np.ndarray:
                stepped = told._replace(params=model.Params(told.params.sizes, flat))
                return loss(*stepped, model.gaussian(0.7), 0.3, train)[0].total.mean()

            _, cache, _ = loss(*told, model.gaussian(0.7), 0.3, train)
            ours = model.conditional_loss_backward(cache).flat
            yield gradient(total, (told.params.flat,), np.ones(()), (ours,), NET_OPERATIONS)

    return worst(compare())


def one_condition(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """The same c for all cells: the plain loss of the network whose first biases are b + U c."""

    def compare() -> Iterator[Measured]:
        for told, train in random_tolds(rng):
            told.c[:] = told.c[0]
            sizes = told.params.sizes._replace(n_conditions=0)
            reads_c = {"encoder[0]", "decoder[0]"} if sizes.n_layers else {"mu", "log_var", "output"}
            arrays = []
            for name, (W, b, *rest) in told.params.parts():
                n_read = len(W) - 3 * (name in reads_c)
                arrays += [W[:n_read], b + (told.c[0] @ W[n_read:] if name in reads_c else 0), *rest]
            plain, stats = model.Params.join(sizes, arrays), model.Stats(sizes, told.stats.flat)
            settings = told.eps, told.masks, model.gaussian(0.7), 0.3, train
            expected, _, _ = model.loss(plain, stats, told.x, *settings)
            got, _, _ = loss(told.params, told.stats, told.x, told.c, *settings)
            yield rounding(tuple(got), tuple(expected), NET_OPERATIONS)

    return worst(compare())


# ------------------------------------------------------------------ what it estimates, and the gap


class Affine(NamedTuple):
    """A network without layers: given c, a linear-Gaussian world."""

    params: model.Params
    x: np.ndarray
    c: np.ndarray
    variance: float

    @property
    def world(self) -> oracle.LinearGaussian:
        """The decoder without its condition; what it says of x - c U it says of x, given c."""
        k = self.params.sizes.n_latent
        return oracle.LinearGaussian(self.params.output.W[:k], self.params.output.b, self.variance)

    def without(self, c: np.ndarray) -> np.ndarray:
        """The cells minus c U, (n, d)."""
        return self.x - c @ self.params.output.W[self.params.sizes.n_latent :]

    def evidence(self, c: np.ndarray) -> np.ndarray:
        """Log p(x|c), (n,), in closed form."""
        return oracle.linear_gaussian_evidence(self.world, self.without(c))


def affine(rng: np.random.Generator, k: int, d: int) -> Affine:
    """Draw a network and 20 cells, half in each of two conditions."""
    sizes = model.Sizes(d, 1, k, 0, 2)
    params = model.Params(sizes, rng.normal(scale=0.5, size=sizes.n_params))
    params.output.W[k:] *= 6  # so that the conditions are far apart
    c, variance = np.repeat(np.eye(2), 10, axis=0), float(rng.uniform(0.3, 1.5))
    case = Affine(params, np.zeros((20, d)), c, variance)
    return case._replace(x=oracle.sample(case.world, 20, rng) - case.without(c))


def at_the_posterior(rng: np.random.Generator) -> Affine:
    """Draw one with one latent dimension and give it the encoder whose q(z|x, c) is the posterior."""
    case = affine(rng, 1, 4)
    theta, params = case.world, case.params
    to_mean = theta.W.T / theta.M
    params.mu.W[:] = np.concatenate([to_mean, -params.output.W[1:] @ to_mean])
    params.mu.b[:] = -theta.b @ to_mean
    params.log_var.W[:] = 0
    params.log_var.b[:] = 10 * np.arctanh(np.log(theta.variance / theta.M[0]) / 10)  # the guard, undone
    return case


def exact_mean(loss: ConditionalLoss, case: Affine) -> np.ndarray:
    """Expectation of the estimate over its noise, (n,): the 2^k sign vectors as draws."""
    eps = np.repeat(hermite(case.params.sizes.n_latent, 2)[0][:, None, :], len(case.x), axis=1)
    stats = model.Stats(case.params.sizes, np.zeros(0))
    return -loss(case.params, stats, case.x, case.c, eps, None, model.gaussian(case.variance))[0].total


def mean_lies_below_by_the_gap(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """E[estimate] + KL(q(z|x, c)||p(z|x, c)) = log p(x|c)."""

    def compare() -> Iterator[Measured]:
        for k, d in ((1, 3), (2, 4), (3, 5)):
            case = affine(rng, k, d)
            inputs = np.hstack([case.x, case.c])
            mu, a = (inputs @ head.W + head.b for head in (case.params.mu, case.params.log_var))
            posterior = oracle.linear_gaussian_posterior(case.world, case.without(case.c))
            mean, gap = exact_mean(loss, case), oracle.kl_to_posterior(mu, 10 * np.tanh(a / 10), *posterior)
            # matrices of k x k and d x d are solved, which multiplies rounding by their condition number
            n_operations = int(1000 * np.linalg.cond(case.world.M))
            yield rounding(mean + gap, case.evidence(case.c), n_operations, scale=np.abs(mean).max())

    return worst(compare())


def equality_at_the_posterior(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    case = at_the_posterior(rng)
    return rounding(exact_mean(loss, case), case.evidence(case.c), 5000)


def bound_without_the_condition(_: object, rng: np.random.Generator) -> Measured:
    """Read as a bound of log p(x), p(x) the mean of p(x|c) over the two conditions."""
    case = at_the_posterior(rng)
    each = [case.evidence(np.tile(c, (len(case.x), 1))) for c in np.eye(2)]
    log_p = logsumexp(each, axis=0) - np.log(2)
    return not_above(exact_mean(model.conditional_loss, case), log_p, 5000)


def encoder_that_is_not_told(_: object, rng: np.random.Generator) -> Measured:
    """The posterior's encoder with the mean of the two conditions in the place of c: read as no loss."""
    case = at_the_posterior(rng)
    d = case.x.shape[1]
    case.params.mu.b[:] += case.params.mu.W[d:].mean(axis=0)
    case.params.mu.W[d:] = 0
    return rounding(exact_mean(model.conditional_loss, case), case.evidence(case.c), 5000)


def hidden_layer(rng: np.random.Generator) -> Told:
    """Draw a network with one hidden layer and one latent dimension, every q within 25 units of 0."""
    sizes = model.Sizes(3, 4, 1, 1, 2)
    params = model.Params(sizes, rng.normal(scale=0.7, size=sizes.n_params))
    params.log_var.W[:] *= 0.3
    params.log_var.b[:] = -1
    stats = model.Stats(sizes, rng.uniform(0.5, 2, sizes.n_stats))
    return Told(params, stats, rng.normal(size=(4, 3)), np.eye(2)[[0, 1, 0, 1]], np.zeros((1, 4, 1)), None)


def evidence_minus_gap(told: Told, per_unit: int) -> np.ndarray:
    """Log p(x|c) - KL(q||p(z|x, c)), (n,), by its definition, on a grid of so many nodes a unit of z.

    The nodes are handed to the second writing as draws around the encoder's mean and sigma.
    """
    start = by_hand(told, train=False)
    z = np.arange(-25 * per_unit, 25 * per_unit + 1)[:, None, None] / per_unit
    eps = (z - start.mu) / np.exp(start.log_var / 2)
    x_hat = by_hand(told._replace(eps=eps), train=False).x_hat
    log_joint = scipy_log_likelihood(told.x, x_hat, 0.7) + scipy_log_prior(z)
    log_evidence = logsumexp(log_joint, axis=0) - np.log(per_unit)
    log_q = scipy_log_q(z, start.mu, start.log_var)
    gap = (np.exp(log_q) * (log_q - (log_joint - log_evidence))).sum(axis=0) / per_unit
    return log_evidence - gap


def mean_of_a_network(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """The estimates at 1,153 nodes of the noise, weighted: each node is a copy of the batch.

    In evaluation mode cells do not meet. The kinks of the leaky ReLU cost digits, hence three networks.
    """
    u = np.arange(-576, 577) / 64
    got, fine, coarse = [], [], []
    for _repeat in range(3):
        told = hidden_layer(rng)
        x, c = (np.tile(a, (len(u), 1)) for a in (told.x, told.c))
        eps = np.repeat(u, 4)[None, :, None]
        total = loss(told.params, told.stats, x, c, eps, None, model.gaussian(0.7), train=False)[0].total
        got.append(norm.pdf(u) / 64 @ -total.reshape(len(u), 4))
        fine.append(evidence_minus_gap(told, 64))
        coarse.append(evidence_minus_gap(told, 8))
    return refined(np.array(got), np.array(fine), np.array(coarse), NET_OPERATIONS)


def bound_by_symbols(loss: ConditionalLoss, rng: np.random.Generator) -> Measured:
    """Scalar case, x|z, c ~ N(w z + u c + b, v): the mean is log N(x; u c + b, w^2 + v) minus the gap."""
    import sympy

    x, w, u, c, b, m, e = sympy.symbols("x w u c b m e", real=True)
    s, v = sympy.symbols("s v", positive=True)
    half, log_2pi = sympy.Rational(1, 2), sympy.log(2 * sympy.pi)
    log_lik = -half * (log_2pi + sympy.log(v) + (x - w * (m + s * e) - u * c - b) ** 2 / v)
    bound = mean_of(log_lik, e) - half * (m**2 + s**2 - 1 - 2 * sympy.log(s))
    total, rest = w**2 + v, x - u * c - b
    evidence = -half * (log_2pi + sympy.log(total) + rest**2 / total)
    center, spread = w * rest / total, v / total
    log_ratio = sympy.log(v) - sympy.log(total) - 2 * sympy.log(s)
    gap = half * (s**2 / spread + (m - center) ** 2 / spread - 1 + log_ratio)
    case = affine(rng, 1, 1)
    condition = case.c[:, 1:]  # one number: u is by how much the second condition differs from the first
    (W,), (first,), (second,) = case.params.output.W
    inputs = np.hstack([case.x, case.c])
    mu, a = (inputs @ head.W + head.b for head in (case.params.mu, case.params.log_var))
    formula = sympy.lambdify((x, w, u, c, b, v, m, s), bound)
    sigma = np.exp(5 * np.tanh(a / 10))
    bias = case.params.output.b[0] + first
    expected = formula(case.x, W, second - first, condition, bias, case.variance, mu, sigma)[:, 0]
    return proved(rounding(exact_mean(loss, case), expected, 1000), sympy.ratsimp(bound - evidence + gap))
