"""Backpropagation: the derivative of each layer, and of a mean over cells.

Page: `derivations/backpropagation.md`. The other routes are the complex step, steps of 1 on integers (no
rounding at all where a layer is affine), least squares, enumeration of all masks, Python's exact
`statistics` and SymPy. The function of a record is the backward one; its forward partner is judged with it.
"""

import itertools
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from vae_np import layers
from vae_np.layers.batch_norm import RunningStats
from vae_np.model import Params, Sizes, Stats, bernoulli, gaussian, loss, loss_backward
from vae_np.verify.judges import (
    complex_step,
    gradient,
    monte_carlo,
    proved,
    rounding,
    steps_of_one,
    taylor,
    worst,
)
from vae_np.verify.record import Measured

Backward = Callable[..., tuple[np.ndarray, ...]]
Entrywise = Callable[..., np.ndarray]


# ---------------------------------------------------------------------------------- the affine map

LINEAR_SIZES = ((1, 2, 3), (4, 3, 2), (6, 1, 4), (3, 3, 3))  # rows, inputs, outputs; the last all square


def _integers(rng: np.random.Generator, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Draw whole numbers as floats: sums and products of them are not rounded."""
    return tuple(rng.integers(-9, 10, shape).astype(float) for shape in shapes)


def linear_is_pythons_integer_sum(_: object, rng: np.random.Generator) -> Measured:
    results = []
    for n, n_in, n_out in LINEAR_SIZES:
        x, W, b = _integers(rng, (n, n_in), (n_in, n_out), (n_out,))
        rows, columns = x.astype(int).tolist(), W.T.astype(int).tolist()
        products = [[sum(map(int.__mul__, row, column)) for column in columns] for row in rows]
        expected = [[p + int(c) for p, c in zip(row, b, strict=True)] for row in products]
        results.append(rounding(layers.linear(x, W, b), np.array(expected), 0))
    return worst(results)


def linear_by_steps_of_one(backward: Backward, rng: np.random.Generator) -> Measured:
    results = []
    for n, n_in, n_out in LINEAR_SIZES:
        x, W, b, d_a = _integers(rng, (n, n_in), (n_in, n_out), (n_out,), (n, n_out))
        expected = tuple(steps_of_one(layers.linear, (x, W, b), which, d_a) for which in range(3))
        results.append(rounding(tuple(backward(d_a, x, W)), expected, 0))
    return worst(results)


def _random_linear_layer(rng: np.random.Generator, n: int, n_in: int, n_out: int) -> tuple[np.ndarray, ...]:
    """x, W, b and d_a."""
    return tuple(rng.normal(size=shape) for shape in ((n, n_in), (n_in, n_out), n_out, (n, n_out)))


def linear_by_complex_step(backward: Backward, rng: np.random.Generator) -> Measured:
    results = []
    for sizes in LINEAR_SIZES:
        x, W, b, d_a = _random_linear_layer(rng, *sizes)
        # at most 24 outputs of 3 products each, both ways
        results.append(gradient(layers.linear, (x, W, b), d_a, backward(d_a, x, W), 200))
    return worst(results)


def linear_by_taylor(backward: Backward, rng: np.random.Generator) -> Measured:
    x, W, b, d_a = _random_linear_layer(rng, 4, 3, 2)
    return taylor(layers.linear, (x, W, b), d_a, backward(d_a, x, W), rng)


def linear_with_rows_averaged(backward: Backward, rng: np.random.Generator) -> Measured:
    """d_W and d_b as means over the rows: the mean over cells would be taken twice."""
    x, W, b, d_a = _random_linear_layer(rng, 4, 3, 2)
    d_x, d_W, d_b = backward(d_a, x, W)
    return gradient(layers.linear, (x, W, b), d_a, (d_x, d_W / 4, d_b / 4), 200)


# --------------------------------------------------------------------------------- the leaky ReLU


def _away_from_the_kink(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Entries of both signs, 0.1 or more from 0."""
    a = rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.1, 2.0, shape)
    a.flat[:2] = -1.5, 1.5
    return a


