"""A public file is downloaded once: whole or not at all, and recognized by its checksum ever after.

The publishers of the data sets give no checksums. So the SHA-256 of the first download is written beside
the file (`name.sha256`, as `sha256sum --check` reads it) and compared at every later use: a number
computed next year is then computed from the same bytes, or it is said that it is not.
"""

import hashlib
import os
import re
import sys
from pathlib import Path

from vae_np.data.transfer import transfer
from vae_np.data.writing import put_in_place, require_writable, whole_file
from vae_np.errors import InputError


def fetch(url: str, path: str | Path, sha256: str | None = None, progress: bool = True) -> Path:
    """Return the local copy of a file, which is downloaded if it is not there yet.

    Parameters
    ----------
    url
        An http or https address.
    path
        Where the file is, or is to be. Until it is whole it is called `name.part`; a download that was
        cut short goes on from there.
    sha256
        The checksum that the file must have; None: the one of the first download.
    progress
        Whether to show a bar on stderr where that is a terminal.

    Returns
    -------
    Path
        `path`, checked.

    Raises
    ------
    InputError
        If the download fails, the file cannot be written or read, or it has another checksum.
    """
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise InputError(f"sha256 is {sha256!r}: give 64 hexadecimal digits")
    path = Path(path)
    record = path.with_name(path.name + ".sha256")
    target = path if path.is_file() else require_writable(path)
    expected = sha256.lower() if sha256 else _recorded(record)
    if path.is_file():
        found = _digest(path)
        if expected not in (None, found):
            raise InputError(
                f"{path} is damaged or was changed: its SHA-256 is {found}, not {expected}; "
                "delete it, and it is downloaded again"
            )
    else:
        part = target.with_name(target.name + ".part")
        transfer(url, part, progress)
        found = _digest(part)
        if expected not in (None, found):
            part.unlink()
            known = (
                "the one asked for" if sha256 else f"that of the first download (delete {record} to accept)"
            )
            raise InputError(f"{url} has SHA-256 {found}, which is not {known}: {expected}")
        put_in_place(part, target)
    if not record.exists():
        with whole_file(record) as temporary:
            temporary.write_text(f"{found}  {path.name}\n")
    return path


def cache_folder() -> Path:
    """Return the folder for downloaded data sets, created if it is not there.

    The environment variable ``VAE_NP_CACHE`` names it; else it is ``vae_np`` in the user's cache folder:
    ``XDG_CACHE_HOME`` or ``~/.cache``, ``~/Library/Caches`` on macOS, ``LOCALAPPDATA`` on Windows.

    Returns
    -------
    Path
        An existing folder.

    Raises
    ------
    InputError
        If it cannot be created.
    """
    try:
        folder = _named_cache()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        raise InputError(
            f"no cache folder ({error}): name a writable one in the environment variable VAE_NP_CACHE"
        ) from error
    return folder


def _named_cache() -> Path:
    environment = os.environ.get
    if own := environment("VAE_NP_CACHE"):
        return Path(own).expanduser()
    if sys.platform == "win32":
        return Path(environment("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "vae_np"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vae_np"
    return Path(environment("XDG_CACHE_HOME") or Path.home() / ".cache") / "vae_np"


def _digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _recorded(record: Path) -> str | None:
    """Checksum of the first download, None if there was none."""
    if not record.exists():
        return None
    try:
        digest = record.read_text(errors="replace")[:64]
    except OSError as error:
        raise InputError(f"{record} cannot be read: {error.strerror}") from error
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise InputError(f"{record} holds no SHA-256: delete it, and the file is recorded anew")
    return digest
