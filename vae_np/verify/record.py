"""What the table of equations is made of: an equation, its judges, what a judge measures, the report.

A *judge* is an independent way to decide one claim. It gets the function under test (or None, for a
relation that no single function computes) and a random generator, and returns an error and the largest
error that a right formula can show. Judges take the function as an argument, so that a wrong version
of it can be put in its place: a judge that accepts the wrong version decides nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal, NamedTuple

import numpy as np

Kind = Literal["exact", "quadrature", "monte carlo", "complex step", "taylor", "symbolic"]
Relation = Literal["=", ">=", "equal in expectation", "defined as"]
Printed = Literal["right", "sloppy", "wrong", "implied"]


class Measured(NamedTuple):
    """What a judge found.

    Attributes
    ----------
    error
        Largest deviation, in the unit that `origin` names; NaN counts as wrong.
    bound
        The largest error that a right formula can show.
    origin
        Where the bound comes from.
    detectable
        For Monte Carlo: the smallest true deviation that would be noticed all but once in a million
        runs.
    """

    error: float
    bound: float
    origin: str
    detectable: float | None = None


class Judge(NamedTuple):
    """One independent way to decide a claim.

    Attributes
    ----------
    name
        What is compared with what; unique within its equation.
    kind
        The method.
    run
        (function under test or None, random generator) -> `Measured`.
    refutes
        True if the error belongs to a *wrong reading* (such as the literal print of the source) and
        must therefore exceed the bound.
    """

    name: str
    kind: Kind
    run: Callable[[Any, np.random.Generator], Measured]
    refutes: bool = False


@dataclass(frozen=True)
class Equation:
    """One row of the table.

    Attributes
    ----------
    label
        Lower-case, hyphenated; it never changes.
    statement
        The equation in plain text, as it is right.
    relation
        What kind of claim it is.
    page
        File in `derivations/`.
    function
        ``"module:name"`` of the function that computes it, or None for a relation.
    judges
        What decides it.
    lines
        Lines of the source text, or None for an equation beyond it.
    printed
        How the source prints it, or None beyond it.
    """

    label: str
    statement: str
    relation: Relation
    page: str
    function: str | None
    judges: tuple[Judge, ...]
    lines: str | None = None
    printed: Printed | None = None


class Verdict(NamedTuple):
    """The decision of one judge: `Measured`, and whether the claim stands."""

    judge: str
    kind: Kind
    refutes: bool
    error: float
    bound: float
    origin: str
    detectable: float | None
    seconds: float
    ok: bool
    problem: str = ""


class Term(NamedTuple):
    """One term of a formula: its coefficient as found and as expected."""

    name: str
    got: float
    expected: float


@dataclass(frozen=True)
class Report:
    """What is said about one equation, or about a function that claims to compute it.

    Attributes
    ----------
    label, ok, message
        The equation, whether it stands, and a plain sentence.
    terms
        The terms that are wrong.
    error, bound
        Of the judge that is quoted: the sharpest kind, closest to its bound.
    page
        File in `derivations/`.
    relation
        As in `Equation`.
    verdicts
        Every judge's decision; none for a learner's function.
    outputs
        For a learner's function: name of an output -> whether it is right.
    """

    label: str
    ok: bool
    message: str
    terms: tuple[Term, ...]
    error: float
    bound: float
    page: str
    relation: Relation
    verdicts: tuple[Verdict, ...] = ()
    outputs: dict[str, bool] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.label}: {self.message}"]
        lines += [f"    {term.name}: got {term.got:g}, expected {term.expected:g}" for term in self.terms]
        return "\n".join(lines if self.ok else [*lines, f"    see derivations/{self.page}"])

    def _repr_html_(self) -> str:
        """Show the report as a notebook does: a verdict in color, and a row for each wrong term."""
        color, mark = ("green", "right") if self.ok else ("crimson", "wrong")
        rows = "".join(
            f"<tr><td>{escape(term.name)}</td><td>{term.got:g}</td><td>{term.expected:g}</td></tr>"
            for term in self.terms
        )
        heading = "<tr><th>term</th><th>got</th><th>expected</th></tr>"
        table = f"<table>{heading}{rows}</table>" if rows else ""
        said = escape(self.message.removeprefix(mark).lstrip("; "))
        verdict = f'<b style="color:{color}">{mark}</b>'
        sentence = f" &ndash; {said}" if said else ""
        return f"<div><code>{escape(self.label)}</code>: {verdict}{sentence}{table}</div>"
