"""Finished trainings in a folder, one file each, until all are done: what a stopped evaluation goes on from.

A file holds scores and, of some, the section of the report: numbers and text, as a `vae_np.data.archive`.
It also says of which data and settings it is, so that no other study takes it for its own. Which contexts
there are, how many seeds and which other settings of a grid is not part of that: a training knows nothing
of the others.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData

from vae_np import __version__
from vae_np.data.archive import Kind, read_archive, write_archive
from vae_np.data.expression import log_matrix
from vae_np.data.matrix import chunks, dense_rows
from vae_np.data.npz import DAMAGE
from vae_np.data.writing import remove_leftovers
from vae_np.errors import InputError
from vae_np.evaluate.experiment import SCGEN, Experiment, Say
from vae_np.evaluate.grid import OF_TRAINING, variant
from vae_np.evaluate.held_out import Row
from vae_np.evaluate.report import Section
from vae_np.evaluate.tasks import Finished, Task
from vae_np.scgen.cells import labels
from vae_np.scgen.predictor import ScGen
from vae_np.train.fingerprint import SHA256, checksum, checksum_of_names, differences, plain

FINISHED = Kind("finished training", "vae_np.finished", 1)
Identity = dict[str, Any]


def identify(cells: AnnData, experiment: Experiment, first_seed: int) -> dict[str, Identity]:
    """Say what all trainings of a method share, as words, numbers and checksums.

    Parameters
    ----------
    cells, experiment
        As in `leave_one_out`.
    first_seed
        The one whose tasks score the baselines.

    Returns
    -------
    dict
        ``scgen`` and each variant -> values that JSON can hold. Where two studies have the same ones, a task
        has the same results, to the bit, on the same kind of machine.
    """
    x = log_matrix(cells, experiment.layer)
    values = (dense_rows(x, rows, np.dtype(float)).tobytes() for rows in chunks(x.shape[0]))
    data = {
        "shape of x": x.shape,
        "values of x": checksum(values),
        "genes": checksum_of_names(cells.var_names),
    }
    for key in (experiment.condition_key, experiment.cell_type_key):
        data[f"labels {key!r}"] = checksum_of_names(labels(cells, key))
    shared = {"version": __version__, "first seed": first_seed}
    return {
        method: plain({**shared, **_settings(variant(experiment, method)), **data})
        for method in (SCGEN, *experiment.variants)
    }


def _settings(experiment: Experiment) -> dict[str, Any]:
    """The settings of one method; one that is not given has its default, as if it were."""
    settings = asdict(experiment) | {"others": list(experiment.others)}
    model, training = settings.pop("model"), settings.pop("training")
    del settings["variants"]
    of_model = asdict(ScGen(**model).settings)
    del of_model["seed"]
    parameters = signature(ScGen.fit).parameters
    return {**of_model, **{name: parameters[name].default for name in OF_TRAINING}, **training, **settings}


def file_of(folder: Path, task: Task) -> Path:
    """Where a finished training is kept."""
    name = checksum_of_names(map(str, task)).removeprefix(SHA256)  # a context may be called anything
    return folder / f"{name[:20]}.npz"


def write_finished(folder: Path, study: Mapping[str, Identity], finished: Finished) -> None:
    """Keep a finished training, whole or not at all.

    Parameters
    ----------
    folder
        Where; it exists.
    study
        From `identify`.
    finished
        What it has seen is the `Section` of a report, or None.
    """
    header = {
        "study": study[finished.task.method],
        "task": finished.task,
        "rows": finished.rows,
        "section": None if finished.seen is None else finished.seen._asdict(),
    }
    write_archive(file_of(folder, finished.task), FINISHED, header, {})


def read_finished(folder: Path, study: Mapping[str, Identity], say: Say) -> dict[Task, Finished]:
    """Read what is finished of the methods of a study.

    Parameters
    ----------
    folder
        Where; it need not exist.
    study
        From `identify`.
    say
        Called with a line about each file that is damaged: its task is to be done again.

    Returns
    -------
    dict
        Task -> what is left of it.

    Raises
    ------
    InputError
        If one is of other data or settings.
    """
    found = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            there, finished = _read(path)
        except (InputError, *DAMAGE) as error:
            say(f"its training is done again: {error}")
            continue
        task = finished.task
        if task.method not in study:  # the grid has changed
            continue
        if other := differences(there, study[task.method]):
            raise InputError(f"{folder} holds finished trainings of another evaluation: {other}")
        found[task] = finished
    return found


def _read(path: Path) -> tuple[Identity, Finished]:
    """Read one file; InputError, or one of DAMAGE, if it is no finished training."""
    header, _ = read_archive(path, FINISHED)
    rows, section = [Row(*row) for row in header["rows"]], header["section"]
    finished = Finished(Task(*header["task"]), rows, None if section is None else Section(**section))
    return dict(header["study"]), finished


def remove_finished(folder: Path, tasks: Iterable[Task]) -> None:
    """Remove what was kept and, if nothing else is in it, the folder.

    Parameters
    ----------
    folder
        Where; it need not exist.
    tasks
        Their files are removed whatever is in them; other files if they are finished trainings.
    """
    known = {file_of(folder, task) for task in tasks}
    for path in {*known, *filter(_is_finished, folder.glob("*.npz"))}:
        remove_leftovers(path)
        path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


def _is_finished(path: Path) -> bool:
    try:
        _read(path)
    except (InputError, *DAMAGE):
        return False
    return True
