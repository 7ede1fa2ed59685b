"""One pool of threads for everything: a kernel's rows are shared among Python threads.

A matrix library starts threads of its own, and between two products they spin, waiting for the next:
two pools on the same cores starve each other. So inside `threads` the library is held to one thread,
and each part of a kernel calls it for its own rows. Kernels run without the interpreter's lock, hence
plain Python threads will do; nothing has to be set in the environment.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, copy_context
from itertools import pairwise
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController, threadpool_limits

from vae_np.kernels import switched_on


class Pool(NamedTuple):
    """The threads that wait for work, how many take part in all, and whether kernels were switched on."""

    waiting: Executor
    n_threads: int
    for_kernels: bool


T = TypeVar("T")
WORTH_SHARING = 200_000

_pool: ContextVar[Pool | None] = ContextVar("pool", default=None)
_hold = Lock()  # guards what follows, which several Python threads share
_before: int | None = None  # threads of the library before a block held it; None if none does


def usable_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _library_held_to_one_thread() -> Iterator[int]:
    """Yield the number of threads that the library had; the block that holds it gives them back."""
    global _before
    limits = None
    with _hold:
        if _before is None:
            limits = ThreadpoolController().select(user_api="blas").limit(limits=1)
            _before = limits.get_original_num_threads()["blas"] or 1
        before = _before
    try:
        yield before
    finally:
        if limits is not None:
            with _hold:
                limits.restore_original_limits()
                _before = None


@contextmanager
def threads(n_threads: int | None = None) -> Iterator[None]:
    """Compute with so many threads inside a `with` block.

    Parameters
    ----------
    n_threads
        None: those of the block around it, else as many as the matrix library would take, which is
        one a core unless the user has said otherwise (``OMP_NUM_THREADS``, threadpoolctl).

    Notes
    -----
    The same number gives the same bits each time. Another number, or NumPy in place of the kernels, adds up
    in another order: that changes a result by rounding, like a change of the first weights in their last
    digit. Trainings then drift apart slowly, but for a hidden unit of one cell that may come to lie on the
    other side of the kink: seen were 1e-8 of the loss after 20 epochs in float32, and 2e-5 once.
    With plain NumPy the number is the library's own, one for the process: what other Python threads do at
    the same time may change it.
    """
    around, for_kernels = _pool.get(), switched_on()
    if n_threads is None and around is not None and around.for_kernels == for_kernels:
        yield
        return
    import scipy.linalg.cython_blas  # noqa: F401 - what kernels multiply with; only what is loaded can be held

    with _library_held_to_one_thread() as before, ExitStack() as stack:
        n = n_threads or before
        if not for_kernels:  # the library does all the work
            stack.enter_context(threadpool_limits(n, user_api="blas"))
        waiting = stack.enter_context(ThreadPoolExecutor(max(n - 1, 1)))
        token = _pool.set(Pool(waiting, n if for_kernels else 1, for_kernels))
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
    waiting = [pool.waiting.submit(copy_context().run, work, part) for part in others]
    return [work(mine), *(other.result() for other in waiting)]


def sum_of_parts(work: Callable[[slice], np.ndarray], n_rows: int, size: int, step: int = 1) -> np.ndarray:
    """Add up, in the order of the rows, the arrays that `work` returns for its parts."""
    first, *others = in_parts(work, n_rows, size, step)
    for other in others:
        first += other
    return first
