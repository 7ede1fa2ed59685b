"""How kernels are compiled: on first use, kept on disk for the next process where that is possible."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numba
from numba.core.caching import FunctionCache


class Cache(FunctionCache):
    """Compiled code on disk whose faults cost a compilation and nothing else.

    Numba's own lets an error of the disk end the work: no room for a file, or, after a power cut, a file
    whose contents never arrived.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 - Numba's
        """Load the code for a signature, None if there is none; an index that cannot be read is emptied."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling damaged bytes raises
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ANN401
        """Save the code for a signature if the disk takes it and the index can be read."""
        with suppress(Exception):
            super().save_overload(sig, data)


def jit(function: Callable) -> Callable:
    """Compile a function of arrays and numbers; division by zero gives inf or NaN, as in NumPy.

    While it runs, Python is free to run other threads. What is kept on disk follows the file of the kernel
    alone: after a change in a kernel that others call, delete `vae_np/kernels/__pycache__`.
    """
    compiled: Any = numba.njit(function, nogil=True, error_model="numpy")
    with suppress(RuntimeError):  # neither the package's folder nor the user's cache folder is writable
        compiled._cache = Cache(function)
    return compiled
