"""Where things stand in the book: the page that a file becomes, and what a link in it leads to.

A link in a derivation page is written for the repository: a path relative to the page's own file. In the
book the pages of both editions, the listings of the code and the notebooks have other places:

    derivations/bound.md         derivations/bound          English edition, at the root of the site
    derivations/ja/bound.md      ja/derivations/bound       Japanese edition, beneath ja/
    notebooks/gaussian_kl.ipynb  notebooks/gaussian_kl      English edition only
    vae_np/elbo/gaussian.py      code/vae_np/elbo/gaussian  shared by both, a line has the anchor L12
"""

import posixpath
import re
from pathlib import Path
from typing import NamedTuple

from vae_np.verify.where import CHECKOUT, PACKAGE, derivations, line_of

LANGUAGES = ("en", "ja")
TITLES = {"en": "vae_np: the derivation beside the code", "ja": "vae_np：導出とコード"}
LINK = re.compile(r"(?<!!)\[((?:[^][]|\[[^]]*\])*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


class Edition(NamedTuple):
    """One language of the book.

    Attributes
    ----------
    language
        ``"en"`` or ``"ja"``.
    pages
        Names of its pages, without extension.
    others
        Names of the pages of the other edition.
    """

    language: str
    pages: frozenset[str]
    others: frozenset[str]

    @property
    def other_language(self) -> str:
        """The language of the other edition."""
        return next(language for language in LANGUAGES if language != self.language)


def root(language: str) -> str:
    """Folder of an edition in the site: the root for English, ``ja/`` for Japanese."""
    return "" if language == "en" else f"{language}/"


def derivation_folder(language: str) -> Path:
    """Folder with the derivation pages of an edition."""
    return derivations() if language == "en" else derivations() / language


def page_of(file: str) -> tuple[str | None, str]:
    """Name the page that a file of the repository becomes.

    Parameters
    ----------
    file
        Relative to the repository, with forward slashes.

    Returns
    -------
    tuple
        The language that the path itself names, or None; the name of the page.
    """
    name, extension = posixpath.splitext(file)
    if extension not in (".md", ".ipynb"):
        return None, name
    if name == "README":
        return None, "guide"
    folder, name = posixpath.split(name)
    language = "ja" if folder == "derivations/ja" else None
    folder = folder.removesuffix("/ja")
    return language, posixpath.join(folder, "index" if name == "README" else name)


def code_page(file: str) -> str:
    """Name of the page that lists a source file."""
    return f"code/{posixpath.splitext(file)[0]}"


def is_listed(file: str) -> bool:
    """Whether a source file of the repository has a listing: the package's, and tests in a checkout."""
    return file.endswith(".py") and (CHECKOUT / file).is_file()


def up(page: str, language: str) -> str:
    """Relative path from a page to the root of the site, such as ``"../"``."""
    return "../" * (f"{root(language)}{page}".count("/"))


def code_link(file: str, line: int | None, page: str, language: str) -> str:
    """Relative address of a line of code, seen from a page."""
    return f"{up(page, language)}{code_page(file)}.html{'' if line is None else f'#L{line}'}"


def follow(edition: Edition, file: str, page: str, text: str, target: str, anchor: str) -> str:
    """Write one link of a page as the book has it; a file that is not in the book becomes plain text.

    Parameters
    ----------
    edition
        That is built.
    file, page
        The file that the link stands in, relative to the repository, and its page.
    text, target, anchor
        What is shown, the path, and ``"#..."`` or nothing.

    Returns
    -------
    str
        Markdown.
    """
    if not target or "://" in target:
        return f"[{text}]({target}{anchor})"
    path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
    if is_listed(path):
        name = text.strip("`").rstrip("()")
        line = line_of(rf"^(def|class) {re.escape(name)}\b", CHECKOUT / path)
        return f'<a class="code" href="{code_link(path, line, page, edition.language)}">{text}</a>'
    language, goal = page_of(path)
    language = language or (edition.language if goal in edition.pages else edition.other_language)
    if language == edition.language and goal in edition.pages:
        relative = posixpath.relpath(goal, posixpath.dirname(page) or ".")
        return f"[{text}]({relative}{'.ipynb' if goal.startswith('notebooks/') else '.md'}{anchor})"
    if language != edition.language and goal in edition.others:
        return f'<a href="{up(page, edition.language)}{root(language)}{goal}.html">{text}</a>'
    return text


def follow_all(edition: Edition, file: str, page: str, text: str) -> str:
    """Write all links of a page, but those in blocks of code, as the book has them."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    for i, part in enumerate(parts[::2]):
        parts[2 * i] = LINK.sub(lambda m: follow(edition, file, page, m[1], m[2], m[3] or ""), part)
    return "".join(parts)


def source_files() -> list[Path]:
    """List the source files that the book shows: the package, and the tests of a checkout."""
    files = sorted(PACKAGE.rglob("*.py"))
    if derivations().parent == CHECKOUT:
        files += sorted((CHECKOUT / "tests").glob("*.py"))
    return files
