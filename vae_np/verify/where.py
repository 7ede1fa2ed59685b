"""Where an equation lives: its page, its function, its record, its test, each as file:line."""

import inspect
import re
from pathlib import Path
from types import CodeType
from typing import NamedTuple

from vae_np.verify.record import Equation
from vae_np.verify.run import find, function_of

PACKAGE = Path(__file__).parents[1]
CHECKOUT = PACKAGE.parent


class Where(NamedTuple):
    """Four places, ``"file:line"`` relative to `root`; None for one that is not there.

    Attributes
    ----------
    page
        The equation on its derivation page.
    function
        The function that computes it; None for a relation.
    record
        Its row in the table of equations.
    test
        Its test; None outside a checkout, since an installed package carries no tests.
    root
        The folder that the files are in.
    """

    page: str
    function: str | None
    record: str
    test: str | None
    root: Path


def derivations() -> Path:
    """Folder of the derivation pages: the originals in a checkout, the copies in an installed package."""
    originals = CHECKOUT / "derivations"
    return originals if (originals / "README.md").exists() else PACKAGE / "derivations"


def line_of(pattern: str, file: Path) -> int | None:
    """Number of the first line that matches a pattern, or None."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((i for i, line in enumerate(lines, 1) if re.search(pattern, line)), None)


def _record(equation: Equation) -> tuple[Path, int]:
    """File and line of a row of the table: the topic has the name of the page."""
    file = PACKAGE / "verify" / "equations" / equation.page.replace(".md", ".py")
    return file, line_of(rf'label="{equation.label}"', file) or 1


def _line_of_def(code: CodeType) -> int:
    """Line of a function's `def`; its code starts with the decorators."""
    source = Path(code.co_filename).read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(source, 1) if i >= code.co_firstlineno and line.startswith("def "))


def where(label: str) -> Where:
    """Find the page, the function, the record and the test of an equation.

    Parameters
    ----------
    label
        Such as ``"kl-closed"``.

    Returns
    -------
    Where
        The places.

    Raises
    ------
    InputError
        If there is no such label; the nearest ones are named.
    """
    equation = find(label)
    pages = derivations()

    def place(file: Path, line: int) -> str:
        return f"{file.relative_to(CHECKOUT).as_posix()}:{line}"

    page = pages / equation.page
    function = function_of(equation)
    code = inspect.unwrap(function).__code__ if function else None
    test = CHECKOUT / "tests" / "test_equations.py"
    in_checkout = pages.parent == CHECKOUT
    return Where(
        place(page, line_of(rf"^\$\$ \({label}\)", page) or 1),
        code and place(Path(code.co_filename), _line_of_def(code)),
        place(*_record(equation)),
        f"{place(test, line_of('def test_equation', test) or 1)}[{label}]" if in_checkout else None,
        CHECKOUT,
    )
