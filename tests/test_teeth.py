"""Teeth: every automatic wrong version of every shared formula is rejected by a judge of its label.

A shared formula is the function of a record, or another function of the same modules whose docstring
carries a label (the partner in a pair, above all). What survives is listed below, with the reason why
it is no wrong formula.
"""

import importlib
import inspect
import re
import warnings

import numpy as np
import pytest
from ast_mutants import in_place_of, mutants

from vae_np import use
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.run import ask

TABLE = {equation.label: equation for equation in EQUATIONS}
MODULES = sorted({equation.function.split(":")[0] for equation in EQUATIONS if equation.function})
LABEL = re.compile(r"\[([a-z0-9-]+)\]")
# Functions that carry the label of what they use, and are judged by tests of their own.
USERS = {"encode", "adam_step"}


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
                if labels:
                    yield pytest.param(function, labels, id=function.__name__)


# What is no wrong formula, and why.
LAST_AXIS = "the arrays are (n, k), where the last axis is axis 1"
EQUIVALENT = {
    "cross_entropy_standard_normal: -1  ->  1": LAST_AXIS,
    "cross_entropy_standard_normal: 1  ->  -1": LAST_AXIS,
    "negative_entropy: -1  ->  1": LAST_AXIS,
    "negative_entropy: 1  ->  -1": LAST_AXIS,
    "kl_standard_normal: -1  ->  1": LAST_AXIS,
    "kl_standard_normal: 1  ->  -1": LAST_AXIS,
    "kl_to_posterior: -1  ->  1": LAST_AXIS,
    "kl_to_posterior: 1  ->  -1": LAST_AXIS,
    "negative_entropy_backward: -0.5 * d_negative_entropy[..., None] * np.ones_like(log_var)  ->  "
    "-0.5 * d_negative_entropy[..., None] / np.ones_like(log_var)": "a division by one",
    "loss: (None, None)  ->  (None, None)": "two equal things exchanged",
}


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
    survivors, n_mutants = [], 0
    for description, mutant in mutants(function):
        if f"{function.__name__}: {description}" in EQUIVALENT:
            continue
        n_mutants += 1
        with in_place_of(function, mutant):
            if not rejected(judges):
                survivors.append(description)
    record_teeth(function.__name__, labels, n_mutants - len(survivors), n_mutants)
    assert not survivors, f"{len(survivors)} of {n_mutants} wrong versions survive: " + "; ".join(survivors)
