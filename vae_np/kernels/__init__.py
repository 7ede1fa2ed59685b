"""The switch between a NumPy function and its compiled twin; Numba itself loads with the first kernel.

A twin has the name and the arguments of the NumPy function and gives the same result. The NumPy
function asks `compiled(dtype)` and calls its twin or does the arithmetic itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Literal

import numpy as np

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


def compiled(dtype: np.dtype) -> bool:
    """Say whether arrays of this dtype go to a kernel: float32 and float64 do, unless switched off."""
    is_real = dtype in (np.float32, np.float64)
    return is_real and _backend.get() == "numba" and _numba_is_installed()
