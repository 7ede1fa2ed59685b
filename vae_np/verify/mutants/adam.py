"""Wrong versions of Adam: its moments, its bias correction, its step."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant, Pair, Triple


def _v_without_square(grad: Array, m: Array, v: Array, beta1: float, beta2: float) -> Pair:
    return beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad


def _moments_betas_swapped(grad: Array, m: Array, v: Array, beta1: float, beta2: float) -> Pair:
    return beta2 * m + (1 - beta2) * grad, beta1 * v + (1 - beta1) * grad**2


def _moments_backwards(grad: Array, m: Array, v: Array, beta1: float, beta2: float) -> Pair:
    return (1 - beta1) * m + beta1 * grad, (1 - beta2) * v + beta2 * grad**2


def _moments_as_sums(grad: Array, m: Array, v: Array, beta1: float, beta2: float) -> Pair:
    return beta1 * m + grad, beta2 * v + grad**2


def _m_not_corrected(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    return m, v / (1 - beta2**t)


def _v_not_corrected(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    return m / (1 - beta1**t), v


def _not_corrected(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    return m, v


def _t_off_by_one(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    return m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1))


def _power_forgotten(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    return m / (1 - beta1), v / (1 - beta2)


def _bias_betas_swapped(m: Array, v: Array, t: int, beta1: float, beta2: float) -> Pair:
    return m / (1 - beta2**t), v / (1 - beta1**t)


# ----------------------------------------------------------------------------------------- the step


def _step_m_not_corrected(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_hat = v / (1 - beta2**t)
    return theta - lr * m / (np.sqrt(v_hat) + epsilon), m, v


def _step_v_not_corrected(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    return theta - lr * m_hat / (np.sqrt(v) + epsilon), m, v


def _step_not_corrected(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return theta - lr * m / (np.sqrt(v) + epsilon), m, v


def _step_t_off_by_one(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1 ** (t + 1)), v / (1 - beta2 ** (t + 1))
    return theta - lr * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def _step_epsilon_inside(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m_hat / np.sqrt(v_hat + epsilon), m, v


def _step_epsilon_not_scaled(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    lr_t = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
    return theta - lr_t * m / (np.sqrt(v) + epsilon), m, v


def _step_v_without_square(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def _step_without_root(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta - lr * m_hat / (v_hat + epsilon), m, v


def _step_betas_swapped(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta2 * m + (1 - beta2) * g
    v = beta1 * v + (1 - beta1) * g**2
    m_hat, v_hat = m / (1 - beta2**t), v / (1 - beta1**t)
    return theta - lr * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def _step_up(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return theta + lr * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def _step_without_momentum(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return theta - lr * g / (np.sqrt(v / (1 - beta2**t)) + epsilon), m, v


def _step_plain_descent(
    theta: Array, g: Array, m: Array, v: Array, t: int, lr: float, beta1: float, beta2: float, epsilon: float
) -> Triple:
    return theta - lr * g, m, v


MUTANTS = (
    Mutant(
        "v without the square",
        "adam-moments",
        _v_without_square,
        (),
        "v becomes a second mean gradient, negative wherever that is: its root is NaN.",
        (
            "v is wrong",
            "(1-beta) g^2 is missing",
        ),
    ),
    Mutant(
        "beta1 and beta2 swapped",
        "adam-moments",
        _moments_betas_swapped,
        (),
        "With 0.9 and 0.999 the direction is averaged over a thousand steps and the scale over ten: the "
        "path overshoots and steps are jumpy.",
        ("beta1 and beta2 are exchanged",),
    ),
    Mutant(
        "beta and 1 - beta exchanged",
        "adam-moments",
        _moments_backwards,
        ("mila-iqia/blocks #1159",),
        "Both averages forget almost at once, so that after the first steps the step is nearly lr * sign(g) "
        "of the current batch, with all of its noise.",
        (
            "m and v are wrong",
            "g^2",
        ),
    ),
    Mutant(
        "sums for averages",
        "adam-moments",
        _moments_as_sums,
        (),
        "Without 1 - beta, m is up to 10 times and v up to 1,000 times too large at the usual betas; "
        "steps come out at 10 / sqrt(1000), a third of what they should be.",
        (
            "m and v are wrong",
            "g^2",
        ),
    ),
    Mutant(
        "m not corrected",
        "adam-bias",
        _m_not_corrected,
        (),
        "The first step is a tenth of what it should be (beta1 = 0.9); after thirty "
        "steps 4 % are still missing.",
        (
            "m_hat is wrong",
            "m 1/(1-beta^t) is missing",
        ),
    ),
    Mutant(
        "v not corrected",
        "adam-bias",
        _v_not_corrected,
        (),
        "The first step is 31.6 times too large (beta2 = 0.999), and steps stay too large for some thousand: "
        "training may blow up at once.",
        (
            "v_hat is wrong",
            "v 1/(1-beta^t) is missing",
        ),
    ),
    Mutant(
        "nothing corrected",
        "adam-bias",
        _not_corrected,
        (),
        "The first step is 3.2 times too large at the usual betas, the tenth 6.5 times; steps are too large "
        "for some thousand.",
        (
            "m_hat and v_hat",
            "m 1/(1-beta^t) is missing",
            "v 1/(1-beta^t) is missing",
        ),
    ),
    Mutant(
        "t off by one",
        "adam-bias",
        _t_off_by_one,
        (),
        "A count that starts at 2: the first step is 0.74 of the right one at the usual betas, and the error "
        "soon fades. (A count that starts at 0 divides by zero.)",
        (
            "t counts from 1",
            "one too large",
        ),
    ),
    Mutant(
        "the power t forgotten",
        "adam-bias",
        _power_forgotten,
        ("ML-From-Scratch #35",),
        "Right at the first step only. Later m_hat is 10 and v_hat 1,000 times too large at the usual betas: "
        "steps settle at a third of what they should be.",
        ("1 - beta^t, not 1 - beta",),
    ),
    Mutant(
        "beta1 and beta2 swapped",
        "adam-bias",
        _bias_betas_swapped,
        (),
        "At the usual betas m_hat starts 100 times too large and v_hat 100 times too small: the first step "
        "is 1,000 times too large.",
        ("the other beta",),
    ),
    Mutant(
        "m not bias-corrected",
        "adam-step",
        _step_m_not_corrected,
        (),
        "The first step is a tenth of what it should be (beta1 = 0.9); after thirty "
        "steps 4 % are still missing.",
        (
            "theta is wrong",
            "m is not bias-corrected",
        ),
    ),
    Mutant(
        "v not bias-corrected",
        "adam-step",
        _step_v_not_corrected,
        (),
        "The first step is 31.6 times too large (beta2 = 0.999), and steps stay too large for some thousand: "
        "training may blow up at once.",
        (
            "theta is wrong",
            "v is not bias-corrected",
        ),
    ),
    Mutant(
        "no bias correction",
        "adam-step",
        _step_not_corrected,
        (),
        "The first step is 3.2 times too large at the usual betas, the tenth 6.5 times; steps are too large "
        "for some thousand.",
        (
            "m is not bias-corrected",
            "v is not bias-corrected",
        ),
    ),
    Mutant(
        "t off by one",
        "adam-step",
        _step_t_off_by_one,
        (),
        "A count that starts at 2: the first step is 0.74 of the right one at the usual betas, and the error "
        "soon fades. (A count that starts at 0 divides by zero.)",
        (
            "t counts from 1",
            "one too large",
        ),
    ),
    Mutant(
        "epsilon inside the root",
        "adam-step",
        _step_epsilon_inside,
        (),
        "Its root counts: with 1e-8 gradients below 1e-4 are damped, not only those below 1e-8; with scGen's "
        "0.01 those below 0.1.",
        ("epsilon stands outside the root",),
    ),
    Mutant(
        "epsilon not scaled with the folded correction",
        "adam-step",
        _step_epsilon_not_scaled,
        ("tensorflow #9047", "tensorflow #35102", "nanochat #304"),
        "Folding the corrections into the step size is right only if epsilon is multiplied by "
        "sqrt(1 - beta2^t). As it stands the first steps have an epsilon 31.6 times too large "
        "(beta2 = 0.999): harmless at 1e-8, not at scGen's 0.01.",
        ("epsilon",),
    ),
    Mutant(
        "v without the square",
        "adam-step",
        _step_v_without_square,
        (),
        "Where the average gradient is negative its root is NaN, and the weights with it.",
        ("theta holds NaN",),
    ),
    Mutant(
        "root forgotten",
        "adam-step",
        _step_without_root,
        (),
        "The step goes like 1 / g: weights with small gradients jump, and weights with large ones stand "
        "still.",
        ("the root of v is missing",),
    ),
    Mutant(
        "beta1 and beta2 swapped",
        "adam-step",
        _step_betas_swapped,
        (),
        "With 0.9 and 0.999 the direction is averaged over a thousand steps and the scale over ten: the "
        "path overshoots and steps are jumpy.",
        ("beta1 and beta2 are exchanged",),
    ),
    Mutant(
        "up for down",
        "adam-step",
        _step_up,
        (),
        "The loss is climbed.",
        (
            "theta is wrong",
            "lr m",
        ),
    ),
    Mutant(
        "gradient for its average",
        "adam-step",
        _step_without_momentum,
        (),
        "This is RMSProp with a correction: each step has the full noise of its batch.",
        (
            "theta is wrong",
            "lr g",
        ),
    ),
    Mutant(
        "plain gradient descent",
        "adam-step",
        _step_plain_descent,
        (),
        "Steps are proportional to the gradient: with Adam's usual lr = 1e-3 and small gradients next to "
        "nothing moves. The moments are never updated.",
        ("plain gradient descent",),
    ),
)
