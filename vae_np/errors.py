"""Errors that mean 'your input, not our code', and the checks of plain numbers that raise them."""

import operator
from typing import SupportsFloat, SupportsIndex, cast


class InputError(ValueError):
    """Input that cannot be used; the message is one sentence: what was found, where, what to do."""


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
