"""Wrong versions of the Monte Carlo average and of the objective: what is averaged, what is summed."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant


def _kl(mu: Array, log_var: Array) -> Array:
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)


def _log_lik(x: Array, x_hat: Array, variance: float) -> Array:
    return -0.5 * (np.log(2 * np.pi * variance) + (x - x_hat) ** 2 / variance).sum(axis=-1)


def _draws_summed(log_lik: Array) -> Array:
    return log_lik.sum(axis=0)


def _first_draw(log_lik: Array) -> Array:
    return log_lik[0]


def _log_of_the_mean(log_lik: Array) -> Array:
    return np.log(np.exp(log_lik).mean(axis=0))


def _iwae_mean_of_logs(log_w: Array) -> Array:
    return log_w.mean(axis=0)


def _iwae_without_l(log_w: Array) -> Array:
    largest = log_w.max(axis=0)
    return largest + np.log(np.exp(log_w - largest).sum(axis=0))


def _iwae_largest_forgotten(log_w: Array) -> Array:
    return np.log(np.exp(log_w - log_w.max(axis=0)).mean(axis=0))


def _elbo_kl_over_l(log_lik: Array, kl: Array) -> Array:
    return (log_lik.sum(axis=0) - kl) / len(log_lik)


def _elbo_l_forgotten(log_lik: Array, kl: Array) -> Array:
    return log_lik.sum(axis=0) - kl


def _elbo_kl_added(log_lik: Array, kl: Array) -> Array:
    return log_lik.mean(axis=0) + kl


def _elbo_kl_for_each_draw(log_lik: Array, kl: Array) -> Array:
    return (log_lik - kl).sum(axis=0)


def _without_kl(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    return _log_lik(x, x_hat, variance).mean(axis=0)


def _kl_added(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    return _log_lik(x, x_hat, variance).mean(axis=0) + _kl(mu, log_var)


def _kl_over_l(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    return (_log_lik(x, x_hat, variance).sum(axis=0) - _kl(mu, log_var)) / len(x_hat)


def _l_forgotten(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    return _log_lik(x, x_hat, variance).sum(axis=0) - _kl(mu, log_var)


def _kl_halved_twice(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    return _log_lik(x, x_hat, variance).mean(axis=0) - 0.5 * _kl(mu, log_var)


def _kl_mean_over_latent(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    kl = -0.5 * (1 + log_var - mu**2 - np.exp(log_var)).mean(axis=-1)
    return _log_lik(x, x_hat, variance).mean(axis=0) - kl


def _reconstruction_averaged(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    log_lik = -0.5 * (np.log(2 * np.pi * variance) + (x - x_hat) ** 2 / variance).mean(axis=-1)
    return log_lik.mean(axis=0) - _kl(mu, log_var)


def _both_averaged(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    log_lik = -0.5 * (np.log(2 * np.pi * variance) + (x - x_hat) ** 2 / variance).mean(axis=-1)
    kl = -0.5 * (1 + log_var - mu**2 - np.exp(log_var)).mean(axis=-1)
    return log_lik.mean(axis=0) - kl


def _plain_squares(x: Array, x_hat: Array, mu: Array, log_var: Array, variance: float) -> Array:
    return -((x - x_hat) ** 2).sum(axis=-1).mean(axis=0) - _kl(mu, log_var)


MUTANTS = (
    Mutant(
        "L forgotten: sum over the draws",
        "mc-reconstruction",
        _draws_summed,
        (),
        "The reconstruction counts L times; at L = 1 nothing shows. The more draws, the weaker the KL.",
        ("the average is meant",),
    ),
    Mutant(
        "only the first draw",
        "mc-reconstruction",
        _first_draw,
        (),
        "Its mean is right, so training works, but the other draws are computed for nothing: the variance "
        "is L times too large.",
        ("the first draw",),
    ),
    Mutant(
        "logarithm of the mean likelihood",
        "mc-reconstruction",
        _log_of_the_mean,
        (),
        "It is never below the mean of the logarithms, so that minus the KL it can exceed log p(x): no "
        "bound is left. (Importance weights, which may be averaged first, contain the prior and q.)",
        ("log sum_l exp(log p(x|z_l))",),
    ),
    Mutant(
        "mean of the logarithms",
        "iwae",
        _iwae_mean_of_logs,
        (),
        "This is the ELBO's estimate: its expectation does not rise with L, so more draws buy less noise "
        "and no tighter bound.",
        (
            "mean_l log w_l",
            "mean comes before the logarithm",
        ),
    ),
    Mutant(
        "L forgotten",
        "iwae",
        _iwae_without_l,
        (),
        "Too large by log L: the estimate of log p(x) grows with the number of draws and passes it.",
        (
            "log L",
            "1/L is missing",
        ),
    ),
    Mutant(
        "the largest weight not put back",
        "iwae",
        _iwae_largest_forgotten,
        (),
        "The value lies between -log L and 0 whatever the data are, so bad models look as good as good ones.",
        ("max_l log w_l",),
    ),
    Mutant(
        "1/L over the KL",
        "mc-elbo",
        _elbo_kl_over_l,
        (),
        "The KL counts L times too little; at L = 1 nothing shows. With growing L the codes leave the prior, "
        "and the value can exceed log p(x).",
        ("1/L must not cover the closed-form KL",),
    ),
    Mutant(
        "L forgotten",
        "mc-elbo",
        _elbo_l_forgotten,
        (),
        "The reconstruction counts L times; at L = 1 nothing shows.",
        ("the draws are added up",),
    ),
    Mutant(
        "KL added",
        "mc-elbo",
        _elbo_kl_added,
        (),
        "Maximized, it rewards codes for leaving the prior and has no largest value: log_var falls without "
        "end.",
        ("the KL is added",),
    ),
    Mutant(
        "L forgotten, on both terms",
        "mc-elbo",
        _elbo_kl_for_each_draw,
        (),
        "The two terms keep their balance, but the value is L times the ELBO, and so is the step of plain "
        "gradient descent.",
        ("adds up the draws",),
    ),
    Mutant(
        "KL forgotten",
        "objective",
        _without_kl,
        (),
        "Nothing holds the codes: sigma goes to 0 and the model is an autoencoder, whose prior means "
        "nothing.",
        ("the KL is missing",),
    ),
    Mutant(
        "sign of the KL",
        "objective",
        _kl_added,
        (),
        "Maximized, it rewards codes for leaving the prior and has no largest value: log_var falls without "
        "end.",
        ("the KL is added",),
    ),
    Mutant(
        "1/L over the closed-form KL",
        "objective",
        _kl_over_l,
        (),
        "The KL counts L times too little; at L = 1 nothing shows. The value can exceed log p(x).",
        ("1/L must not cover the closed-form KL",),
    ),
    Mutant(
        "L forgotten",
        "objective",
        _l_forgotten,
        (),
        "The reconstruction counts L times, as if the variance were L times smaller; at L = 1 nothing shows.",
        ("the draws are added up",),
    ),
    Mutant(
        "double half on the KL",
        "objective",
        _kl_halved_twice,
        ("a published scGen port",),
        "The KL counts half, as if kl_weight were 1/2; the value is no lower bound of log p(x).",
        ("the term KL",),
    ),
    Mutant(
        "KL averaged over the latent dimensions",
        "objective",
        _kl_mean_over_latent,
        ("keras-io #270", "grammarVAE #2", "keras-molecules #59", "keras #4538"),
        "The KL counts k times too little beside the summed reconstruction: good reconstructions, and draws "
        "from the prior that decode badly.",
        ("the KL is averaged over the latent dimensions",),
    ),
    Mutant(
        "reconstruction averaged, KL summed",
        "objective",
        _reconstruction_averaged,
        ("keras #3383",),
        "The KL counts d times too much: all cells get the same code, the prior, and the same decoded mean.",
        ("1/(d)",),
    ),
    Mutant(
        "both averaged",
        "objective",
        _both_averaged,
        ("WorldModels #12",),
        "The balance shifts by d / k in favor of the KL, so with many more genes than latents the codes "
        "collapse. The public case showed a KL of 4e-7.",
        (
            "1/(d)",
            "1/(k)",
        ),
    ),
    Mutant(
        "plain sum of squares for the log likelihood",
        "objective",
        _plain_squares,
        (),
        "Without half, variance and constant it is the ELBO of a decoder variance of 1/2, up to a constant: "
        "what is set as variance has no effect, and the value says nothing about log p(x).",
        ("(x_g - xhat_g)^2",),
    ),
)
