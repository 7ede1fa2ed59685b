"""Where things stand in the book: the page that a file becomes, and the way from one page to another.

derivations/bound.md         derivations/bound          English edition, at the root of the site
derivations/ja/bound.md      ja/derivations/bound       Japanese edition, beneath ja/
notebooks/gaussian_kl.ipynb  notebooks/gaussian_kl      English edition only
vae_np/elbo/gaussian.py      code/vae_np/elbo/gaussian  shared by both, a line has the anchor L12
"""

import posixpath
from functools import cache
from pathlib import Path
from typing import NamedTuple

from vae_np.verify.equations import EQUATIONS
from vae_np.verify.where import CHECKOUT, PACKAGE, derivations

LANGUAGES = ("en", "ja")
PAGE_OF = {equation.label: equation.page.removesuffix(".md") for equation in EQUATIONS}
ANY_LABEL = f"({'|'.join(PAGE_OF)})"
TITLES = {"en": "vae_np: the derivation beside the code", "ja": "vae_np：導出とコード"}


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


def up(page: str, language: str) -> str:
    """Relative path from a page to the root of the site, such as ``"../"``."""
    return "../" * (f"{root(language)}{page}".count("/"))


def code_link(file: str, line: int | None, page: str, language: str) -> str:
    """Relative address of a line of code, seen from a page."""
    return f"{up(page, language)}{code_page(file)}.html{'' if line is None else f'#L{line}'}"


def equation_link(label: str, page: str) -> str:
    """Link from a page of the English edition to the equation with a label, as HTML."""
    address = f"{up(page, 'en')}derivations/{PAGE_OF[label]}.html#equation-{label}"
    return f'<a class="label" href="{address}">{label}</a>'


@cache
def source_files() -> tuple[str, ...]:
    """List the source files that the book shows: the package's, and the tests of a checkout."""
    files = sorted(PACKAGE.rglob("*.py"))
    if derivations().parent == CHECKOUT:
        files += sorted((CHECKOUT / "tests").glob("*.py"))
    return tuple(file.relative_to(CHECKOUT).as_posix() for file in files)
