"""Wrong versions of the decoder's log likelihoods and of their gradients."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant


def _mean_over_genes(x: Array, x_hat: Array, variance: float) -> Array:
    return -0.5 * (np.log(2 * np.pi * variance) + (x - x_hat) ** 2 / variance).mean(axis=-1)


def _constant_dropped(x: Array, x_hat: Array, variance: float) -> Array:
    return -0.5 * ((x - x_hat) ** 2 / variance).sum(axis=-1)


def _constant_once(x: Array, x_hat: Array, variance: float) -> Array:
    return -0.5 * np.log(2 * np.pi * variance) - 0.5 * ((x - x_hat) ** 2 / variance).sum(axis=-1)


def _variance_as_sigma(x: Array, x_hat: Array, variance: float) -> Array:
    return -0.5 * (np.log(2 * np.pi * variance**2) + (x - x_hat) ** 2 / variance**2).sum(axis=-1)


def _half_missing(x: Array, x_hat: Array, variance: float) -> Array:
    return (-0.5 * np.log(2 * np.pi * variance) - (x - x_hat) ** 2 / variance).sum(axis=-1)


def _gradient_sign(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return d_ll[:, None] * (x_hat - x) / variance


def _gradient_variance_forgotten(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return d_ll[:, None] * (x - x_hat)


def _gradient_two(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return 2 * d_ll[:, None] * (x - x_hat) / variance


def _gradient_mean_over_genes(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return d_ll[:, None] * (x - x_hat) / variance / x.shape[1]


def _gradient_batch_mean_twice(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return d_ll[:, None] * (x - x_hat) / variance / len(x)


def _gradient_batch_mean_forgotten(d_ll: Array, x: Array, x_hat: Array, variance: float) -> Array:
    return (x - x_hat) / variance


# ---------------------------------------------------------------------------------------- Bernoulli


def _only_the_ones(x: Array, logits: Array) -> Array:
    return -(x * np.log1p(np.exp(-logits))).sum(axis=-1)


def _sign_of_the_logits(x: Array, logits: Array) -> Array:
    return (x * logits - np.log1p(np.exp(-logits))).sum(axis=-1)


def _bernoulli_mean_over_genes(x: Array, logits: Array) -> Array:
    return (x * logits - np.log1p(np.exp(logits))).mean(axis=-1)


def _sigmoid_twice(x: Array, logits: Array) -> Array:
    a = 1 / (1 + np.exp(-logits))
    return (x * a - np.log1p(np.exp(a))).sum(axis=-1)


def _bernoulli_gradient_sign(d_ll: Array, x: Array, logits: Array) -> Array:
    return d_ll[:, None] * (1 / (1 + np.exp(-logits)) - x)


def _stops_at_the_probability(d_ll: Array, x: Array, logits: Array) -> Array:
    p = 1 / (1 + np.exp(-logits))
    return d_ll[:, None] * (x - p) / (p * (1 - p))


def _sigmoid_derivative_twice(d_ll: Array, x: Array, logits: Array) -> Array:
    p = 1 / (1 + np.exp(-logits))
    return d_ll[:, None] * (x - p) * p * (1 - p)


MUTANTS = (
    Mutant(
        "mean over the genes",
        "gaussian-likelihood",
        _mean_over_genes,
        ("keras #3383",),
        "The reconstruction counts d times too little, so beside a summed KL the codes collapse onto the "
        "prior.",
        ("averages over the genes",),
    ),
    Mutant(
        "constant dropped",
        "gaussian-likelihood",
        _constant_dropped,
        (),
        "Training at a fixed variance is the same, but the value is no log density: it is never positive, "
        "models of different variance cannot be compared, and a learned variance runs to infinity.",
        (
            "sum_g 1",
            "sum_g log v",
        ),
    ),
    Mutant(
        "the constant once",
        "gaussian-likelihood",
        _constant_once,
        (),
        "Off by (d - 1)/2 log(2 pi variance) nats; a variance that is learned with it comes out d times too "
        "large.",
        (
            "sum_g 1",
            "sum_g log v",
        ),
    ),
    Mutant(
        "the variance taken for sigma",
        "gaussian-likelihood",
        _variance_as_sigma,
        (),
        "A decoder variance of 0.01 acts as 0.0001: the reconstruction counts a hundred times too much "
        "beside the KL.",
        ("1/v^2",),
    ),
    Mutant(
        "the half missing on the squares",
        "gaussian-likelihood",
        _half_missing,
        (),
        "The squares count twice, as if the variance were half of what is said; the density does not "
        "integrate to 1.",
        ("sum_g (x_g - xhat_g)^2 1/v",),
    ),
    Mutant(
        "sign",
        "grad-likelihood",
        _gradient_sign,
        (),
        "Training moves the reconstruction away from the data, and the loss grows without end.",
        ("sign is reversed",),
    ),
    Mutant(
        "variance forgotten",
        "grad-likelihood",
        _gradient_variance_forgotten,
        (),
        "Training acts as if the variance were 1, whatever is set: the reconstruction's weight against the "
        "KL is wrong by that factor, while the loss printed is the intended one.",
        (
            "d_ll (x_g - xhat_g) 1/v",
            "d_ll (x_g - xhat_g) should",
        ),
    ),
    Mutant(
        "factor 2 of the square kept",
        "grad-likelihood",
        _gradient_two,
        (),
        "The half in front of the square cancels the 2. With it the reconstruction counts twice, as if the "
        "variance were half of what is set.",
        ("cancels the 1/2",),
    ),
    Mutant(
        "mean over the genes",
        "grad-likelihood",
        _gradient_mean_over_genes,
        ("keras #3383",),
        "The reconstruction counts d times too little against the KL, so codes collapse onto the prior.",
        ("averages over the genes",),
    ),
    Mutant(
        "batch mean applied twice",
        "grad-likelihood",
        _gradient_batch_mean_twice,
        (),
        "d_ll carries 1/n already. Divided by n again, the reconstruction counts n times too little against "
        "the KL, and the more so the larger the batch.",
        ("number of cells",),
    ),
    Mutant(
        "batch mean forgotten",
        "grad-likelihood",
        _gradient_batch_mean_forgotten,
        (),
        "d_ll carries the sign of the loss, 1/n and 1/L. Without it the step has the wrong sign and grows "
        "with the batch.",
        ("the term (x_g - xhat_g) 1/v should not",),
    ),
    Mutant(
        "only the ones count",
        "bernoulli-likelihood",
        _only_the_ones,
        (),
        "Zeros cost nothing, so the decoder learns to say 1 everywhere.",
        (
            "sum_g log(1+e^a_g)",
            "sum_g x_g log(1+e^a_g)",
        ),
    ),
    Mutant(
        "sign of the logits in log(1 + e^a)",
        "bernoulli-likelihood",
        _sign_of_the_logits,
        (),
        "It grows with every logit, at a zero as at a one: the decoder's logits run to infinity and the "
        "value above 0, which no log probability can be.",
        (
            "sum_g",
            "a_g",
        ),
    ),
    Mutant(
        "mean over the genes",
        "bernoulli-likelihood",
        _bernoulli_mean_over_genes,
        ("keras #3383",),
        "The reconstruction counts d times too little, so beside a summed KL the codes collapse onto the "
        "prior.",
        ("averages over the genes",),
    ),
    Mutant(
        "sigmoid applied twice",
        "bernoulli-likelihood",
        _sigmoid_twice,
        (),
        "Probabilities taken for logits lie between 0 and 1, so the model can only say probabilities from "
        "0.5 to 0.73: zeros are never fitted.",
        ("p_g",),
    ),
    Mutant(
        "sign",
        "grad-bernoulli-likelihood",
        _bernoulli_gradient_sign,
        (),
        "p - x is the gradient of the loss. As the gradient of the log likelihood it makes training say 0 "
        "where the data are 1.",
        ("sign is reversed",),
    ),
    Mutant(
        "derivative in the probability",
        "grad-bernoulli-likelihood",
        _stops_at_the_probability,
        (),
        "The factor dp/da = p (1 - p) is missing: where the model is sure and wrong the gradient grows like "
        "1 / p and training blows up.",
        ("p_g",),
    ),
    Mutant(
        "derivative of the sigmoid twice",
        "grad-bernoulli-likelihood",
        _sigmoid_derivative_twice,
        (),
        "p (1 - p) is already in x - p. With it again the gradient vanishes where the model is sure and "
        "wrong, so such errors are never unlearned.",
        ("p_g (1-p_g)",),
    ),
)
