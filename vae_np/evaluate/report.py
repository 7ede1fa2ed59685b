"""What a run leaves for people: a CSV file of scores, and one HTML page that needs nothing else.

The page is a list of sections, each with text, tables and figures. Figures are inside the page, so that
it can be sent around, and nothing is fetched from anywhere. Names come from the data, so all text is
escaped. In the CSV file they stand as they are, also one that begins with ``=``: a spreadsheet takes it for
text if the column is imported as text.
"""

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vae_np.data.writing import whole_file
from vae_np.errors import in_one_line
from vae_np.evaluate.held_out import Row
from vae_np.plots.labels import boxes_for_missing_letters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; border-top: 1px solid #8886; padding-top: 1rem; }
p, li { max-width: 45rem; }
.scroll { overflow-x: auto; margin: 1rem 0 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; font-weight: 600; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #8886; text-align: right; }
td { white-space: pre; }
th:first-child { text-align: left; white-space: nowrap; }
img { max-width: 100%; height: auto; background: white; }
figure { margin: 2rem 0; } figcaption { margin-top: .5rem; }
nav a { margin-right: 1rem; }
@media print {
  body { max-width: none; margin: 0; font-size: 10pt; }
  nav { display: none; }
  .scroll { overflow: visible; }
  th, td { padding: .15rem .3rem; }
  figure, tr, h2 { break-inside: avoid; } h2 { break-after: avoid; }
}
"""


class Section(NamedTuple):
    """A part of the page.

    Attributes
    ----------
    title
        Its heading.
    paragraphs
        Plain text.
    tables
        Caption -> lines of cells, the heading first; the first cell of a line names it.
    figures
        Caption -> figure as `png` encodes it.
    points
        Sentences shown as a list, before the tables.
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Mapping[str, Sequence[Sequence[str]]] = {}
    figures: Mapping[str, str] = {}
    points: Sequence[str] = ()


def png(figure: "Figure") -> str:
    """Encode a figure as the address of an image that is in the page itself."""
    buffer = io.BytesIO()
    with boxes_for_missing_letters():
        figure.savefig(buffer, format="png", dpi=120)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_scores(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the scores as CSV with the columns context, seed, method, metric, value.

    Parameters
    ----------
    path
        The file, written whole or not at all.
    rows
        The scores.
    """
    with (
        whole_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        plain = csv.writer(file, lineterminator="\n")
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        plain.writerow(Row._fields)
        for row in rows:  # Python before 3.13 does not quote a lone \r, which ends a line
            (quoted if "\r" in row.context else plain).writerow(row)


def _escape(text: str) -> str:
    """Text as HTML shows it; its own line breaks are kept, other codes are written out."""
    return html.escape("\n".join(map(in_one_line, text.split("\n"))))


def _table(caption: str, lines: Sequence[Sequence[str]]) -> list[str]:
    """A table as HTML; it scrolls by itself where the page is narrow."""
    heading, *body = [[_escape(cell) for cell in line] for line in lines]
    return [
        f'<div class="scroll" tabindex="0"><table><caption>{_escape(caption)}</caption><thead><tr>',
        *(f'<th scope="col">{cell}</th>' for cell in heading),
        "</tr></thead><tbody>",
        *(
            f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
            for name, *cells in body
        ),
        "</tbody></table></div>",
    ]


def _section(number: int, section: Section) -> list[str]:
    """A section as HTML, which the address #section-NUMBER leads to."""
    escape = _escape
    parts = [f'<section id="section-{number}"><h2>{escape(section.title)}</h2>']
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in section.paragraphs]
    if section.points:
        parts += ["<ul>", *(f"<li>{escape(point)}</li>" for point in section.points), "</ul>"]
    for caption, lines in section.tables.items():
        parts += _table(caption, lines)
    for caption, image in section.figures.items():
        parts.append(
            f'<figure><img alt="{escape(caption)}" src="{image}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return [*parts, "</section>"]


def write_report(path: str | Path, title: str, sections: Sequence[Section]) -> None:
    """Write one self-contained HTML page.

    Parameters
    ----------
    path
        The file, written whole or not at all.
    title
        Of the page.
    sections
        Its parts.
    """
    links = (f'<a href="#section-{i}">{_escape(s.title)}</a>' for i, s in enumerate(sections))
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_escape(title)}</h1>",
        "<nav>" + " ".join(links) + "</nav>",
        *(part for i, section in enumerate(sections) for part in _section(i, section)),
        "</body></html>",
    ]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")
