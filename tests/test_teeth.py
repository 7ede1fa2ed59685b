"""Teeth: every automatic wrong version of every shared formula is rejected by a judge of its label.

A shared formula is the function of a record, another function of the same modules whose docstring
carries a label (the partner in a pair, above all), or one of those that serve a record without a label,
listed in `SERVING`. What survives is listed below, with the reason why it is no wrong formula.
"""

import importlib
import inspect
import re
import warnings
from collections import Counter

import numpy as np
import pytest
from ast_mutants import in_place_of, mutants

from vae_np import use
from vae_np.elbo.bernoulli_likelihood import _sigmoid, _softplus
from vae_np.elbo.gaussian_likelihood import _in_dtype_of
from vae_np.layers.mlp import mlp, mlp_backward
from vae_np.model.vae import decode, decode_backward, encode_backward, loss_backward
from vae_np.scgen.delta import _oversample
from vae_np.verify import oracle
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.run import ask

TABLE = {equation.label: equation for equation in EQUATIONS}
MODULES = sorted({equation.function.split(":")[0] for equation in EQUATIONS if equation.function})
LABEL = re.compile(r"\[([a-z0-9-]+)\]")
# Functions that carry the label of what they use, and are judged by tests of their own.
USERS = {"encode", "adam_step", "adam_update_in_place"}
# Functions without a label, and the records that rest on them.
SERVING = {
    mlp: ["beta-is-variance"],
    mlp_backward: ["beta-is-variance"],
    encode_backward: ["beta-is-variance"],
    decode: ["beta-is-variance"],
    decode_backward: ["beta-is-variance"],
    loss_backward: ["beta-is-variance"],
    _sigmoid: ["bernoulli-likelihood", "grad-bernoulli-likelihood"],
    _softplus: ["bernoulli-likelihood", "grad-bernoulli-likelihood"],
    _in_dtype_of: ["gaussian-likelihood", "grad-likelihood"],
    _oversample: ["delta-resampling-limit"],
    oracle.expected_log_likelihood: ["term1-intractable"],
    oracle.linear_gaussian_elbo: ["elbo", "elbo-gap"],
}


def formulas():
    """Every shared formula with the labels in its docstring."""
    for name in MODULES:
        for function in vars(importlib.import_module(name)).values():
            if (
                inspect.isfunction(function)
                and function.__module__ == name
                and function.__name__ not in USERS
            ):
                labels = [label for label in LABEL.findall(function.__doc__ or "") if label in TABLE]
                if labels and function not in SERVING:
                    yield pytest.param(function, labels, id=function.__name__)
    for function, labels in SERVING.items():
        yield pytest.param(function, labels, id=function.__name__)


# What is no wrong formula, and why; with a number where that many mutants have the same description.
LAST_AXIS = "the arrays are (n, k), where the last axis is axis 1"
UNKNOWN_LENGTH = "reshape takes any negative number for the length to be found"
THRESHOLD = "both branches are the same number there; they differ in overflow far away"
EQUIVALENT = {
    "cross_entropy_standard_normal: -1  ->  1": LAST_AXIS,
    "cross_entropy_standard_normal: 1  ->  -1": LAST_AXIS,
    "negative_entropy: -1  ->  1": LAST_AXIS,
    "negative_entropy: 1  ->  -1": LAST_AXIS,
    "kl_standard_normal: -1  ->  1": LAST_AXIS,
    "kl_standard_normal: 1  ->  -1": LAST_AXIS,
    "kl_to_posterior: -1  ->  1": LAST_AXIS,
    "kl_to_posterior: 1  ->  -1": LAST_AXIS,
    "expected_log_likelihood: 1  ->  -1": (3, LAST_AXIS),
    "linear_gaussian_elbo: 1  ->  -1": LAST_AXIS,
    "decode: 1  ->  2": (2, UNKNOWN_LENGTH),
    "decode_backward: 1  ->  2": UNKNOWN_LENGTH,
    "_sigmoid: a.real > 0  ->  a.real >= 0": THRESHOLD,
    "_sigmoid: 0  ->  1": THRESHOLD,
    "_softplus: a.real > 0  ->  a.real >= 0": THRESHOLD,
    "_softplus: 0  ->  1": THRESHOLD,
    "mlp: True  ->  False": "strict only refuses lists of different lengths",
    "negative_entropy_backward: -0.5 * d_negative_entropy[..., None] * np.ones_like(log_var)  ->  "
    "-0.5 * d_negative_entropy[..., None] / np.ones_like(log_var)": "a division by one",
    "loss: (None, None)  ->  (None, None)": "two equal things exchanged",
}


def excused(function):
    """How many survivors of each description are no wrong formula."""
    prefix = f"{function.__name__}: "
    return Counter(
        {
            description.removeprefix(prefix): reason[0] if isinstance(reason, tuple) else 1
            for description, reason in EQUIVALENT.items()
            if description.startswith(prefix)
        }
    )


def rejected(judges):
    """Whether a judge rejects what is in place now; the cheap ones are asked first."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), use("numpy"):
        warnings.simplefilter("ignore")
        return any(not ask(equation, judge).ok for equation, judge in judges)


@pytest.mark.parametrize(("function", "labels"), list(formulas()))
def test_every_wrong_version_is_rejected(function, labels, record_teeth):
    judges = [
        (TABLE[label], judge)
        for label in labels
        for judge in TABLE[label].judges
        if judge.kind != "symbolic" and not judge.refutes
    ]
    assert not rejected(judges), "the right version is rejected"
    judges.sort(key=lambda pair: ask(*pair).seconds)
    alive, n_mutants = Counter(), 0
    for description, mutant in mutants(function):
        n_mutants += 1
        with in_place_of(function, mutant):
            if not rejected(judges):
                alive[description] += 1
    n_mutants -= excused(function).total()
    survivors = alive - excused(function)
    record_teeth(function.__name__, labels, n_mutants - survivors.total(), n_mutants)
    assert not survivors, f"{survivors.total()} of {n_mutants} wrong versions survive: {dict(survivors)}"
    assert alive == excused(function), "what is listed as equivalent was rejected"
