"""The switch between a NumPy function and its compiled twin; Numba itself loads with the first kernel.

A twin has the name and the arguments of the NumPy function and gives the same result: that of
`vae_np.layers.linear.linear` is `vae_np.kernels.linear.linear`. The NumPy function says `@accelerated`
and is otherwise the mathematics alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
COMPLEX = np.dtype(complex)
REAL = {np.dtype(np.float32)}, {np.dtype(np.float64)}

_backend: ContextVar[str] = ContextVar("backend", default="numba")


@contextmanager
def use(backend: Literal["numpy", "numba"]) -> Iterator[None]:
    """Compute with plain NumPy or with the compiled kernels inside a `with` block.

    Parameters
    ----------
    backend
        ``"numba"`` (the default outside any block) or ``"numpy"``.

    Raises
    ------
    ValueError
        If `backend` is neither of the two.
    """
    if backend not in ("numpy", "numba"):
        raise ValueError(f"backend {backend!r} is unknown: use 'numpy' or 'numba'")
    token = _backend.set(backend)
    try:
        yield
    finally:
        _backend.reset(token)


@cache
def _numba_is_installed() -> bool:
    return find_spec("numba") is not None


def switched_on() -> bool:
    """Say whether kernels are in use: Numba is there, and `use` has not chosen NumPy."""
    return _backend.get() == "numba" and _numba_is_installed()


def _dtypes(values: tuple) -> Iterator[np.dtype]:
    """The dtypes of the arrays and sparse matrices among some arguments, those in tuples too, and complex."""
    for value in values:
        if isinstance(value, tuple):
            yield from _dtypes(value)
        elif getattr(value, "ndim", 0):
            yield value.dtype
        elif isinstance(value, complex | np.complexfloating):
            yield COMPLEX


def compiled(*values: Any) -> bool:  # noqa: ANN401 - whatever a function was called with
    """Say whether these arguments go to a kernel: all arrays float32, or all float64, unless switched off."""
    return switched_on() and set(_dtypes(values)) in REAL


def accelerated(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let the kernel of the same name do the work of a function, where its arguments can go to one."""
    room = function.__module__.rpartition(".")[2]

    def twin() -> Callable[Arguments, Result]:
        return getattr(import_module(f"vae_np.kernels.{room}"), function.__name__)

    @wraps(function)
    def choose(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        chosen = twin() if compiled(*args, *kwargs.values()) else function
        return chosen(*args, **kwargs)

    return choose