def leaky_relu_is_a_maximum(_: object, rng: np.random.Generator) -> Measured:
    """Compare with slope a + (1 - slope) max(a, 0), for the published slope and others."""
    a = _away_from_the_kink(rng, (5, 4))
    got = [layers.leaky_relu(a), *(layers.leaky_relu(a, slope) for slope in (0.0, 0.3, 1.0))]
    expected = [slope * a + (1 - slope) * np.maximum(a, 0) for slope in (0.01, 0.0, 0.3, 1.0)]
    return rounding(np.stack(got), np.stack(expected), 5)


def leaky_relu_by_left_steps(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """f(a) - f(a - 1) at integers, 0 among them, with slope 1/4: the derivative from the left, exactly."""
    a = rng.permutation(np.arange(-4.0, 5.0)).reshape(3, 3)
    d_h = rng.integers(1, 9, (3, 3)).astype(float)
    steps = layers.leaky_relu(a, 0.25) - layers.leaky_relu(a - 1, 0.25)
    return rounding(backward(d_h, a, 0.25), d_h * steps, 0)


def leaky_relu_by_euler(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """Scaling a by t > 0 scales h by t, so a dh/da = h (Euler), with the published slope on both sides."""
    a, d_h = _away_from_the_kink(rng, (5, 4)), rng.normal(size=(5, 4))
    published = np.where(a > 0, d_h, d_h / 100)
    by_euler = (a * backward(d_h, a), d_h * layers.leaky_relu(a))
    return worst([rounding(*by_euler, 5), rounding(backward(d_h, a), published, 5)])


def leaky_relu_by_complex_step(backward: Entrywise, rng: np.random.Generator) -> Measured:
    results = []
    for shape, slope in (((5,), ()), ((2, 3), (0.3,)), ((2, 3, 2), (0.0,)), ((3, 3), ())):
        a, d_h = _away_from_the_kink(rng, shape), rng.normal(size=shape)
        a.flat[-1] = 0.0  # both functions must choose the same side
        d_a = backward(d_h, a, *slope)
        results.append(gradient(layers.leaky_relu, (a, *slope), d_h, (d_a,), 10))
    return worst(results)


def leaky_relu_by_taylor(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """Of h^2/2, since h alone is straight and leaves no remainder; no step of 1e-3 reaches the kink."""

    def half_square(a: np.ndarray) -> np.ndarray:
        return layers.leaky_relu(a, 0.3) ** 2 / 2

    a, d = _away_from_the_kink(rng, (5, 4)), rng.uniform(0.5, 1.5, (5, 4))
    return taylor(half_square, (a,), d, (backward(d * layers.leaky_relu(a, 0.3), a, 0.3),), rng)


def leaky_relu_with_one_derivative_at_zero(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """At 0 the step to the right gives 1, not slope: no single number is the derivative there."""
    d_h = rng.integers(1, 9, 3).astype(float)
    zero = np.zeros(3)
    to_the_right = d_h * (layers.leaky_relu(zero + 1, 0.25) - layers.leaky_relu(zero, 0.25))
    return rounding(backward(d_h, zero, 0.25), to_the_right, 5)


# ------------------------------------------------------------------------------------ batch norm


class NormInput(NamedTuple):
    """Arguments of batch norm, and a gradient of its output."""

    a: np.ndarray
    gamma: np.ndarray
    beta: np.ndarray
    stats: RunningStats
    d_h: np.ndarray


NORM_SIZES = ((2, 3), (3, 2), (7, 4), (4, 4))


def random_norm_input(rng: np.random.Generator, n: int, m: int) -> NormInput:
    """Draw a batch whose columns have well separated entries, so that no variance is small."""
    a = rng.permuted(np.tile(np.arange(float(n)), (m, 1)), axis=1).T + rng.uniform(-0.3, 0.3, (n, m))
    gamma, beta = rng.uniform(0.5, 2, m) * rng.choice([-1, 1], m), rng.normal(size=m)
    stats = RunningStats(rng.normal(size=m), rng.uniform(0.5, 2, m))
    return NormInput(a, gamma, beta, stats, rng.normal(size=(n, m)))


def _columns(a: np.ndarray, f: Callable[[list[float]], float]) -> np.ndarray:
    return np.array([f(column) for column in a.T.tolist()])


def batch_norm_by_exact_statistics(_: object, rng: np.random.Generator) -> Measured:
    """Python's statistics (rational arithmetic), with the published epsilon and another."""
    results = []
    for sizes in NORM_SIZES:
        a, gamma, beta, stats, _d = random_norm_input(rng, *sizes)
        mean, var = _columns(a, statistics.mean), _columns(a, statistics.pvariance)
        for options, epsilon in (((), 1e-3), ((0.4,), 0.4)):
            expected = gamma * (a - mean) / np.sqrt(var + epsilon) + beta
            # 7 rows in the mean and in the variance, 8 more operations; 1/s amplifies them at most 5 times
            results.append(rounding(layers.batch_norm(a, gamma, beta, stats, *options)[0], expected, 100))
    return worst(results)


def batch_norm_running_statistics(_: object, rng: np.random.Generator) -> Measured:
    """After T batches alike: (1-m)^T old + (1 - (1-m)^T) batch, the variance with 1/(n-1)."""
    results = []
    for sizes, options, momentum in ((NORM_SIZES[0], (), 0.01), (NORM_SIZES[2], (0.1, 0.3), 0.3)):
        a, gamma, beta, stats, _d = random_norm_input(rng, *sizes)
        mean, var = _columns(a, statistics.mean), _columns(a, statistics.variance)
        before = RunningStats(*(array.copy() for array in stats))
        old = stats
        for _step in range(9):
            _, _, stats = layers.batch_norm(a, gamma, beta, stats, *options)
        kept = (1 - momentum) ** 9
        expected = (kept * before.mean + (1 - kept) * mean, kept * before.var + (1 - kept) * var)
        results.append(rounding(tuple(stats), expected, 200))  # 9 steps of 3 operations, and 7 rows twice
        results.append(rounding(tuple(old), tuple(before), 0))  # what came in is not written to
    return worst(results)


def batch_norm_in_evaluation(backward: Backward, rng: np.random.Generator) -> Measured:
    """The running statistics normalize, go out unchanged, and are constants: d_a = gamma d_h / s.

    Integers, s = 2 and epsilon = 3: steps of 1 in a, gamma and beta are free of rounding.
    """
    a, d_h, gamma, beta, mean = _integers(rng, (4, 3), (4, 3), (3,), (3,), (3,))
    stats = RunningStats(mean, np.ones(3))

    def forward(a: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
        return layers.batch_norm(a, gamma, beta, stats, epsilon=3.0, train=False)[0]

    h, cache, kept = layers.batch_norm(a, gamma, beta, stats, epsilon=3.0, train=False)
    expected = tuple(steps_of_one(forward, (a, gamma, beta), which, d_h) for which in range(3))
    return worst(
        [
            rounding(tuple(backward(d_h, cache)), expected, 0),
            rounding(h, (gamma * a - gamma * stats.mean) / 2 + beta, 0),
            rounding(tuple(kept), tuple(stats), 0),
        ]
    )


def batch_norm_refuses_one_row(_: object, rng: np.random.Generator) -> Measured:
    a, gamma, beta, stats, _d = random_norm_input(rng, 1, 3)
    try:
        layers.batch_norm(a, gamma, beta, stats)
    except ValueError:
        return Measured(0.0, 0.0, "one row has no variance: ValueError")
    return Measured(1.0, 0.0, "one row has no variance: ValueError")


def batch_norm_by_complex_step(backward: Backward, rng: np.random.Generator) -> Measured:
    results = []
    for sizes, train in itertools.product(NORM_SIZES, (True, False)):
        a, gamma, beta, stats, d_h = random_norm_input(rng, *sizes)

        def forward(
            a: np.ndarray,
            gamma: np.ndarray,
            beta: np.ndarray,
            stats: RunningStats = stats,
            train: bool = train,
        ) -> np.ndarray:
            return layers.batch_norm(a, gamma, beta, stats, train=train)[0]

        _, cache, _ = layers.batch_norm(a, gamma, beta, stats, train=train)
        # 28 outputs; behind each 7 rows in two sums and 10 more operations; 1/s amplifies at most 5 times
        results.append(gradient(forward, (a, gamma, beta), d_h, backward(d_h, cache), 500))
    return worst(results)


def batch_norm_by_taylor(backward: Backward, rng: np.random.Generator) -> Measured:
    def once(train: bool) -> Measured:
        a, gamma, beta, stats, d_h = random_norm_input(rng, 7, 3)

        def forward(a: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
            return layers.batch_norm(a, gamma, beta, stats, train=train)[0]

        _, cache, _ = layers.batch_norm(a, gamma, beta, stats, train=train)
        return taylor(forward, (a, gamma, beta), d_h, backward(d_h, cache), rng)

    return worst(once(train) for train in (True, False))


def batch_norm_as_a_regression(backward: Backward, rng: np.random.Generator) -> Measured:
    """With epsilon = 0, s d_a is what least squares on (1, a) leaves of gamma d_h."""
    got, expected = [], []
    for _ in range(5):
        a, gamma, beta, stats, d_h = random_norm_input(rng, 7, 3)
        _, cache, _ = layers.batch_norm(a, gamma, beta, stats, epsilon=0.0)
        d_a, _, _ = backward(d_h, cache)
        for j in range(3):
            design = np.stack([np.ones(7), a[:, j]], axis=1)
            coefficients = np.linalg.lstsq(design, gamma[j] * d_h[:, j])[0]
            got.append(d_a[:, j] * a[:, j].std())
            expected.append(gamma[j] * d_h[:, j] - design @ coefficients)
    # least squares with 7 rows and a condition number of about 10: 7 * 10 * 2 operations, and the sums
    return rounding(np.stack(got), np.stack(expected), 300)


def batch_norm_ignores_a_shift(backward: Backward, rng: np.random.Generator) -> Measured:
    """In training d_a sums to zero over the batch: the bias of the linear layer before has gradient 0."""
    totals, size = [], 0.0
    for sizes in NORM_SIZES:
        a, gamma, beta, stats, d_h = random_norm_input(rng, *sizes)
        _, cache, _ = layers.batch_norm(a, gamma, beta, stats)
        d_a, _, _ = backward(d_h, cache)
        totals.append(d_a.sum(axis=0))
        size = max(size, float(np.abs(gamma * d_h).max()))
    total = np.concatenate(totals)
    return rounding(total, np.zeros_like(total), 200, scale=size)  # 7 rows, three sums, 1/s below 5


def batch_norm_by_symbols(backward: Backward, rng: np.random.Generator) -> Measured:
    """du_i/da_j = ([i = j] - 1/n - u_i u_j / n) / s, n = 3, any epsilon; the rest is symmetry."""
    import sympy

    n = 3
    a = sympy.symbols("a:3", real=True)
    epsilon = sympy.symbols("epsilon", positive=True)
    mean = sum(a) / n
    s = sympy.sqrt(sum((x - mean) ** 2 for x in a) / n + epsilon)
    u = [(x - mean) / s for x in a]
    claimed = [(int(j == 0) - sympy.Rational(1, n) - u[0] * u[j] / n) / s for j in range(2)]
    row = sympy.lambdify((*a, epsilon), [sympy.diff(u[0], x) for x in a])

    values, gamma, beta, stats, d_h = random_norm_input(rng, n, 1)
    _, cache, _ = layers.batch_norm(values, gamma, beta, stats, epsilon=0.1)
    jacobian = np.array([np.roll(row(*np.roll(values[:, 0], -i), 0.1), i) for i in range(n)])
    agrees = rounding(backward(d_h, cache)[0][:, 0], gamma * d_h[:, 0] @ jacobian, 100, scale=1.0)
    return proved(agrees, *(sympy.diff(u[0], a[j]) - claimed[j] for j in range(2)))


def batch_norm_with_constant_statistics(_: object, rng: np.random.Generator) -> Measured:
    """In training, d_a = gamma d_h / s: the two means that the statistics contribute are dropped."""
    a, gamma, beta, stats, d_h = random_norm_input(rng, 7, 3)
    expected = complex_step(lambda a: layers.batch_norm(a, gamma, beta, stats)[0], (a,), 0, d_h)
    return rounding(gamma * d_h / np.sqrt(a.var(axis=0) + 1e-3), expected, 500)


def batch_norm_with_biased_running_variance(_: object, rng: np.random.Generator) -> Measured:
    """The running variance with 1/n, as in the normalization."""
    a, gamma, beta, stats, _d = random_norm_input(rng, 7, 3)
    _, _, updated = layers.batch_norm(a, gamma, beta, stats, momentum=0.3)
    return rounding(0.7 * stats.var + 0.3 * _columns(a, statistics.pvariance), updated.var, 200)


# --------------------------------------------------------------------------------------- dropout


class SmallestDraws:
    """Stands for a generator: a uniform draw from [0, 1) may be 0."""

    def random(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Return nothing but the smallest draw."""
        return np.zeros(shape, dtype)


def dropout_mask_values(_: object, rng: np.random.Generator) -> Measured:
    """Two values, 0 and 1/(1-p), in the dtype asked for; p = 0 drops nothing."""
    off = []
    for rate, dtype in ((0.5, np.float64), (0.2, np.float64), (0.75, np.float32)):
        mask = layers.dropout_mask((40, 30), rate, rng, dtype)
        both = np.array([0.0, 1 / (1 - rate)], dtype)
        off.append(rounding(np.unique(mask), both, 2))
        off.append(Measured(float(mask.dtype != dtype), 0.0, "the dtype"))
    generators: tuple[Any, ...] = (rng, SmallestDraws())
    for generator in generators:
        off.append(rounding(layers.dropout_mask((9,), 0.0, generator, np.float64), np.ones(9), 0))
    return worst(off)


def dropout_mask_moments(_: object, rng: np.random.Generator) -> Measured:
    """E m = 1, E m^2 = 1/(1-p), and for neighbors in a row or a column E m m' = 1: they are independent."""
    draws, expected = [], []
    for rate in (0.1, 0.5):
        mask = layers.dropout_mask((40_000, 2), rate, rng, np.float64).reshape(-1, 2, 2)
        m = mask[:, 0, 0]
        draws += [m, m**2, m * mask[:, 0, 1], m * mask[:, 1, 0]]
        expected += [1, 1 / (1 - rate), 1, 1]
    return monte_carlo(np.stack(draws, axis=1), np.array(expected))


def _average_over_all_masks(f: Entrywise, values: np.ndarray, rate: float) -> np.ndarray:
    """Average f(values, mask) over all 2^n masks, each with its probability."""
    total = np.zeros_like(values)
    for kept in itertools.product((0.0, 1.0), repeat=len(values)):
        mask = np.array(kept)
        probability = np.prod(np.where(mask == 1, 1 - rate, rate))
        total += probability * f(values, mask / (1 - rate))
    return total


def dropout_on_average(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """Over all 2^5 masks the mean of h is x, and the mean of d_x is d_h."""
    x, d_h, rate = rng.normal(size=5), rng.normal(size=5), rng.uniform(0.1, 0.7)
    means = tuple(_average_over_all_masks(f, v, rate) for f, v in ((layers.dropout, x), (backward, d_h)))
    return rounding(means, (x, d_h), 100)  # 32 masks, a product of 5 probabilities and 3 operations more


def dropout_by_steps_of_one(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """With p = 3/4 the mask holds 0 and 4, and all numbers are whole: no rounding."""
    x, d_h = _integers(rng, (4, 3), (4, 3))
    mask = rng.permutation(np.repeat([0.0, 4.0], 6)).reshape(4, 3)
    return rounding(backward(d_h, mask), steps_of_one(layers.dropout, (x, mask), 0, d_h), 0)


def _random_dropout(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """x, d_h and a mask that drops half of the entries."""
    mask = rng.permutation(np.arange(np.prod(shape)) % 2).reshape(shape) / 0.6
    return rng.normal(size=shape), rng.normal(size=shape), mask


def dropout_by_complex_step(backward: Entrywise, rng: np.random.Generator) -> Measured:
    results = []
    for shape in ((6,), (4, 3), (2, 3, 4), (3, 3)):
        x, d_h, mask = _random_dropout(rng, shape)
        results.append(gradient(layers.dropout, (x, mask), d_h, (backward(d_h, mask),), 10))
    return worst(results)


def dropout_by_taylor(backward: Entrywise, rng: np.random.Generator) -> Measured:
    """Of h^2/2, since h alone is straight and leaves no remainder."""
    x, _, mask = _random_dropout(rng, (4, 3))
    d = rng.uniform(0.5, 1.5, (4, 3))
    d_x = backward(d * layers.dropout(x, mask), mask)
    return taylor(lambda x: layers.dropout(x, mask) ** 2 / 2, (x,), d, (d_x,), rng)


def dropout_without_the_mask_in_backward(_: object, rng: np.random.Generator) -> Measured:
    x, d_h, mask = _random_dropout(rng, (4, 3))
    return gradient(layers.dropout, (x, mask), d_h, (d_h,), 10)


def dropout_with_a_fresh_mask_in_backward(backward: Entrywise, rng: np.random.Generator) -> Measured:
    x, d_h, mask = _random_dropout(rng, (4, 3))
    fresh = np.roll(mask, 1)  # half of the entries are kept, so a shift changes some
    return gradient(layers.dropout, (x, mask), d_h, (backward(d_h, fresh),), 10)


def dropout_without_the_factor(_: object, rng: np.random.Generator) -> Measured:
    """A mask of 0 and 1 shrinks the mean to (1 - p) x."""
    x, rate = rng.normal(size=5), rng.uniform(0.1, 0.7)
    shrunk = _average_over_all_masks(lambda x, mask: layers.dropout(x, mask * (1 - rate)), x, rate)
    return rounding(shrunk, x, 100)


# ----------------------------------------------------------------------------- a mean over shards


class Batch(NamedTuple):
    """A model, and everything its loss is computed from."""

    params: Params
    stats: Stats
    x: np.ndarray
    eps: np.ndarray
    masks: list[np.ndarray] | None
    binary: bool
    train: bool

    def mean_loss(self, flat: np.ndarray) -> np.ndarray:
        """Mean over cells of the loss at other parameters, shape ()."""
        params = Params(self.params.sizes, flat)
        return self._forward(params)[0].total.mean()

    def gradient(self) -> np.ndarray:
        """The library's gradient, flat."""
        return loss_backward(self._forward(self.params)[1]).flat

    def shard(self, rows: slice) -> "Batch":
        """Some of the cells, with their own noise and their own rows of the masks."""
        masks = None
        if self.masks is not None:
            n_draws, n_cells = self.eps.shape[:2]
            n_layers = self.params.sizes.n_layers
            masks = [mask[rows] for mask in self.masks[:n_layers]]
            for mask in self.masks[n_layers:]:  # rows: draw by draw, cell by cell
                of_cells = mask.reshape(n_draws, n_cells, -1)[:, rows]
                masks.append(of_cells.reshape(-1, mask.shape[1]))
        return self._replace(x=self.x[rows], eps=self.eps[:, rows], masks=masks)

    def _forward(self, params: Params) -> tuple:
        likelihood = bernoulli() if self.binary else gaussian(0.7)
        return loss(params, self.stats, self.x, self.eps, self.masks, likelihood, 1.3, self.train)


def random_batch(
    rng: np.random.Generator, n_layers: int, n_draws: int, binary: bool, train: bool = False, n: int = 11
) -> Batch:
    """Draw a small model and n cells; with hidden layers there is dropout too."""
    sizes = Sizes(n_genes=4, n_hidden=3, n_latent=2, n_layers=n_layers)
    params = Params(sizes, rng.normal(scale=0.6, size=sizes.n_params))
    stats = Stats(sizes, rng.uniform(0.5, 2, sizes.n_stats))
    x = rng.integers(0, 2, (n, 4)).astype(float) if binary else rng.normal(size=(n, 4))
    eps = rng.normal(size=(n_draws, n, 2))
    n_rows = [n] * n_layers + [n_draws * n] * n_layers
    masks = [rng.permutation(np.arange(3 * rows) % 2).reshape(rows, 3) * 2.0 for rows in n_rows]
    return Batch(params, stats, x, eps, masks if n_layers else None, binary, train)


def shards(batch: Batch, ends: tuple[int, ...]) -> list[tuple[float, np.ndarray]]:
    """Share of the cells and gradient of each shard; the shards end where `ends` says."""
    slices = [slice(a, b) for a, b in itertools.pairwise((0, *ends))]
    return [((s.stop - s.start) / len(batch.x), batch.shard(s).gradient()) for s in slices]


def weighted_mean(batch: Batch, ends: tuple[int, ...]) -> np.ndarray:
    """Sum over the shards of n_s / n times the shard's gradient."""
    return np.sum([share * g for share, g in shards(batch, ends)], axis=0)


# entries of a gradient: at most 33 rows, each behind ten layers of sums of at most 4 terms, both ways
SHARD_OPERATIONS = 3000
UNEQUAL = (2, 5, 11)


def shards_by_the_whole_batch(_: object, rng: np.random.Generator) -> Measured:
    results = []
    for n_layers, n_draws, binary in ((0, 1, False), (1, 3, True), (2, 3, False)):
        batch = random_batch(rng, n_layers, n_draws, binary)
        for ends in (UNEQUAL, tuple(range(1, 12))):  # three shards, and every cell its own
            results.append(rounding(weighted_mean(batch, ends), batch.gradient(), SHARD_OPERATIONS))
    return worst(results)


def equal_shards_need_no_weights(_: object, rng: np.random.Generator) -> Measured:
    batch = random_batch(rng, 2, 3, False, n=12)
    plain = np.mean([g for _, g in shards(batch, (4, 8, 12))], axis=0)
    return rounding(plain, batch.gradient(), SHARD_OPERATIONS)


def shards_by_complex_step(_: object, rng: np.random.Generator) -> Measured:
    """Against the loss itself: the gradient of the mean over all cells, every parameter."""
    results = []
    for n_layers, n_draws, binary in ((1, 3, True), (2, 1, False)):
        batch = random_batch(rng, n_layers, n_draws, binary)
        one = np.ones(())
        got = (weighted_mean(batch, UNEQUAL),)
        results.append(gradient(batch.mean_loss, (batch.params.flat,), one, got, SHARD_OPERATIONS))
    return worst(results)


def shards_by_taylor(_: object, rng: np.random.Generator) -> Measured:
    """The affine model: no kink is near."""
    batch = random_batch(rng, 0, 3, False)
    got = (weighted_mean(batch, UNEQUAL),)
    return taylor(batch.mean_loss, (batch.params.flat,), np.ones(()), got, rng)


def shards_without_weights(_: object, rng: np.random.Generator) -> Measured:
    batch = random_batch(rng, 2, 3, False)
    plain = np.mean([g for _, g in shards(batch, UNEQUAL)], axis=0)
    return rounding(plain, batch.gradient(), SHARD_OPERATIONS)


def shards_in_training(_: object, rng: np.random.Generator) -> Measured:
    """Batch norm in training: each shard normalizes by its own statistics."""
    batch = random_batch(rng, 2, 3, False, train=True)
    return rounding(weighted_mean(batch, UNEQUAL), batch.gradient(), SHARD_OPERATIONS)
