"""What on a derivation page is read off the code: listings, figures of checks, refutations, drawings.

Each is marked on the page, so that the repository's pages can be renewed and the book can put more in
their place:

    <!-- code kl-closed -->       and a block of code: the function that computes an equation
    > `kl-closed`: 8 judges; ...  the judge that came closest to its bound
    > `kl-closed` refutes: ...    one line for each wrong reading
    <!-- figure kl_terms: ... --> a drawing that only the book shows, with its caption
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

CODE = re.compile(r"\{code ([a-z0-9-]+)\}|<!-- code ([a-z0-9-]+) -->\n```python\n.*?\n```", re.DOTALL)
FIGURES = re.compile(r"\{figures ([a-z0-9-]+)\}|^> `([a-z0-9-]+)`: .*$", re.MULTILINE)
REFUTED = re.compile(
    r"\{refuted ([a-z0-9-]+)\}|^> `([a-z0-9-]+)` refutes: .*$(?:\n> `\2` refutes: .*$)*", re.MULTILINE
)
DRAWING = re.compile(r"^<!-- figure ([a-z0-9_]+): (.*?) -->$", re.DOTALL | re.MULTILINE)


class Shown(NamedTuple):
    """The lines of a function that a page shows: without its decorators and its docstring.

    Attributes
    ----------
    file
        Where they stand.
    head, body
        First and last line, counted from 1, of the signature and of what follows the docstring.
    """

    file: Path
    head: tuple[int, int]
    body: tuple[int, int]

    @property
    def text(self) -> str:
        """The lines themselves."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        ranges = (self.head, self.body)
        return "\n".join(line for first, last in ranges for line in lines[first - 1 : last])


def shown(function: Callable[..., Any]) -> Shown:
    """Find the lines of a function that a page shows.

    Parameters
    ----------
    function
        With a docstring; a decorator that wraps it is seen through.

    Returns
    -------
    Shown
        File and lines.
    """
    function = inspect.unwrap(function)
    lines, start = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    docstring = tree.body[0]
    before = start - 1
    return Shown(
        Path(inspect.getsourcefile(function) or ""),
        (before + tree.lineno, before + docstring.lineno - 1),
        (before + (docstring.end_lineno or 0) + 1, before + (tree.end_lineno or 0)),
    )
