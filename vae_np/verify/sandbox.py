"""Check a function in a learner's file, in a child process with a time and a memory limit.

An endless loop, a crash or a file that eats all memory ends the child and becomes a report; what the file
prints goes to stderr and disturbs nothing. This guards against accidents, not against malice.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from vae_np.errors import InputError

SECONDS = 30
MEMORY = 4 * 2**30


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
        Limits of the child process, in seconds and bytes (memory: where the system can limit it).

    Returns
    -------
    dict
        ``label, ok, message, terms`` with ``name, got, expected`` each, and ``outputs``: name -> right.

    Raises
    ------
    InputError
        If the target is no FILE.py:FUNCTION, the file is missing, or label or level are wrong.
    """
    if "\0" in label:
        raise InputError(f"label {label!r} holds a NUL character, which none has")
    file, _, function = target.rpartition(":")
    if not file.endswith(".py") or not function.isidentifier():
        raise InputError(f"{target} is not FILE.py:FUNCTION: name a Python file and a function in it")
    if not Path(file).is_file():
        raise InputError(f"file {file} does not exist")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        order = [label, str(Path(file).resolve()), function, str(level), str(seed), str(memory), str(result)]
        # -P: files of the learner's folder must not stand in for the standard library's modules
        status = _run_and_end([sys.executable, "-P", "-m", "vae_np.verify.sandbox", *order], seconds)
        if not result.is_file() and status is None:
            return _failed(label, f"it did not finish within {seconds:g} s: look for an endless loop")
        if not result.is_file():
            return _failed(label, _about_the_end(status or 0))
        answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    if "input_error" in answer:
        raise InputError(answer["input_error"])
    return answer


def _run_and_end(command: list[str], seconds: float) -> int | None:
    """Run the child for so long at most, then end all that it started; None if it was still running."""
    stdout = sys.stderr.fileno() if _has_fileno() else None
    child = subprocess.Popen(command, stdout=stdout, start_new_session=True)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
        child.wait()


def _has_fileno() -> bool:
    try:
        sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return True


def _failed(label: str, what: str) -> dict[str, Any]:
    return {"label": label, "ok": False, "message": f"wrong; {what}", "terms": [], "outputs": {}}


def _about_the_end(status: int) -> str:
    if status < 0:
        return f"the process was ended by signal {-status}: it crashed or used too much memory"
    return f"the file ended the process with exit status {status} before the check was done"


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _load(file: Path, function: str) -> Any:  # noqa: ANN401 - whatever has that name
    """Run the learner's file and take the function out of it; its own imports work as beside it."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look a module up by its name
    sys.path.insert(0, str(file.parent))
    spec.loader.exec_module(module)
    if not hasattr(module, function):
        names = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        known = ", ".join(names) or "none (what stands under __main__ is not run)"
        raise InputError(f"{file.name} has no function {function}: it has {known}")
    return getattr(module, function)


def _answer(label: str, file: Path, function: str, level: int, seed: int) -> dict[str, Any]:
    """Check the function; what the file raises while it is loaded is a report too."""
    from vae_np.verify.check import check, where_raised

    try:
        fn = _load(file, function)
    except InputError:
        raise
    except SystemExit as ended:
        return _failed(label, f"the file ends itself with SystemExit: {ended}")
    except SyntaxError as wrong:
        line = f", in line {wrong.lineno}" if wrong.lineno else ""
        return _failed(label, f"the file is no Python: {wrong.msg}{line}")
    except BaseException as raised:  # in a process of its own, whatever comes is about the file
        return _failed(label, f"the file raises {where_raised(raised, str(file))}")
    try:
        report = check(label, fn, level=level, seed=seed)
    except KeyboardInterrupt as raised:
        return _failed(label, f"it raises {where_raised(raised, str(file))}")
    return {
        "label": label,
        "ok": report.ok,
        "message": report.message,
        "terms": [term._asdict() for term in report.terms],
        "outputs": report.outputs,
    }


def main(arguments: list[str]) -> None:
    """Run in the child: limit the memory, check, write the answer whole."""
    label, file, function, level, seed, memory, result = arguments
    try:
        _limit_memory(int(memory))
        answer = _answer(label, Path(file), function, int(level), int(seed))
    except InputError as error:
        answer = {"input_error": str(error)}
    temporary = Path(result).with_suffix(".part")
    temporary.write_text(json.dumps(answer), encoding="utf-8")
    os.replace(temporary, result)
    sys.stdout.flush()
    os._exit(0)  # threads that the file left running end here


if __name__ == "__main__":
    main(sys.argv[1:])
