"""Time a training step of scgen 2.1 (scvi-tools, PyTorch); vae_np need not be installed beside it.

    PYTHON time_scgen.py CELLS.npz THREADS BATCH_SIZE EPOCHS

CELLS.npz is a SciPy matrix of log-normalized expression. `scgen.SCGEN.train` runs unmodified, with the
published settings, on all cells, without early stopping, progress bar, logger or checkpoints. A
callback reads the clocks at the start and the end of every epoch. So an epoch's time covers shuffling,
taking the batches out of the sparse matrix, the steps, and Lightning's own loop. The first epoch is not
counted. The last line printed is JSON.
"""

import json
import os
import sys
import time
from statistics import median
from typing import Any


def epoch_timer() -> Any:  # noqa: ANN401 - a class of pytorch_lightning
    """Make a callback whose `times` are wall and CPU milliseconds a step of each epoch."""
    import pytorch_lightning

    class EpochTimer(pytorch_lightning.Callback):
        def __init__(self) -> None:
            self.times: list[tuple[float, float]] = []

        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:  # noqa: ANN401
            self.steps = trainer.global_step
            self.clocks = time.perf_counter(), time.process_time()

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:  # noqa: ANN401
            now = time.perf_counter(), time.process_time()
            steps = trainer.global_step - self.steps
            self.times.append(
                (1e3 * (now[0] - self.clocks[0]) / steps, 1e3 * (now[1] - self.clocks[1]) / steps)
            )

    return EpochTimer()


def main(path: str, threads: int, batch_size: int, epochs: int) -> None:
    """Train, and print the times of all epochs but the first."""
    os.environ["JAX_PLATFORMS"] = "cpu"  # scvi-tools imports JAX, which plays no part here

    import numpy as np
    import scanpy
    import scgen
    import torch
    from scipy import sparse

    torch.set_num_threads(threads)
    cells = scanpy.AnnData(sparse.csr_matrix(sparse.load_npz(path)))
    cells.obs["condition"] = np.where(np.arange(cells.n_obs) % 2, "stimulated", "control")
    cells.obs["cell_type"] = "one"
    scgen.SCGEN.setup_anndata(cells, batch_key="condition", labels_key="cell_type")
    model = scgen.SCGEN(cells, n_hidden=800, n_latent=100, n_layers=2, dropout_rate=0.2)
    timer = epoch_timer()
    model.train(
        max_epochs=1 + epochs,
        batch_size=batch_size,
        train_size=1.0,
        early_stopping=False,
        use_gpu=False,
        plan_kwargs={"lr": 1e-3, "weight_decay": 1e-6, "eps": 0.01},
        callbacks=[timer],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        simple_progress_bar=False,
    )
    wall, cpu = zip(*timer.times[1:], strict=True)
    result = {"cpu_ms_per_step": median(cpu), "wall_ms_per_step": median(wall), "wall_ms_all": wall}
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
