"""Sphinx's configuration, one for both editions; `build.py` writes the sources and calls it."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from vae_np import __version__
from vae_np.book import listings
from vae_np.book.places import TITLES, Edition, root, up

HERE = Path(__file__).parent

project = "vae_np"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
exclude_patterns = ["drawings", "scripts", "vae_np"]
templates_path = ["templates"]
html_theme = "furo"
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
nb_merge_streams = True
nb_ipywidgets_js: dict[str, Any] = {}  # nothing from other hosts
suppress_warnings = ["mystnb.unknown_mime_type"]

mathjax_path = "tex-svg-full.js"
mathjax3_config = {"svg": {"fontCache": "global"}, "options": {"enableMenu": False}}
copybutton_selector = "div.highlight:not(.listing-of-file) pre"
copybutton_exclude = ".linenos"

INTERACTIVE = ("mathematics.js", "drawing.js", "controls.js", "decoder.js")


def adapt_page(
    edition: Edition, app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Add the scripts of an interactive page, and the way to the other edition."""
    if page.startswith("interactive/"):
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
    app.config.html_title = TITLES[edition.language]
    app.config.html_static_path = [str(HERE / "static"), str(app.srcdir / "scripts")]
    app.connect("html-page-context", partial(adapt_page, edition))
    if edition.language == "en":
        app.connect("html-collect-pages", listings.pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
