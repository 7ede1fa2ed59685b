"""The objective at work: a small VAE learns simulated cells, epoch by epoch."""

import numpy as np
from matplotlib.figure import Figure

from vae_np.data.simulate import simulate
from vae_np.elbo.gaussian_likelihood import gaussian
from vae_np.model.inference import posterior
from vae_np.model.params import Sizes, initialize
from vae_np.plots import training_frames_plot
from vae_np.train.loop import fit

EPOCHS = (0, 1, 5, 15, 40)
N_CELLS, N_GENES, N_TYPES = 600, 150, 4
VARIANCE = 1.0  # of the likelihood


def latent_means(x: np.ndarray, epochs: tuple[int, ...]) -> np.ndarray:
    """Train a VAE with two latent dimensions and return the cells' latent means after each of these epochs.

    A training of e epochs is the beginning of a longer one with the same seeds, so each frame is trained
    from the start and needs nothing from the others.

    Parameters
    ----------
    x
        Shape (n, d).
    epochs
        Rising; 0 is before training.

    Returns
    -------
    np.ndarray
        Shape (len(epochs), n, 2).
    """
    start = initialize(Sizes(x.shape[1], n_hidden=32, n_latent=2, n_layers=1), np.random.default_rng(0))
    frames = []
    for n_epochs in epochs:
        params, stats = start
        if n_epochs:
            params, stats, _ = fit(
                *start,
                x,
                gaussian(VARIANCE),
                rng=np.random.default_rng(1),
                max_epochs=n_epochs,
                batch_size=16,
                train_size=1.0,
                early_stopping=False,
            )
        frames.append(posterior(params, stats, x)[0])
    return np.array(frames)


def training_frames() -> Figure:
    """Draw the latent means of simulated cells of four types at five epochs."""
    cells = simulate(N_CELLS, N_GENES, N_TYPES, shift=0.0)
    means = latent_means(np.asarray(cells.X.toarray()), EPOCHS)
    return training_frames_plot(means, list(cells.obs["cell_type"]), EPOCHS)
