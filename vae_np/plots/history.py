"""The training history: the losses of each epoch, and the epoch whose weights were kept."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vae_np.errors import InputError
from vae_np.plots.checks import numbers
from vae_np.plots.labels import FONT, legend_below
from vae_np.plots.marks import blank
from vae_np.plots.palette import BLACK, BLUE, GRAY, VERMILLION

LOSSES = {"total": "total loss", "reconstruction": "reconstruction", "kl": "KL"}
PARTS = {
    "train": {"label": "training", "color": BLUE, "ls": "-", "marker": "o"},
    "validation": {"label": "validation", "color": VERMILLION, "ls": "--", "marker": "^"},
}


def history_plot(history: Mapping[str, np.ndarray]) -> Figure:
    """Plot training and validation losses by epoch and mark the epoch whose weights were kept.

    Parameters
    ----------
    history
        As `vae_np.train.fit` returns it: a vector, one entry an epoch, for each of ``train_total,
        train_reconstruction, train_kl`` (nats per cell), with validation cells the same as
        ``validation_...``, and ``kl_weight``, drawn if it changed.

    Returns
    -------
    Figure
        Not shown or saved. Epochs count from 1; without validation the last epoch is the kept one.

    Raises
    ------
    InputError
        If a loss is missing, or there is no epoch, or a number is not finite.
    """
    if missing := [name for name in LOSSES if f"train_{name}" not in history]:
        raise InputError(f"history has no train_{missing[0]}: give the history of a training that ran")
    length = numbers("train_total", history["train_total"], ["epochs"]).shape
    curves = {name: numbers(name, values, length) for name, values in history.items()}
    n_epochs = length[0]
    validated = "validation_total" in curves
    kept = int(np.argmin(curves["validation_total"])) + 1 if validated else n_epochs

    weight_changes = "kl_weight" in curves and np.ptp(curves["kl_weight"]) > 0
    n_rows, n_columns = (2, 2) if weight_changes else (1, 3)
    figure = blank(3.4 * n_columns, 0.5 + 3 * n_rows)
    panels = list(figure.subplots(n_rows, n_columns).flat)
    epochs = np.arange(1, n_epochs + 1)
    few = {"ms": 5, "markevery": max(1, n_epochs // 10)}  # markers tell the curves apart in gray
    handles = {}
    for axes, (loss, title) in zip(panels, LOSSES.items(), strict=False):
        for part, look in PARTS.items():
            if f"{part}_{loss}" in curves:
                (handles[part],) = axes.plot(epochs, curves[f"{part}_{loss}"], **look, **few)
        axes.set(title=title, ylabel="nats per cell")
    if weight_changes:
        panels[3].plot(epochs, curves["kl_weight"], color=BLACK)
        panels[3].set(title="weight of the KL")
    for axes in panels:
        mark = axes.axvline(kept, color=GRAY, lw=1.5, ls="-.", zorder=0)
        axes.set(xlabel="epoch", xlim=(0.5, n_epochs + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        axes.tick_params(labelsize=FONT)
    reason = "lowest validation loss" if validated else "the last"
    names = [*(PARTS[part]["label"] for part in handles), f"epoch kept: {kept} ({reason})"]
    legend_below(figure, [*handles.values(), mark], names)
    return figure
