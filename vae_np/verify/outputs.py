"""What a learner's function gives: its values as arrays, or one sentence about why they are none."""

import inspect
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

LONGEST = 200  # characters of an exception's message


class WrongOutputError(Exception):
    """The function gave nothing that could be compared; the message says what it gave."""


def call(fn: Callable[..., Any], arguments: Sequence[Any]) -> Any:  # noqa: ANN401
    """Call a learner's function on copies of the arguments, in silence.

    Parameters
    ----------
    fn
        The function.
    arguments
        Arrays and numbers; what the function does to them changes nothing for us.

    Returns
    -------
    object
        What it returned.

    Raises
    ------
    WrongOutputError
        If it raised anything but KeyboardInterrupt, which may be the user's.
    """
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fn(*copies(arguments))
    except (KeyboardInterrupt, WrongOutputError):
        raise
    except BaseException as raised:  # whatever else a function raises is about the function
        raise WrongOutputError(_what_was_raised(fn, raised)) from None


def copies(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """Copy the arrays among the arguments."""
    return tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments)


def as_tuple(out: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Take one output or several as a tuple."""
    return tuple(out) if isinstance(out, tuple | list) else (out,)


def as_arrays(names: Sequence[str], out: Any) -> tuple[np.ndarray, ...]:  # noqa: ANN401
    """Take what a function returned as arrays of real numbers, one for each name.

    Parameters
    ----------
    names
        Of the outputs.
    out
        What was returned.

    Returns
    -------
    tuple
        Copies: the function may use its memory again.

    Raises
    ------
    WrongOutputError
        If it is nothing, not as many values, or no real numbers.
    """
    if out is None:
        raise WrongOutputError("it returns nothing: a return statement is missing")
    outputs = as_tuple(out) if len(names) > 1 or isinstance(out, tuple) else (out,)
    if len(outputs) != len(names):
        count = f"{len(outputs)} value{'s' if len(outputs) > 1 else ''}"
        raise WrongOutputError(f"it returns {count}, expected {len(names)}: {', '.join(names)}")
    arrays = []
    for name, value in zip(names, outputs, strict=True):
        try:
            array = np.array(value)
        except ValueError:
            raise WrongOutputError(f"{name} is no array: its rows have different lengths") from None
        except Exception as raised:
            raise WrongOutputError(f"{name} cannot be read as an array: {where_raised(raised, '')}") from None
        if array.dtype.kind not in "fiub":
            raise WrongOutputError(f"{name} holds values of type {array.dtype}, expected real numbers")
        arrays.append(array)
    return tuple(arrays)


def where_raised(raised: BaseException, file: str) -> str:
    """Name an exception and the line of the learner's own file that it comes from, not ours."""
    try:
        said = str(raised).strip().splitlines()[0][:LONGEST] if str(raised).strip() else ""
    except Exception:  # an exception that cannot be printed
        said = ""
    text = f"{type(raised).__name__}: {said}" if said else type(raised).__name__
    own = [frame for frame in traceback.extract_tb(raised.__traceback__) if frame.filename == file]
    if not own:
        return text
    line = f" ({own[-1].line})" if own[-1].line else ""
    return f"{text}, in line {own[-1].lineno}{line}"


def _what_was_raised(fn: Callable[..., Any], raised: BaseException) -> str:
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"it raises {where_raised(raised, code.co_filename if code else '')}"
