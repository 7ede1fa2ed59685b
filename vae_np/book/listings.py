"""The code itself as pages: each file with numbered lines, and each label a link to its equation."""

import re
from collections.abc import Iterator
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from vae_np.book.places import code_page, up
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.where import CHECKOUT

PAGE_OF = {equation.label: equation.page.removesuffix(".md") for equation in EQUATIONS}
ANY_LABEL = "|".join(PAGE_OF)
# In a docstring a label stands in brackets, in the table of equations it is an argument.
ARGUMENT = '(?<=label</span><span class="o">=</span><span class="s2">")'
LABEL = re.compile(rf'(?<=\[)({ANY_LABEL})(?=\])|{ARGUMENT}({ANY_LABEL})(?=")')


def body(file: Path) -> str:
    """Show a file with an anchor for each line, and links from labels to their equations.

    Parameters
    ----------
    file
        Of the repository.

    Returns
    -------
    str
        HTML: a heading and the lines.
    """
    name = file.relative_to(CHECKOUT).as_posix()
    form = HtmlFormatter(
        linenos="inline", lineanchors="L", anchorlinenos=True, cssclass="highlight listing-of-file"
    )
    # The formatter writes the anchors L-1, L-2, ...; an address ends in L1 as on a code host.
    text = highlight(file.read_text(encoding="utf-8"), PythonLexer(), form)
    text = re.sub(r'(id="|name="|href="#)L-(\d+)"', r'\1L\2"', text)

    def linked(match: re.Match[str]) -> str:
        label = match[0]
        address = f"{up(code_page(name), 'en')}derivations/{PAGE_OF[label]}.html#equation-{label}"
        return f'<a class="label" href="{address}">{label}</a>'

    return f"<h1>{name}</h1>\n{LABEL.sub(linked, text)}"


def pages(files: list[Path]) -> Iterator[tuple[str, dict[str, str], str]]:
    """Make the pages that list the code, as Sphinx collects them: name, context, template."""
    for file in files:
        name = file.relative_to(CHECKOUT).as_posix()
        yield code_page(name), {"title": name, "body": body(file)}, "page.html"
