"""What the times were measured on; without it a time says little."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

PACKAGES = ("numpy", "scipy", "numba", "torch")
KNOWN_OF_BLAS = ("internal_api", "version", "architecture", "filepath")


def machine() -> dict[str, Any]:
    """Describe the machine and the numerical libraries of this process.

    Returns
    -------
    dict
        ``cpu``, ``cores``, ``memory_gb`` (None where the system does not say), ``os``, ``python``,
        ``packages`` (versions of those installed) and ``blas``: for each loaded BLAS its name,
        version, the processor it has chosen its kernels for, and its file's name.
    """
    import scipy.linalg  # noqa: F401 - has a BLAS of its own

    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "blas": [_blas(library) for library in threadpool_info() if library["user_api"] == "blas"],
    }


def _cpu() -> str:
    """Name of the processor, as the system knows it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    except (AttributeError, ValueError):  # not on this system
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _blas(library: dict[str, Any]) -> dict[str, Any]:
    known = {name: library.get(name) for name in KNOWN_OF_BLAS}
    return known | {"filepath": Path(library["filepath"]).name}
