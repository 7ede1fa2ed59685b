"""Check a learner's own function against an equation, and say what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from vae_np.errors import InputError, whole_number
from vae_np.verify.contracts import CONTRACTS, Contract, Sizes, random_sizes
from vae_np.verify.explain import WHOLE, Trial, explain, written
from vae_np.verify.hints import hints
from vae_np.verify.judges import EPS
from vae_np.verify.outputs import WrongOutputError, as_arrays, as_tuple, call, copies
from vae_np.verify.record import Report, Term
from vae_np.verify.run import find, verify

N_TRIALS, N_FRESH = 24, 6
# An algebraically equal formula may cancel more digits than ours; a term of relative size 1e-10 is seen.
BOUND = 2**16 * EPS
NEARLY = 1e-5
# Rows that a rotation of the noise is fitted to, and how exactly it must be one.
N_ROWS, ORTHOGONAL = 60, 1e-9


class Run(NamedTuple):
    """One run of the learner's function beside the right one."""

    sizes: Sizes
    arguments: tuple[Any, ...]
    got: tuple[np.ndarray, ...]
    expected: tuple[np.ndarray, ...]


def check(label: str, fn: Callable[..., Any] | None = None, level: int = 2, seed: int = 0) -> Report:
    """Decide whether a function computes an equation, and name the terms in which it does not.

    Parameters
    ----------
    label
        The equation, such as ``"kl-closed"``.
    fn
        The learner's function, with the arguments of `CONTRACTS`; None verifies the equation itself.
    level
        How much is said: 0 right or wrong, 1 which output, 2 which term, 3 the coefficients.
    seed
        Of the random inputs.

    Returns
    -------
    Report
        Whatever the function does, it ends here: exceptions are a report too.

    Raises
    ------
    InputError
        If the label is unknown or has no function, or level or seed are out of range.
    """
    equation = find(label)
    level, seed = whole_number("level", level, least=0, most=3), whole_number("seed", seed, least=0)
    if fn is None:
        return verify(equation, seed)
    contract = contract_of(label)
    rng = np.random.default_rng([crc32(label.encode()), seed])
    if not callable(fn):
        return _report(label, f"this is a {type(fn).__name__}, not a function", level=level)
    try:
        runs: Sequence[Run] = [_run(contract, fn, rng) for _ in range(N_TRIALS + N_FRESH)]
        for run in runs[:3]:
            _require_the_same_again(contract, fn, run)
        if label == "reparam-gaussian":
            runs = _up_to_a_rotation(fn, runs, rng)
    except WrongOutputError as wrong:
        return _report(label, str(wrong), level=level)
    return _compare(contract, fn, runs, level, rng)


def contract_of(label: str) -> Contract:
    """Return what a learner's function gets and gives back, for an equation that has a function.

    Raises
    ------
    InputError
        If the label is unknown, or its equation has no function.
    """
    find(label)
    if label not in CONTRACTS:
        raise InputError(f"{label} has no function to check: the labels that have are {', '.join(CONTRACTS)}")
    return CONTRACTS[label]


# --------------------------------------------------------------------------------- running it


def _run(contract: Contract, fn: Callable[..., Any], rng: np.random.Generator) -> Run:
    """Call the learner's function on copies of random arguments, and look at what comes back."""
    sizes = random_sizes(rng)
    arguments = contract.draw(rng, sizes)
    expected = as_tuple(contract.reference(*copies(arguments)))
    got = _outputs(contract, call(fn, arguments), expected)
    return Run(sizes, arguments, got, expected)


def _require_the_same_again(contract: Contract, fn: Callable[..., Any], run: Run) -> None:
    """A function of its arguments gives the same values for the same arguments."""
    again = _outputs(contract, call(fn, run.arguments), run.expected)
    if not all(np.array_equal(a, b) for a, b in zip(again, run.got, strict=True)):
        raise WrongOutputError(
            "it gives another result for the same arguments: whatever is random comes in as an argument"
        )


