"""The parts of the derivation pages that are read off the code; `python tests/pages.py` renews them.

A page shows the code of its functions and the figures of its checks. Both stand in the page itself, so
that it reads well anywhere, and `test_pages.py` fails when they are not what the code says.
"""

import re
from pathlib import Path

from vae_np.book.marks import CODE, FIGURES, REFUTED, shown
from vae_np.book.verdicts import refutations
from vae_np.verify.equations import EQUATIONS
from vae_np.verify.run import function_of, quoted, verify
from vae_np.verify.where import derivations

EDITIONS = {"en": derivations(), "ja": derivations() / "ja"}
TABLE = {equation.label: equation for equation in EQUATIONS}
QUOTED = re.compile(
    r"^> `([a-z0-9-]+)`: (\d+) judges?; closest: (.+); error (\S+), bound (\S+)$", re.MULTILINE
)
REFUTATION = re.compile(r"^> `([a-z0-9-]+)` refutes: (.+); error (\S+), bound (\S+)$", re.MULTILINE)


def code(label: str) -> str:
    """The source of the function that computes an equation, without its docstring and decorator."""
    return "\n".join([f"<!-- code {label} -->", "```python", shown(function_of(TABLE[label])).text, "```"])


def figures(label: str) -> str:
    """How many judges decide an equation, and the one that came closest to its bound."""
    verdicts = verify(TABLE[label]).verdicts
    closest = quoted(verdicts)
    judges = f"{len(verdicts)} judge{'s' if len(verdicts) > 1 else ''}"
    return (
        f"> `{label}`: {judges}; closest: {closest.judge}; "
        f"error {closest.error:.1e}, bound {closest.bound:.1e}"
    )


def refuted(label: str) -> str:
    """The wrong readings of an equation, and the error that gives each away."""
    return "\n".join(refutations(verify(TABLE[label])))


def renewed(text: str) -> str:
    """A page with its code and its figures as they are now."""
    text = CODE.sub(lambda match: code(match[1] or match[2]), text)
    text = FIGURES.sub(lambda match: figures(match[1] or match[2]), text)
    return REFUTED.sub(lambda match: refuted(match[1] or match[2]), text)


def pages(edition: str) -> list[Path]:
    """The pages of an edition that hold equations."""
    return [path for path in sorted(EDITIONS[edition].glob("*.md")) if path.stem not in ("README", "errata")]


if __name__ == "__main__":
    for folder in EDITIONS.values():
        for page in folder.glob("*.md"):
            page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
