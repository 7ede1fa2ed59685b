"""The many trainings of a command: each is kept when it is finished, until the report of all is written."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from vae_np.cli.options import Options
from vae_np.cli.output import remark
from vae_np.cli.workplace import workplace
from vae_np.errors import InputError

if TYPE_CHECKING:
    from vae_np.evaluate.tasks import Finished, Study, Task


def kept_in(folder: Path, given: Options) -> Path:
    """Find out, before the work, where finished trainings are kept; those of an earlier run stay untouched.

    Parameters
    ----------
    folder
        The output folder.
    given
        The options, among them `resume`.

    Returns
    -------
    Path
        A folder in it.

    Raises
    ------
    InputError
        If there are finished trainings that are not to be gone on from, or another process is at work there.
    """
    kept = folder / "finished"
    there = False
    if folder.exists():
        with used_alone(kept):
            there = kept.exists()
    if there and not given["resume"]:
        raise InputError(f"{kept} of an earlier evaluation is there: add --resume, or remove it")
    if given["resume"]:
        remark(f"resuming from {kept}" if there else f"no {kept} to resume from: starting anew")
    return kept


@contextmanager
def used_alone(kept: Path) -> Iterator[None]:
    """Keep other processes off the output folder inside a `with` block; made for it, it goes if it is empty.

    Parameters
    ----------
    kept
        The folder of finished trainings in it.

    Raises
    ------
    InputError
        If another process is at work there.
    """
    from vae_np.data.locking import locked

    out = kept.parent
    is_new = not out.exists()
    out.mkdir(exist_ok=True)
    try:
        with locked(kept):
            yield
    finally:
        if is_new:
            with suppress(OSError):
                out.rmdir()


@contextmanager
def kept_until_reported(
    given: Options, kept: Path, scores: Path, outdated: Sequence[Path]
) -> Iterator[Callable[["Study", Sequence["Task"]], dict["Task", "Finished"]]]:
    """Train and write the report inside a `with` block; then what was kept is removed.

    Parameters
    ----------
    given
        The options.
    kept
        From `kept_in`.
    scores
        The file of scores, written anew after every training.
    outdated
        Files that would not belong to the first new scores: they are removed.

    Yields
    ------
    callable
        Takes a study and its tasks, and gives all of them finished, in their order.

    Raises
    ------
    InputError
        If another process is at work in the output folder.
    """
    from vae_np.data.writing import remove_leftovers
    from vae_np.evaluate.finished import identify, read_finished, remove_finished, write_finished
    from vae_np.evaluate.report import write_scores
    from vae_np.evaluate.tasks import all_rows, perform_all

    found: dict[Task, Finished] = {}

    def finish_all(study: "Study", tasks: Sequence["Task"]) -> dict["Task", "Finished"]:
        def write() -> None:
            for file in outdated:
                file.unlink(missing_ok=True)
            write_scores(scores, all_rows(tasks, found))

        for file in (scores, *outdated):
            remove_leftovers(file)
        identity = identify(study.cells, study.experiment, tasks[0].first_seed)
        there = read_finished(kept, identity, remark)
        found.update((task, there[task]) for task in tasks if task in there)
        if found:
            write()
        left = [task for task in tasks if task not in found]
        say_progress = progress(len(found), len(tasks))
        with workplace(given) as where:
            for finished in perform_all(study, left, remark, **where):
                kept.mkdir(parents=True, exist_ok=True)
                write_finished(kept, identity, finished)
                found[finished.task] = finished
                write()
                say_progress(finished.task)
        return {task: found[task] for task in tasks}

    with used_alone(kept):
        try:
            yield finish_all
        except (Exception, KeyboardInterrupt):
            if found:
                remark(
                    f"the scores of what was finished are in {scores}; the same command with --resume goes on"
                )
            raise
        remove_finished(kept, found)


def progress(n_done: int, n_tasks: int) -> Callable[[object], None]:
    """Give the function to call with each task that is done; it says how many are, and when the rest will be.

    Parameters
    ----------
    n_done
        How many were done before; they took no time now.
    n_tasks
        How many there are.
    """
    begun, n_now = monotonic(), 0

    def say(task: object) -> None:
        nonlocal n_now
        n_now += 1
        left = n_tasks - n_done - n_now
        time_left = f", {about((monotonic() - begun) / n_now * left)} left" if left else ""
        remark(f"{n_done + n_now} of {n_tasks} trainings done ({task}){time_left}")

    return say


def about(seconds: float) -> str:
    """A time as people say it."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {seconds:.0f} s"
