"""Check a function in a learner's file, which runs in a process of its own, with limits and in an empty room.

An endless loop, a crash or a file that eats all memory becomes a report; what the file prints goes to stderr
and disturbs nothing. The file computes, and we compare: it sends arrays, never a verdict. SECURITY.md says
what this protects against and what it does not.

All that decides is loaded before a learner's file runs, and compiles nothing: what the file writes beside
itself cannot stand in for it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vae_np.errors import InputError
from vae_np.kernels import use
from vae_np.verify.check import check, contract_of
from vae_np.verify.runner.environment import scrubbed
from vae_np.verify.runner.folder import temporary_folder
from vae_np.verify.runner.linux import out_of_reach
from vae_np.verify.runner.remote import NoFunctionError as NoFunctionError
from vae_np.verify.runner.remote import RemoteFunction

SECONDS = 30.0
MEMORY = 4 * 2**30
PATIENCE = 10  # seconds that the warden has to end everything

# Isolated from the current folder, but with the package that is running here, wherever it lies.
START = """
import os, sys
root = sys.argv[1]
if root not in map(os.path.realpath, sys.path):
    sys.path.insert(0, root)
from vae_np.verify.runner.warden import main
main(sys.argv[2:])
"""


def check_file(
    label: str, target: str, level: int = 2, seed: int = 0, seconds: float = SECONDS, memory: int = MEMORY
) -> dict[str, Any]:
    """Check a function in a file.

    Parameters
    ----------
    label
        The equation.
    target
        ``FILE.py:FUNCTION``.
    level, seed
        As in `vae_np.check`.
    seconds, memory
        Limits of the learner's process, in seconds and bytes (memory: where the system can limit it).

    Returns
    -------
    dict
        ``label, ok, message, terms`` with ``name, got, expected`` each, and ``outputs``: name -> right.

    Raises
    ------
    NoFunctionError
        If the file has no such function.
    InputError
        If the target is no FILE.py:FUNCTION, the file is missing, or label or level are wrong.
    """
    file, _, function = target.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise InputError(f"{target} is not FILE.py:FUNCTION: name a Python file and a function in it")
    if not Path(file).is_file():
        raise InputError(f"file {file} does not exist")
    order = [str(Path(file).resolve()), function, str(seconds), str(memory)]
    outputs = contract_of(label).outputs
    start = time.monotonic()
    with use("numpy"), out_of_reach(), temporary_folder() as folder, _warden(order, folder) as child:
        fn = RemoteFunction(child, outputs, start, seconds)
        fn.wait_until_loaded()
        if not fn.ended:
            report = check(label, fn, level=level, seed=seed)
    if fn.ended:
        return failed(label, fn.ended)
    return {
        "label": label,
        "ok": report.ok,
        "message": report.message,
        "terms": [term._asdict() for term in report.terms],
        "outputs": report.outputs,
    }


def failed(label: str, why: str) -> dict[str, Any]:
    """Return the answer about a file that gave nothing to compare."""
    return {"label": label, "ok": False, "message": f"wrong; {why}", "terms": [], "outputs": {}}


@contextmanager
def _warden(order: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the warden in a folder, and end it, which ends all that the learner's file has started."""
    root = Path(__file__).resolve().parents[2]
    child = subprocess.Popen(
        # -P: files of the learner's folder must not stand in for the standard library's modules
        [sys.executable, "-P", "-c", START, str(root), *order],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=_stderr(),
        cwd=folder,
        env=scrubbed(os.environ, folder),
        start_new_session=True,  # Ctrl-C is ours to handle
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:  # the file has stopped it
            child.kill()
            child.wait()
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            pipe.close()


def _stderr() -> int:
    """Where the file's output goes: this program's stderr, if it has one."""
    with suppress(AttributeError, OSError, ValueError):
        descriptor = sys.stderr.fileno()
        os.fstat(descriptor)
        return descriptor
    return subprocess.DEVNULL
