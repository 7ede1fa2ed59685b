"""What the shares of the cell types put into a pooled delta, and the balanced delta that is free of it.

With the shares p0, p1 of the types among control and stimulated cells, control means m and steps s

    pooled = sum_t p1_t s_t + sum_t (p1_t - p0_t) m_t          balanced = mean over t of s_t

The second sum is the bias of composition. One dimension, means 0 and 10, both steps 1, shares 9/10, 1/10
before and 1/10, 9/10 after: pooled 1 + 8 = 9, balanced 1.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import figure_with_column, label_column, legend_below
from vae_np.plots.marks import arrow
from vae_np.plots.palette import BLACK, BLUE, GRAY, VERMILLION
from vae_np.plots.plane import side_view


def composition_bias_plot(
    control: np.ndarray,
    stimulated: np.ndarray,
    n_control: np.ndarray,
    n_stimulated: np.ndarray,
    names: Sequence[str],
) -> Figure:
    """Plot each type's delta, the pooled and the balanced delta, and the bias of composition.

    The plane is spanned by the balanced delta and the bias, so these two have their true lengths; the
    pooled delta is seen in projection if the types' steps differ. The area of a dot is the type's share
    of the cells of that condition.

    Parameters
    ----------
    control, stimulated
        Mean latent of each type in both conditions, (K, k).
    n_control, n_stimulated
        Cells of each type, (K,), at least 1.
    names
        Of the types, (K,).

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, a number is not finite, a type has no cell in a condition, or both
        deltas are zero.
    """
    control = numbers("control", control, ["types", "latent dimensions"])
    stimulated = numbers("stimulated", stimulated, control.shape)
    n_control = numbers("n_control", n_control, control.shape[:1])
    n_stimulated = numbers("n_stimulated", n_stimulated, control.shape[:1])
    names = texts("types", names, len(control))
    if min(n_control.min(), n_stimulated.min()) < 1:
        raise InputError("a type has no cell in a condition: give the types that are found in both")
    shares_0, shares_1 = n_control / n_control.sum(), n_stimulated / n_stimulated.sum()
    balanced = (stimulated - control).mean(axis=0)
    pooled = shares_1 @ stimulated - shares_0 @ control
    bias = (shares_1 - shares_0) @ control
    along, which = (balanced, "balanced") if balanced.any() else (pooled, "pooled")
    if not along.any():
        raise InputError("the balanced and the pooled delta are zero, so no direction: give other means")
    view = side_view(bias[None], along)
    view[:, 1] *= -1 if bias @ view[:, 1] < 0 else 1  # the sign is free: the bias points up

    labels = [
        f"{name}  {before:g} → {after:g} cells"
        for name, before, after in zip(names, n_control, n_stimulated, strict=True)
    ]
    figure, axes = figure_with_column(labels)
    starts, ends = control @ view, stimulated @ view
    for at, shares, color in ((starts, shares_0, "white"), (ends, shares_1, BLUE)):
        axes.scatter(at[:, 0], at[:, 1], s=900 * shares, facecolor=color, edgecolor=BLUE, lw=1.2, alpha=0.6)
    for start, end in zip(starts, ends, strict=True):
        arrow(axes, start, end, BLUE, 1.6)
    origin = shares_0 @ starts
    pooled_end = origin + pooled @ view
    arrow(axes, origin, pooled_end, VERMILLION, 6)
    arrow(axes, origin, origin + balanced @ view, BLACK, 2.5)
    corner = pooled_end - bias @ view
    axes.plot(*np.stack([corner, pooled_end]).T, color=GRAY, ls="--", lw=2, zorder=2)

    everything = np.concatenate([starts, ends, [origin, pooled_end, origin + balanced @ view, corner]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    half = 0.58 * float((high - low).max())
    middle = (low + high) / 2
    axes.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
        aspect="equal",
        xlabel=f"latent coordinate along the {which} delta",
        ylabel="direction of the bias across it",
    )
    axes.set_title("Pooled delta = mean step of the cells + bias of composition", fontsize=11)
    label_column(figure, axes, ends, labels, [BLUE] * len(labels))
    handles = [
        Line2D([], [], color=BLUE, lw=1.6, marker="o", mfc="white"),
        Line2D([], [], color=BLACK, lw=2.5),
        Line2D([], [], color=VERMILLION, lw=6),
        Line2D([], [], color=GRAY, ls="--", lw=2),
    ]
    lengths = [float(np.linalg.norm(vector)) for vector in (balanced, pooled, bias)]
    legend_below(
        figure,
        handles,
        [
            "one type; area: share of the cells",
            f"balanced delta, length {lengths[0]:.3g}",
            f"pooled delta, length {lengths[1]:.3g}",
            f"bias of composition, length {lengths[2]:.3g}",
        ],
        columns=2,
    )
    return figure
