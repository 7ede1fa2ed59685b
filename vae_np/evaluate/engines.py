"""The engines: one function, something that all calls share, and many items, done side by side.

joblib has processes on this machine; large arrays in what is shared are written to memory once, and all
processes read them there. Dask has workers on any machines; what is shared goes to each of them once. Both
bring the results as they come, not in order.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from warnings import catch_warnings, simplefilter

from vae_np.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")
SECONDS_TO_WAIT = 60  # for a worker, at the beginning or after all have died
_watches = False  # whether this process, a child, looks whether its parent is there
SENT_AGAIN = 3  # if nothing is finished meanwhile; as often as Dask itself gives a task to another worker


def is_serial(n_jobs: int | None) -> bool:
    """Whether joblib would do one thing at a time."""
    from joblib import effective_n_jobs

    return effective_n_jobs(n_jobs) == 1


def by_processes(
    work: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item], n_jobs: int | None
) -> Iterator[Result]:
    """Do all items by processes on this machine, or wherever ``joblib.parallel_config`` says.

    If a process is killed, what is left is given to new ones.

    Parameters
    ----------
    work
        Function of `shared` and an item.
    shared, items
        What it is called with.
    n_jobs
        How many processes.

    Yields
    ------
    object
        Results, in the order in which they are done.

    Raises
    ------
    InputError
        If processes are killed again and again, as when the machine has no memory left.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left, n_killed = dict(enumerate(items)), 0
    while left:
        n_before = len(left)
        try:
            with closing(_by_new_processes(work, shared, left, n_jobs)) as results:
                for i, result in results:
                    del left[i]
                    yield result
        except TerminatedWorkerError:
            n_killed = 1 if len(left) < n_before else n_killed + 1
            if n_killed > SENT_AGAIN:
                raise InputError(
                    "a process that was training has been killed, perhaps for want of memory: use fewer at a "
                    "time"
                ) from None


def _by_new_processes(
    work: Callable[[Shared, Item], Result], shared: Shared, items: Mapping[int, Item], n_jobs: int | None
) -> Generator[tuple[int, Result], Any, None]:
    """Do numbered items until all are done or a process is killed, and yield numbers and results."""
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs, return_as="generator_unordered", batch_size=1)
    parent, calls = os.getpid(), list(items.items())
    results = parallel(delayed(_by_child)(parent, work, shared, *call) for call in calls)
    try:
        yield from results
    finally:
        with catch_warnings():
            simplefilter("ignore")  # it warns of tasks that nobody waits for any more
            results.close()


def _by_child(
    parent: int, work: Callable[[Shared, Item], Result], shared: Shared, number: int, item: Item
) -> tuple[int, Result]:
    """Do an item in a child process, which ends soon if its parent is killed and nobody waits for it."""
    global _watches
    if not _watches and os.getppid() == parent:
        _watches = True
        Thread(target=_end_with, args=[parent], daemon=True).start()
    return number, work(shared, item)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def by_cluster(
    work: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item], client: "Client"
) -> Iterator[Result]:
    """Do all items by the workers of a Dask cluster.

    The item of a worker that dies is given to another. What is shared lies on every worker; if all that had
    it die, it is sent again to those that come.

    Parameters
    ----------
    work, shared, items
        As in `by_processes`; the workers must have the modules they are from.
    client
        Of the cluster.

    Yields
    ------
    object
        Results, in the order in which they are done.

    Raises
    ------
    InputError
        If no worker comes, the scheduler is lost, or workers die of an item again and again.
    """
    from distributed import KilledWorker, as_completed

    left, n_lost = list(items), 0
    while left:
        n_before = len(left)
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_WAIT)
            (data,) = client.scatter([shared], broadcast=True, hash=False)
        except TimeoutError:
            raise InputError(
                "the Dask scheduler has no worker: start some, dask worker ADDRESS --nthreads 1"
            ) from None
        futures = {client.submit(work, data, item, pure=False): item for item in left}
        for future in as_completed(futures, loop=client.loop):
            try:
                result = future.result()
            except CancelledError:  # the scheduler, or all workers that had the data, are gone
                continue
            except KilledWorker as error:
                raise InputError(f"workers died again and again of the same task: {error}") from None
            left.remove(futures[future])
            yield result
        if left and client.status != "running":
            raise InputError("the connection to the Dask scheduler is lost")
        n_lost = 1 if len(left) < n_before else n_lost + 1
        if left and n_lost > SENT_AGAIN:
            raise InputError("all workers of the Dask cluster died again and again")
