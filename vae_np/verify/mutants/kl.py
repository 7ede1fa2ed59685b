"""Wrong versions of the closed-form KL and of its gradient."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant, Pair


def _mean_over_latent(mu: Array, log_var: Array) -> Array:
    return -0.5 * (1 + log_var - mu**2 - np.exp(log_var)).mean(axis=-1)


def _log_sigma(mu: Array, log_var: Array) -> Array:
    log_sigma = 0.5 * log_var
    return -0.5 * (1 + log_sigma - mu**2 - np.exp(log_var)).sum(axis=-1)


def _sigma_for_variance(mu: Array, log_var: Array) -> Array:
    log_sigma = 0.5 * log_var
    return -0.5 * (1 + 2 * log_sigma - mu**2 - np.exp(log_sigma)).sum(axis=-1)


def _log_sigma_squared(mu: Array, log_var: Array) -> Array:
    log_sigma = 0.5 * log_var
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_sigma**2).sum(axis=-1)


def _sign(mu: Array, log_var: Array) -> Array:
    return 0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(axis=-1)


def _sign_of_log_var(mu: Array, log_var: Array) -> Array:
    return 0.5 * (mu**2 + np.exp(log_var) - 1 + log_var).sum(axis=-1)


def _no_half(mu: Array, log_var: Array) -> Array:
    return (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)


def _half_in_part(mu: Array, log_var: Array) -> Array:
    log_sigma = 0.5 * log_var
    return (mu**2 + np.exp(log_var) - log_sigma - 0.5).sum(axis=-1)


def _double_half(mu: Array, log_var: Array) -> Array:
    kl = -0.5 * (1 + log_var - mu**2 - np.exp(log_var)).sum(axis=-1)
    return 0.5 * kl


def _constant_once(mu: Array, log_var: Array) -> Array:
    return 0.5 * (mu**2 + np.exp(log_var) - log_var).sum(axis=-1) - 0.5


def _mean_not_squared(mu: Array, log_var: Array) -> Array:
    return 0.5 * (mu + np.exp(log_var) - 1 - log_var).sum(axis=-1)


def _summed_over_cells(mu: Array, log_var: Array) -> Array:
    return -0.5 * np.sum(1 + log_var - mu**2 - np.exp(log_var)) * np.ones(len(mu))


# ------------------------------------------------------------------------------------- its gradient


def _minus_mu(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return -d_kl[:, None] * mu, 0.5 * d_kl[:, None] * (np.exp(log_var) - 1)


def _half_mu(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return 0.5 * d_kl[:, None] * mu, 0.5 * d_kl[:, None] * (np.exp(log_var) - 1)


def _reversed(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return -d_kl[:, None] * mu, 0.5 * d_kl[:, None] * (1 - np.exp(log_var))


def _batch_mean_forgotten(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return mu, 0.5 * (np.exp(log_var) - 1)


def _batch_mean_twice(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    d = d_kl[:, None] / len(mu)
    return d * mu, 0.5 * d * (np.exp(log_var) - 1)


def _gradient_without_half(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return d_kl[:, None] * mu, d_kl[:, None] * (np.exp(log_var) - 1)


def _stops_at_sigma(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    sigma = np.exp(0.5 * log_var)
    return d_kl[:, None] * mu, d_kl[:, None] * (sigma - 1 / sigma)


def _stops_at_variance(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return d_kl[:, None] * mu, 0.5 * d_kl[:, None] * (1 - np.exp(-log_var))


def _one_forgotten(d_kl: Array, mu: Array, log_var: Array) -> Pair:
    return d_kl[:, None] * mu, 0.5 * d_kl[:, None] * np.exp(log_var)


MUTANTS = (
    Mutant(
        "mean over the latent dimensions",
        "kl-closed",
        _mean_over_latent,
        ("keras-io #270", "grammarVAE #2", "keras-molecules #59", "keras #6015"),
        "The KL counts k times too little, as if kl_weight were 1/k. Codes stray from the prior, so that "
        "draws from the prior decode badly, and the objective is no lower bound of log p(x).",
        ("averages over the latent dimensions",),
    ),
    Mutant(
        "log sigma for log sigma^2",
        "kl-closed",
        _log_sigma,
        (),
        "The smallest value is at sigma^2 = 1/2 and negative: every sigma^2 comes out at half of what is "
        "right, 1 / (2 + 2a), even in a latent that the decoder does not use.",
        (
            "sum_j log sigma_j^2",
            "log sigma was used",
        ),
    ),
    Mutant(
        "sigma for sigma^2",
        "kl-closed",
        _sigma_for_variance,
        ("vgae_pytorch #2",),
        "A latent that the decoder does not use settles at sigma = 2 in place of 1, so its draws do not "
        "have the prior's law.",
        (
            "sum_j sigma_j^2",
            "sum_j sigma_j ",
        ),
    ),
    Mutant(
        "square of log sigma for log sigma^2",
        "kl-closed",
        _log_sigma_squared,
        ("FluxML/model-zoo #76",),
        "It falls without end as log_var goes to minus infinity, so nothing keeps sigma above 0.",
        (
            "sum_j log sigma_j^2",
            "sum_j (log sigma_j^2)^2",
        ),
    ),
    Mutant(
        "sign of the KL",
        "kl-closed",
        _sign,
        (),
        "The loss has no minimum: it falls without end as log_var goes to minus infinity, and codes are "
        "paid for leaving the prior.",
        ("sign is reversed",),
    ),
    Mutant(
        "sign of log sigma^2",
        "kl-closed",
        _sign_of_log_var,
        ("FluxML/model-zoo #147",),
        "It falls without end as log_var goes to minus infinity: sigma goes to 0, and what is left is an "
        "autoencoder with a penalty on mu.",
        ("sum_j log sigma_j^2",),
    ),
    Mutant(
        "the half missing",
        "kl-closed",
        _no_half,
        (),
        "The KL counts twice, as if kl_weight were 2: codes are pulled too hard to the prior, and weak "
        "latents are given up.",
        ("factor 1/2 in front is missing",),
    ),
    Mutant(
        "the half on part of the terms",
        "kl-closed",
        _half_in_part,
        ("SupaeroDataScience/deep-learning #6",),
        "At the prior it is k/2 in place of 0, and an unused latent settles at sigma^2 = 1/2.",
        (
            "sum_j mu_j^2",
            "sum_j sigma_j^2",
        ),
    ),
    Mutant(
        "double half",
        "kl-closed",
        _double_half,
        ("a published scGen port",),
        "The KL counts half, as if kl_weight were 1/2: a weight that is quoted with such code means half "
        "of what it says.",
        ("one factor 1/2 too many",),
    ),
    Mutant(
        "the constant once",
        "kl-closed",
        _constant_once,
        ("ericjang/draw #2",),
        "Gradients are right, so training is the same; but the KL and the bound are off by (k - 1) / 2 "
        "nats, and models of different k cannot be compared.",
        (
            "constant",
            "once",
        ),
    ),
    Mutant(
        "mu not squared",
        "kl-closed",
        _mean_not_squared,
        (),
        "It falls without end as mu goes to minus infinity: means drift away by a constant step instead "
        "of being held at 0.",
        ("mu is not squared",),
    ),
    Mutant(
        "summed over the cells too",
        "kl-closed",
        _summed_over_cells,
        (),
        "Every cell carries the KL of the whole batch, so after the mean over cells the KL counts n times "
        "too much, and its weight depends on the batch size.",
        ("cells",),
    ),
    Mutant(
        "minus mu",
        "grad-kl-mu",
        _minus_mu,
        ("an unattributed tutorial",),
        "Means are pushed away from 0; in a latent with curvature a < 1 they run away exponentially.",
        (
            "d_mu is wrong",
            "reversed",
        ),
    ),
    Mutant(
        "half mu",
        "grad-kl-mu",
        _half_mu,
        (),
        "The derivative of mu^2 / 2 is mu. With half of it means are held too loosely: training minimizes "
        "another loss than the one it prints.",
        (
            "d_mu is wrong",
            "the whole formula",
        ),
    ),
    Mutant(
        "the KL gradient reversed",
        "grad-kl-mu",
        _reversed,
        ("Kaixhin/Autoencoders #9",),
        "Training climbs the KL: sigma runs to 0 or to infinity, and codes flee the prior. (The public case "
        "was a categorical latent; its samples were much more diverse after the correction.)",
        (
            "d_mu and d_log_var",
            "reversed",
        ),
    ),
    Mutant(
        "batch mean forgotten",
        "grad-kl-mu",
        _batch_mean_forgotten,
        (),
        "d_kl carries 1/n and the KL's weight. Without it the KL pulls n / kl_weight times too hard, and "
        "the codes collapse onto the prior.",
        (
            "d_kl mu_j",
            "mu_j should not",
        ),
    ),
    Mutant(
        "batch mean applied twice",
        "grad-kl-mu",
        _batch_mean_twice,
        (),
        "d_kl carries 1/n already. Divided by n again, the KL counts n times too little, and its weight "
        "depends on the batch size.",
        ("number of cells",),
    ),
    Mutant(
        "the half missing in d_log_var",
        "grad-kl-log-var",
        _gradient_without_half,
        (),
        "sigma is pulled to 1 twice as hard: sigma^2 settles at 1 / (1 + a/2) in place of 1 / (1 + a).",
        (
            "d_log_var is wrong",
            "the whole formula",
        ),
    ),
    Mutant(
        "derivative in sigma",
        "grad-kl-log-var",
        _stops_at_sigma,
        (),
        "The factor d_sigma / d_log_var = sigma / 2 is missing. A small sigma is pulled to 1 too hard, by "
        "2 / sigma, so informative latents are blurred.",
        (
            "d_log_var is wrong",
            "d_kl sigma_j",
            "d_kl 1/sigma_j",
        ),
    ),
    Mutant(
        "derivative in sigma^2",
        "grad-kl-log-var",
        _stops_at_variance,
        (),
        "The factor d_variance / d_log_var = sigma^2 is missing: at sigma = 0.1 the pull to 1 is a hundred "
        "times too strong, and steps overshoot.",
        (
            "d_log_var is wrong",
            "d_kl 1/sigma_j^2",
        ),
    ),
    Mutant(
        "the one forgotten",
        "grad-kl-log-var",
        _one_forgotten,
        (),
        "Without the -1, which comes from the entropy, nothing holds sigma up: log_var falls for ever.",
        (
            "d_log_var is wrong",
            "the -1",
        ),
    ),
)
