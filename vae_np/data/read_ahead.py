"""Reading ahead: while one piece of data is used, a thread reads the next, and never more than that one."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(reads: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
    """Yield what each call returns, in order; the call after it is under way meanwhile.

    Two results are in memory at a time: the one in use and the one that is being read. Whoever stops
    early, by an error or Ctrl-C, waits for that one call, and the thread has ended.

    Parameters
    ----------
    reads
        Functions without arguments; an error in one of them is raised where its result would come.

    Yields
    ------
    object
        The results.
    """
    with ThreadPoolExecutor(1, "read_ahead") as thread:
        following: Future[T] | None = None
        for read in reads:
            ready, following = following, thread.submit(read)
            if ready is not None:
                yield ready.result()
                del ready  # else it would stay beside the next two
        if following is not None:
            yield following.result()
