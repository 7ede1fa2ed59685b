"""Wrong versions of the Gaussian log density and of its two expectations under q."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant


def _cross_entropy_without_variance(mu: Array, log_var: Array) -> Array:
    return -0.5 * (np.log(2 * np.pi) + mu**2).sum(axis=-1)


def _cross_entropy_constant_once(mu: Array, log_var: Array) -> Array:
    return -0.5 * np.log(2 * np.pi) - 0.5 * (mu**2 + np.exp(log_var)).sum(axis=-1)


def _entropy_sign(log_var: Array) -> Array:
    return 0.5 * (np.log(2 * np.pi) + 1 + log_var).sum(axis=-1)


def _entropy_without_one(log_var: Array) -> Array:
    return -0.5 * (np.log(2 * np.pi) + log_var).sum(axis=-1)


def _entropy_log_sigma(log_var: Array) -> Array:
    return -0.5 * (np.log(2 * np.pi) + 1 + 0.5 * log_var).sum(axis=-1)


def _density_divides_by_sigma(z: Array, mu: Array, log_var: Array) -> Array:
    sigma = np.exp(0.5 * log_var)
    return -0.5 * (np.log(2 * np.pi) + log_var + (z - mu) ** 2 / sigma).sum(axis=-1)


def _density_log_var_twice(z: Array, mu: Array, log_var: Array) -> Array:
    return (-0.5 * np.log(2 * np.pi) - log_var - 0.5 * (z - mu) ** 2 / np.exp(log_var)).sum(axis=-1)


def _density_constant_once(z: Array, mu: Array, log_var: Array) -> Array:
    return -0.5 * np.log(2 * np.pi) - 0.5 * (log_var + (z - mu) ** 2 * np.exp(-log_var)).sum(axis=-1)


def _density_not_normalized(z: Array, mu: Array, log_var: Array) -> Array:
    return -0.5 * (np.log(2 * np.pi) + (z - mu) ** 2 * np.exp(-log_var)).sum(axis=-1)


MUTANTS = (
    Mutant(
        "variance forgotten in the second moment",
        "cross-entropy",
        _cross_entropy_without_variance,
        (),
        "The mean of z^2 is mu^2 + sigma^2. Without sigma^2 a wide q costs nothing, and sigma grows without "
        "end in a latent that the decoder does not use.",
        ("sum_j sigma_j^2 is missing",),
    ),
    Mutant(
        "the constant once",
        "cross-entropy",
        _cross_entropy_constant_once,
        ("ericjang/draw #2",),
        "Off by (k - 1)/2 log 2 pi nats; gradients are right. In the KL log 2 pi cancels only if both "
        "expectations count it k times.",
        ("log 2 pi counts once for each",),
    ),
    Mutant(
        "sign: the entropy itself",
        "neg-entropy",
        _entropy_sign,
        (),
        "Taken for E_q log q, it turns the KL's reward for a wide q into a price: sigma goes to 0.",
        ("sign is reversed",),
    ),
    Mutant(
        "the one forgotten",
        "neg-entropy",
        _entropy_without_one,
        (),
        "Gradients are right, but the KL is k/2 nats too large and is not 0 at the prior.",
        ("sum_j 1",),
    ),
    Mutant(
        "log sigma for log sigma^2",
        "neg-entropy",
        _entropy_log_sigma,
        (),
        "The reward for a wide q is halved, so every sigma^2 settles at half of its right value.",
        (
            "sum_j log sigma_j^2",
            "log sigma was used",
        ),
    ),
    Mutant(
        "divided by sigma for sigma^2",
        "gaussian-q",
        _density_divides_by_sigma,
        (),
        "It does not integrate to 1 unless sigma is 1, so importance weights and bounds made from it mean "
        "nothing.",
        (
            "(z_j - mu_j)^2 1/sigma_j ",
            "(z_j - mu_j)^2 1/sigma_j^2",
        ),
    ),
    Mutant(
        "log sigma^2 without its half",
        "gaussian-q",
        _density_log_var_twice,
        (),
        "It integrates to 1 / sigma in each dimension; where sigma < 1 the density is too large, and "
        "importance weights made with it are too small.",
        ("sum_j log sigma_j^2",),
    ),
    Mutant(
        "the constant once",
        "gaussian-q",
        _density_constant_once,
        ("ericjang/draw #2",),
        "Too large by (k - 1)/2 log 2 pi nats; invisible in gradients, wrong in every comparison of "
        "log likelihoods.",
        ("sum_j 1",),
    ),
    Mutant(
        "not normalized",
        "gaussian-q",
        _density_not_normalized,
        (),
        "Without log sigma^2 the largest density is the same for every sigma, so maximizing it over sigma "
        "sends sigma to infinity.",
        ("sum_j log sigma_j^2 is missing",),
    ),
)
