"""The sources of one edition, as Sphinx reads them: a folder of Markdown, notebooks, drawings and scripts."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from vae_np.book.derivation import derivation_page
from vae_np.book.equations_table import equations_page
from vae_np.book.exercises import chapter_of_labels, exercise_page
from vae_np.book.links import follow_all
from vae_np.book.marks import DRAWING
from vae_np.book.places import Edition, derivation_folder, page_of
from vae_np.book.reference import PACKAGES, names_page, reference_page
from vae_np.book.verdicts import summary
from vae_np.verify.exercise import chapters, exercise
from vae_np.verify.record import Report
from vae_np.verify.where import CHECKOUT, PACKAGE, derivations

HERE = Path(__file__).parent


class Made(NamedTuple):
    """What both editions share, made once.

    Attributes
    ----------
    reports
        Label -> what the judges found.
    notebooks
        Notebooks to show, with or without outputs.
    drawings
        Folder with ``name.svg`` for each drawing that a page asks for.
    decoder
        Script with the weights of the interactive pages' decoder.
    """

    reports: Mapping[str, Report]
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
        "{verdicts}": summary(list(made.reports.values()), language),
        "{derivations}": "\n".join(route(language)),
        "{exercises}": "\n".join(
            f"{exercise(chapter).title} <exercises/{chapter}>" for chapter in chapters()
        ),
        "{reference}": "\n".join(f"reference/{name}" for name in ("names", *PACKAGES)),
    }
    folder = HERE / "pages" / language
    pages = {
        path.relative_to(folder).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.md")
    }
    for mark, text in listed.items():
        pages["index"] = pages["index"].replace(mark, text)
    if language == "en":
        pages["guide"] = guide()
        pages["reference/names"] = names_page()
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
            text = derivation_page(text, file, page, edition, made.reports, exercises)
            write_page(folder, page, text)
        if language == "en":
            for page, path in notebooks.items():
                write_notebook(folder, page, path, edition)
        write_extras(folder, edition, made)


BROKEN = re.compile(r"(?<=[\u3001-\u9fff\uff01-\uff60])\n(?=[\u3001-\u9fff\uff01-\uff60])")


def write_page(folder: Path, page: str, text: str) -> None:
    """Write one page of Markdown; a line break within a Japanese sentence would show as a space."""
    text = BROKEN.sub("", text)
    path = folder / f"{page}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_notebook(folder: Path, page: str, file: Path, edition: Edition) -> None:
    """Write one notebook, its links followed; a figure is named after the heading above it."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    heading = page
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = follow_all(edition, f"{page}.ipynb", page, source)
            heading = next(iter(re.findall(r"^#+ (.*)$", source, re.MULTILINE)), heading)
        else:
            cell["metadata"]["mystnb"] = {"image": {"alt": f"Figure: {heading.replace('$', '')}"}}
    path = folder / f"{page}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def mathjax() -> Path:
    """Find MathJax as one file, in the package that carries it."""
    package = find_spec("sphinx-mathjax-offline")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "static" / "mathjax" / "tex-svg-full.js"


def write_extras(folder: Path, edition: Edition, made: Made) -> None:
    """Write what is no page: drawings, code to quote, scripts, and what the configuration has to know."""
    shutil.copytree(PACKAGE, folder / "vae_np", ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    shutil.copytree(made.drawings, folder / "drawings")
    (folder / "scripts").mkdir()
    shutil.copy(mathjax(), folder / "scripts")
    (folder / "scripts" / "decoder.js").write_text(made.decoder, encoding="utf-8")
    known = {name: sorted(value) for name, value in edition._asdict().items() if name != "language"}
    (folder / "edition.json").write_text(json.dumps({"language": edition.language} | known))
