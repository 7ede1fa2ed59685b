"""Train scGen as pertpy 1.4 ships it and predict one cell type; vae_np need not be installed beside it.

    PYTHON predict_pertpy.py TRAIN.h5ad TARGET SEED OUT.npy

TRAIN.h5ad holds log-normalized cells without the target's stimulated ones, with ``condition`` (control,
stimulated) and ``cell_type`` in `obs`. The settings are those of the published tutorial, and ours: batches
of 32, at most 100 epochs, early stopping with patience 25, 800 x 2 hidden units, latent 100. OUT.npy gets
the decoded cells as pertpy returns them, one for each control cell of the target, in the order of the file.
The last line printed is the number of epochs.

pertpy's `predict` resamples cells with a generator that cannot be seeded: SEED fixes the training only.
"""

import os
import sys


def main(path: str, target: str, seed: int, out: str) -> None:
    """Train, predict, write."""
    os.environ["JAX_PLATFORMS"] = "cpu"

    import numpy as np
    import scanpy
    from pertpy.tools import Scgen

    cells = scanpy.read_h5ad(path)
    Scgen.setup_anndata(cells, batch_key="condition", labels_key="cell_type")
    model = Scgen(cells, n_hidden=800, n_latent=100, n_layers=2, dropout_rate=0.2)
    model.train(
        max_epochs=100,
        batch_size=32,
        train_size=0.9,
        early_stopping=True,
        early_stopping_patience=25,
        lr=1e-3,
        weight_decay=1e-6,
        eps=0.01,
        seed=seed,
    )
    predicted, _ = model.predict(ctrl_key="control", stim_key="stimulated", celltype_to_predict=target)
    is_target = (cells.obs["condition"] == "control") & (cells.obs["cell_type"] == target)
    assert list(predicted.obs_names) == list(cells.obs_names[is_target])
    x = predicted.X if isinstance(predicted.X, np.ndarray) else predicted.X.toarray()
    np.save(out, np.asarray(x, np.float32))
    print(len(model.history["train_loss"]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
