"""The warden: start the learner's process, end it at the limits, and leave no descendant of it behind.

It ends as the learner ended, with the same exit status or by the same signal, so that the caller sees through
it. It stops when the caller sends SIGTERM or ends. Where the system cannot fork, the learner runs right here
and its caller ends it.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from vae_np.verify.runner import linux
from vae_np.verify.runner.limits import PROCESSES, limit_resources
from vae_np.verify.runner.relay import relay, write_all

TICK = 0.02  # seconds between two looks
PATIENCE = 5  # seconds in which processes that were killed have to be gone


def main(arguments: list[str]) -> None:
    """Run as a program: FILE FUNCTION SECONDS MEMORY; requests come on stdin, replies go to stdout."""
    file, function, seconds, memory = Path(arguments[0]), arguments[1], float(arguments[2]), int(arguments[3])
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    if not hasattr(os, "fork"):
        os.dup2(2, 1)
        _learn(file, function, requests, replies)
    end = time.monotonic() + seconds
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # looked for in between, never in the midst
    linux.end_with_parent(signal.SIGTERM)
    linux.adopt_orphans()
    linux.leave_the_network()
    linux.set_reachable(False)
    reader, writer = os.pipe()
    learner = os.fork()
    if not learner:
        os.setsid()
        linux.end_with_parent(signal.SIGKILL)
        linux.gain_no_rights()
        linux.set_reachable(True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        for output in (1, 2):
            os.dup2(writer, output)
        os.close(reader)
        os.close(writer)
        limit_resources(seconds, memory)
        _learn(file, function, requests, replies)
    os.dup2(null, 1)
    for descriptor in (requests, replies, writer):
        os.close(descriptor)
    printing = threading.Thread(target=relay, args=(reader, 2), daemon=True)
    printing.start()
    status = _watch(learner, end)
    end_all(learner)
    printing.join(1)
    limit_resources(seconds, memory)  # no core dump of ours either
    if status < 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        os.kill(os.getpid(), -status)
    os._exit(abs(status))


def _learn(file: Path, function: str, requests: int, replies: int) -> None:
    """Be the learner, and never come back."""
    try:
        from vae_np.verify.runner.learner import serve

        serve(file, function, os.fdopen(requests, "rb"), os.fdopen(replies, "wb"))
    except OSError:  # the file has closed what is not its own
        os._exit(1)
    os._exit(0)  # threads that the file left running end here


def _watch(learner: int, end: float) -> int:
    """Wait for the learner's end, for the time limit, for too many processes or for the caller's SIGTERM."""
    while time.monotonic() < end and signal.SIGTERM not in signal.sigpending():
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == learner:
            return os.waitstatus_to_exitcode(status)
        if pid:
            continue  # an orphan that was adopted
        if len(linux.descendants(os.getpid())) > PROCESSES:
            with suppress(OSError):
                write_all(2, b"vae-np: the file started more than %d processes: ended\n" % PROCESSES)
            break
        time.sleep(TICK)
    return -signal.SIGKILL


def end_all(learner: int) -> None:
    """Kill all descendants, again and again until there is none: each look may find new ones.

    Parameters
    ----------
    learner
        The first of them, whose process group is all that can be reached elsewhere than on Linux.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OSError):
            os.killpg(learner, signal.SIGKILL)
        for pid in linux.descendants(os.getpid()):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:  # no child is left, and every orphan would be our child
            return
        time.sleep(TICK)


if __name__ == "__main__":
    main(sys.argv[1:])
