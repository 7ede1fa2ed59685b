"""The environment variables of a learner's file: those that Python and the numerical libraries need.

A list of what may pass, not of what may not: a password or a token has a name that nobody can foresee.
"""

import os
import site
from collections.abc import Mapping
from pathlib import Path

PROGRAMS = {"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LANGUAGE", "TZ"}
PYTHON = {"CONDA_PREFIX", "VIRTUAL_ENV", "PYTHONHASHSEED", "PYTHONHOME", "PYTHONPATH", "PYTHONUTF8"}
NUMERICAL = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MKL_CBWR", "NUMBA_CACHE_DIR", "NUMBA_CPU_NAME"}
WINDOWS = {"COMSPEC", "PATHEXT", "SYSTEMDRIVE", "SYSTEMROOT", "WINDIR"}  # without these no program starts
ALLOWED = PROGRAMS | PYTHON | NUMERICAL | WINDOWS

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

SETTINGS = {
    "PYTHONDONTWRITEBYTECODE": "1",  # no __pycache__ beside the learner's files
    "PYTHONIOENCODING": "utf-8:backslashreplace",  # printing never fails
    "PYTHONUNBUFFERED": "1",  # what was printed before a crash is seen
}


def scrubbed(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return what of an environment a learner's file may see.

    Parameters
    ----------
    environment
        The caller's.
    home
        A folder to live in: home folder, settings, temporary files.

    Returns
    -------
    dict
        The variables of the new process. Arrays are small there, so each library gets one thread.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name.upper() in ALLOWED or name.startswith("LC_")
    }
    if "PYTHONPATH" in kept:  # relative to the caller's folder, which is not the learner's
        parts = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(os.path.abspath(part) for part in parts)
    own = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), str(home))
    if base := site.getuserbase():  # what `pip install --user` installed lies in the real home folder
        own["PYTHONUSERBASE"] = base
    return kept | own | dict.fromkeys(THREADS, "1") | SETTINGS
