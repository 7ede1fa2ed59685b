"""The stopwatch: all contestants in one process, in turns, so that a slow minute slows them all.

A round gives each contestant a turn. First nothing happens for a while: the threads of PyTorch's pool go on
spinning for up to 0.2 s after their last work, and would take a core from whoever is next. Then comes one
step that is not counted, which brings the weights back into the cache, then those that are. The first
turn of all, with its compilation, is not counted either. What is reported is the median over the rounds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from vae_np.bench.steps import setting, stepper
from vae_np.data.matrix import Matrix
from vae_np.train.batches import minibatches

PAUSE = 0.3  # seconds


@dataclass(frozen=True)
class Row:
    """Milliseconds a training step of one contestant.

    Attributes
    ----------
    name, threads, batch_size, n_genes
        The contestant and the setting.
    cpu_ms_per_step, wall_ms_per_step
        Median over the rounds: time of all threads together, and time on the clock.
    wall_ms_all
        Wall time a step in each round.
    """

    name: str
    threads: int
    batch_size: int
    n_genes: int
    cpu_ms_per_step: float
    wall_ms_per_step: float
    wall_ms_all: tuple[float, ...]


def measure(
    names: Sequence[str],
    x: Matrix,
    batch_size: int,
    n_threads: int,
    n_rounds: int = 5,
    n_steps: int = 10,
) -> list[Row]:
    """Time the training step of some contestants, interleaved, on the same batches.

    Parameters
    ----------
    names
        Some of `vae_np.bench.steps.NAMES`.
    x
        The cells, (n, d), CSR.
    batch_size, n_threads
        Cells a step; threads of each contestant.
    n_rounds, n_steps
        Turns of each contestant, and counted steps in a turn.

    Returns
    -------
    list of Row
        In the order of `names`.

    Raises
    ------
    InputError
        As in `stepper`.
    """
    steps = {name: stepper(name, x, batch_size) for name in names}
    shuffled = minibatches(np.arange(x.shape[0]), batch_size, np.random.default_rng(0))
    batches = [cells for cells in shuffled if len(cells) == batch_size]
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(1 + n_rounds):
        uncounted, *counted = (batches[(turn * n_steps + i) % len(batches)] for i in range(n_steps + 1))
        for name, step in steps.items():
            with setting(name, n_threads):
                time.sleep(PAUSE)
                step(uncounted)
                start, cpu_start = time.perf_counter(), time.process_time()
                for cells in counted:
                    step(cells)
                wall[name].append(1e3 * (time.perf_counter() - start) / n_steps)
                cpu[name].append(1e3 * (time.process_time() - cpu_start) / n_steps)
    return [
        Row(
            name,
            n_threads,
            batch_size,
            x.shape[1],
            median(cpu[name][1:]),
            median(wall[name][1:]),
            tuple(wall[name][1:]),
        )
        for name in names
    ]
