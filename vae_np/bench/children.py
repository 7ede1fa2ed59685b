"""A process for each setting: on so many cores, with an environment that favors nobody.

Pools of threads are sized when a library loads, by the cores the process may use, so the number of
threads cannot be changed fairly later on. Two variables that a machine may set for its administrator's
reasons, the OpenBLAS ones below, slow NumPy down and leave PyTorch alone; the children do not see them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scipy import sparse

from vae_np.bench.data import synthetic_cells
from vae_np.bench.measure import Row
from vae_np.errors import InputError

SLOW_NUMPY = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
PEERS = {name: Path(__file__).parent / "peers" / f"time_{name}.py" for name in ("pertpy", "scgen")}


@contextmanager
def on_cores(n: int) -> Iterator[None]:
    """Keep this thread and the processes it starts on so many cores inside a `with` block, where possible."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:n])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run_child(command: Sequence[str], n_threads: int, **variables: str) -> dict[str, Any]:
    """Run a program whose last line of output is JSON.

    Parameters
    ----------
    command
        The program and its arguments.
    n_threads
        Cores it may use.
    variables
        To set in its environment.

    Returns
    -------
    dict
        What it printed.

    Raises
    ------
    InputError
        If it cannot be run, or fails; the message has its last words.
    """
    environment = {name: value for name, value in os.environ.items() if name not in SLOW_NUMPY} | variables
    try:
        with on_cores(n_threads):
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except OSError as error:
        raise InputError(f"{command[0]} could not be run: {error.strerror}") from None
    program = " ".join(map(str, command[:3]))
    if done.returncode != 0:
        last_words = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(f"{program} failed: {last_words}")
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise InputError(f"{program} printed no JSON in its last line: give the path of a Python") from None


def n_cells(batch_size: int) -> int:
    """Cells for whole batches only: about 1,600, and for ten batches at least."""
    return batch_size * max(10, 1600 // batch_size)


def our_rows(
    names: Sequence[str], n_genes: int, batch_size: int, n_threads: int, n_rounds: int, n_steps: int
) -> tuple[list[Row], dict[str, Any]]:
    """Run `measure` in a process of its own.

    Parameters
    ----------
    names, batch_size, n_threads, n_rounds, n_steps
        As in `measure`.
    n_genes
        d.

    Returns
    -------
    tuple
        The rows, and the machine as that process saw it.

    Raises
    ------
    InputError
        As in `run_child`.
    """
    setting = {
        "names": list(names),
        "n_cells": n_cells(batch_size),
        "n_genes": n_genes,
        "batch_size": batch_size,
        "n_threads": n_threads,
        "n_rounds": n_rounds,
        "n_steps": n_steps,
    }
    answer = run_child([sys.executable, "-m", "vae_np.bench.child", json.dumps(setting)], n_threads)
    return [_row(**row) for row in answer["rows"]], answer["machine"]


def peer_rows(
    name: str,
    python: str | Path,
    script: str | Path,
    n_genes: int,
    batch_size: int,
    n_threads: int,
    n_rounds: int = 5,
) -> list[Row]:
    """Time a published tool on the same cells, in an environment of its own.

    Parameters
    ----------
    name
        Of the row: ``"pertpy"`` or ``"scgen"``.
    python, script
        The interpreter of that environment, and what it is to run, such as ``PEERS[name]``.
    n_genes, batch_size, n_threads
        As in `our_rows`.
    n_rounds
        Epochs to time, after one that is not counted.

    Returns
    -------
    list of Row
        One row; a round is an epoch.

    Raises
    ------
    InputError
        As in `run_child`.
    """
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    with tempfile.TemporaryDirectory() as folder:
        cells = Path(folder) / "cells.npz"
        sparse.save_npz(cells, synthetic_cells(n_cells(batch_size), n_genes), compressed=False)
        numbers = map(str, (n_threads, batch_size, n_rounds))
        answer = run_child(
            [str(python), str(script), str(cells), *numbers],
            n_threads,
            **dict.fromkeys(pools, str(n_threads)),
        )
    return [_row(name=name, threads=n_threads, batch_size=batch_size, n_genes=n_genes, **answer)]


def _row(wall_ms_all: Sequence[float], **others: Any) -> Row:  # noqa: ANN401 - as JSON has them
    return Row(**others, wall_ms_all=tuple(wall_ms_all))
