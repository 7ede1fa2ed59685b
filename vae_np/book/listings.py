"""The code itself as pages: each file with numbered lines, and each label a link to its equation."""

import re
from collections.abc import Iterator

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx

from vae_np.book.places import ANY_LABEL, code_page, equation_link, source_files
from vae_np.verify.where import CHECKOUT

# In a docstring a label stands in brackets, in the table of equations it is an argument.
ARGUMENT = '(?<=label</span><span class="o">=</span><span class="s2">")'
LABEL = re.compile(rf'(?<=\[){ANY_LABEL}(?=\])|{ARGUMENT}{ANY_LABEL}(?=")')


def body(name: str) -> str:
    """Show a file with an anchor for each line, and links from labels to their equations.

    Parameters
    ----------
    name
        Of the file, relative to the repository.

    Returns
    -------
    str
        HTML: a heading and the lines.
    """
    form = HtmlFormatter(
        linenos="inline", lineanchors="L", anchorlinenos=True, cssclass="highlight listing-of-file"
    )
    # The formatter writes the anchors L-1, L-2, ...; an address ends in L1 as on a code host.
    text = highlight((CHECKOUT / name).read_text(encoding="utf-8"), PythonLexer(), form)
    text = re.sub(r'(id="|name="|href="#)L-(\d+)"', r'\1L\2"', text)

    text = LABEL.sub(lambda match: equation_link(match[0], code_page(name)), text)
    return f"<h1>{name}</h1>\n{text}"


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    """Make the pages that list the code, as Sphinx collects them: name, context, template."""
    for name in source_files():
        yield code_page(name), {"title": name, "body": body(name)}, "page.html"
