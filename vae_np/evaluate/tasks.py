"""Many trainings as a list of tasks, none of which needs anything of another.

Contexts x seeds x settings: each is one training. So they can be done in any order, in other processes, on
other machines, and a second time if one is lost; what a task gives is always the same, and small enough to
travel and to be kept. With contexts A and B, seeds 0 and 1, and one more setting in a grid there are eight:

    A 0, A 0 [kl_weight=1], A 1, A 1 [kl_weight=1], B 0, ...

The baselines know no seed. They belong to the first task of their context, and `all_rows` copies their
scores to the other seeds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple
from warnings import catch_warnings, simplefilter, warn

from anndata import AnnData
from threadpoolctl import threadpool_limits

from vae_np.data.expression import log_matrix
from vae_np.data.stored import Stored
from vae_np.errors import InputError
from vae_np.evaluate.baselines import BASELINES
from vae_np.evaluate.engines import by_cluster, by_processes, is_serial
from vae_np.evaluate.experiment import SCGEN, Experiment, Say, choose_genes, side_by_side, silent
from vae_np.evaluate.grid import variant
from vae_np.evaluate.held_out import Row, hold_out
from vae_np.evaluate.runs import Run, run
from vae_np.train.diagnosis import DivergedError

if TYPE_CHECKING:
    from distributed import Client

Look = Callable[[Run], Any]
_one_at_a_time = Lock()  # the number of threads of a matrix library, and who hears warnings, are a process's


class Task(NamedTuple):
    """One training.

    Attributes
    ----------
    context, seed
        Which cells are hidden; the seed of everything random.
    first_seed
        The seed whose ``scgen`` task scores the baselines too.
    method
        ``scgen``, or one of the experiment's `variants`.
    """

    context: str
    seed: int
    first_seed: int
    method: str = SCGEN

    @property
    def of_baselines(self) -> "Task":
        """The task of the same context that scores the baselines too, perhaps this one."""
        return Task(self.context, self.first_seed, self.first_seed)

    def __str__(self) -> str:
        return f"{self.context}, seed {self.seed}" + (f", {self.method}" if self.method != SCGEN else "")


class Finished(NamedTuple):
    """What is left of a task: its scores, and what `look` has seen in the run.

    Attributes
    ----------
    task, rows
        Which, and its scores.
    seen
        What `look` returned.
    """

    task: Task
    rows: list[Row]
    seen: Any = None


class Study(NamedTuple):
    """What all tasks share.

    Attributes
    ----------
    cells
        All cells, log-normalized.
    experiment
        What to do.
    look
        Called with each whole `Run` where it was made, which may be another machine; what it returns
        comes back. None sees nothing.
    """

    cells: AnnData
    experiment: Experiment
    look: Look | None = None


class Parcel(NamedTuple):
    """What a worker sends: the result, and what it would have said and warned of."""

    finished: Finished
    said: list[str]
    warned: list[tuple[type[Warning], str]]


def list_tasks(experiment: Experiment, contexts: Iterable[str], seeds: Sequence[int]) -> list[Task]:
    """List the trainings of an experiment: all settings of a seed, all seeds of a context, in a row."""
    return [
        Task(context, seed, seeds[0], method)
        for context in contexts
        for seed in seeds
        for method in (SCGEN, *experiment.variants)
    ]


def perform(study: Study, task: Task, say: Say = silent) -> Finished:
    """Do one task, with the number of threads that the experiment's model has.

    Parameters
    ----------
    study, task
        What to do.
    say
        Called with a line now and then.

    Returns
    -------
    Finished
        Without scores for a variant that cannot be trained because its loss is not finite.

    Raises
    ------
    InputError, DivergedError
        As in `hold_out` and `run`.
    """
    experiment = variant(study.experiment, task.method)
    keys = experiment.condition_key, experiment.cell_type_key
    with threadpool_limits(experiment.model.get("n_threads"), user_api="blas"):
        whole = hold_out(study.cells, *keys, experiment.stim_key, task.context)
        split = choose_genes(whole, experiment.n_genes, experiment.layer)
        say(f"{task}: {split.held_out.n_obs} {experiment.stim_key} cells are hidden")
        baselines = BASELINES if task == task.of_baselines else {}
        try:
            done = run(split, experiment, task.context, task.seed, say, baselines)
        except DivergedError as error:
            if task.method == SCGEN:
                raise
            say(f"{task}: no scores, as {error}")
            return Finished(task, [])
        rows = [row._replace(method=task.method) if row.method == SCGEN else row for row in done.rows]
        done = done._replace(rows=rows, method=task.method)
        return Finished(task, rows, study.look(done) if study.look else None)


def perform_apart(study: Study, task: Task) -> Parcel:
    """Do one task in a process that is not heard: what is said and warned of goes into the result."""
    said: list[str] = []
    with _one_at_a_time, catch_warnings(record=True) as caught:
        simplefilter("always", UserWarning)
        try:
            finished = perform(study, task, said.append)
        except DivergedError as error:  # the weights in it need not travel
            raise InputError(f"{task}: {error}") from None
    return Parcel(finished, said, [(warning.category, str(warning.message)) for warning in caught])


def perform_all(
    study: Study,
    tasks: Sequence[Task],
    say: Say = silent,
    *,
    n_jobs: int | None = None,
    client: "Client | None" = None,
) -> Iterator[Finished]:
    """Do tasks one after the other, or side by side, and yield each as soon as it is done.

    Parameters
    ----------
    study, tasks
        What to do.
    say
        Called with a line now and then.
    n_jobs
        Trainings at a time, as in joblib: processes on this machine, -1 for one a core, None for 1 unless a
        ``joblib.parallel_config`` around it says otherwise. Side by side, a training has one thread unless
        the experiment's model has another `n_threads`, on which the last bits of a result depend.
    client
        Of a Dask cluster to work on instead. The data go to its workers once; the task of a worker that
        dies is given to another.

    Yields
    ------
    Finished
        In the order of the tasks if they are done one after the other.

    Raises
    ------
    InputError, DivergedError
        As in `perform`; if workers die again and again, or the scheduler is lost.
    """
    if client is None and is_serial(n_jobs):
        for task in tasks:
            yield perform(study, task, say)
        return
    study = study._replace(experiment=side_by_side(study.experiment), cells=_to_be_sent(study))
    if client is None:
        parcels = by_processes(perform_apart, study, tasks, n_jobs)
    else:
        parcels = by_cluster(perform_apart, study, tasks, client)
    for parcel in parcels:
        for line in parcel.said:
            say(line)
        for category, text in parcel.warned:
            warn(text, category, stacklevel=2)
        yield parcel.finished


def _to_be_sent(study: Study) -> AnnData:
    """The cells with no other matrix than the one that is used; `InputError` if that is in a file."""
    cells, layer = study.cells, study.experiment.layer
    if isinstance(log_matrix(cells, layer), Stored):
        raise InputError("cells that stay in their file cannot be sent to other processes: train one by one")
    values = {"X": cells.X} if layer is None else {"layers": {layer: cells.layers[layer]}}
    return AnnData(obs=cells.obs, var=cells.var, **values)


def rows_of(task: Task, found: Mapping[Task, Finished]) -> list[Row]:
    """Scores of a finished task and, beside those of ``scgen``, of the baselines if they are known."""
    rows, first = found[task].rows, task.of_baselines
    if task.method != SCGEN or task == first or first not in found:
        return rows
    return [
        *rows,
        *(row._replace(seed=task.seed) for row in found[first].rows if row.method in BASELINES),
    ]


def all_rows(tasks: Iterable[Task], found: Mapping[Task, Finished]) -> list[Row]:
    """Scores of those tasks that are finished, in the order of the tasks, by `rows_of`."""
    return [row for task in tasks if task in found for row in rows_of(task, found)]
