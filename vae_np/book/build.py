"""Build the book: verify the equations, run the notebooks, draw, and let Sphinx write both editions."""

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from vae_np.data.writing import require_writable
from vae_np.errors import InputError

NEEDED = (
    "furo",
    "myst_nb",
    "nbclient",
    "ipykernel",
    "numpydoc",
    "sphinx",
    "sphinx_copybutton",
    "sphinx-mathjax-offline",
)
MARK = ".vae-np-book"  # names what belongs to a book: a folder with anything else in it is not replaced


def require_tools() -> None:
    """Make sure that what the book is built with is installed.

    Raises
    ------
    InputError
        If a package is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(f"the book needs {', '.join(missing)}: pip install 'vae_np[docs]'")


def is_book(folder: Path) -> bool:
    """Whether a folder holds a finished book."""
    return (folder / MARK).is_file()


def require_place(out: Path) -> Path:
    """Make sure that a folder is free for a book, or holds one already.

    Parameters
    ----------
    out
        The folder to be.

    Returns
    -------
    Path
        The same with links resolved.

    Raises
    ------
    InputError
        If it is a file, or holds something else than a book, or cannot be made.
    """
    try:
        parents = out.resolve().parents
    except (OSError, RuntimeError) as error:  # a link that points to itself
        raise InputError(f"output folder {out} cannot be resolved: {error}") from error
    if any(is_book(folder) for folder in parents):
        raise InputError(
            f"output folder {out} lies in a book, which is replaced as a whole: give another folder"
        )
    if out.is_dir():
        if os.path.ismount(out) or out.samefile(Path.cwd()):
            raise InputError(
                f"output folder {out} cannot be replaced, since it is in use: give a new folder in it"
            )
        own = (out / MARK).read_text(encoding="utf-8").splitlines() if is_book(out) else []
        others = sorted({path.name for path in out.iterdir()} - {MARK, *own})
        if others:
            raise InputError(
                f"output folder {out} holds {others[0]}, which is no part of a book: give a new folder"
            )
        require_writable(out.resolve() / MARK)
        return out.resolve()
    if out.exists():
        raise InputError(f"output {out} is a file: give a folder")
    return require_writable(out)


def run_sphinx(sources: Path, out: Path, language: str) -> None:
    """Let Sphinx write one edition; any warning is an error.

    Parameters
    ----------
    sources, out
        Its folders.
    language
        Of the edition.

    Raises
    ------
    InputError
        If it warns or fails, with what it says first.
    """
    configuration = Path(__file__).parent
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going"]
    command += ["-c", str(configuration), "-d", str(sources / ".doctrees"), "-D", f"language={language}"]
    result = subprocess.run([*command, str(sources), str(out)], capture_output=True, text=True, check=False)
    if result.returncode:
        said = [line for line in result.stderr.splitlines() if line.strip()]
        raise InputError(f"Sphinx could not build the {language} edition: {' | '.join(said[:5])}")


@contextmanager
def room_for(out: Path) -> Iterator[None]:
    """Say in one sentence that the disk is full, which else is told of whatever file was copied then."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise InputError(f"no space left in {out.parent}: make room, or give another folder") from error


def put_in_place(site: Path, out: Path, old: Path) -> None:
    """Rename a finished site to its place; the book that was there stays if that fails.

    Unlike a file, a folder cannot be replaced in one step: who is killed between the two finds the old book
    in the temporary folder beside its place.
    """
    try:
        if out.exists():
            out.rename(old)
        site.rename(out)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)


def build(out: Path, execute: bool = True, say: Callable[[str], None] = print) -> bool:
    """Build the book, both editions.

    Parameters
    ----------
    out
        Folder of the site; a book that is there stays as it is until the new one is complete.
    execute
        Whether the notebooks are run; otherwise they are shown without outputs.
    say
        Told of what was done.

    Returns
    -------
    bool
        Whether every equation is right; the book shows a wrong one as wrong.

    Raises
    ------
    InputError
        If a tool is missing, the folder is taken, a notebook fails, or Sphinx warns.
    """
    out = require_place(out)
    require_tools()
    from vae_np.book.decoder import decoder_script
    from vae_np.book.notebooks import execute_all, notebooks
    from vae_np.book.places import LANGUAGES
    from vae_np.book.sources import Made, draw_all, write_sources
    from vae_np.verify.run import verify_all
    from vae_np.verify.table import summary

    with room_for(out), tempfile.TemporaryDirectory(prefix=".vae-np-book-", dir=out.parent) as name:
        folder = Path(name)
        start = time.perf_counter()
        reports = {report.label: report for report in verify_all()}
        seconds = time.perf_counter() - start
        say(summary(list(reports.values()), seconds))
        drawings = folder / "drawings"
        drawings.mkdir()
        draw_all(drawings)
        say("figures drawn")
        shown = notebooks()
        if execute:
            (folder / "notebooks").mkdir()
            execute_all(shown, folder / "notebooks", say)
            shown = sorted((folder / "notebooks").glob("*.ipynb"))
        made = Made(reports, shown, drawings, decoder_script())

        sources = {language: folder / f"sources-{language}" for language in LANGUAGES}
        for path in sources.values():
            path.mkdir()
        write_sources(sources, made)
        site = folder / "site"
        sites = {"en": site, "ja": folder / "ja"}
        with ThreadPoolExecutor(len(LANGUAGES)) as pool:
            list(
                pool.map(lambda language: run_sphinx(sources[language], sites[language], language), LANGUAGES)
            )
        (folder / "ja").rename(site / "ja")
        (site / ".nojekyll").touch()  # else GitHub's pages leave out what begins with an underscore
        (site / MARK).write_text("\n".join(path.name for path in site.iterdir()), encoding="utf-8")
        put_in_place(site, out, folder / "old")
    return all(report.ok for report in reports.values())
