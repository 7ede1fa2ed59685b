"""What a figure is drawn from: arrays of finite numbers whose shapes fit each other, and names."""

from collections.abc import Sequence

import numpy as np

from vae_np.errors import InputError, in_one_line


def numbers(name: str, values: object, shape: Sequence[int | str], allow_nan: bool = False) -> np.ndarray:
    """Return values as a float64 array of the shape wanted.

    Parameters
    ----------
    name
        What the values are, for the error message.
    values
        Anything that NumPy makes an array of.
    shape
        One length a dimension; a word, such as ``"cells"``, stands for any length from 1.
    allow_nan
        Whether NaN (not infinity) may be among them.

    Returns
    -------
    np.ndarray
        Of that shape.

    Raises
    ------
    InputError
        If the values are no numbers, or have another shape, or one is not finite.
    """
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} is no dense array of numbers: give one of shape {_spoken(shape)}") from None
    fits = array.ndim == len(shape) and all(
        got > 0 if isinstance(wanted, str) else got == wanted
        for got, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise InputError(f"{name} has shape {array.shape}: give {_spoken(shape)}, with nothing empty")
    bad = np.isinf(array) if allow_nan else ~np.isfinite(array)
    if bad.any():
        raise InputError(f"{name} holds {array[bad][0]}: give finite numbers")
    return array


def texts(name: str, values: Sequence[str], length: int, most: int = 40) -> list[str]:
    """Return names as text in one line, without the middle of very long ones, so that a figure holds them.

    Parameters
    ----------
    name
        What the names are of, for the error message.
    values
        The names.
    length
        How many there must be.
    most
        Characters of the longest name that is kept whole.

    Returns
    -------
    list of str
        One text a name.

    Raises
    ------
    InputError
        If there are more or fewer.
    """
    given = [in_one_line(str(value)) for value in values]
    if len(given) != length:
        raise InputError(
            f"{len(given)} {name} are named, but the numbers have {length}: give one name for each"
        )
    tail = most // 3
    return [text if len(text) <= most else f"{text[: most - tail - 1]}…{text[-tail:]}" for text in given]


def _spoken(shape: Sequence[int | str]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
