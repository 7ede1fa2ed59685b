"""Messages between two processes: one line of JSON, then the bytes of the arrays that it announces.

The receiver believes nothing. A line and the arrays have a largest size, an array holds plain numbers, or
text where it is expected, and nothing is unpickled; whatever else comes is a ValueError.
"""

import json
import math
import os
import re
import select
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from vae_np.verify.runner.relay import write_all

LONGEST_LINE = 2**16
MOST_BYTES = 2**24


class Source(Protocol):
    """Where bytes come from: a file, or anything that reads like one."""

    def read(self, size: int, /) -> bytes:
        """Read so many bytes, fewer at the end."""

    def readline(self, size: int, /) -> bytes:
        """Read up to the end of a line, or so many bytes."""


def packed(fields: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> bytes:
    """Write a message: fields that JSON knows, and arrays."""
    announced = [[array.dtype.str, array.shape] for array in arrays]
    line = json.dumps(fields | {"arrays": announced}).encode() + b"\n"
    return line + b"".join(array.tobytes() for array in arrays)


def send(target: int, message: bytes, seconds: float) -> None:
    """Write a message into a pipe (on Windows without the time limit).

    Parameters
    ----------
    target
        A file descriptor.
    message
        What was packed.
    seconds
        The other process may be reading nothing.

    Raises
    ------
    TimeoutError
        If it has not taken all in this time.
    OSError
        If it has closed its end.
    """
    if not hasattr(select, "poll"):
        return write_all(target, message)
    end = time.monotonic() + seconds
    os.set_blocking(target, False)
    room = select.poll()
    room.register(target, select.POLLOUT)
    rest = memoryview(message)
    while rest:
        left = end - time.monotonic()
        if left <= 0 or not room.poll(1000 * left):
            raise TimeoutError
        with suppress(BlockingIOError):  # others can fill it, too
            rest = rest[os.write(target, rest) :]
    return None


def read_message(source: Source, text: bool = False) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read a message.

    Parameters
    ----------
    source
        The other process.
    text
        Whether arrays of text may come, too: requests hold labels, replies only numbers.

    Returns
    -------
    fields, arrays
        What was packed.

    Raises
    ------
    EOFError
        If the other process has closed its end.
    ValueError
        If what comes is no message.
    """
    line = source.readline(LONGEST_LINE)
    if not line:
        raise EOFError
    try:
        fields = json.loads(line)
        kinds = [_kind(dtype, shape, text) for dtype, shape in fields.pop("arrays")]
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise ValueError("no message") from error
    if sum(_n_bytes(dtype, shape) for dtype, shape in kinds) > MOST_BYTES:
        raise ValueError("more bytes than any answer has")
    return fields, [_array(source, dtype, shape) for dtype, shape in kinds]


def _kind(dtype: str, shape: list[int], text: bool) -> tuple[np.dtype, tuple[int, ...]]:
    plain = re.fullmatch(rf"[<>|][fiub{'U' * text}][1-9][0-9]?", dtype)
    if not plain or not all(type(size) is int and 0 <= size <= MOST_BYTES for size in shape):
        raise ValueError("no array of numbers")
    return np.dtype(dtype), tuple(shape)


def _n_bytes(dtype: np.dtype, shape: tuple[int, ...]) -> int:
    return dtype.itemsize * math.prod(shape)


def _array(source: Source, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    data = bytearray()
    while missing := _n_bytes(dtype, shape) - len(data):  # a pipe gives what it has
        part = source.read(missing)
        if not part:
            raise EOFError
        data += part
    return np.ndarray(shape, dtype, data)
