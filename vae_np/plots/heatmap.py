"""A table of scores as colors and numbers: methods down, held-out contexts across."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, text_width
from vae_np.plots.marks import blank
from vae_np.plots.palette import VERMILLION


def _luminance(rgba: tuple[float, float, float, float]) -> float:
    """Return the relative luminance of a color, as the web's rules for contrast define it; 1 is white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgba[:3]]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def score_heatmap(
    values: np.ndarray,
    methods: Sequence[str],
    contexts: Sequence[str],
    title: str,
    best: str = "highest",
) -> Figure:
    """Plot scores of methods in contexts, each number in its cell, the best of each context framed.

    Parameters
    ----------
    values
        Scores, (methods, contexts); NaN, shown as a dash, where there is none.
    methods, contexts
        Their names.
    title
        Of the figure, such as the name of the metric.
    best
        ``"highest"`` or ``"lowest"``: which score is the best one.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If the shapes do not fit, a score is infinite, or `best` is another word.
    """
    values = numbers("values", values, ["methods", "contexts"], allow_nan=True)
    methods = texts("methods", methods, values.shape[0])
    contexts = texts("contexts", contexts, values.shape[1])
    if best not in ("highest", "lowest"):
        raise InputError(f"best is {best!r}: give highest or lowest")
    known = values[~np.isnan(values)]
    if not known.size:
        raise InputError("values are all NaN: give at least one score")
    sign = 1 if best == "highest" else -1
    winners = sign * values == np.max(sign * values, axis=0, where=~np.isnan(values), initial=-np.inf)
    # As many decimals as give the largest score three digits, at least two.
    top = np.abs(known).max()
    decimals = int(np.clip(3 - np.ceil(np.log10(top)), 2, 5)) if top > 0 else 2

    width = 1.8 + text_width(methods) + 0.68 * len(contexts)
    height = 1.3 + 0.42 * len(methods) + 0.75 * text_width(contexts)
    figure = blank(max(width, 2 * text_width([title])), max(height, 3))
    axes = figure.add_subplot()
    colors = colormaps["cividis" if sign > 0 else "cividis_r"].with_extremes(bad="white")
    scale = Normalize(float(known.min()), float(known.max()))
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colors, norm=scale, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:.{decimals}f}"
        is_light = np.isnan(value) or _luminance(colors(scale(value))) > 0.179  # equal contrast with both
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=FONT,
            color="black" if is_light else "white",
            weight="bold" if winners[row, column] else "normal",
        )
        if winners[row, column]:
            corner = (column - 0.46, row - 0.44)
            axes.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor=VERMILLION, lw=2))
    axes.set_xticks(
        range(len(contexts)), contexts, rotation=45, ha="right", rotation_mode="anchor", parse_math=False
    )
    axes.set_yticks(range(len(methods)), methods, parse_math=False)
    axes.tick_params(labelsize=FONT, length=0)
    axes.set_title(title, fontsize=11, parse_math=False)
    bar = figure.colorbar(image, ax=axes)
    bar.set_label(f"{best} is best (framed)", fontsize=FONT)
    bar.ax.tick_params(labelsize=FONT)
    return figure
