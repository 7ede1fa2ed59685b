"""Finished trainings in a folder, one file each, until all are done: what a stopped evaluation goes on from.

A file holds scores and, of some, the section of the report: numbers and text, as a `vae_np.data.archive`.
It also says of which data and settings it is, so that no other study takes it for its own. Which contexts
and how many seeds there are is not part of that: a training knows nothing of the others.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
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
from vae_np.evaluate.experiment import Experiment, Say
from vae_np.evaluate.held_out import Row
from vae_np.evaluate.report import Section
from vae_np.evaluate.tasks import Finished, Task
from vae_np.scgen.cells import labels
from vae_np.train.fingerprint import SHA256, checksum, checksum_of_names, differences, plain

FINISHED = Kind("finished training", "vae_np.finished", 1)


def identify(cells: AnnData, experiment: Experiment, first_seed: int) -> dict[str, Any]:
    """Say what all trainings of a study share, as words, numbers and checksums.

    Parameters
    ----------
    cells, experiment
        As in `leave_one_out`.
    first_seed
        The one whose tasks score the baselines.

    Returns
    -------
    dict
        Values that JSON can hold. Two studies with the same ones have the same tasks with the same results,
        to the bit, on the same kind of machine.
    """
    x = log_matrix(cells, experiment.layer)
    settings = asdict(experiment) | {"others": list(experiment.others)}
    model, training = settings.pop("model"), settings.pop("training")
    values = (dense_rows(x, rows, np.dtype(float)).tobytes() for rows in chunks(x.shape[0]))
    shared = {
        "version": __version__,
        "first seed": first_seed,
        **model,
        **training,
        **settings,
        "shape of x": x.shape,
        "values of x": checksum(values),
        "genes": checksum_of_names(cells.var_names),
    }
    for key in (experiment.condition_key, experiment.cell_type_key):
        shared[f"labels {key!r}"] = checksum_of_names(labels(cells, key))
    return plain(shared)


def write_finished(folder: Path, study: Mapping[str, Any], finished: Finished) -> None:
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
        "study": study,
        "task": finished.task,
        "rows": finished.rows,
        "section": None if finished.seen is None else finished.seen._asdict(),
    }
    name = checksum_of_names(map(str, finished.task)).removeprefix(SHA256)  # a context may be called anything
    write_archive(folder / f"{name[:20]}.npz", FINISHED, header, {})


def read_finished(folder: Path, study: Mapping[str, Any], say: Say) -> dict[Task, Finished]:
    """Read what is finished.

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
            header, _ = read_archive(path, FINISHED)
            there, task = dict(header["study"]), Task(*header["task"])
            rows, section = [Row(*row) for row in header["rows"]], header["section"]
            finished = Finished(task, rows, None if section is None else Section(**section))
        except (InputError, *DAMAGE) as error:
            say(f"its training is done again: {error}")
            continue
        if other := differences(there, study):
            raise InputError(f"{folder} holds finished trainings of another evaluation: {other}")
        found[task] = finished
    return found


def remove_finished(folder: Path) -> None:
    """Remove what was kept and, if nothing else is in it, the folder."""
    for path in folder.glob("*.npz"):
        remove_leftovers(path)
        path.unlink()
    with suppress(OSError):
        folder.rmdir()
