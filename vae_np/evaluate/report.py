"""What a run leaves for people: a table of scores, a CSV file, and one self-contained HTML page."""

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vae_np.data.writing import whole_file
from vae_np.evaluate.held_out import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = {
    "r2_mean": "R² means",
    "r2_mean_deg100": "R² top 100",
    "pearson_delta": "r of change",
    "r2_var": "R² variances",
    "mse": "MSE",
}
METHODS = {"scgen": "scGen", "mean_shift": "mean shift", "no_change": "no change"}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #8886; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; background: white; }
figure { margin: 2rem 0; } figcaption { margin-top: .5rem; }
"""


def table(rows: Sequence[Row]) -> list[list[str]]:
    """Arrange the clipped scores as one line a method, the heading first; a dash is not defined.

    Parameters
    ----------
    rows
        Scores of one context and one seed.

    Returns
    -------
    list of list of str
        Cells of the table.
    """
    values = {(row.method, row.metric): f"{row.value:.3f}" for row in rows}
    lines = [["method", *COLUMNS.values()]]
    for method, name in METHODS.items():
        lines.append([name, *(values.get((method, metric), "–") for metric in COLUMNS)])
    return lines


def write_scores(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the scores as CSV with the columns context, seed, method, metric, value.

    Parameters
    ----------
    path
        The file, written whole or not at all.
    rows
        The scores.
    """
    with whole_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(rows)


def _image(figure: "Figure") -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_report(
    path: str | Path,
    title: str,
    paragraphs: Sequence[str],
    rows: Sequence[Row],
    figures: Mapping[str, "Figure"],
) -> None:
    """Write one HTML page: text, the table of scores, figures; nothing is fetched from anywhere.

    Parameters
    ----------
    path
        The file, written whole or not at all.
    title, paragraphs
        Plain text; names from the data are escaped.
    rows
        Scores of one context and one seed.
    figures
        Caption -> figure.
    """
    escape = html.escape
    heading, *lines = table(rows)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs),
        "<table><thead><tr>",
        *(f"<th>{escape(cell)}</th>" for cell in heading),
        "</tr></thead><tbody>",
        *("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in line) + "</tr>" for line in lines),
        "</tbody></table>",
        *(
            f'<figure><img alt="{escape(caption)}" src="{_image(figure)}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for caption, figure in figures.items()
        ),
        "</body></html>",
    ]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")
