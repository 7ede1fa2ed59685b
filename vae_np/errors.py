"""Errors that mean 'your input, not our code', and the checks of plain numbers that raise them."""

import operator
from typing import SupportsFloat, SupportsIndex, cast

LONGEST = 2000  # characters of a message


def in_one_line(text: str) -> str:
    """Return text without line breaks that does nothing to a terminal: codes are written as in `repr`.

    Names come from the data, and may hold codes that move the cursor or turn the direction of writing.
    """
    line = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def readable(text: str) -> str:
    """Return text in one line that people read to its end: very long ones lose a part of their middle."""
    line = in_one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 500]} … {line[-500:]}"


def first_line(error: Exception) -> str:
    """Return the first line of another library's message, or the type of an error that has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence: what was found, where, what to do.

    However strange and long the names in it are, it is one line, of a length that can be read.
    """

    def __init__(self, message: str) -> None:
        super().__init__(readable(message))


def whole_number(name: str, value: object, least: int, most: int = 2**63 - 1) -> int:
    """Return `value` as an int between two bounds; the default upper one is what files can hold.

    Raises
    ------
    InputError
        If it is no whole number, or outside the bounds.
    """
    try:
        number = operator.index(cast(SupportsIndex, value))
    except TypeError:
        raise InputError(f"{name} is {value!r}: give a whole number") from None
    if number < least:
        raise InputError(f"{name} is {number}: give at least {least}")
    if number > most:
        raise InputError(f"{name} is {number}: give at most {most}")
    return number


def real_number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float = float("inf"),
) -> float:
    """Return `value` as a float, at least or above one bound and below another.

    Raises
    ------
    InputError
        If it is no number, NaN, or outside the bounds.
    """
    try:
        if isinstance(value, str | bytes | bool):
            raise TypeError
        number = float(cast(SupportsFloat, value))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} is {value!r}: give a number") from None
    if least is not None and not number >= least:
        raise InputError(f"{name} is {number:g}: give at least {least:g}")
    if above is not None and not number > above:
        raise InputError(f"{name} is {number:g}: give a number above {above:g}")
    if not number < below:
        bound = "finite number" if below == float("inf") else f"number below {below:g}"
        raise InputError(f"{name} is {number:g}: give a {bound}")
    return number
