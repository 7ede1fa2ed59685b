"""Leave one out: each context's stimulated cells are hidden in turn and predicted from all others.

With the cell types A, B and C there are three experiments: A's stimulated cells are hidden and
predicted from A's control cells and what B and C did, then B's, then C's. Each is repeated with several
seeds, on the same cells and the same genes.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from anndata import AnnData

from vae_np.evaluate.experiment import Experiment, Say, silent
from vae_np.evaluate.tasks import Finished, Look, Study, Task, list_tasks, perform_all, rows_of

if TYPE_CHECKING:
    from distributed import Client


def leave_one_out(
    adata: AnnData,
    experiment: Experiment,
    contexts: Iterable[str],
    seeds: Iterable[int] = (0,),
    say: Say = silent,
    look: Look | None = None,
    *,
    n_jobs: int | None = None,
    client: "Client | None" = None,
) -> Iterator[Finished]:
    """Hold out each context in turn, with every seed, and yield each training in order.

    Parameters
    ----------
    adata
        All cells, log-normalized.
    experiment
        What to do.
    contexts
        From `find_contexts`.
    seeds
        Of everything random; the cells and genes are the same for all of them.
    say
        Called with a line now and then.
    look
        Called with each whole `Run`; what it returns is the attribute `seen` of what is yielded.
    n_jobs, client
        Where to do the trainings, as in `perform_all`. The result is the same to the bit, with the same
        number of threads for a training.

    Yields
    ------
    Finished
        One a context, seed and setting of the experiment; with the scores of the baselines, which are
        computed once a context.

    Raises
    ------
    InputError, DivergedError
        As in `perform_all`.
    """
    waiting = list_tasks(experiment, contexts, list(seeds))
    found: dict[Task, Finished] = {}
    study = Study(adata, experiment, look)
    for finished in perform_all(study, list(waiting), say, n_jobs=n_jobs, client=client):
        found[finished.task] = finished
        while waiting and waiting[0] in found:
            task = waiting.pop(0)
            yield found[task]._replace(rows=rows_of(task, found))
            found[task] = found[task]._replace(seen=None)  # a whole run is large
