"""Let something happen at one of the file operations of a process in a folder.

The operations are what Python's audit events tell of - opening, renaming, removing, changing a mode - and
fsync, which has no event. At the N-th the process is killed just before, or the operation fails.
"""

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

EVENTS = {"open", "os.rename", "os.remove", "os.chmod", "os.mkdir"}


def hook(what: str, at: int, folder: Path) -> None:
    """Set the hook; it stays to the end of the process.

    Parameters
    ----------
    what
        ``"kill"``, or the name of an error such as ``"EIO"``, or ``"count"``: say each on stderr.
    at
        The operation, counted from 1.
    folder
        Where.
    """
    done, fsync = 0, os.fsync

    def step() -> None:
        nonlocal done
        done += 1
        if what == "count":
            print(f"operation {done}", file=sys.stderr)
        elif done == at and what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif done == at:
            code = getattr(errno, what)
            raise OSError(code, os.strerror(code))

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and str(arguments[0]).startswith(str(folder)):
            step()

    def on_fsync(handle: int) -> None:
        step()
        fsync(handle)

    os.fsync = on_fsync
    sys.addaudithook(on_event)
