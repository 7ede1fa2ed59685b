"""What a command leaves: remarks on stderr, tables on stdout, files that are whole or not there."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vae_np.errors import InputError, in_one_line, readable

if TYPE_CHECKING:
    from vae_np.evaluate.held_out import Row


def remark(text: str) -> None:
    """Say something in one line on stderr; the work does not depend on anybody being there to read it."""
    with suppress(OSError):
        click.echo(readable(text), err=True)


def say(text: str) -> None:
    """Print a line of the result, on stdout."""
    click.echo(in_one_line(text))


def print_table(heading: Sequence[str], lines: Sequence[Sequence[str]], n_words: int = 1) -> None:
    """Print a table; its first columns hold words, the others numbers."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    printed = Table(box=SIMPLE)
    for i, name in enumerate(heading):
        printed.add_column(name, justify="left" if i < n_words else "right")
    for line in lines:
        printed.add_row(*map(Text, line))  # a name with brackets is no markup
    Console().print(printed)


def as_records(rows: Iterable["Row"]) -> list[dict[str, Any]]:
    """Scores as JSON has them."""
    return [row._asdict() for row in rows]


def require_file(out: Path, *inputs: Path | None) -> None:
    """Make sure, before the work, that a file can be written and replaces no input.

    Parameters
    ----------
    out
        The file to be.
    inputs
        Files that are read.

    Raises
    ------
    InputError
        If it cannot be written, or is one of the inputs.
    """
    from vae_np.data.writing import require_writable

    out = require_writable(out)
    for path in inputs:
        if path is not None and path.exists() and out.exists() and out.samefile(path):
            raise InputError(f"--out is {path}, which is also read: give the output another name")


def require_folder(out: Path, names: Sequence[str], *inputs: Path) -> list[Path]:
    """Make sure, before the work, that a folder can be made and files written in it.

    Parameters
    ----------
    out
        The folder, which may exist; the folder it is in must exist.
    names
        The files in it.
    inputs
        Files that are read.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InputError
        If one of them cannot be written or is an input, or the folder is a file.
    """
    from vae_np.data.writing import require_writable

    files = [out / name for name in names]
    if out.is_dir():
        for file in files:
            require_file(file, *inputs)
    else:
        require_writable(out)
        if out.exists():
            raise InputError(f"output folder {out} is a file: give a folder")
    return files


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    from vae_np.data.writing import whole_file

    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
