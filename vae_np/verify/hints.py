"""What a wrong term usually means: the slips behind the coefficients, in one sentence each.

The slips are those seen in public code and in exercises; `mutants` keeps an example of each.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from vae_np.verify.explain import WHOLE
from vae_np.verify.record import Term

HALVED = ("kl-closed", "cross-entropy", "neg-entropy", "gaussian-q", "gaussian-likelihood")
MANY_DRAWS = ("mc-reconstruction", "mc-elbo", "objective", "iwae")
Coefficients = dict[str, float]


class Slip(NamedTuple):
    """A usual slip: the labels it concerns (none is all), how its coefficients look, what to say."""

    labels: Sequence[str]
    looks: Callable[[Coefficients], bool]
    says: str


def has(*names: str) -> Callable[[Coefficients], bool]:
    """Terms that are there with any coefficient but 0."""
    return lambda got: all(got.get(name, 0) != 0 for name in names)


def lacks(name: str, then: Callable[[Coefficients], bool] = lambda _: True) -> Callable[[Coefficients], bool]:
    """A term whose coefficient is 0, beside another condition."""
    return lambda got: got.get(name) == 0 and then(got)


def equals(name: str, value: float) -> Callable[[Coefficients], bool]:
    """A term with this coefficient."""
    return lambda got: name in got and abs(got[name] - value) < 1e-9


def equals_alone(name: str) -> Callable[[Coefficients], bool]:
    """A term that is missing, with no other term in its place."""
    return lambda got: got.get(name) == 0 and len(got) == 1


def contains(part: str, sign: int = 0) -> Callable[[Coefficients], bool]:
    """Any term whose name contains a text, with a coefficient other than 0 (or of this sign)."""
    return lambda got: any(
        part in name and (value * sign > 0 if sign else value != 0) for name, value in got.items()
    )


SLIPS = (
    # ------------------------------------------------------------------------ the whole formula
    Slip((), equals(WHOLE, -1), "the sign is reversed"),
    Slip(HALVED, equals(WHOLE, 2), "the factor 1/2 in front is missing"),
    Slip(HALVED, equals(WHOLE, 0.5), "there is one factor 1/2 too many"),
    Slip((), equals(f"{WHOLE} / k", 1), "it averages over the latent dimensions where the formula has a sum"),
    Slip((), equals(f"{WHOLE} / d", 1), "it averages over the genes where the formula has a sum"),
    Slip(
        (), equals(f"{WHOLE} / n", 1), "it divides by the number of cells, which comes only at the very end"
    ),
    Slip(
        (),
        equals(f"{WHOLE} summed over the cells", 1),
        "each cell keeps its own value: no sum over the cells",
    ),
    Slip((), equals(f"{WHOLE} / L", 1), "it divides by the number of draws once too often"),
    Slip((), equals(f"{WHOLE} times L", 1), "it adds up the draws: the average is meant, with 1/L"),
    # ------------------------------------------------------------------------------ KL and densities
    Slip(
        ("kl-closed", "neg-entropy", "gaussian-q"),
        equals("sum_j log sigma_j^2", -0.25),
        "log sigma was used where the formula has log sigma^2",
    ),
    Slip(
        HALVED,
        lacks("sum_j sigma_j^2", has("sum_j sigma_j")),
        "the standard deviation stands where the variance is meant: exp(log_var), not exp(log_var / 2)",
    ),
    Slip(
        HALVED,
        lacks("sum_j sigma_j^2", has("sum_j sigma_j^4")),
        "log_var was taken for log sigma: the variance is exp(log_var), not exp(2 log_var)",
    ),
    Slip(HALVED, lacks("sum_j mu_j^2", has("sum_j mu_j")), "mu is not squared"),
    Slip(
        HALVED,
        contains("1/(k)"),
        "one term is averaged over the latent dimensions where the formula has a sum",
    ),
    Slip(
        ("kl-closed",),
        lacks("sum_j 1", has("1")),
        "the constant counts once for each latent dimension, not once in all",
    ),
    Slip(("kl-closed",), equals_alone("sum_j 1"), "the constant -1 of each latent dimension is missing"),
    Slip(
        ("gaussian-q", "cross-entropy", "neg-entropy"),
        has("1"),
        "the constant log 2 pi counts once for each latent dimension",
    ),
    Slip(
        ("gaussian-likelihood", "objective"),
        contains("log v", 1),
        "the logarithm of the variance is subtracted in a density",
    ),
    # ------------------------------------------------------------------------------------- sampling
    Slip(
        ("reparam-gaussian",),
        has("sigma_j^2 eps_j"),
        "exp(log_var) is the variance; the standard deviation is exp(log_var / 2)",
    ),
    Slip(("reparam-gaussian",), has("log sigma_j^2 eps_j"), "log_var is a logarithm: take exp(log_var / 2)"),
    Slip(("reparam-gaussian",), has("eps_j"), "the noise is not scaled by sigma = exp(log_var / 2)"),
    Slip(
        ("reparam-gaussian",),
        equals_alone("sigma_j eps_j"),
        "the noise does not come in with sigma = exp(log_var / 2)",
    ),
    Slip(("reparam-gaussian",), lacks("mu_j"), "the mean mu is missing"),
    # --------------------------------------------------------------------------- Monte Carlo, the ELBO
    Slip(("mc-elbo", "objective"), has("1/L KL"), "1/L must not cover the closed-form KL (mc-elbo)"),
    Slip(("mc-elbo", "objective"), equals("KL", 1), "the KL is added: the bound subtracts it"),
    Slip(("mc-elbo", "objective"), equals_alone("KL"), "the KL is missing"),
    Slip(("objective",), has("1/(k) KL"), "the KL is averaged over the latent dimensions where it has a sum"),
    Slip(MANY_DRAWS, contains("sum_l log p"), "the draws are added up: the average is meant, with 1/L"),
    Slip(MANY_DRAWS, contains("1/n"), "it divides by the number of cells, which comes only at the very end"),
    Slip(
        ("iwae",),
        has("mean_l log w_l"),
        "the mean comes before the logarithm: log of the mean weight, not mean of log weights",
    ),
    Slip(("iwae",), equals_alone("log L"), "1/L is missing inside the logarithm: subtract log L"),
    # -------------------------------------------------------------------------------------- gradients
    Slip(
        (),
        lacks("d_z sigma_j eps_j", has("d_z eps_j")),
        "you stopped at d sigma: multiply by d sigma / d log_var = sigma / 2",
    ),
    Slip(
        (),
        equals("d_z sigma_j eps_j", 1),
        "sigma = exp(log_var / 2), so d sigma / d log_var = sigma / 2: the 1/2 is missing",
    ),
    Slip(
        (),
        lacks("d_z sigma_j eps_j", has("d_z sigma_j")),
        "the noise eps is missing in the gradient of log_var",
    ),
    Slip(
        (),
        lacks("d_z sigma_j eps_j", has("d_z sigma_j^2 eps_j")),
        "the derivative of exp(log_var / 2) is half of itself, not of exp(log_var)",
    ),
    Slip((), equals("d_kl mu_j", -1), "the gradient of the KL in mu has its sign reversed"),
    Slip(
        (),
        lambda got: equals("d_kl sigma_j^2", -0.5)(got) and equals("d_kl", 0.5)(got),
        "the gradient of the KL in log_var has its sign reversed",
    ),
    Slip((), equals_alone("d_kl"), "the -1 of the KL's gradient in log_var, from -log sigma^2, is missing"),
    Slip(
        (),
        lacks("d_kl sigma_j^2", lacks("d_kl", has("d_kl sigma_j", "d_kl 1/sigma_j"))),
        "you stopped at d sigma",
    ),
    Slip(("grad-heads-add",), equals_alone("d_kl mu_j"), "the path through the KL is missing in d_mu"),
    Slip(("grad-heads-add",), equals("d_z", 0), "the path through the sample is missing in d_mu"),
    Slip(("grad-likelihood",), equals(WHOLE, 2), "the derivative of the square cancels the 1/2"),
    Slip(
        ("grad-linear",),
        contains("/n"),
        "the gradient is a sum over the cells; the mean is taken in the loss",
    ),
    Slip(
        ("grad-dropout",),
        lacks("mask d_h", equals("d_h", 1)),
        "the mask of the forward pass is missing in the backward pass",
    ),
    Slip(("grad-dropout",), contains("[mask > 0]"), "the factor 1/(1-p) is part of the mask"),
    Slip(
        ("grad-leaky-relu",),
        equals_alone("[a <= 0] d_h"),
        "on the negative side the derivative is the slope 0.01, not 0",
    ),
    Slip(("grad-leaky-relu",), contains("[a = 0]"), "at 0 the derivative is the slope, by convention"),
    Slip(
        ("grad-batch-norm",),
        equals("gamma mean_i(d_h) / s", 0),
        "the batch mean depends on every cell: its term is missing",
    ),
    Slip(
        ("grad-batch-norm",),
        equals("gamma mean_i(d_h) / s", -2),
        "the term of the batch mean is there twice",
    ),
    Slip(
        ("grad-batch-norm",),
        equals("gamma u mean_i(d_h u) / s", 0),
        "the batch variance depends on every cell: its term is missing",
    ),
    Slip(
        ("grad-batch-norm",),
        contains("variance with n-1"),
        "the batch is normalized with the biased variance, 1/n",
    ),
    # ------------------------------------------------------------------------------------------ Adam
    Slip(("adam-step",), contains("lr m / "), "m is not bias-corrected: divide it by 1 - beta1^t"),
    Slip(("adam-step",), contains("(sqrt(v) +"), "v is not bias-corrected: divide it by 1 - beta2^t"),
    Slip(("adam-step",), contains(" + epsilon) / "), "epsilon stands outside the root"),
    Slip(("adam-step",), contains("/ sqrt(v 1/(1-beta^t) + epsilon)"), "epsilon stands outside the root"),
    Slip(("adam-step",), contains("/ (v "), "the root of v is missing"),
    Slip(("adam-step",), contains("(1-beta^(t-1))"), "t counts from 1: the exponent is one too small"),
    Slip(("adam-step",), contains("(1-beta^(t+1))"), "t counts from 1: the exponent is one too large"),
    Slip(("adam-step",), has("lr g"), "this is plain gradient descent, without the moments"),
    Slip(("adam-step", "adam-moments"), contains("the other beta"), "beta1 and beta2 are exchanged"),
    Slip(
        ("adam-moments", "adam-step"),
        lacks("(1-beta) g^2", has("(1-beta) g")),
        "v averages the squares of the gradient",
    ),
    Slip(("adam-bias",), contains("(1-beta^(t-1))"), "t counts from 1: the exponent is one too small"),
    Slip(("adam-bias",), contains("(1-beta^(t+1))"), "t counts from 1: the exponent is one too large"),
    Slip(("adam-bias",), contains("1/(1-beta)"), "the correction is 1 - beta^t, not 1 - beta"),
    # ----------------------------------------------------------------------------------------- delta
    Slip(("delta", "delta-balanced"), contains("median"), "delta is a difference of means, not of medians"),
    Slip(
        ("delta-balanced",),
        contains("cells", 1),
        "all cells are pooled or weighted by number: every shared type counts the same",
    ),
    Slip(
        ("delta-balanced",),
        contains("over all its types"),
        "types found in one condition only must stay out, on both sides",
    ),
    Slip(
        ("delta-balanced",),
        contains("sum over shared types"),
        "the differences are averaged over the shared types, not added",
    ),
)


def hints(label: str, terms: Sequence[Term]) -> list[str]:
    """Say which usual slips the wrong terms look like.

    Parameters
    ----------
    label
        The equation.
    terms
        From the explainer.

    Returns
    -------
    list of str
        Clauses without a capital letter and a full stop; often empty.
    """
    got = {term.name: term.got for term in terms}
    found = [slip.says for slip in SLIPS if (not slip.labels or label in slip.labels) and slip.looks(got)]
    return list(dict.fromkeys(found))
