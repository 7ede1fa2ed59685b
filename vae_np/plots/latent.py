"""The latent space before and after the shift, seen from the side: delta points to the right."""

import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GRAY = "#0072b2", "#d55e00", "#009e73", "#bbbbbb"  # Okabe and Ito's palette


def side_view(z: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Two orthonormal axes: along a direction, and where the points vary most across it.

    Parameters
    ----------
    z
        Points, (n, k).
    direction
        Shape (k,), not zero.

    Returns
    -------
    np.ndarray
        Shape (k, 2); with one latent dimension the second axis is zero.
    """
    along = direction / np.linalg.norm(direction)
    centered = z - z.mean(axis=0)
    across = centered - np.outer(centered @ along, along)
    _, _, axes = np.linalg.svd(across, full_matrices=False)
    second = axes[0] if len(along) > 1 else np.zeros(1)
    return np.stack([along, second], axis=1)


def latent_plot(training: np.ndarray, control: np.ndarray, shifted: np.ndarray, true: np.ndarray) -> Figure:
    """Plot control cells, the same cells after the shift, and the real stimulated cells.

    Parameters
    ----------
    training
        Latent means of the training cells, (n, k), the background.
    control, shifted
        Control cells of the target before and after adding delta, (m, k).
    true
        Its real stimulated cells, never seen in training, (m1, k).

    Returns
    -------
    Figure
        Not shown or saved.
    """
    figure = Figure(figsize=(7, 5.5), layout="constrained")
    axes = figure.add_subplot()
    delta = shifted.mean(axis=0) - control.mean(axis=0)
    view = side_view(training, delta)
    groups = [
        (training, GRAY, "training cells", 8),
        (true, GREEN, "real stimulated cells of the target (held out)", 14),
        (control, BLUE, "control cells of the target", 14),
        (shifted, ORANGE, "control + delta (predicted)", 14),
    ]
    for z, color, label, size in groups:
        at = z @ view
        axes.scatter(at[:, 0], at[:, 1], s=size, color=color, lw=0, alpha=0.7, label=label)
    start, end = (z.mean(axis=0) @ view for z in (control, shifted))
    arrow = {"arrowstyle": "-|>", "lw": 2, "color": "black", "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=end, xytext=start, arrowprops=arrow)
    axes.annotate("delta", xy=(start + end) / 2, xytext=(0, 6), textcoords="offset points", ha="center")
    axes.set(
        xlabel="latent coordinate along delta",
        ylabel="direction of largest spread across it",
        title="Latent space before and after the shift",
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
