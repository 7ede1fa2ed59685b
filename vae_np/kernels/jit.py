"""How kernels are compiled: on first use, kept on disk for the next process where that is possible."""

from collections.abc import Callable

import numba


def jit(function: Callable) -> Callable:
    """Compile a function of arrays and numbers; division by zero gives inf or NaN, as in NumPy.

    While it runs, Python is free to run other threads. What is kept on disk follows the file of the kernel
    alone: after a change in a kernel that others call, delete `vae_np/kernels/__pycache__`.
    """
    try:
        return numba.njit(function, cache=True, nogil=True, error_model="numpy")
    except RuntimeError:  # neither the package's folder nor the user's cache folder is writable
        return numba.njit(function, nogil=True, error_model="numpy")
