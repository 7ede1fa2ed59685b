"""Figures of the page on delta."""

import numpy as np
from matplotlib.figure import Figure

from vae_np.data.simulate import simulate
from vae_np.evaluate.held_out import hold_out
from vae_np.plots import composition_bias_plot, latent_traversal_plot
from vae_np.scgen.predictor import ScGen

TARGET = "type 1"
STEPS = np.linspace(0, 1, 11)


def uneven_cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latent cells of three types in two dimensions, unevenly many in the two conditions; the step is (1, 0).

    Returns
    -------
    tuple of np.ndarray
        z (n, 2), condition (n,) 0 or 1, cell type (n,) 0 to 2.
    """
    rng = np.random.default_rng(0)
    n_cells = np.array([[90, 40, 10], [10, 40, 90]])
    means = np.array([[-1.0, 0.0], [-0.5, 1.5], [0.0, 3.0]])
    condition, cell_type = (np.repeat(i, n_cells.ravel()) for i in np.indices(n_cells.shape).reshape(2, -1))
    step = np.stack([condition, np.zeros_like(condition)], axis=1)
    return means[cell_type] + step + 0.3 * rng.normal(size=(len(condition), 2)), condition, cell_type


def composition_bias() -> Figure:
    """Draw pooled and balanced delta of cells whose types are unevenly present [delta-balanced]."""
    z, condition, cell_type = uneven_cells()
    groups = [[z[(condition == c) & (cell_type == t)] for t in range(3)] for c in (0, 1)]
    control, stimulated = (np.array([group.mean(axis=0) for group in side]) for side in groups)
    n_control, n_stimulated = (np.array([len(group) for group in side]) for side in groups)
    return composition_bias_plot(control, stimulated, n_control, n_stimulated, ["type a", "type b", "type c"])


def trained() -> tuple[ScGen, np.ndarray]:
    """Train a small scGen on simulated cells without the target's stimulated ones.

    Returns
    -------
    tuple
        The model, and the latent means of the target's control cells, (n, k).
    """
    simulated = simulate(600, 100, 4, library_size=10_000, dropout=0.1, seed=1)
    cells = hold_out(simulated, "condition", "cell_type", "stimulated", TARGET).train
    model = ScGen(n_hidden=64, n_latent=8, n_layers=1, dropout_rate=0.1, kl_weight=1.0, n_threads=1)
    model.fit(
        cells,
        condition_key="condition",
        cell_type_key="cell_type",
        max_epochs=60,
        batch_size=16,
        progress=False,
    )
    is_control = (cells.obs["cell_type"] == TARGET) & (cells.obs["condition"] == "control")
    return model, model.encode(cells[is_control.to_numpy()])


def latent_traversal() -> Figure:
    """Draw the mean of decode(z + t delta) over the target's control cells, t from 0 to 1 [delta-predict]."""
    model, z = trained()
    _, delta = model.predict("control", "stimulated", TARGET)
    decoded = [model.decode(z + t * delta).mean(axis=0, dtype=float) for t in STEPS]
    return latent_traversal_plot(STEPS, np.stack(decoded), model.genes)
