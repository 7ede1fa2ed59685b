"""The explainer: which terms of a wrong formula are wrong, found by regression on the terms it may have.

The difference between what a learner's function gives and what it should give is written as a
combination of a few candidate terms, at random inputs of different sizes (so that a sum and a mean, or a
factor 1/n or 1/L, cannot be confused). A beam search adds one term at a time. An explanation counts only
if it has at most six terms, leaves nothing over, and predicts the learner's values at fresh inputs.

If no such combination is found, nothing is guessed: it is only said which inputs the error depends on.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from vae_np.verify.contracts import Sizes
from vae_np.verify.record import Term
from vae_np.verify.terms import DICTIONARIES, EXPECTED

MOST_TERMS = 6
BEAM = 24
# Columns whose sine of the angle to the others is smaller say the same thing twice.
DISTINCT = 1e-5
LEFT_OVER = 1e-10
FRESH = 1e-9
WHOLE = "the whole formula"


class Trial(NamedTuple):
    """One run of a function: sizes and arguments, one output of it, and that output as it should be."""

    sizes: Sizes
    arguments: tuple[Any, ...]
    got: np.ndarray
    expected: np.ndarray


def candidates(label: str, output: int, trial: Trial) -> dict[str, np.ndarray]:
    """Every term of an equation's dictionary for one trial, and the whole formula times a size."""
    with np.errstate(all="ignore"):
        terms = DICTIONARIES[label](*trial.arguments)[output]
    shape = trial.expected.shape
    values = {
        name: (term if np.shape(term) == shape else np.broadcast_to(term, shape)).ravel()
        for name, term in terms.items()
    }
    whole = trial.expected.ravel()
    values[WHOLE] = whole
    if whole.shape == (trial.sizes.n,) == shape:
        values[f"{WHOLE} summed over the cells"] = np.full_like(whole, whole.sum())
    for name, size in trial.sizes._asdict().items():
        values[f"{WHOLE} / {name}"] = whole / size
        values[f"{WHOLE} times {name}"] = whole * size
    return values


def table(label: str, output: int, trials: Sequence[Trial]) -> tuple[list[str], np.ndarray]:
    """Names of the candidates and their values, (rows of all trials, candidates); only finite columns."""
    columns = [candidates(label, output, trial) for trial in trials]
    names = list(columns[0])
    values = np.stack([np.concatenate([column[name] for column in columns]) for name in names], axis=1)
    usable = np.isfinite(values).all(axis=0) & (np.abs(values).max(axis=0) > 0)
    return [name for name, keep in zip(names, usable, strict=True) if keep], values[:, usable]


def combination(
    columns: np.ndarray, target: np.ndarray, given: Sequence[int], others: Sequence[int]
) -> dict[int, float] | None:
    """Write a vector as a combination of given columns and of as few others as possible.

    One or two others are searched for exhaustively, more by a beam that starts from the best pairs.

    Parameters
    ----------
    columns
        Shape (rows, candidates).
    target
        Shape (rows,).
    given, others
        Indices of columns.

    Returns
    -------
    dict or None
        Column -> coefficient, at most six that are not 0; None if that leaves something over.
    """
    norms = np.linalg.norm(columns, axis=0)
    unit, size = columns / norms, float(np.linalg.norm(target))

    def weights(chosen: Sequence[int]) -> tuple[np.ndarray, float]:
        basis = unit[:, list(chosen)]
        found = np.linalg.lstsq(basis, target, rcond=None)[0]
        return found, float(np.linalg.norm(target - basis @ found))

    def accepted(chosen: Sequence[int]) -> dict[int, float] | None:
        found, left = weights(chosen) if chosen else (np.zeros(0), size)
        kept = {
            i: float(w / norms[i]) for i, w in zip(chosen, found, strict=True) if abs(w) > LEFT_OVER * size
        }
        return kept if left <= LEFT_OVER * size and len(kept) <= MOST_TERMS else None

    if (found := accepted(list(given))) is not None:
        return found
    basis = np.linalg.qr(unit[:, list(given)])[0] if len(given) else np.zeros((len(target), 0))
    rest = unit[:, list(others)] - basis @ (basis.T @ unit[:, list(others)])
    lengths = np.linalg.norm(rest, axis=0)
    new = [i for i, length in zip(others, lengths, strict=True) if length > DISTINCT]
    rest = rest[:, lengths > DISTINCT] / lengths[lengths > DISTINCT]
    left = target - basis @ (basis.T @ target)
    along, overlap = rest.T @ left, rest.T @ rest
    for i in np.argsort(-np.abs(along), kind="stable")[:BEAM]:
        if (found := accepted([*given, new[i]])) is not None:
            return found
    with np.errstate(all="ignore"):  # the part of `left` in the plane of two columns
        plane = (along[:, None] ** 2 + along**2 - 2 * np.outer(along, along) * overlap) / (1 - overlap**2)
    plane[~(np.abs(overlap) < 1 - DISTINCT**2)] = 0
    best = np.argsort(-np.triu(plane, 1), axis=None, kind="stable")[:BEAM]
    states = [tuple(divmod(int(flat), len(new))) for flat in best]
    for state in states:
        if (found := accepted([*given, *(new[i] for i in state)])) is not None:
            return found
    for _ in range(MOST_TERMS - 2):
        grown: dict[tuple[int, ...], float] = {}
        for state in states:
            chosen = [*given, *(new[i] for i in state)]
            found_weights, _ = weights(chosen)
            promise = np.abs(rest.T @ (target - unit[:, chosen] @ found_weights))
            for i in np.argsort(-promise, kind="stable")[:BEAM].tolist():
                longer = tuple(sorted({*state, i}))
                if longer not in grown and len(longer) > len(state):
                    grown[longer] = weights([*given, *(new[j] for j in longer)])[1]
        states = sorted(grown, key=lambda state: grown[state])[:BEAM]
        if states and (found := accepted([*given, *(new[i] for i in states[0])])) is not None:
            return found
    return None


