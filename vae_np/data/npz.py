"""Reading a .npz file that nobody vouches for: every claim is compared with the file before memory is taken.

A .npz file is a zip archive, and each entry an array with a few words before its numbers, such as
``{'descr': '<f4', 'fortran_order': False, 'shape': (40, 8), }``. Both the archive and the words can lie: of
an entry of a few bytes they can claim any size, any number of entries can be one and the same piece of the
file, and what is compressed can grow a thousandfold. So entries have to be stored as they are, in all no more
bytes than the file has; the words have to be NumPy's own, of a vector or a matrix of plain numbers; and the
shape that they claim has to be that of the bytes which follow.
"""

import math
import re
import struct
import zipfile
import zlib
from typing import IO, BinaryIO, Literal

import numpy as np

# What NumPy, zipfile and json raise for bytes and for parts that are not those of a file that they know.
DAMAGE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError, RecursionError)
UNREADABLE = (
    *DAMAGE,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
)

PIECE = 2**18  # bytes read at a time
FORMAT_1_0 = b"\x93NUMPY\x01\x00"
WORDS = re.compile(
    rb"\{'descr': '([<|][fiu][1248])', 'fortran_order': (False|True), "
    rb"'shape': \(([0-9]{1,18}),(?: ([0-9]{1,18}))?\), \} *\n"
)


def read_npz(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read all arrays of a .npz file, in memory of at most its size and a little more.

    Parameters
    ----------
    file
        Open for reading.

    Returns
    -------
    dict
        Vectors and matrices of numbers by name, in the order of the file.

    Raises
    ------
    one of UNREADABLE
        If this is no such file, or something in it is not what it claims to be.
    """
    size = file.seek(0, 2)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("the entries are larger than the file")
        names = [entry.filename.removesuffix(".npy") for entry in entries]
        if len({*names}) < len(names):
            raise ValueError("two entries have one name")
        return {name: _array(archive, entry) for name, entry in zip(names, entries, strict=True)}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """Read one entry; ValueError if it is compressed, or its words are not those of the numbers in it."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
        raise ValueError(f"{entry.filename} is compressed")
    with archive.open(entry) as content:
        dtype, order, shape = _claimed(content)
        if math.prod(shape) * dtype.itemsize != entry.file_size - content.tell():
            raise ValueError(f"{entry.filename} claims another size than it has")
        numbers = np.empty(math.prod(shape), dtype)
        memory = numbers.view(np.uint8)
        for start in range(0, len(memory), PIECE):
            piece = memory[start : start + PIECE]
            piece[:] = np.frombuffer(content.read(len(piece)), np.uint8)
        return numbers.reshape(shape, order=order)


def _claimed(content: IO[bytes]) -> tuple[np.dtype, Literal["C", "F"], tuple[int, ...]]:
    """Read dtype, order and shape in an entry, up to its first number; nothing is evaluated."""
    if content.read(len(FORMAT_1_0)) != FORMAT_1_0:
        raise ValueError("not an array in version 1.0 of NumPy's format")
    words = WORDS.fullmatch(content.read(int.from_bytes(content.read(2), "little")))
    if words is None:
        raise ValueError("not a vector or a matrix of numbers in NumPy's words")
    dtype, is_fortran, *lengths = words.groups()
    shape = tuple(int(length) for length in lengths if length is not None)
    return np.dtype(dtype.decode()), "F" if is_fortran == b"True" else "C", shape
