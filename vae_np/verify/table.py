"""What `vae-np equations` prints: a row for each equation, a summary, the same as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from vae_np.verify.record import Equation, Report
from vae_np.verify.run import closeness

SIGNS = {"=": "=", ">=": ">=", "equal in expectation": "E =", "defined as": ":="}
LEGEND = ":= defined as, E = equal in expectation; quoted is the error closest to its bound, of sampling last"
Line = tuple[str, ...]


def overview(reports: Sequence[Report]) -> tuple[Line, list[Line]]:
    """Lay out one row of text for each equation, beneath a heading."""
    lines: list[Line] = [
        (
            report.label,
            SIGNS[report.relation],
            str(len(report.verdicts)),
            f"{report.error:.1e}",
            f"{report.bound:.1e}",
            "right" if report.ok else "WRONG",
        )
        for report in reports
    ]
    return ("equation", "", "judges", "error", "bound", "verdict"), lines


def details(report: Report) -> tuple[Line, list[Line]]:
    """Lay out one row of text for each judge of an equation, beneath a heading."""
    lines: list[Line] = [
        (
            verdict.judge,
            verdict.kind,
            f"{verdict.error:.1e}",
            f"{'> ' if verdict.refutes else ''}{verdict.bound:.1e}",
            "" if verdict.detectable is None else f"{verdict.detectable:.1e}",
            ("refuted" if verdict.refutes else "right") if verdict.ok else "WRONG",
        )
        for verdict in report.verdicts
    ]
    return ("judge", "method", "error", "bound", "detects", "verdict"), lines


def claim(equation: Equation) -> str:
    """Write an equation, where it is derived, and how the source prints it, in two lines."""
    source = f"; source {equation.lines}, printed {equation.printed}" if equation.lines else ""
    return f"{equation.label}: {equation.statement}\n({equation.relation}; {equation.page}{source})"


def summary(reports: Sequence[Report], seconds: float) -> str:
    """Say in one sentence how many judges agreed, how close it was, and how long it took."""
    verdicts = [verdict for report in reports for verdict in report.verdicts]
    n_wrong = sum(not report.ok for report in reports)
    ratio, label = max((closeness(v), report.label) for report in reports for v in report.verdicts)
    return (
        f"{len(reports)} equations, {len(verdicts)} judges, "
        f"{f'{n_wrong} equations WRONG' if n_wrong else 'all agree'}; "
        f"worst error/bound {ratio:.2g} ({label}); {seconds:.1f} s"
    )


def _number(value: float | None) -> float | None:
    """JSON knows no NaN and no infinity."""
    return value if value is not None and math.isfinite(value) else None


def as_json(reports: Sequence[Report]) -> dict[str, Any]:
    """Give the reports the layout of `vae-np equations --json`."""
    return {
        "ok": all(report.ok for report in reports),
        "records": [
            {
                "label": report.label,
                "relation": report.relation,
                "ok": report.ok,
                "page": report.page,
                "judges": [
                    verdict._asdict()
                    | {name: _number(getattr(verdict, name)) for name in ("error", "bound", "detectable")}
                    for verdict in report.verdicts
                ],
            }
            for report in reports
        ],
    }
