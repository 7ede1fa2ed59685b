"""Adam: the two running moments, the correction of their bias, and the step.

Page: `derivations/adam.md`. The functions know no dtype: arrays of fractions, of fifty-digit decimals or
of symbols pass through them, so most comparisons are exact. The other route never steps a moment on:
it adds up all the gradients so far, each with its weight.
"""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np

from vae_np.kernels import use
from vae_np.model.params import Params, Sizes
from vae_np.train.adam import AdamState, adam_step
from vae_np.verify.judges import (
    identities,
    monte_carlo,
    proved,
    rounding,
    worst,
)
from vae_np.verify.record import Measured

Formula = Callable[..., tuple[np.ndarray, ...]]
BETAS = (0.9, 0.999)  # the published rates, which the functions must have as their defaults
# 1 - 0.999 turns one rounding of 0.999 into a thousand
OPERATIONS = 5000


def fractions(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Draw fractions between -9 and 9, none of them zero, as an object array."""
    top = rng.integers(1, 64, shape) * rng.choice([-1, 1], shape)
    return np.vectorize(lambda a: Fraction(int(a), 7), otypes=[object])(top)


def rates(rng: np.random.Generator) -> tuple[Fraction, Fraction]:
    """Draw two different decay rates between 0 and 1."""
    low, high = sorted(rng.choice(np.arange(1, 97), 2, replace=False))
    return Fraction(int(low), 97), Fraction(int(high), 97)


def largest_difference(got: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Largest absolute difference of arrays of any number type; NaN if one is NaN, which `max` may hide."""
    return float(np.max([np.abs(g - e).astype(float) for g, e in zip(got, expected, strict=True)]))


def in_fractions(got: list[np.ndarray], expected: list[np.ndarray]) -> Measured:
    """Compare in exact arithmetic: any difference at all is an error."""
    return Measured(largest_difference(got, expected), 0.0, "exact rational arithmetic")


def weighted_sum(start: Any, terms: Any, beta: Any) -> Any:  # noqa: ANN401 - any number type
    """Write a moment out: beta^t start + (1 - beta) sum_s beta^(t-s) terms_s."""
    t = len(terms)
    weights = [(1 - beta) * beta ** (t - s) for s in range(1, t + 1)]
    return beta**t * start + sum(w * term for w, term in zip(weights, terms, strict=True))


def weighted_average(terms: Any, beta: Any) -> Any:  # noqa: ANN401 - any number type
    """Average with weights beta^(t-s): what a corrected moment is."""
    weights = [beta ** (len(terms) - s) for s in range(1, len(terms) + 1)]
    return sum(w * term for w, term in zip(weights, terms, strict=True)) / sum(weights)


# ------------------------------------------------------------------------------------ the moments


def moments_in_fractions(moments: Formula, rng: np.random.Generator) -> Measured:
    """Six steps from arbitrary moments, each compared with the sum over all gradients so far."""
    beta1, beta2 = rates(rng)
    gradients = fractions(rng, 6, 3)
    start_m, start_v = fractions(rng, 2, 3)
    m, v = start_m, start_v
    got, expected = [], []
    for t in range(1, 7):
        m, v = moments(gradients[t - 1], m, v, beta1, beta2)
        got += [m, v]
        expected.append(weighted_sum(start_m, gradients[:t], beta1))
        expected.append(weighted_sum(start_v, gradients[:t] ** 2, beta2))
    return in_fractions(got, expected)


def moments_with_published_rates(moments: Formula, rng: np.random.Generator) -> Measured:
    gradients = rng.normal(size=(20, 4))
    m, v = np.zeros(4), np.zeros(4)
    for g in gradients:
        m, v = moments(g, m, v)
    expected_m = weighted_sum(0.0, gradients, BETAS[0])
    expected_v = weighted_sum(0.0, gradients**2, BETAS[1])
    return rounding(
        np.stack([m / expected_m, v / expected_v]), np.ones((2, 4)), OPERATIONS, conditioning(gradients)
    )


def conditioning(gradients: np.ndarray) -> float:
    """How much a signed weighted sum can shrink against its terms: the scale of its relative error."""
    size = weighted_sum(0.0, np.abs(gradients), BETAS[0])
    return float((size / np.abs(weighted_sum(0.0, gradients, BETAS[0]))).max())


def moments_by_symbols(moments: Formula, rng: np.random.Generator) -> Measured:
    """Unroll four steps with every gradient and both rates a symbol."""
    import sympy

    beta1, beta2, m0, v0 = sympy.symbols("beta1 beta2 m0 v0")
    g = sympy.symbols("g1:5")
    m, v = np.array([m0]), np.array([v0])
    for gradient in g:
        m, v = moments(np.array([gradient]), m, v, beta1, beta2)
    differences = (
        m[0] - weighted_sum(m0, g, beta1),
        v[0] - weighted_sum(v0, [x**2 for x in g], beta2),
    )
    return identities(*(sympy.expand(d) for d in differences))


# --------------------------------------------------------------------------------- their correction


def bias_of_a_constant_gradient(bias: Formula, rng: np.random.Generator) -> Measured:
    """Moments of a constant gradient, written out; corrected, they are the gradient and its square."""
    beta1, beta2 = rates(rng)
    g = fractions(rng, 3)
    got: list[np.ndarray] = []
    expected: list[np.ndarray] = []
    for t in (1, 2, 3, 7, 20):
        got += bias(weighted_sum(0, [g] * t, beta1), weighted_sum(0, [g * g] * t, beta2), t, beta1, beta2)
        expected += [g, g * g]
    return in_fractions(got, expected)


def bias_with_published_rates(bias: Formula, rng: np.random.Generator) -> Measured:
    """Also late, when the correction of v is still 0.7 % at t = 5000, and 2e-9 at t = 20,000."""
    got, expected = [], []
    for t in (1, 2, 10, 1000, 5000, 20_000):
        m, v = rng.normal(size=3), rng.uniform(0.1, 2, size=3)
        got.append(np.stack(bias(m, v, t)))
        sums = [math.fsum((1 - beta) * beta**s for s in range(t)) for beta in BETAS]
        expected.append(np.stack([m / sums[0], v / sums[1]]))
    return rounding(np.stack(got), np.stack(expected), OPERATIONS)


def bias_in_expectation(bias: Formula, rng: np.random.Generator) -> Measured:
    """Gradients drawn independently from one law: after every step the means are E g and E g^2."""
    center, spread = rng.uniform(0.5, 1.5), rng.uniform(0.5, 1.5)
    gradients = center + spread * rng.standard_normal((5, 20_000))
    corrected: list[np.ndarray] = []
    for t in range(1, 6):
        m = weighted_sum(0.0, gradients[:t], BETAS[0])
        v = weighted_sum(0.0, gradients[:t] ** 2, BETAS[1])
        corrected += bias(m, v, t, *BETAS)
    return monte_carlo(np.stack(corrected, axis=1), np.tile([center, center**2 + spread**2], 5))


def bias_by_symbols(bias: Formula, rng: np.random.Generator) -> Measured:
    """The weights add up to 1 - beta^t, by induction on t; the function divides by just that."""
    import sympy

    beta1, beta2, m, v = sympy.symbols("beta1 beta2 m v", positive=True)
    t = sympy.symbols("t", integer=True, positive=True)
    first = (1 - beta1) - (1 - beta1**1)
    # step t multiplies every older weight by beta and adds the weight 1 - beta
    next_one = beta1 * (1 - beta1**t) + (1 - beta1) - (1 - beta1 ** (t + 1))
    m_hat, v_hat = bias(np.array([m]), np.array([v]), t, beta1, beta2)
    # written without a quotient, so that SymPy need not divide
    by_function = (m_hat[0] * (1 - beta1**t) - m, v_hat[0] * (1 - beta2**t) - v)
    return identities(first, sympy.expand(next_one), *by_function)


def no_correction(_: object, rng: np.random.Generator) -> Measured:
    """The first moments of a constant gradient as they stand: 10 and 1000 times too small."""
    g = rng.uniform(0.5, 2, size=3)
    uncorrected = np.stack([weighted_sum(0.0, [g], BETAS[0]), weighted_sum(0.0, [g * g], BETAS[1])])
    return rounding(uncorrected, np.stack([g, g * g]), OPERATIONS)


# ---------------------------------------------------------------------------------------- the step


def plain_adam(
    theta: Any,  # noqa: ANN401 - any number type
    gradients: Any,  # noqa: ANN401
    lr: Any,  # noqa: ANN401
    betas: tuple[Any, Any],
    epsilon: Any,  # noqa: ANN401
    weight_decay: Any,  # noqa: ANN401
) -> list[Any]:
    """Move one weight by Adam without running moments: theta after each step."""
    seen, path = [], []
    for gradient in gradients:
        seen.append(gradient + weight_decay * theta)
        m_hat = weighted_average(seen, betas[0])
        v_hat = weighted_average([g * g for g in seen], betas[1])
        root = v_hat ** type(v_hat)("0.5")  # a float for floats, fifty digits for decimals
        theta = theta - lr * m_hat / (root + epsilon)
        path.append(theta)
    return path


def steps_in_fifty_digits(update: Formula, rng: np.random.Generator) -> Measured:
    """Five steps of three weights with gradients from 1e-4 to 10 and an epsilon that counts."""

    def decimals(values: np.ndarray) -> np.ndarray:
        return np.vectorize(Decimal, otypes=[object])(values)

    with localcontext() as context:
        context.prec = 50
        theta = start = decimals(rng.normal(size=3))
        gradients = decimals(rng.normal(size=(5, 3)) * np.array([1e-4, 1e-1, 10.0]))
        lr, epsilon, decay = (Decimal(rng.uniform(low, 10 * low)) for low in (1e-3, 1e-3, 1e-2))
        betas = (Decimal(rng.uniform(0.1, 0.9)), Decimal(rng.uniform(0.9, 0.99)))
        m = v = decimals(np.zeros(3))
        got, moments = [], []
        for t, gradient in enumerate(gradients, start=1):
            moments.append(gradient + decay * theta)
            theta, m, v = update(theta, gradient, m, v, t, lr, *betas, epsilon, decay)
            got.append(np.stack([theta, m, v]))
        one_by_one = [plain_adam(start[i], gradients[:, i], lr, betas, epsilon, decay) for i in range(3)]
        expected = [
            np.stack(
                [
                    np.array([path[t] for path in one_by_one]),
                    weighted_sum(Decimal(0), moments[: t + 1], betas[0]),
                    weighted_sum(Decimal(0), [g * g for g in moments[: t + 1]], betas[1]),
                ]
            )
            for t in range(5)
        ]
        error = largest_difference(got, expected)
    # values up to 1e3; 5 steps of 40 operations, amplified by up to 1 / (1 - beta2) = 100
    return Measured(error, 1e3 * 5 * 40 * 100 * 1e-50, "20,000 operations in fifty digits, absolute")


def steps_with_published_settings(update: Formula, rng: np.random.Generator) -> Measured:
    """Ten steps without naming a rate: lr 1e-3, betas 0.9 and 0.999, epsilon 1e-8, no decay.

    A gradient of 1e-9 shows the epsilon, one of 1 everything else; relative to what theta moved.
    """
    size = np.array([1.0, 1e-9])
    gradients = rng.uniform(0.5, 2, (10, 2)) * size
    theta = start = np.zeros(2)
    m = v = np.zeros(2)
    path = []
    for t, gradient in enumerate(gradients, start=1):
        theta, m, v = update(theta, gradient, m, v, t)
        path.append(theta)
    expected = [plain_adam(start[i], list(gradients[:, i]), 1e-3, BETAS, 1e-8, 0.0) for i in range(2)]
    return rounding(np.stack(path, axis=1) / np.array(expected), np.ones((2, 10)), OPERATIONS)


def late_steps(update: Formula, rng: np.random.Generator) -> Measured:
    """Steps 1001, 5000 and 20,000 from the moments of all gradients before, against the weighted averages."""
    gradients, theta = rng.normal(size=(20_000, 3)) + 0.5, rng.uniform(1, 2, 3)

    def compare() -> Iterator[Measured]:
        for t in (1001, 5000, 20_000):
            weights = [beta ** np.arange(t - 1, -1, -1.0) for beta in BETAS]
            powers = gradients[:t], gradients[:t] ** 2
            m, v = (
                (1 - beta) * (w[1:] @ power[:-1])
                for beta, w, power in zip(BETAS, weights, powers, strict=True)
            )
            m_hat, v_hat = (w @ power / w.sum() for w, power in zip(weights, powers, strict=True))
            moved, _, _ = update(theta, gradients[t - 1], m, v, t)
            step = 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8)
            # the step, 1e-4 to 1e-3, is what is left of numbers up to 2: 2000 to 20,000 roundings more
            yield rounding((theta - moved) / 1e-3, step / 1e-3, 10 * OPERATIONS, scale=1.0)

    return worst(compare())