def _outputs(contract: Contract, out: Any, expected: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:  # noqa: ANN401
    """Take what the function returned as finite arrays of the right shapes, or say why not."""
    arrays = as_arrays(contract.outputs, out)
    for name, array, right in zip(contract.outputs, arrays, expected, strict=True):
        if array.shape != right.shape:
            raise WrongOutputError(_about_shapes(name, array.shape, right.shape))
        if not np.isfinite(array).all():
            what = "NaN" if np.isnan(array).any() else "infinite values"
            raise WrongOutputError(f"{name} holds {what} where the right values are finite")
    return arrays


def _about_shapes(name: str, got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    text = f"{name} has the shape {got}, expected {expected}"
    if got == ():
        return f"{text}: one number for everything, where each cell or entry keeps its own"
    if got == (*expected, 1):
        return f"{text}: there is an extra axis of length 1 (keepdims?)"
    if len(got) == len(expected) + 1 and got[:-1] == expected:
        return f"{text}: the sum over the last axis is missing"
    if len(got) == len(expected) + 1 and got[1:] == expected:
        return f"{text}: the sum or mean over the first axis is missing"
    return text


# ------------------------------------------------------------------ what has the same law as q's draws


def _up_to_a_rotation(fn: Callable[..., Any], runs: Sequence[Run], rng: np.random.Generator) -> Sequence[Run]:
    """Take mu + sigma (eps Q) for right, if that is what the function gives with an orthogonal Q.

    Then eps Q has the law of eps, so the draws have the law of q: Q = -I is mu - sigma eps.
    """
    rotations = {k: _rotation(fn, k, rng) for k in {run.sizes.k for run in runs}}
    turned = []
    for run in runs:
        mu, log_var, eps = run.arguments
        rotation = rotations[run.sizes.k]
        if rotation is None:
            return runs
        expected = mu + np.exp(log_var / 2) * (eps @ rotation)
        if np.abs(run.got[0] - expected).max() > ORTHOGONAL * _size(expected):
            return runs
        turned.append(run._replace(expected=(expected,)))
    return turned


def _rotation(fn: Callable[..., Any], k: int, rng: np.random.Generator) -> np.ndarray | None:
    """Fit (z - mu) / sigma = eps Q for k dimensions; None unless Q is orthogonal and nothing is left over."""
    mu, log_var, eps = rng.normal(size=(3, N_ROWS, k))
    z = _outputs(CONTRACTS["reparam-gaussian"], call(fn, (mu, log_var, eps)), (mu,))[0]
    u = (z - mu) * np.exp(-log_var / 2)
    rotation = np.linalg.lstsq(eps, u, rcond=None)[0]
    left = np.abs(u - eps @ rotation).max()
    turned = np.abs(rotation.T @ rotation - np.eye(k)).max()
    return rotation if max(left, turned) <= ORTHOGONAL else None


# --------------------------------------------------------------------------------- what is wrong


def _size(values: np.ndarray) -> float:
    """The largest entry, which errors are relative to; 1 where all are 0."""
    return float(np.abs(values).max()) or 1.0


def _errors(run: Run) -> list[float]:
    """Error of each output relative to its largest entry."""
    return [
        float(np.abs(got - right).max()) / _size(right)
        for got, right in zip(run.got, run.expected, strict=True)
    ]


def _compare(
    contract: Contract, fn: Callable[..., Any], runs: Sequence[Run], level: int, rng: np.random.Generator
) -> Report:
    errors = np.max([_errors(run) for run in runs], axis=0)
    error = float(errors.max())
    wrong = [i for i, e in enumerate(errors) if not e <= BOUND]
    if not wrong:
        return _report(contract.label, "right", ok=True, error=error, level=level, wrong=())
    which = ""
    if len(contract.outputs) > 1:
        right = [name for i, name in enumerate(contract.outputs) if i not in wrong]
        bad = [contract.outputs[i] for i in wrong]
        which = f"{_listed(bad)} {'is' if len(bad) == 1 else 'are'} wrong"
        which += f", {_listed(right)} {'is' if len(right) == 1 else 'are'} right" if right else ""
    sentences, terms = [], []
    for i in wrong if level >= 2 else ():
        said, found = _what_is_wrong(contract, fn, i, runs, level, rng)
        sentences += [
            f"{contract.outputs[i]}: {sentence}" if len(wrong) > 1 else sentence for sentence in said
        ]
        terms += found
    names = tuple(contract.outputs[i] for i in wrong)
    return _report(
        contract.label, which, tuple(sentences), tuple(terms), error=error, level=level, wrong=names
    )


def _what_is_wrong(
    contract: Contract,
    fn: Callable[..., Any],
    output: int,
    runs: Sequence[Run],
    level: int,
    rng: np.random.Generator,
) -> tuple[list[str], list[Term]]:
    """Sentences about one wrong output, and its wrong terms."""
    trials = [Trial(run.sizes, run.arguments, run.got[output], run.expected[output]) for run in runs]
    if precision := _about_precision(trials):
        return [precision], []
    if all(trial.got.dtype.kind == "b" for trial in trials):
        return ["it gives True or False where numbers are expected"], []
    terms = explain(contract.label, output, trials[:N_TRIALS], trials[N_TRIALS:])
    if terms is not None:
        sentences = [sentence for term in terms if (sentence := _about_term(term, level))]
        if all(not trial.got.any() for trial in trials):
            sentences = ["it gives 0 everywhere: is there an integer division, such as 1 // 2?"]
        slips = hints(contract.label, terms)
        return [*sentences, *slips], list(terms)
    return [*_about_places(contract, trials), _about_inputs(contract, fn, output, runs, rng)], []


def _about_term(term: Term, level: int) -> str:
    if term.name.startswith(WHOLE):
        if term.got == 0:
            return ""
        if term.expected == 0:
            times = f"{written(term.got)} times " if level >= 3 else ""
            return f"it computes {times}{term.name}"
        factor = f" has the factor {written(term.got)}, expected {written(term.expected)}"
        return f"{term.name}{factor}" if level >= 3 else f"{term.name} has a wrong factor"
    if level >= 3:
        return f"the coefficient of {term.name} is {written(term.got)}, expected {written(term.expected)}"
    if term.expected == 0:
        return f"the term {term.name} should not be there"
    if term.got == 0:
        return f"the term {term.name} is missing"
    return f"the term {term.name} has a wrong coefficient"


def _about_precision(trials: Sequence[Trial]) -> str:
    """The formula is right, its arithmetic is not float64's."""
    single = all(np.array_equal(t.got, t.got.astype(np.float32)) for t in trials)
    error = max(float(np.abs(t.got - t.expected).max()) / _size(t.expected) for t in trials)
    if single and error < NEARLY:
        return (
            f"the formula is right to float32's seven digits (relative error {error:.0e}): compute in float64"
        )
    return ""


def _about_places(contract: Contract, trials: Sequence[Trial]) -> Iterator[str]:
    """Say where a formula without a known wrong term is right, and whether it is nearly right."""
    sizes = np.concatenate([np.abs(t.got - t.expected).ravel() / _size(t.expected) for t in trials])
    share = float(np.mean(sizes <= BOUND))
    if 0.02 < share < 1:
        yield f"{share:.0%} of the values are right: look for a clip, a maximum or a branch"
    elif np.median(sizes) < 0.01:
        yield (
            f"the values are nearly right, off by {float(np.median(sizes)):.1g} of the largest: look for a "
            "small constant inside a logarithm, a root or a denominator, or low precision"
        )
    else:
        yield "it is not a combination of known terms"


def _about_inputs(
    contract: Contract, fn: Callable[..., Any], output: int, runs: Sequence[Run], rng: np.random.Generator
) -> str:
    """Say which inputs the error depends on: those that change it when they alone are drawn anew."""
    matters: list[str] = []
    idle: list[str] = []
    for i, name in enumerate(contract.arguments):
        changed = False
        for run in runs[:5]:
            other = contract.draw(rng, run.sizes)[i]
            arguments = (*run.arguments[:i], other, *run.arguments[i + 1 :])
            if not isinstance(other, np.ndarray) or other.shape == run.arguments[i].shape:
                right = as_tuple(contract.reference(*copies(arguments)))
                try:
                    got = _outputs(contract, call(fn, arguments), right)[output]
                except WrongOutputError:
                    changed = True
                    continue
                before = run.got[output] - run.expected[output]
                scale = max(float(np.abs(right[output]).max()), float(np.abs(run.expected[output]).max()))
                changed |= float(np.abs(got - right[output] - before).max()) > BOUND * scale
        (matters if changed else idle).append(name)
    if not matters:
        return "the error depends on no input alone"
    return f"the error depends on {_listed(matters)}" + (f", not on {_listed(idle)}" if idle else "")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _report(
    label: str,
    verdict: str,
    sentences: tuple[str, ...] = (),
    terms: tuple[Term, ...] = (),
    *,
    ok: bool = False,
    error: float = float("nan"),
    bound: float = BOUND,
    level: int,
    wrong: tuple[str, ...] | None = None,
) -> Report:
    """Say as much as the level allows; without a list of wrong outputs all of them are."""
    if ok:
        message = "right"
    elif level == 0:
        message = "wrong"
    else:
        said = [verdict, *(sentences if level >= 2 else ())]
        message = "; ".join(["wrong", *(text for text in said if text)])
    equation = find(label)
    outputs = {name: wrong is not None and name not in wrong for name in CONTRACTS[label].outputs}
    shown = terms if level >= 2 else ()
    return Report(label, ok, message, shown, error, bound, equation.page, equation.relation, outputs=outputs)
