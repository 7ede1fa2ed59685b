"""Wrong versions of the reparameterization, of its gradient, and of the sum at the encoder's heads."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant, Pair


def _variance_for_sigma(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu + np.exp(log_var) * eps


def _noise_scaled(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu + np.exp(0.5 * log_var) * (0.01 * eps)


def _constant_for_noise(mu: Array, log_var: Array, eps: Array) -> Array:
    epsilon_std = 1.0
    return mu + np.exp(0.5 * log_var) * epsilon_std


def _no_noise(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu


def _log_var_from_mu_head(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu + np.exp(0.5 * mu) * eps


def _log_var_as_sigma(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu + log_var * eps


def _root_of_sigma(mu: Array, log_var: Array, eps: Array) -> Array:
    return mu + np.sqrt(np.exp(0.5 * log_var)) * eps


# ------------------------------------------------------------------------------------- its gradient


def _batch_mean_twice(d_z: Array, log_var: Array, eps: Array) -> Pair:
    n = len(d_z)
    return d_z / n, 0.5 * np.exp(0.5 * log_var) * d_z * eps / n


def _mu_through_sigma(d_z: Array, log_var: Array, eps: Array) -> Pair:
    sigma = np.exp(0.5 * log_var)
    return d_z * sigma, 0.5 * sigma * d_z * eps


def _eps_forgotten(d_z: Array, log_var: Array, eps: Array) -> Pair:
    return d_z, 0.5 * np.exp(0.5 * log_var) * d_z


def _stops_at_sigma(d_z: Array, log_var: Array, eps: Array) -> Pair:
    return d_z, d_z * eps


def _half_forgotten(d_z: Array, log_var: Array, eps: Array) -> Pair:
    return d_z, np.exp(0.5 * log_var) * d_z * eps


def _of_the_wrong_sampler(d_z: Array, log_var: Array, eps: Array) -> Pair:
    return d_z, np.exp(log_var) * d_z * eps


def _fresh_noise(d_z: Array, log_var: Array, eps: Array) -> Pair:
    eps = np.random.default_rng().standard_normal(d_z.shape)
    return d_z, 0.5 * np.exp(0.5 * log_var) * d_z * eps


# ------------------------------------------------------------------------------------ at the heads


def _both_heads_alike(d_z: Array, d_kl: Array, mu: Array, log_var: Array, eps: Array) -> Pair:
    d_mu = d_z + d_kl[:, None] * mu
    return d_mu, d_mu


def _without_the_kl(d_z: Array, d_kl: Array, mu: Array, log_var: Array, eps: Array) -> Pair:
    return d_z, 0.5 * np.exp(0.5 * log_var) * d_z * eps


def _without_the_sample(d_z: Array, d_kl: Array, mu: Array, log_var: Array, eps: Array) -> Pair:
    return d_kl[:, None] * mu, 0.5 * d_kl[:, None] * (np.exp(log_var) - 1)


def _weight_not_applied(d_z: Array, d_kl: Array, mu: Array, log_var: Array, eps: Array) -> Pair:
    sigma = np.exp(0.5 * log_var)
    d_mu = d_z + mu / len(mu)
    return d_mu, 0.5 * sigma * d_z * eps + 0.5 * (np.exp(log_var) - 1) / len(mu)


def _kl_reversed(d_z: Array, d_kl: Array, mu: Array, log_var: Array, eps: Array) -> Pair:
    d = d_kl[:, None]
    d_log_var = 0.5 * np.exp(0.5 * log_var) * d_z * eps
    return d_z - d * mu, d_log_var - 0.5 * d * (np.exp(log_var) - 1)


MUTANTS = (
    Mutant(
        "exp(log_var) for sigma",
        "reparam-gaussian",
        _variance_for_sigma,
        ("numpy-ml", "ibp_vae #3", "BVAE-tf #7", "keras #9972", "keras #3283"),
        "The draws have the standard deviation sigma^2 while the KL charges for sigma: where sigma < 1 they "
        "scatter too little, and the objective can lie above log p(x). A gradient check passes.",
        ("exp(log_var) is the variance",),
    ),
    Mutant(
        "noise scaled by 0.01",
        "reparam-gaussian",
        _noise_scaled,
        ("keras #4211", "keras-molecules #61"),
        "Noise costs the reconstruction almost nothing, so sigma goes to about 1 and the code is nearly "
        "exact: an autoencoder with a penalty on mu. The value is far above any bound.",
        ("sigma_j eps_j",),
    ),
    Mutant(
        "a constant for the noise",
        "reparam-gaussian",
        _constant_for_noise,
        ("keras_lstm_vae #1",),
        "z is no longer random, so nothing makes the decoder treat neighboring codes alike.",
        (
            "sigma_j eps_j is missing",
            "sigma_j should not",
        ),
    ),
    Mutant(
        "no noise",
        "reparam-gaussian",
        _no_noise,
        (),
        "z is the mean: the reconstruction does not feel sigma, the KL alone sets it to 1, and the model is "
        "an autoencoder with a penalty on mu.",
        ("sigma_j eps_j is missing",),
    ),
    Mutant(
        "log_var head identical to the mu head",
        "reparam-gaussian",
        _log_var_from_mu_head,
        ("LP_BNN #3", "kaist-dmlab/TRAP #1"),
        "Mean and spread cannot be chosen apart: a code at mu = 3 has sigma = 4.5 and drowns in noise, so "
        "only negative means carry information.",
        ("exp(mu_j/2) eps_j",),
    ),
    Mutant(
        "log_var itself for sigma",
        "reparam-gaussian",
        _log_var_as_sigma,
        ("keras_lstm_vae #1",),
        "At log_var = 0, where the KL wants sigma = 1, the draws have no noise at all; at -4 they have four "
        "times too much of it.",
        ("log_var is a logarithm",),
    ),
    Mutant(
        "root of sigma",
        "reparam-gaussian",
        _root_of_sigma,
        (),
        "The half and the root are the same step taken twice. Where sigma < 1 the draws scatter too much, so "
        "the encoder makes sigma too small and pays for it in the KL.",
        ("sqrt(sigma_j) eps_j",),
    ),
    Mutant(
        "batch mean applied twice",
        "grad-reparam-mu",
        _batch_mean_twice,
        (),
        "d_z carries 1/n already. Divided by n again, the reconstruction reaches the encoder n times too "
        "weakly, and the KL wins: codes collapse onto the prior.",
        ("number of cells",),
    ),
    Mutant(
        "d_mu multiplied by sigma",
        "grad-reparam-mu",
        _mu_through_sigma,
        (),
        "dz/dmu is 1. With sigma, the surer the encoder is of a latent, the slower its mean follows the "
        "data.",
        (
            "d_mu is wrong",
            "d_z sigma_j",
        ),
    ),
    Mutant(
        "eps forgotten in d_sigma",
        "grad-reparam-log-var",
        _eps_forgotten,
        ("maideas",),
        "log_var follows the gradient of the mean and not the cost of noise. For an affine decoder sigma "
        "settles at (mu + sqrt(mu^2 + 4)) / 2, whatever noise costs.",
        (
            "d_log_var is wrong",
            "d_z sigma_j should not",
        ),
    ),
    Mutant(
        "stopped at d_sigma",
        "grad-reparam-log-var",
        _stops_at_sigma,
        (),
        "d_sigma / d_log_var = sigma / 2 is missing, so the reconstruction pulls 2 / sigma times too hard: "
        "sigma settles at sqrt(a^2 + 1) - a, about 1 / (2a) in place of 1 / sqrt(a) where the curvature a is "
        "large.",
        (
            "d_log_var is wrong",
            "you stopped at d sigma",
        ),
    ),
    Mutant(
        "the half forgotten",
        "grad-reparam-log-var",
        _half_forgotten,
        (),
        "The reconstruction pulls log_var down twice as hard as it should: sigma^2 settles at 1 / (1 + 2a) "
        "in place of 1 / (1 + a).",
        (
            "d_log_var is wrong",
            "the whole formula",
        ),
    ),
    Mutant(
        "gradient of exp(log_var) * eps",
        "grad-reparam-log-var",
        _of_the_wrong_sampler,
        ("numpy-ml", "ibp_vae #3"),
        "It is the right derivative of the wrong sampler, so a gradient check of the two together passes, "
        "and only a check against the definition notices.",
        (
            "d_log_var is wrong",
            "d_z sigma_j^2 eps_j",
        ),
    ),
    Mutant(
        "fresh noise in backward",
        "grad-reparam-log-var",
        _fresh_noise,
        ("kwj2104 Simple-VAE",),
        "New noise does not go with d_z, so on average the reconstruction does not reach log_var: the KL "
        "alone sets sigma to 1, and the rest is noise in the steps.",
        ("another result for the same arguments",),
    ),
    Mutant(
        "log_var head identical to the mu head",
        "grad-heads-add",
        _both_heads_alike,
        ("LP_BNN #3", "kaist-dmlab/TRAP #1"),
        "Two heads that start alike stay alike, so log_var = mu in every cell; two that start apart move in "
        "parallel, and sigma never learns what noise costs.",
        (
            "d_log_var is wrong",
            "d_kl mu_j",
            "d_z should not",
        ),
    ),
    Mutant(
        "path through the KL forgotten",
        "grad-heads-add",
        _without_the_kl,
        (),
        "The loss printed contains the KL, but the encoder does not feel it: sigma goes to 0, and the model "
        "is an autoencoder.",
        ("the path through the KL is missing",),
    ),
    Mutant(
        "path through the sample forgotten",
        "grad-heads-add",
        _without_the_sample,
        (),
        "The encoder learns from the KL alone: q becomes the prior for every cell, and the decoder can only "
        "learn the mean of the data.",
        ("the path through the sample is missing",),
    ),
    Mutant(
        "KL weight never applied",
        "grad-heads-add",
        _weight_not_applied,
        ("lightning-bolts #328",),
        "d_kl is kl_weight / n; with 1/n in its place the weight has no effect: a weight of 2.5e-5 trains as "
        "1, which is 40,000 times more.",
        (
            "d_kl mu_j",
            "1/n mu_j",
        ),
    ),
    Mutant(
        "KL gradient reversed",
        "grad-heads-add",
        _kl_reversed,
        ("Kaixhin/Autoencoders #9",),
        "The two paths must add. With a minus training climbs the KL: sigma runs to 0 or to infinity.",
        ("reversed",),
    ),
)
