"""A temporary folder that can be removed whatever has been put into it."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

SECONDS = 10.0  # in which a folder is removed; what is left then stays


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new, empty folder, and remove it afterwards, as far as time allows, with all that it holds.

    Yields
    ------
    Path
        The folder; only this user may enter it.
    """
    folder = Path(tempfile.mkdtemp(prefix="vae_np-")).resolve()
    try:
        yield folder
    finally:
        with suppress(OSError):  # gone already, held open where that matters, or too much
            remove(folder)


def remove(folder: Path, seconds: float = SECONDS) -> None:
    """Remove a folder. Links are removed, not followed; no folder is too deep, and none is write-protected.

    Each subfolder's contents are moved up into `folder` under new names, until only files are left: no path
    gets long, and nothing is called within itself.

    Parameters
    ----------
    folder
        The folder. Somebody may still be filling it.
    seconds
        What is left after this time stays.

    Raises
    ------
    OSError
        If something in it belongs to somebody else or is in use, or the time is over.
    """
    folder.chmod(0o700)
    names, end = count(), time.monotonic() + seconds
    while os.listdir(folder):
        for entry in _entries(folder, end):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry)
                continue
            os.chmod(entry, 0o700)
            for inner in _entries(entry, end):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner, 0o700)  # a folder that may not be written cannot be moved
                    os.rename(inner, _new_name(folder, names))
                else:
                    os.unlink(inner)
            os.rmdir(entry)
    folder.rmdir()


def _entries(folder: str | os.PathLike[str], end: float) -> Iterator[os.DirEntry[str]]:
    for entry in list(os.scandir(folder)):
        if time.monotonic() > end:
            raise TimeoutError(f"there is more in {folder} than can be removed in time")
        yield entry


def _new_name(folder: Path, names: Iterator[int]) -> Path:
    return next(path for number in names if not os.path.lexists(path := folder / f"{number}"))
