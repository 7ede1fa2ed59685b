"""The links of a page: written for the repository, relative to their file, they have to hold in the book."""

import posixpath
import re

from vae_np.book.places import Edition, code_link, page_of, root, source_files, up
from vae_np.verify.where import CHECKOUT, line_of

LINK = re.compile(r"(?<!!)\[((?:[^][]|\[[^]]*\])*)\]\(([^)#\s]*)(#[^)\s]*)?\)")


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
    if path in source_files():
        name = text.strip("`").rstrip("()")
        line = line_of(rf"^(def|class) {re.escape(name)}\b", CHECKOUT / path)
        return f'<a class="code" href="{code_link(path, line, page, edition.language)}">{text}</a>'
    language, goal = page_of(path)
    language = language or (edition.language if goal in edition.pages else edition.other_language)
    if language == edition.language and goal in edition.pages:
        relative = posixpath.relpath(goal, posixpath.dirname(page) or ".")
        return f"[{text}]({relative}{'.ipynb' if goal.startswith('notebooks/') else '.md'}{anchor})"
    if language != edition.language and goal in edition.others:
        return f'<a href="{up(page, edition.language)}{root(language)}{goal}.html{anchor}">{text}</a>'
    return text


def follow_all(edition: Edition, file: str, page: str, text: str) -> str:
    """Write all links of a page, but those in blocks of code, as the book has them."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    for i, part in enumerate(parts[::2]):
        parts[2 * i] = LINK.sub(lambda m: follow(edition, file, page, m[1], m[2], m[3] or ""), part)
    return "".join(parts)