def first_step(update: Formula, rng: np.random.Generator) -> Measured:
    """From moments 0 theta moves by lr g / (|g| + epsilon), whatever the decay rates."""
    g = rng.choice([-1.0, 1.0], 30) * 10.0 ** rng.uniform(-6, 6, 30)
    lr, epsilon = rng.uniform(0.01, 0.1), 10.0 ** rng.uniform(-4, 0)
    zero = np.zeros(30)
    moved, _, _ = update(zero, g, zero, zero, 1, lr, rng.uniform(0.1, 0.9), rng.uniform(0.9, 0.99), epsilon)
    return rounding(moved / g * (np.abs(g) + epsilon), np.full(30, -lr), 500)


def step_in_place(_: object, rng: np.random.Generator) -> Measured:
    """The training loop's entry: it counts the steps and moves parameters and state where they stand.

    Half of the runs name no setting; the compiled twin is compared with the formula in the tests.
    """
    got, expected = [], []
    sizes = Sizes(1, 1, 1, 1)
    for settings in ((), (0.05, (0.8, 0.95), 0.01, 0.3)):
        lr, betas, epsilon, decay = settings or (1e-3, BETAS, 1e-8, 0.0)
        named = (lr, *betas, epsilon, decay) if settings else ()
        start = rng.uniform(1, 2, sizes.n_params)
        gradients = rng.uniform(0.5, 2, (4, sizes.n_params)) * np.where(start > 1.5, 1.0, 1e-8)
        params = Params(sizes, start.copy())
        state = AdamState.zeros_like(params)
        with use("numpy"):
            for gradient in gradients:
                stepped = adam_step(params, Params(sizes, gradient), state, *named)
        if stepped[0] is not params or stepped[1] is not state or state.t != 4:
            return Measured(float("inf"), 0.0, "the objects that were given, and four steps counted")
        one_by_one = [
            plain_adam(*w, lr, betas, epsilon, decay)[-1] for w in zip(start, gradients.T, strict=True)
        ]
        got.append((params.flat - start) / lr)
        expected.append((np.array(one_by_one) - start) / lr)
    # subtracting the start and dividing by lr multiplies roundings by a thousand again
    return rounding(tuple(got), tuple(expected), 2 * OPERATIONS)


