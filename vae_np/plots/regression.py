"""Predicted against true mean or variance, gene by gene: points on the diagonal are predicted right.

R2 is the squared Pearson correlation over genes, as published: it says how well one straight line
describes the points, not that this line is the diagonal.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from vae_np.errors import whole_number
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import figure_with_column, label_column, legend_below
from vae_np.plots.marks import dots
from vae_np.plots.palette import BLACK, CONTROL, GRAY, PREDICTED


def _r2_text(x: np.ndarray, y: np.ndarray) -> str:
    """Squared Pearson correlation to three digits; it is undefined if one side is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "undefined"
    return f"{np.corrcoef(x, y)[0, 1] ** 2:.3f}"


def _regression_plot(
    quantity: str,
    predicted: np.ndarray,
    true: np.ndarray,
    control: np.ndarray,
    genes: Sequence[str],
    n_named: int,
    subset: np.ndarray | None,
    r2: bool,
) -> Figure:
    """Draw what `reg_mean_plot` and `reg_var_plot` have in common, which is all but the quantity."""
    true = numbers("true", true, ["genes"])
    predicted = numbers("predicted", predicted, true.shape)
    control = numbers("control", control, true.shape)
    genes = texts("genes", genes, len(true))
    named = np.argsort(-np.abs(true - control), kind="stable")[: whole_number("n_named", n_named, least=0)]

    figure, axes = figure_with_column([genes[i] for i in named])
    values = np.concatenate([true, predicted, control])
    low, high = min(0.0, float(values.min())), float(values.max())
    margin = 0.05 * (high - low) or 1.0
    limits = (low - margin / 2, high + margin)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.plot(limits, limits, color=GRAY, lw=1, zorder=0)
    at = np.stack([true, predicted], axis=1)
    handles = [
        dots(axes, np.stack([true, control], axis=1), CONTROL, "control (no change)", size=16),
        dots(axes, at, PREDICTED, "predicted", size=20),
    ]
    if len(named):
        x, y = at[named].T
        handles.append(
            axes.scatter(x, y, s=60, facecolor="none", edgecolor=BLACK, lw=0.9, label="largest true change")
        )
    label_column(figure, axes, at[named], [genes[i] for i in named])
    axes.set(xlabel=f"true {quantity}, stimulated cells", ylabel=f"{quantity} of predicted or control cells")

    title = f"{quantity.capitalize()} of each gene's log-normalized expression"
    if r2:
        title += f"\nR² {_r2_text(true, predicted)} (all genes: {len(true)})"
        some = named if subset is None else np.arange(len(true))[subset]
        if len(some):
            which = "named" if subset is None else "chosen"
            title += f", {_r2_text(true[some], predicted[some])} ({which} genes: {len(some)})"
    axes.set_title(title, fontsize=11)
    legend_below(figure, handles, [str(handle.get_label()) for handle in handles])
    return figure


def reg_mean_plot(
    predicted: np.ndarray,
    true: np.ndarray,
    control: np.ndarray,
    genes: Sequence[str],
    n_named: int = 10,
    *,
    subset: np.ndarray | None = None,
    r2: bool = True,
) -> Figure:
    """Plot predicted and control means against the true means and name the genes that change most.

    Parameters
    ----------
    predicted, true, control
        Mean of each gene in the predicted, the real stimulated and the control cells, (d,).
    genes
        Names, (d,).
    n_named
        How many genes to name.
    subset
        Indices, or a mask, of genes whose R2 is written beside that of all genes, such as the 100
        differentially expressed ones; default the named genes.
    r2
        Whether to write R2, the squared Pearson correlation of predicted and true.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If lengths differ, there is no gene, or a number is not finite.
    """
    return _regression_plot("mean", predicted, true, control, genes, n_named, subset, r2)


def reg_var_plot(
    predicted: np.ndarray,
    true: np.ndarray,
    control: np.ndarray,
    genes: Sequence[str],
    n_named: int = 10,
    *,
    subset: np.ndarray | None = None,
    r2: bool = True,
) -> Figure:
    """Plot predicted and control variances against the true ones and name the genes that change most.

    Parameters
    ----------
    predicted, true, control
        Variance of each gene in the predicted, the real stimulated and the control cells, (d,).
    genes, n_named, subset, r2
        As in `reg_mean_plot`.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If lengths differ, there is no gene, or a number is not finite.
    """
    return _regression_plot("variance", predicted, true, control, genes, n_named, subset, r2)
