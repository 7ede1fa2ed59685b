"""One pool of threads for everything: a kernel's rows are shared among Python threads.

A matrix library starts threads of its own, and between two products they spin, waiting for the next:
two pools on the same cores starve each other. So inside `threads` the library is held to one thread,
and each part of a kernel calls it for its own rows. Kernels run without the interpreter's lock, hence
plain Python threads will do; nothing has to be set in the environment.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from vae_np.kernels import switched_on


class Pool(NamedTuple):
    """The threads that wait for work, and how many take part with the one that hands it out."""

    waiting: Executor
    n_threads: int


T = TypeVar("T")
WORTH_SHARING = 200_000

_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)


@contextmanager
def threads(n_threads: int | None = None) -> Iterator[None]:
    """Compute with so many threads inside a `with` block.

    Parameters
    ----------
    n_threads
        None: those of the block around it, else as many as the matrix library would take, which is
        one a core unless the user has said otherwise (``OMP_NUM_THREADS``, threadpoolctl).
    """
    if n_threads is None and _pool.get() is not None:
        yield
        return
    import scipy.linalg.cython_blas  # noqa: F401 - what kernels multiply with; only what is loaded can be held

    libraries = ThreadpoolController().select(user_api="blas")
    n = n_threads or max((library["num_threads"] for library in libraries.info()), default=1)
    one_pool = switched_on()
    with libraries.limit(limits=1 if one_pool else n), ThreadPoolExecutor(max(n - 1, 1)) as waiting:
        token = _pool.set(Pool(waiting, n if one_pool else 1))
        try:
            yield
        finally:
            _pool.reset(token)


def in_parts(work: Callable[[slice], T], n_rows: int, size: int, step: int = 1) -> list[T]:
    """Call `work` on slices that cover `n_rows` rows, one a thread, and return what it returns.

    To hand work to another thread and wait for it takes some 0.1 ms, so what is small stays in one part.

    Parameters
    ----------
    work
        What to do with some of the rows; an error in it is raised here.
    n_rows, size, step
        Number of rows, of numbers in them, and of rows that belong together.
    """
    pool = _pool.get()
    n_parts = 1 if pool is None or size < WORTH_SHARING else min(pool.n_threads, -(-n_rows // step))
    if pool is None or n_parts <= 1:
        return [work(slice(0, n_rows))]
    cuts = [round(i * n_rows / n_parts / step) * step for i in range(n_parts)] + [n_rows]
    mine, *others = [slice(*ends) for ends in pairwise(cuts)]
    waiting = [pool.waiting.submit(work, part) for part in others]
    return [work(mine), *(other.result() for other in waiting)]


def sum_of_parts(work: Callable[[slice], np.ndarray], n_rows: int, size: int, step: int = 1) -> np.ndarray:
    """Add up, in the order of the rows, the arrays that `work` returns for its parts."""
    first, *others = in_parts(work, n_rows, size, step)
    for other in others:
        first += other
    return first
