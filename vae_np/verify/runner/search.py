"""Where the caller finds modules: not where a learner may put files with the names of the library's."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_modules(file: Path) -> Iterator[None]:
    """Import nothing from the current folder and from the file's inside a `with` block.

    `python -m` and notebooks look into the current folder first. If the package itself comes from there,
    that is where they look last.

    Parameters
    ----------
    file
        The learner's file.
    """
    root = str(Path(__file__).resolve().parents[3])
    foreign = {os.path.realpath(os.curdir), os.path.dirname(os.path.realpath(file))}
    before = sys.path[:]
    sys.path[:] = [entry for entry in before if os.path.realpath(entry) not in foreign - {root}]
    sys.path.sort(key=lambda entry: os.path.realpath(entry) in foreign)
    try:
        yield
    finally:
        sys.path[:] = before
