"""What Linux alone can do: adopt orphans, see all descendants, leave the network, be out of reach."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# from linux/prctl.h and linux/sched.h
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends: then none can get out of sight."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(signal: int) -> None:
    """Get this signal when the parent ends."""
    _prctl(PR_SET_PDEATHSIG, signal)


def gain_no_rights() -> None:
    """Make programs that run as another user, such as sudo, run as this one, here and in all descendants."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def set_reachable(reachable: bool) -> None:
    """Say whether other processes of the same user may open this one's files and memory; root's may."""
    _prctl(PR_SET_DUMPABLE, int(reachable))


@contextmanager
def out_of_reach() -> Iterator[None]:
    """Be out of reach of other processes inside a `with` block."""
    before = _prctl(PR_GET_DUMPABLE, 0) == 1
    set_reachable(False)
    try:
        yield
    finally:
        set_reachable(before)


def _prctl(option: int, value: int) -> int:
    if sys.platform != "linux":
        return 0
    return ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)


def descendants(pid: int) -> list[int]:
    """List the processes that a process has started, theirs, and so on; elsewhere than on Linux, none."""
    found = [pid]
    for process in found:  # which grows meanwhile
        with suppress(OSError):  # it ended meanwhile
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children", "rb") as children:
                    found += map(int, children.read().split())
    return found[1:]


def leave_the_network() -> bool:
    """Move into a network of one's own, in which there is nobody, and say whether the system allowed it.

    Root may do so directly. Others need a user namespace, where users may have one, and stay who they are.
    """
    if sys.platform != "linux":
        return False
    user, group = os.geteuid(), os.getegid()
    namespaces = CLONE_NEWNET | (CLONE_NEWUSER if user else 0)
    if ctypes.CDLL(None).unshare(namespaces) != 0:
        return False
    if user:
        with suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True
