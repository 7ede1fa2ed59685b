"""A training by us, or by PyTorch: `trainings.py CELLS.npz THREADS BATCH_SIZE EPOCHS NAME`.

The arguments, and the first epoch on top, are those of the scripts that run the published tools. NAME is
``vae_np`` or one of `vae_np.bench.steps.NAMES`.
"""

import sys

import numpy as np
from scipy import sparse


def ours(x: sparse.csr_matrix, n_threads: int, batch_size: int, n_epochs: int) -> None:
    """Train through `ScGen.fit`, with its defaults."""
    from anndata import AnnData

    from vae_np import ScGen

    cells = AnnData(x)
    cells.obs["condition"] = np.where(np.arange(cells.n_obs) % 2, "stimulated", "control")
    cells.obs["cell_type"] = "one"
    ScGen(n_threads=n_threads).fit(
        cells,
        condition_key="condition",
        cell_type_key="cell_type",
        batch_size=batch_size,
        max_epochs=n_epochs,
        train_size=1.0,
        early_stopping=False,
    )


def stepwise(x: sparse.csr_matrix, n_threads: int, batch_size: int, n_epochs: int, name: str) -> None:
    """Train by the step of a contestant."""
    from vae_np.bench.steps import setting, stepper
    from vae_np.train.batches import minibatches

    rng, step = np.random.default_rng(0), stepper(name, x, batch_size)
    with setting(name, n_threads):
        for _ in range(n_epochs):
            for cells in minibatches(np.arange(x.shape[0]), batch_size, rng):
                step(cells)


def main(path: str, n_threads: int, batch_size: int, n_epochs: int, name: str) -> None:
    """Train for one epoch more."""
    x = sparse.csr_matrix(sparse.load_npz(path))
    if name == "vae_np":
        ours(x, n_threads, batch_size, 1 + n_epochs)
    else:
        stepwise(x, n_threads, batch_size, 1 + n_epochs, name)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5])
