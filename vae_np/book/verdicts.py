"""What the judges found, as HTML: one line beneath an equation, all judges when it is opened."""

from collections.abc import Mapping, Sequence
from html import escape

from vae_np.book.places import code_link, up
from vae_np.book.words import WORDS
from vae_np.verify.record import Report
from vae_np.verify.run import quoted
from vae_np.verify.table import details
from vae_np.verify.where import where


def raw(html: str) -> str:
    """Markdown that puts HTML on the page as it is."""
    return f"```{{raw}} html\n{html}\n```"


def verdict(report: Report, language: str) -> str:
    """Say in one line what was found, with a row for each judge beneath it.

    Parameters
    ----------
    report
        Of one equation.
    language
        Of the page; the judges' names are English.

    Returns
    -------
    str
        A `details` element.
    """
    words, closest = WORDS[language], quoted(report.verdicts)
    n = len(report.verdicts)
    decision = "right" if report.ok else "wrong"
    judges = words["judge"] if n == 1 else words["judges"].format(n)
    quote = words["closest"].format(escape(closest.judge), closest.error, closest.bound)
    said = words["verdict"].format(words[decision], judges, quote)
    cells = "".join(f"<th>{name}</th>" for name in words["heading"])
    rows = []
    for *values, found in details(report)[1]:
        cell = "".join(f"<td>{escape(value)}</td>" for value in values)
        rows.append(f"<tr>{cell}<td>{words[found.lower()]}</td></tr>")
    return "\n".join(
        [
            f'<details class="verdict {decision}"><summary><code>{report.label}</code> {said}</summary>',
            f'<div class="table"><table><thead><tr>{cells}</tr></thead><tbody>',
            *rows,
            "</tbody></table></div></details>",
        ]
    )


def summary(reports: Sequence[Report], language: str) -> str:
    """Say in one sentence how many judges agreed when the book was built."""
    words = WORDS[language]
    n_judges, n_wrong = (
        sum(len(report.verdicts) for report in reports),
        sum(not report.ok for report in reports),
    )
    decision = words["wrong_equations"].format(n_wrong) if n_wrong else words["all_agree"]
    return str(words["summary"].format(len(reports), n_judges, decision))


def links(report: Report, page: str, language: str, exercises: Mapping[str, str]) -> str:
    """Lead from an equation to its function, its judges, its test and its exercise.

    Parameters
    ----------
    report
        Of one equation.
    page
        That the equation stands on.
    language
        Of the page.
    exercises
        Label -> chapter whose exercise asks for it.

    Returns
    -------
    str
        A paragraph of links.
    """
    words, places = WORDS[language], where(report.label)
    decision = "right" if report.ok else "wrong"
    found = [
        f'<a class="label" href="#equation-{report.label}">{report.label}</a>',
        f'<span class="{decision}">{words[decision]}</span>',
    ]
    for name, place in (("function", places.function), ("record", places.record), ("test", places.test)):
        if place:
            file, line = place.split("[")[0].rsplit(":", 1)
            found.append(
                f'<a class="{name}" href="{code_link(file, int(line), page, language)}">{words[name]}</a>'
            )
    if report.label in exercises:
        address = f"{up(page, language)}exercises/{exercises[report.label]}.html"
        found.append(f'<a class="exercise" href="{address}">{words["exercise"]}</a>')
    return f'<p class="equation-links">{" · ".join(found)}</p>'


def refutations(report: Report) -> list[str]:
    """Quote each wrong reading of an equation, with the error that gives it away."""
    return [
        f"> `{report.label}` refutes: {found.judge}; error {found.error:.1e}, bound {found.bound:.1e}"
        for found in report.verdicts
        if found.refutes
    ]
