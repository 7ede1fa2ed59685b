"""Sphinx's configuration, one for both editions; `build.py` writes the sources and calls it."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from vae_np import __version__
from vae_np.book import listings
from vae_np.book.places import TITLES, Edition, root, source_files, up

HERE = Path(__file__).parent

project = "vae_np"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["drawings", "scripts", "vae_np"]
templates_path = ["templates"]
html_theme = "furo"
html_static_path = ["static"]
html_favicon = "static/favicon.svg"
html_css_files = ["book.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "edition.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {"navigation_with_keys": True}
python_use_unqualified_type_names = True
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 4
myst_dmath_double_inline = True
nb_execution_mode = "off"  # the notebooks have run already
nb_ipywidgets_js: dict[str, Any] = {}  # nothing from other hosts
suppress_warnings = ["mystnb.unknown_mime_type"]

mathjax_path = "tex-svg-full.js"
mathjax3_config = {"svg": {"fontCache": "global"}, "options": {"enableMenu": False}}
copybutton_selector = "div.highlight:not(.listing-of-file) pre"
copybutton_exclude = ".linenos"

INTERACTIVE = ("mathematics.js", "drawing.js", "controls.js", "decoder.js")


def mathjax_script() -> Path:
    """Find MathJax as one file, in the package that carries it."""
    spec = importlib.util.find_spec("sphinx-mathjax-offline")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "static" / "mathjax" / mathjax_path


def adapt_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Add the scripts of an interactive page, and the way to the other edition."""
    edition: Edition = app.edition
    if page.startswith("interactive/") and page != "interactive/index":
        app.add_css_file("interactive.css")
        for script in (*INTERACTIVE, f"{page.removeprefix('interactive/')}.js"):
            app.add_js_file(script, loading_method="defer")
    goal = page if page in edition.others else "index"
    context["other_edition"] = f"{up(page, edition.language)}{root(edition.other_language)}{goal}.html"
    context["other_language"] = edition.other_language


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the parts of the book that are not written as pages."""
    written = json.loads((Path(app.srcdir) / "edition.json").read_text(encoding="utf-8"))
    edition = Edition(written["language"], frozenset(written["pages"]), frozenset(written["others"]))
    app.edition = edition
    app.config.html_title = TITLES[edition.language]
    app.config.html_static_path = [str(HERE / "static"), str(app.srcdir / "scripts")]
    app.connect("html-page-context", adapt_page)
    if edition.language == "en":
        app.connect("html-collect-pages", lambda app: listings.pages(source_files()))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
