"""What Linux alone can do for the warden: adopt orphans, see all descendants, leave the network."""

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path

# from linux/prctl.h and linux/sched.h
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
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


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)


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
