"""The page with all equations: claim, verdict, function."""

from collections.abc import Mapping
from html import escape

from vae_np.book.places import code_link, equation_link
from vae_np.book.verdicts import raw
from vae_np.book.words import WORDS
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.record import Report
from vae_np.verify.table import SIGNS
from vae_np.verify.where import where


def equations_page(reports: Mapping[str, Report]) -> str:
    """Write the table of all equations: claim, verdict, function.

    Parameters
    ----------
    reports
        Label -> what the judges found.

    Returns
    -------
    str
        Markdown.
    """
    rows = []
    for equation in EQUATIONS:
        report = reports[equation.label]
        decision = "right" if report.ok else "wrong"
        cells = [
            equation_link(equation.label, "equations"),
            f"<code>{escape(equation.statement)}</code>",
            escape(SIGNS[equation.relation]),
            f"{len(report.verdicts)}",
            f'<span class="{decision}">{WORDS["en"][decision]}</span>',
        ]
        place = where(equation.label).function
        if place:
            file, line = place.rsplit(":", 1)
            name = (equation.function or "").split(":")[1]
            cells.append(f'<a class="code" href="{code_link(file, int(line), "equations", "en")}">{name}</a>')
        else:
            cells.append("")
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heading = "".join(f"<th>{h}</th>" for h in ("label", "equation", "", "judges", "verdict", "function"))
    table = "\n".join(
        [f'<div class="table"><table class="equations"><thead><tr>{heading}</tr></thead><tbody>', *rows]
    )
    legend = "`:=` defined as, `E =` equal in expectation. Each label leads to the derivation."
    return f"# All equations\n\n{legend}\n\n{raw(f'{table}</tbody></table></div>')}\n"
