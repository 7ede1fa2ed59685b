"""Time a training step of scGen as pertpy 1.4 ships it (JAX); vae_np need not be installed beside it.

    PYTHON time_pertpy.py CELLS.npz THREADS BATCH_SIZE EPOCHS

CELLS.npz is a SciPy matrix of log-normalized expression. `pertpy.tools.Scgen.train` runs unmodified,
with the published settings, on all cells, without early stopping. Each epoch of its loop calls `_batches`
once at the start and `_mean_loss`, which waits for all the steps, once at the end; both are wrapped
to read the clocks. So an epoch's time covers shuffling, slicing the batches out of the dense matrix, and
the steps. The first epoch, with JAX's compilation, is not counted. The last line printed is JSON.
"""

import json
import os
import sys
import time
from statistics import median
from typing import Any


def epoch_times(train_module: Any) -> list[tuple[float, float]]:  # noqa: ANN401 - a module of pertpy
    """Return a list that will hold wall and CPU milliseconds a step of each epoch."""
    times: list[tuple[float, float]] = []
    clocks = [0.0, 0.0]
    batches, mean_loss = train_module._batches, train_module._mean_loss

    def start(*arguments: Any) -> Any:  # noqa: ANN401
        clocks[:] = time.perf_counter(), time.process_time()
        return batches(*arguments)

    def stop(losses: Any, sizes: Any) -> Any:  # noqa: ANN401
        mean = mean_loss(losses, sizes)
        now = time.perf_counter(), time.process_time()
        times.append((1e3 * (now[0] - clocks[0]) / len(sizes), 1e3 * (now[1] - clocks[1]) / len(sizes)))
        return mean

    train_module._batches, train_module._mean_loss = start, stop
    return times


def main(path: str, threads: int, batch_size: int, epochs: int) -> None:
    """Train, and print the times of all epochs but the first."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

    import numpy as np
    import scanpy
    from pertpy.tools import Scgen
    from pertpy.tools._scgen import _train
    from scipy import sparse

    cells = scanpy.AnnData(sparse.csr_matrix(sparse.load_npz(path)))
    cells.obs["condition"] = np.where(np.arange(cells.n_obs) % 2, "stimulated", "control")
    cells.obs["cell_type"] = "one"
    Scgen.setup_anndata(cells, batch_key="condition", labels_key="cell_type")
    model = Scgen(cells, n_hidden=800, n_latent=100, n_layers=2, dropout_rate=0.2)
    times = epoch_times(_train)
    model.train(
        max_epochs=1 + epochs,
        batch_size=batch_size,
        train_size=1.0,
        early_stopping=False,
        lr=1e-3,
        weight_decay=1e-6,
        eps=0.01,
    )
    wall, cpu = zip(*times[1:], strict=True)
    result = {"cpu_ms_per_step": median(cpu), "wall_ms_per_step": median(wall), "wall_ms_all": wall}
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
