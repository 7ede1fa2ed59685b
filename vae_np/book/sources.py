"""The sources of one edition, as Sphinx reads them: a folder of Markdown, notebooks, drawings and scripts."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from importlib import import_module, metadata
from pathlib import Path
from typing import NamedTuple

from vae_np.book.conf import mathjax_script
from vae_np.book.derivation import derivation_page
from vae_np.book.exercises import chapter_of_labels, exercise_page
from vae_np.book.marks import DRAWING
from vae_np.book.places import Edition, code_link, derivation_folder, follow_all, page_of
from vae_np.book.reference import PACKAGES, reference_page
from vae_np.book.verdicts import WORDS, raw
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.exercise import chapters
from vae_np.verify.record import Report
from vae_np.verify.table import SIGNS, summary
from vae_np.verify.where import CHECKOUT, PACKAGE, derivations, where

HERE = Path(__file__).parent


class Made(NamedTuple):
    """What both editions share, made once.

    Attributes
    ----------
    reports
        Label -> what the judges found.
    seconds
        How long they took.
    notebooks
        Notebooks to show, with or without outputs.
    drawings
        Folder with ``name.svg`` for each drawing that a page asks for.
    decoder
        Script with the weights of the interactive pages' decoder.
    """

    reports: Mapping[str, Report]
    seconds: float
    notebooks: Sequence[Path]
    drawings: Path
    decoder: str


def draw_all(folder: Path) -> None:
    """Draw every figure that a derivation page asks for.

    Parameters
    ----------
    folder
        Where ``name.svg`` is written; the function of that name is in the module of the page's name.
    """
    for page in sorted(derivations().glob("*.md")):
        for name, _ in DRAWING.findall(page.read_text(encoding="utf-8")):
            drawing = getattr(import_module(f"vae_np.book.figures.{page.stem}"), name)
            drawing().savefig(folder / f"{name}.svg", metadata={"Date": None})


def route(language: str) -> list[str]:
    """Name the derivation pages in the order of their overview."""
    text = (derivation_folder(language) / "README.md").read_text(encoding="utf-8")
    return [
        f"derivations/{name}" for name in re.findall(r"^\| \[[^]]*\]\((\w+)\.md\) \|", text, re.MULTILINE)
    ]


def guide() -> str:
    """Return the README, which an installed package carries as its description."""
    readme = CHECKOUT / "README.md"
    if derivations().parent == CHECKOUT:
        return readme.read_text(encoding="utf-8")
    return str(metadata.metadata("vae_np").json["description"])


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
        page = equation.page.removesuffix(".md")
        cells = [
            f'<a class="label" href="derivations/{page}.html#equation-{equation.label}">{equation.label}</a>',
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


def plain_pages(language: str, made: Made) -> dict[str, str]:
    """Write the pages that are no derivation: start page, interactive pages and, in English, the rest.

    Parameters
    ----------
    language
        Of the edition.
    made
        What both editions share.

    Returns
    -------
    dict
        Name of a page -> Markdown, its links not yet followed.
    """
    listed = {
        "{verdicts}": summary(list(made.reports.values()), made.seconds).rstrip(".") + ".",
        "{derivations}": "\n".join(route(language)),
        "{exercises}": "\n".join(f"exercises/{chapter}" for chapter in chapters()),
        "{reference}": "\n".join(f"reference/{package}" for package in PACKAGES),
    }
    index = (HERE / "pages" / language / "index.md").read_text(encoding="utf-8")
    for mark, text in listed.items():
        index = index.replace(mark, text)
    folder = HERE / "interactive" / ("" if language == "en" else language)
    pages = {f"interactive/{path.stem}": path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    pages["index"] = index
    if language == "en":
        pages["guide"] = guide()
        pages["equations"] = equations_page(made.reports)
        pages |= {f"exercises/{chapter}": exercise_page(chapter) for chapter in chapters()}
        pages |= {f"reference/{package}": reference_page(package) for package in PACKAGES}
    return pages


def derivation_files(language: str) -> dict[str, Path]:
    """Map the name of each derivation page of an edition to its file."""
    files = derivation_folder(language).glob("*.md")
    return {page_of(f"derivations/{file.name}")[1]: file for file in files}


def write_sources(folders: Mapping[str, Path], made: Made) -> None:
    """Write all sources of both editions.

    Parameters
    ----------
    folders
        Language -> an empty folder.
    made
        What both editions share.
    """
    texts = {language: plain_pages(language, made) for language in folders}
    names = {language: {*texts[language], *derivation_files(language)} for language in folders}
    notebooks = {f"notebooks/{path.stem}": path for path in made.notebooks}
    names["en"] |= set(notebooks)
    exercises = chapter_of_labels()
    for language, folder in folders.items():
        others = names["ja" if language == "en" else "en"]
        edition = Edition(language, frozenset(names[language]), frozenset(others))
        for page, text in texts[language].items():
            file = "README.md" if page == "guide" else f"{page}.md"
            write_page(folder, page, follow_all(edition, file, page, text))
        for page, path in derivation_files(language).items():
            file = path.relative_to(derivations().parent).as_posix()
            text = path.read_text(encoding="utf-8")
            text = derivation_page(text, file, page, edition, made.reports, exercises, Path("drawings"))
            write_page(folder, page, text)
        if language == "en":
            for page, path in notebooks.items():
                write_notebook(folder, page, path, edition)
        write_extras(folder, edition, made)


def write_page(folder: Path, page: str, text: str) -> None:
    """Write one page of Markdown."""
    path = folder / f"{page}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_notebook(folder: Path, page: str, file: Path, edition: Edition) -> None:
    """Write one notebook, its links followed."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = follow_all(edition, f"{page}.ipynb", page, "".join(cell["source"]))
    path = folder / f"{page}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def write_extras(folder: Path, edition: Edition, made: Made) -> None:
    """Write what is no page: drawings, code to quote, scripts, and what the configuration has to know."""
    shutil.copytree(PACKAGE, folder / "vae_np", ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    shutil.copytree(made.drawings, folder / "drawings")
    (folder / "scripts").mkdir()
    shutil.copy(mathjax_script(), folder / "scripts")
    (folder / "scripts" / "decoder.js").write_text(made.decoder, encoding="utf-8")
    known = {name: sorted(value) for name, value in edition._asdict().items() if name != "language"}
    (folder / "edition.json").write_text(json.dumps({"language": edition.language} | known))
