"""The measurements that the cost model is made of and compared with: steps, trainings, bandwidth."""

import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from threading import Barrier
from typing import Any

import numpy as np
from rates import update_rate
from roofline import N_BATCHES, time_phases

from vae_np.bench.data import synthetic_cells
from vae_np.bench.steps import our_step, setting
from vae_np.kernels.threads import threads
from vae_np.model import Sizes

OURS = "vae_np-numba"
WIDTHS = {"n_hidden": 800, "n_latent": 100, "n_layers": 2}
EPOCHS = 3  # timed, after one that is not


_meeting: Any = Barrier(1)  # where workers wait for each other before they are timed


def _meet_at(barrier: Any) -> None:  # noqa: ANN401 - multiprocessing gives its type no public name
    global _meeting
    _meeting = barrier


def sizes_of(point: dict[str, int]) -> Sizes:
    """The model of a point."""
    return Sizes(point["n_genes"], *(point[name] for name in WIDTHS))


def update_bandwidth(n_threads: int, megabytes: int) -> float:
    """Bytes a second of an update in place, with so many threads."""
    vectors = [np.ones(megabytes * 250_000, np.float32) for _ in range(3)]
    with threads(n_threads):
        return update_rate(*vectors)


def phases(point: dict[str, int], n_steps: int) -> dict[str, Any]:
    """Median seconds of a step and of its phases, and what a batch holds."""
    x = synthetic_cells(N_BATCHES * point["batch_size"], point["n_genes"])
    batches = np.split(np.arange(x.shape[0]), N_BATCHES)
    step = our_step(OURS, x, 0, sizes_of(point))
    with setting(OURS, point["n_threads"]):
        time_phases(step, batches, 3)
        _meeting.wait()
        rows = time_phases(step, batches, n_steps)
    seconds = {name: 1e-3 * statistics.median(row[name] for row in rows) for name in rows[0]}
    return {"seconds": seconds, **contents(x, batches)}


def contents(x: Any, batches: list[np.ndarray]) -> dict[str, float]:  # noqa: ANN401 - CSR
    """Share of the values that are not zero, and genes that a batch expresses."""
    n_expressed = np.mean([np.unique(x[cells].indices).size for cells in batches])
    return {"density": x.nnz / (x.shape[0] * x.shape[1]), "n_expressed": float(n_expressed)}


def point_phases(point: dict[str, int], n_steps: int) -> dict[str, Any]:
    """Measure `phases`; of several workers, all at work at the same time, the slowest counts."""
    if point["n_workers"] == 1:
        return phases(point, n_steps)
    n = point["n_workers"]
    context = get_context("spawn")
    with ProcessPoolExecutor(n, context, _meet_at, [context.Barrier(n)]) as pool:
        answers = list(pool.map(phases, [point] * n, [n_steps] * n))
    return max(answers, key=lambda answer: answer["seconds"]["step"])


def training(point: dict[str, int], n_steps: int) -> dict[str, Any]:
    """Seconds of an epoch of `ScGen.fit`, and the peak of memory of this process in bytes."""
    from anndata import AnnData

    from vae_np import ScGen

    x = synthetic_cells(point["n_cells"], point["n_genes"])
    cells = AnnData(x)
    cells.obs["condition"] = np.where(np.arange(cells.n_obs) % 2, "stimulated", "control")
    cells.obs["cell_type"] = "one"
    seconds = []
    for n_epochs in (1, 1 + EPOCHS):
        model = ScGen(**{name: point[name] for name in (*WIDTHS, "n_threads")})
        start = time.perf_counter()
        model.fit(
            cells,
            condition_key="condition",
            cell_type_key="cell_type",
            batch_size=point["batch_size"],
            max_epochs=n_epochs,
            progress=False,
        )
        seconds.append(time.perf_counter() - start)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    batches = np.array_split(np.arange(x.shape[0]), -(-x.shape[0] // point["batch_size"]))[:N_BATCHES]
    return {"epoch": (seconds[1] - seconds[0]) / EPOCHS, "peak": peak, **contents(x, batches)}