def snap(value: float) -> float:
    """Round a fitted coefficient to the simple fraction or multiple of log 2 pi that it means."""
    for unit in (1.0, math.log(2 * math.pi)):
        near = Fraction(value / unit).limit_denominator(64)
        if abs(float(near) * unit - value) <= 1e-8 * max(1.0, abs(value)):
            return float(near) * unit
    return value


def written(value: float) -> str:
    """A coefficient as one writes it: 0, +1, -1/2, +1/2 log 2 pi, +0.123457."""
    if value == 0:
        return "0"
    sign, size = "-" if value < 0 else "+", abs(value)
    for unit, name in ((1.0, ""), (math.log(2 * math.pi), " log 2 pi")):
        near = Fraction(size / unit).limit_denominator(64)
        if abs(float(near) * unit - size) <= 1e-12 * max(1.0, size):
            number = "" if near == 1 and name else str(near)
            return f"{sign}{(number + name).strip()}"
    return f"{sign}{size:.6g}"


def explain(
    label: str, output: int, trials: Sequence[Trial], fresh: Sequence[Trial]
) -> tuple[Term, ...] | None:
    """Name the terms in which a function differs from the equation.

    Parameters
    ----------
    label
        The equation.
    output
        Index of the output.
    trials
        Runs of the function to fit.
    fresh
        Other runs, which an explanation has to predict.

    Returns
    -------
    tuple of Term or None
        The terms whose coefficient is not the expected one, or None if it is no such combination.
    """
    names, columns = table(label, output, trials)
    difference = np.concatenate([(trial.got - trial.expected).ravel() for trial in trials])
    expected = EXPECTED[label][output]
    right = [names.index(name) for name in expected]
    wholes = [i for i, name in enumerate(names) if name.startswith(WHOLE) or name == "1"]
    found = combination(columns, difference, [], wholes)
    if found is None or len(found) > 2:
        others = [i for i in range(len(names)) if i not in right and not names[i].startswith(WHOLE)]
        found = combination(columns, difference, right, others)
    if found is None:
        return None
    chosen = {names[i]: snap(w) for i, w in found.items()}
    for trial in fresh:
        values = candidates(label, output, trial)
        predicted = trial.expected.ravel() + sum(w * values[name] for name, w in chosen.items())
        if not np.abs(predicted - trial.got.ravel()).max() <= FRESH * max(
            1.0, float(np.abs(trial.got).max())
        ):
            return None
    return _as_terms(expected, chosen)


def _as_terms(expected: dict[str, float], change: dict[str, float]) -> tuple[Term, ...]:
    """Turn changes of coefficients into coefficients got and expected."""
    expected = {WHOLE: 1.0, **expected}
    terms = [
        Term(name, snap(expected.get(name, 0.0) + w), expected.get(name, 0.0)) for name, w in change.items()
    ]
    return tuple(sorted((t for t in terms if t.got != t.expected), key=lambda t: (t.expected == 0, t.name)))
