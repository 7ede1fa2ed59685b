"""One process at a time: a lock that ends with the process, however that ends.

The lock on a file is the system's (flock) on a hidden file beside it, not the presence of that file:
after `kill -9` the file may be there still, but nobody holds it. Who is done removes the file. Somebody else
may have opened it just before; what he then locks has no name any more, so he looks again.

Systems without flock (Windows) and file systems without locks have no such guard.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from vae_np.data.writing import hidden_name
from vae_np.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NO_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}

_held: ContextVar[frozenset[Path]] = ContextVar("held", default=frozenset())


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Keep other processes and threads off a file inside a `with` block; it may be asked for again there.

    Parameters
    ----------
    path
        The file, which need not exist; its folder must.

    Raises
    ------
    InputError
        If another process or thread has it.
    """
    target = Path(path).resolve()
    if fcntl is None or target in _held.get():
        yield
        return
    lock = target.with_name(hidden_name(target) + ".lock")
    try:
        handle = _lock(lock)
    except BlockingIOError as error:
        raise InputError(f"{path} is in use by another process: wait for it, or stop it") from error
    token = _held.set(_held.get() | {target})
    try:
        yield
    finally:
        _held.reset(token)
        try:
            with suppress(OSError):  # a disk that can no longer be written keeps the file; nobody holds it
                lock.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _lock(path: Path) -> int:
    """Open a file, which is made if need be, and lock it; BlockingIOError if that is somebody else's."""
    access = os.O_RDONLY  # a disk on which nothing is open for writing can still be made read-only
    while True:
        handle = os.open(path, access | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, handle):
                return handle
        except OSError as error:
            unlockable = error.errno in NO_LOCKS
            if unlockable and access == os.O_RDWR:
                return handle
            os.close(handle)
            if access == os.O_RDWR or not (unlockable or error.errno == errno.EBADF):
                raise
            access = os.O_RDWR  # network disks lock only what could be written
        else:
            os.close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Whether an open file still has this name; on a network disk, one that is removed gets another."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