def size_of_the_gradient_drops_out(update: Formula, rng: np.random.Generator) -> Measured:
    """Without epsilon and decay, gradients c times as large give the same steps."""
    gradients = rng.uniform(0.5, 2, (8, 3))

    def path(factor: float) -> np.ndarray:
        theta = m = v = np.zeros(3)
        for t, gradient in enumerate(factor * gradients, start=1):
            theta, m, v = update(theta, gradient, m, v, t, epsilon=0.0)
        return theta

    return rounding(path(10.0 ** rng.uniform(2, 6)), path(1.0), OPERATIONS)


def first_step_by_symbols(update: Formula, rng: np.random.Generator) -> Measured:
    """For g > 0 and g < 0: m_hat = g and v_hat = g^2, so the step is lr g / (|g| + epsilon).

    The step of a second, equal gradient is the same; with coupled decay g is grad + decay theta.
    """
    import sympy

    g, lr, b1, b2, e, h = sympy.symbols("g lr b1 b2 e h", positive=True)

    def step(gradients: tuple) -> sympy.Expr:
        t = len(gradients)
        m = weighted_sum(0, gradients, b1) / (1 - b1**t)
        v = weighted_sum(0, [x**2 for x in gradients], b2) / (1 - b2**t)
        return lr * sympy.factor(m) / (sympy.sqrt(sympy.factor(v)) + e)

    closed = lr * g / (g + e)
    theta, grad, decay = rng.uniform(1, 2, 5), rng.uniform(1, 2, 5), 0.3
    zero = np.zeros(5)
    moved, _, _ = update(theta, grad, zero, zero, 1, 0.01, 0.8, 0.95, 0.1, decay)
    value = sympy.lambdify((g, lr, e), closed)(grad + decay * theta, 0.01, 0.1)
    agrees = rounding(moved, theta - value, 500)
    return proved(
        agrees,
        step((g,)) - closed,
        step((-g,)) + closed,
        step((g, g)) - closed,
        step((h, h, h)).subs(h, g) - closed,
    )


def step_without_correction(_: object, rng: np.random.Generator) -> Measured:
    """Running moments used as they stand: the first step is (1 - beta1) / sqrt(1 - beta2) = 3.2 times lr."""
    g = rng.uniform(0.5, 2, size=5)
    m, v = weighted_sum(0.0, [g], BETAS[0]), weighted_sum(0.0, [g * g], BETAS[1])
    expected = [plain_adam(0.0, [x], 1e-3, BETAS, 1e-8, 0.0)[0] for x in g]
    return rounding(-1e-3 * m / (np.sqrt(v) + 1e-8), np.array(expected), OPERATIONS)


def step_with_epsilon_inside(_: object, rng: np.random.Generator) -> Measured:
    """sqrt(v_hat + epsilon) is at least 1e-4: weights with small gradients hardly move."""
    g = 10.0 ** rng.uniform(-7, -5, size=5)
    expected = [plain_adam(0.0, [x], 1e-3, BETAS, 1e-8, 0.0)[0] for x in g]
    return rounding(-1e-3 * g / np.sqrt(g * g + 1e-8), np.array(expected), OPERATIONS)
