"""Wrong versions of the layers' gradients."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant, Triple


def _linear_batch_mean_twice(d_a: Array, x: Array, W: Array) -> Triple:
    n = len(x)
    return d_a @ W.T, x.T @ d_a / n, d_a.sum(axis=0) / n


def _linear_bias_not_summed(d_a: Array, x: Array, W: Array) -> Triple:
    return d_a @ W.T, x.T @ d_a, d_a


def _linear_bias_mean(d_a: Array, x: Array, W: Array) -> Triple:
    return d_a @ W.T, x.T @ d_a, d_a.mean(axis=0)


def _linear_not_transposed(d_a: Array, x: Array, W: Array) -> Triple:
    return d_a @ W, x.T @ d_a, d_a.sum(axis=0)


def _linear_weights_transposed(d_a: Array, x: Array, W: Array) -> Triple:
    return d_a @ W.T, d_a.T @ x, d_a.sum(axis=0)


def _relu(d_h: Array, a: Array) -> Array:
    return d_h * (a > 0)


def _branch_on_the_gradient(d_h: Array, a: Array) -> Array:
    return np.where(d_h > 0, d_h, 0.01 * d_h)


def _branches_exchanged(d_h: Array, a: Array) -> Array:
    return np.where(a > 0, 0.01 * d_h, d_h)


def _no_branch(d_h: Array, a: Array) -> Array:
    return d_h


def _statistics_constant(d_h: Array, a: Array, gamma: Array, epsilon: float) -> Triple:
    s = np.sqrt(a.var(axis=0) + epsilon)
    u = (a - a.mean(axis=0)) / s
    return d_h * gamma / s, (d_h * u).sum(axis=0), d_h.sum(axis=0)


def _variance_constant(d_h: Array, a: Array, gamma: Array, epsilon: float) -> Triple:
    s = np.sqrt(a.var(axis=0) + epsilon)
    u = (a - a.mean(axis=0)) / s
    d_u = d_h * gamma
    return (d_u - d_u.mean(axis=0)) / s, (d_h * u).sum(axis=0), d_h.sum(axis=0)


def _gamma_forgotten(d_h: Array, a: Array, gamma: Array, epsilon: float) -> Triple:
    s = np.sqrt(a.var(axis=0) + epsilon)
    u = (a - a.mean(axis=0)) / s
    d_a = (d_h - d_h.mean(axis=0) - u * (d_h * u).mean(axis=0)) / s
    return d_a, (d_h * u).sum(axis=0), d_h.sum(axis=0)


def _unbiased_variance(d_h: Array, a: Array, gamma: Array, epsilon: float) -> Triple:
    s = np.sqrt(a.var(axis=0, ddof=1) + epsilon)
    u = (a - a.mean(axis=0)) / s
    d_u = d_h * gamma
    d_a = (d_u - d_u.mean(axis=0) - u * (d_u * u).mean(axis=0)) / s
    return d_a, (d_h * u).sum(axis=0), d_h.sum(axis=0)


def _gamma_from_raw_input(d_h: Array, a: Array, gamma: Array, epsilon: float) -> Triple:
    s = np.sqrt(a.var(axis=0) + epsilon)
    u = (a - a.mean(axis=0)) / s
    d_u = d_h * gamma
    d_a = (d_u - d_u.mean(axis=0) - u * (d_u * u).mean(axis=0)) / s
    return d_a, (d_h * a).sum(axis=0), d_h.sum(axis=0)


def _mask_forgotten(d_h: Array, mask: Array) -> Array:
    return d_h


def _scale_forgotten(d_h: Array, mask: Array) -> Array:
    return d_h * (mask > 0)


def _new_mask(d_h: Array, mask: Array) -> Array:
    kept = np.random.default_rng().random(mask.shape) < (mask > 0).mean()
    return d_h * kept * mask.max()


MUTANTS = (
    Mutant(
        "batch mean applied twice",
        "grad-linear",
        _linear_batch_mean_twice,
        (),
        "d_a carries 1/n already. Divided by n again, this layer's weights learn n times too slowly under "
        "plain gradient descent; Adam hides it until epsilon matters.",
        (
            "d_W and d_b are wrong",
            "number of cells",
        ),
    ),
    Mutant(
        "d_b not summed over the rows",
        "grad-linear",
        _linear_bias_not_summed,
        (),
        "It has a row for each cell. Subtracted from b by broadcasting, it turns the bias into a matrix, one "
        "bias for each place in the batch.",
        (
            "d_b has the shape",
            "first axis is missing",
        ),
    ),
    Mutant(
        "d_b averaged over the rows",
        "grad-linear",
        _linear_bias_mean,
        (),
        "The bias reaches every row, so its gradient is the sum. With the mean the bias learns n times too "
        "slowly beside the weights.",
        (
            "d_b is wrong",
            "number of cells",
        ),
    ),
    Mutant(
        "W not transposed",
        "grad-linear",
        _linear_not_transposed,
        (),
        "The shapes do not fit unless W is square; then it runs, and the layers below get a gradient mixed "
        "by the wrong weights.",
        (
            "raises ValueError",
            "d_a @ W",
        ),
    ),
    Mutant(
        "d_W transposed",
        "grad-linear",
        _linear_weights_transposed,
        (),
        "It has the shape of W turned over. With a square W it runs, and every weight gets the gradient of "
        "another.",
        ("d_W has the shape",),
    ),
    Mutant(
        "derivative of the plain ReLU",
        "grad-leaky-relu",
        _relu,
        (),
        "Units on the negative side get no gradient, so a unit that is negative for every cell never comes "
        "back: what the slope is there to prevent.",
        (
            "[a <= 0] d_h",
            "the slope 0.01, not 0",
        ),
    ),
    Mutant(
        "branch on the gradient",
        "grad-leaky-relu",
        _branch_on_the_gradient,
        (),
        "Negative gradients are nearly dropped and positive ones kept, so weights move almost only one way.",
        ("branch",),
    ),
    Mutant(
        "branches exchanged",
        "grad-leaky-relu",
        _branches_exchanged,
        (),
        "Active units learn a hundred times too slowly and inactive ones a hundred times too fast.",
        ("[a <= 0] d_h",),
    ),
    Mutant(
        "derivative taken for 1",
        "grad-leaky-relu",
        _no_branch,
        (),
        "The layers below learn as if the network were linear here: inactive units move although they hardly "
        "reach the output.",
        ("[a <= 0] d_h",),
    ),
    Mutant(
        "statistics treated as constants",
        "grad-batch-norm",
        _statistics_constant,
        ("facebookresearch/CrypTen #143",),
        "The gradient keeps the two directions, the batch's mean and its scale, that the layer takes out: "
        "steps along them hardly change the loss, and the weights below drift.",
        (
            "d_a is wrong",
            "batch mean depends on every cell",
            "batch variance depends on every cell",
        ),
    ),
    Mutant(
        "variance treated as a constant",
        "grad-batch-norm",
        _variance_constant,
        (),
        "The gradient keeps the direction of the batch's scale, which the layer takes out: the weights below "
        "drift along it.",
        (
            "d_a is wrong",
            "batch variance depends on every cell",
        ),
    ),
    Mutant(
        "gamma forgotten in d_a",
        "grad-batch-norm",
        _gamma_forgotten,
        ("Knet.jl #288",),
        "Right as long as gamma is 1, as it is at the start and in most tests; later each feature's gradient "
        "is off by its gamma.",
        (
            "d_a is wrong",
            "the term d_h / s should not",
        ),
    ),
    Mutant(
        "unbiased variance",
        "grad-batch-norm",
        _unbiased_variance,
        (),
        "1/(n - 1) belongs to the running variance. The layer normalizes by 1/n, so gradients are off by "
        "about 1/(2n): 2 % in batches of 32.",
        ("biased variance",),
    ),
    Mutant(
        "d_gamma from the raw input",
        "grad-batch-norm",
        _gamma_from_raw_input,
        (),
        "gamma multiplies the normalized values. From the raw ones its gradient has the input's scale, and "
        "the shift d_beta enters through the input's mean.",
        (
            "d_gamma is wrong",
            "sum_i d_h a",
        ),
    ),
    Mutant(
        "mask forgotten in backward",
        "grad-dropout",
        _mask_forgotten,
        (),
        "Units that were dropped learn from an error they had no part in, and kept ones too slowly, by the "
        "factor 1 - p.",
        ("mask of the forward pass is missing",),
    ),
    Mutant(
        "scale of the mask forgotten",
        "grad-dropout",
        _scale_forgotten,
        (),
        "The mask holds 1 / (1 - p). With 1 in its place everything below learns too slowly by the factor "
        "1 - p at each such layer.",
        ("1/(1-p) is part of the mask",),
    ),
    Mutant(
        "new mask in backward",
        "grad-dropout",
        _new_mask,
        ("voodoo #19",),
        "The gradient belongs to another subnetwork than the loss: units that were dropped learn, and units "
        "that were kept do not.",
        ("same",),
    ),
)
