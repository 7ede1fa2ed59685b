"""Writing files whole or not at all: into a temporary file beside the target, then one rename.

The order matters. The new file is on the disk itself (fsync) before it takes the name, and so is the name
before we return; whatever stops the program or the machine meanwhile, the name belongs to the old file or to
the new one, and either is complete.
"""

import os
import secrets
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vae_np.errors import InputError


def require_writable(path: str | Path) -> Path:
    """Make sure, before long work, that a file can be written here later.

    Parameters
    ----------
    path
        The file to be.

    Returns
    -------
    Path
        Where the file will be: the path with links resolved, so that a link stays a link.

    Raises
    ------
    InputError
        If the path is a folder or a device, or its folder does not exist or refuses new files.
    """
    try:
        path = Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL character
        raise InputError(f"output {path} cannot be resolved: {error}") from error
    if path.is_dir():
        raise InputError(f"output {path} is a folder: give a file name")
    if path.exists() and not path.is_file():
        raise InputError(f"output {path} is a device or a pipe: give the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"output folder {path.parent} does not exist: create it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            return path
    except OSError as error:
        raise InputError(f"output folder {path.parent} is not writable: {error.strerror}") from error


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` if the block succeeds.

    Parameters
    ----------
    path
        The file to be; a file that is there stays as it is until the new one is complete.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    InputError
        As in `require_writable`.
    OSError
        If writing fails, as on a full disk; it names the file.
    """
    path = require_writable(path)
    temporary = path.with_name(f"{hidden_name(path)}-{secrets.token_hex(8)}")
    try:  # the name is known before the file is there: no interrupt can come in between
        temporary.touch(0o600, exist_ok=False)
        yield temporary
        put_in_place(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a complete file its name and the mode of the file that it replaces, if there is one.

    It is on the disk itself when this returns.

    Parameters
    ----------
    temporary
        The file, in the same folder.
    path
        Its name to be.
    """
    _to_disk(temporary)  # before the mode, which may forbid writing
    temporary.chmod(path.stat().st_mode if path.exists() else 0o666 & ~_umask())
    temporary.replace(path)
    _names_to_disk(path.parent)


def remove_leftovers(path: str | Path) -> None:
    """Remove what a writer of this file left beside it when it was killed.

    Parameters
    ----------
    path
        The file; nobody may be writing it now, as inside `vae_np.data.locking.locked`.
    """
    path = Path(path).resolve()
    for leftover in path.parent.glob(hidden_name(path) + "-*"):
        leftover.unlink(missing_ok=True)


def hidden_name(path: Path) -> str:
    """How the names of hidden files for this one begin, of the same length however long its name is."""
    return f".vae_np-{zlib.crc32(path.name.encode(errors='surrogateescape')):08x}"


def _to_disk(file: Path) -> None:
    """Wait until the contents of a file are on the disk itself."""
    handle = os.open(file, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _names_to_disk(folder: Path) -> None:
    """Wait until the names in a folder are on the disk itself, where the system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
