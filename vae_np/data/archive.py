"""Plain arrays and a JSON header in one file: what a trained model and a training on its way are kept in.

The file is a .npz archive, which NumPy alone can open. `header` is the UTF-8 text of a JSON object as a
vector of bytes; every other entry is an array of numbers. Nothing in it is ever executed, and the
archive's own checksums (CRC-32) find damaged entries. The entries are stored as they are, not compressed,
so that reading one takes no more memory than the file has bytes: what an entry claims to be is compared
with its size before anything is allocated.
"""

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vae_np.data.writing import whole_file
from vae_np.errors import InputError

# What NumPy, zipfile and json raise for bytes and for parts that are not those of such a file.
DAMAGE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError)
UNREADABLE = (*DAMAGE, OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


class Kind(NamedTuple):
    """A kind of file: what people call it, the name of its format, the newest version known here."""

    noun: str
    format: str
    version: int


def write_archive(
    path: str | Path, kind: Kind, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a header and arrays, whole or not at all, at exactly this path.

    Parameters
    ----------
    path
        The file; no suffix is added.
    kind
        Its format and version go into the header.
    header
        What JSON can hold.
    arrays
        Numbers by name.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    words = json.dumps({"format": kind.format, "version": kind.version, **header})
    text = np.frombuffer(words.encode(), np.uint8)
    entries: dict[str, Any] = {"header": text, **arrays}
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **entries)


def read_archive(path: str | Path, kind: Kind) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `write_archive` wrote.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be.

    Returns
    -------
    tuple
        The header and the arrays.

    Raises
    ------
    InputError
        If the file does not exist, is of another kind, is damaged, or is of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{kind.noun} {path} does not exist, or is no file")
    try:
        with path.open("rb") as file:
            _require_honest_sizes(file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
        known, version = header["format"] == kind.format, int(header["version"])
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UNREADABLE as error:
        raise InputError(f"{path} is not a vae_np {kind.noun}, or it is damaged") from error
    if not known or version < 1:
        raise InputError(f"{path} is not a vae_np {kind.noun}")
    if version > kind.version:
        raise InputError(f"{path} has format version {version}, newer than {kind.version}: update vae_np")
    return header, arrays


def _require_honest_sizes(file: BinaryIO) -> None:
    """Raise ValueError if an entry is compressed, or claims an array of another size than it has."""
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("the entries are larger than the file")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                raise ValueError(f"{entry.filename} is compressed")
            with archive.open(entry) as array:
                if np.lib.format.read_magic(array) != (1, 0):
                    raise ValueError(f"{entry.filename} is of another version of NumPy's format")
                shape, _, dtype = np.lib.format.read_array_header_1_0(array)
                if math.prod(shape) * dtype.itemsize != entry.file_size - array.tell():
                    raise ValueError(f"{entry.filename} claims another size than it has")
