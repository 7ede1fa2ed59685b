"""A temporary folder that can be removed whatever has been put into it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new, empty folder, and remove it afterwards with all that it holds.

    Yields
    ------
    Path
        The folder; only this user may enter it.
    """
    folder = Path(tempfile.mkdtemp(prefix="vae_np-")).resolve()
    try:
        yield folder
    finally:
        with suppress(OSError):  # gone already, or held open where that matters
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder. Links are removed, not followed; no folder is too deep, and none is write-protected.

    Each subfolder's contents are moved up into `folder` under new names, until only files are left: no path
    gets long, and nothing is called within itself.

    Parameters
    ----------
    folder
        The folder, in which nobody is writing.

    Raises
    ------
    OSError
        If something in it belongs to somebody else or is in use.
    """
    folder.chmod(0o700)
    names = count()
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry)
                continue
            os.chmod(entry, 0o700)
            for inner in list(os.scandir(entry)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner, 0o700)  # a folder that may not be written cannot be moved
                    os.rename(inner, _new_name(folder, names))
                else:
                    os.unlink(inner)
            os.rmdir(entry)
    folder.rmdir()


def _new_name(folder: Path, names: Iterator[int]) -> Path:
    return next(path for number in names if not os.path.lexists(path := folder / f"{number}"))
