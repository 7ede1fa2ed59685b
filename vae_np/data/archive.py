"""Plain arrays and a JSON header in one file: what a trained model and a training on its way are kept in.

The file is a .npz archive, which NumPy alone can open. `header` is the UTF-8 text of a JSON object as a
vector of bytes; every other entry is an array of numbers. Nothing in it is ever executed. The header says in
``arrays`` which arrays there are, with dtype and shape, and ends with the ``checksum`` of its own text up to
that point and of all the numbers: a file in which anything was changed is no longer what it says. That finds
accidents; against intent, every part is checked for what it is used for, as if there were no checksum.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from vae_np import __version__
from vae_np.data.checksum import checksum
from vae_np.data.npz import DAMAGE, UNREADABLE, read_npz
from vae_np.data.writing import whole_file
from vae_np.errors import InputError

Header = dict[str, Any]
Arrays = dict[str, np.ndarray]
Migration = Callable[[Header, Arrays], tuple[Header, Arrays]]

MORE_THAN_ANY_VERSION = 1000
CHECKSUM = ', "checksum": '  # always last


class Kind(NamedTuple):
    """A kind of file.

    Attributes
    ----------
    noun, format
        What people call it, and what its header does.
    version
        The newest one known here, which is the one that is written.
    migrations
        Version -> what makes header and arrays of that version those of the next one.
    signed_since
        The first version whose header has a table of arrays and a checksum.
    """

    noun: str
    format: str
    version: int
    migrations: Mapping[int, Migration] = {}
    signed_since: int = 1


def write_archive(path: str | Path, kind: Kind, header: Mapping[str, Any], arrays: Arrays) -> None:
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
        Numbers by name, vectors and matrices.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    about = {"format": kind.format, "version": kind.version, "written_by": f"vae_np {__version__}"}
    unsigned = json.dumps({**about, **header, "arrays": _table(arrays)}).removesuffix("}").encode()
    text = unsigned + _signature(unsigned, arrays)
    entries: dict[str, Any] = {"header": np.frombuffer(text, np.uint8), **arrays}
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **entries)


def read_archive(path: str | Path, kind: Kind) -> tuple[Header, Arrays]:
    """Read what `write_archive` wrote, now or in an older version.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be.

    Returns
    -------
    tuple
        The header and the arrays, as the newest version has them.

    Raises
    ------
    InputError
        If the file does not exist, is of another kind, is damaged, is of a newer version, or of an older one
        without a migration.
    """
    if not os.path.isfile(path):
        raise InputError(f"{kind.noun} {path} does not exist, or is no file")
    foreign = f"{path} is not a vae_np {kind.noun}"
    try:
        with open(path, "rb") as file:
            arrays = read_npz(file)
        text = arrays.pop("header").tobytes()
        header = json.loads(text.decode(), parse_constant=_refuse)
        found, version = header["format"], header["version"]
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UNREADABLE as error:
        raise InputError(f"{foreign}, or it is damaged") from error
    if found != kind.format or type(version) is not int or not 1 <= version < MORE_THAN_ANY_VERSION:
        raise InputError(foreign)
    if version > kind.version:
        raise InputError(f"{path} has format version {version}, newer than {kind.version}: update vae_np")
    steps = range(version, kind.version)
    if not set(steps) <= set(kind.migrations):
        raise InputError(
            f"{path} has format version {version}, older than this vae_np reads: make the {kind.noun} anew, "
            "or use the version that wrote it"
        )
    try:
        if version >= kind.signed_since:
            _require_whole(header, text, arrays)
        for step in steps:
            header, arrays = kind.migrations[step](header, arrays)
    except DAMAGE as error:
        raise InputError(f"{foreign}, or it is damaged") from error
    return header, arrays


def _table(arrays: Arrays) -> dict[str, dict[str, Any]]:
    """What the header says about the arrays."""
    return {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()}


def _signature(text: bytes, arrays: Arrays) -> bytes:
    """How a header ends whose text so far is given."""
    digits = checksum([text, *arrays.values()])
    return f'{CHECKSUM}"{digits}"}}'.encode()


def _require_whole(header: Header, text: bytes, arrays: Arrays) -> None:
    """Raise ValueError if header and arrays are not, to the last byte, what was written together."""
    if header["arrays"] != _table(arrays) or list(header["arrays"]) != list(arrays):
        raise ValueError("the arrays are not those of the header")
    unsigned, found, _ = text.rpartition(CHECKSUM.encode())
    if not found or text[len(unsigned) :] != _signature(unsigned, arrays):
        raise ValueError("the checksum is of another content")


def _refuse(constant: str) -> NoReturn:
    """Raise ValueError for what Python's JSON takes for a number and JSON does not."""
    raise ValueError(f"{constant} is no number")
