"""Ask the judges: one equation, or all of them."""

import math
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from zlib import crc32

import numpy as np

from vae_np.errors import InputError, whole_number
from vae_np.kernels import use
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.judges import ratio
from vae_np.verify.record import Equation, Judge, Report, Verdict


def function_of(equation: Equation) -> Callable[..., Any] | None:
    """Load the function that computes an equation; None for a relation."""
    if equation.function is None:
        return None
    module, name = equation.function.split(":")
    return getattr(import_module(module), name)


def stream(label: str, judge: str, seed: int) -> np.random.Generator:
    """Random numbers of one judge: from its names, so that adding another moves none of them."""
    return np.random.default_rng([crc32(label.encode()), crc32(judge.encode()), seed])


def ask(equation: Equation, judge: Judge, seed: int = 0) -> Verdict:
    """Let one judge decide; an exception is a verdict against the equation, never a skip.

    What is judged is the mathematics, the NumPy function; tests hold its compiled twin to it.

    Parameters
    ----------
    equation, judge
        A row of the table and one of its judges.
    seed
        Another seed gives other random points.

    Returns
    -------
    Verdict
        The decision.
    """
    start = time.perf_counter()
    try:
        with use("numpy"):
            measured = judge.run(function_of(equation), stream(equation.label, judge.name, seed))
        error, bound, origin, detectable = float(measured.error), float(measured.bound), *measured[2:]
        problem = ""
    except Exception as raised:
        error, bound, origin, detectable = math.nan, 0.0, "", None
        problem = f"{type(raised).__name__}: {raised}"
    ok = error > bound if judge.refutes else error <= bound
    seconds = time.perf_counter() - start
    return Verdict(
        judge.name, judge.kind, judge.refutes, error, bound, origin, detectable, seconds, ok, problem
    )


def closeness(verdict: Verdict) -> float:
    """How close a verdict came to the other side: error / bound, or bound / error for a refutation."""
    error, bound = verdict.error, verdict.bound
    return ratio(bound, error) if verdict.refutes else ratio(error, bound)


def quoted(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict to quote: a wrong one, else of the sharpest kind the closest to its bound.

    Sampling and slopes come after all other kinds, since their bounds are wide, and refutations last.
    """

    def rank(verdict: Verdict) -> tuple[bool, bool, bool, float]:
        blunt = verdict.kind in ("monte carlo", "taylor")
        return not verdict.ok, not verdict.refutes, not blunt, closeness(verdict)

    return max(verdicts, key=rank)


def verify(equation: Equation, seed: int = 0, symbolic: bool | None = None) -> Report:
    """Let all judges of one equation decide.

    Parameters
    ----------
    equation
        A row of the table.
    seed
        As in `ask`.
    symbolic
        Whether the symbolic judges take part; None is: where SymPy is installed.

    Returns
    -------
    Report
        Right only if every judge agrees.
    """
    if symbolic is None:
        symbolic = sympy_is_installed()
    judges = [judge for judge in equation.judges if symbolic or judge.kind != "symbolic"]
    verdicts = tuple(ask(equation, judge, seed) for judge in judges)
    against = [verdict for verdict in verdicts if not verdict.ok]
    if against:
        message = "; ".join(
            f"{v.judge}: {v.problem or f'error {v.error:.2g}, bound {v.bound:.2g}'}" for v in against
        )
    else:
        message = f"{len(verdicts)} judges agree" if len(verdicts) > 1 else "1 judge agrees"
    shown = quoted(verdicts)
    return Report(
        equation.label,
        not against,
        message,
        (),
        shown.error,
        shown.bound,
        equation.page,
        equation.relation,
        verdicts,
    )


def find(label: str) -> Equation:
    """Look up an equation by its label; `InputError` names the nearest labels if there is none."""
    from difflib import get_close_matches

    table = {equation.label: equation for equation in EQUATIONS}
    if not isinstance(label, str):
        raise InputError(f"a label is a text such as 'kl-closed', not {label!r}")
    if label not in table:
        near = get_close_matches(label, table, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "vae-np equations lists them"
        raise InputError(f"there is no equation {label!r}: {hint}")
    return table[label]


def sympy_is_installed() -> bool:
    """Say whether the symbolic judges can take part."""
    return find_spec("sympy") is not None


def verify_all(*labels: str, seed: int = 0, symbolic: bool | None = None) -> list[Report]:
    """Verify all equations, in derivation order.

    Parameters
    ----------
    *labels
        Only these; none is all.
    seed
        Another seed gives other random points; bounds hold for every seed but one in a million.
    symbolic
        Whether the symbolic judges take part; None is: where SymPy is installed.

    Returns
    -------
    list of Report
        One an equation.

    Raises
    ------
    InputError
        If a label does not exist, the seed is no whole number, or SymPy is asked for and missing.
    """
    seed = whole_number("seed", seed, least=0)
    equations = list(dict.fromkeys(find(label) for label in labels)) or list(EQUATIONS)
    if symbolic and not sympy_is_installed():
        raise InputError("symbolic judges need SymPy: pip install 'vae_np[symbolic]'")
    return [verify(equation, seed, symbolic) for equation in equations]
