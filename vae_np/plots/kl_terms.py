"""What each term of a KL divergence pulls: its value, its slope, and where gradient descent goes.

The terms of the closed form for one latent dimension, with v = log_var, are

    KL = mu^2 / 2 + exp(v) / 2 - v / 2 - 1 / 2        pulls: -mu in mu; -exp(v) / 2 and +1 / 2 in v

so mu is pulled to 0, and v to the place where the two pulls cancel, exp(v) = 1.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, legend_below
from vae_np.plots.marks import arrow, blank
from vae_np.plots.palette import BLACK, COLORS, GRAY, LINE_STYLES

N_ARROWS = 8


class Terms(NamedTuple):
    """The terms of a sum along one variable: its points, and each term's values and slopes there, (m,)."""

    at: np.ndarray
    values: Mapping[str, np.ndarray]
    slopes: Mapping[str, np.ndarray]


def kl_terms_plot(of_mu: Terms, of_log_var: Terms, rate: float = 0.4) -> Figure:
    """Plot the terms of the KL along mu and along log_var, and the pull of each, minus its slope.

    The KL is drawn as the sum of the terms, so those of another formula show where that one leads.

    Parameters
    ----------
    of_mu, of_log_var
        The terms that depend on one variable, the other one being held; points rise.
    rate
        Learning rate: an arrow is one step of gradient descent, rate times the pull.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If there is no term, values and slopes have other names, lengths differ, or a number is not finite.
    """
    columns = {"mu": _checked("mu", of_mu), "log_var": _checked("log_var", of_log_var)}
    figure = blank(9, 6.2)
    panels = figure.subplots(2, 2, sharex="col", height_ratios=[3, 2])
    handles: list[Artist] = [Line2D([], [], color=BLACK, lw=4, alpha=0.4)]
    labels = ["KL, the sum of the terms"]
    for (variable, terms), (above, below) in zip(columns.items(), panels.T, strict=True):
        total = np.sum(list(terms.values.values()), axis=0)
        pull = -np.sum(list(terms.slopes.values()), axis=0)
        for axes, sum_of_terms in ((above, total), (below, pull)):
            axes.plot(terms.at, sum_of_terms, color=BLACK, lw=4, alpha=0.4)
            axes.axvline(0, color=GRAY, lw=1, zorder=0)
            axes.axhline(0, color=GRAY, lw=1, zorder=0)
            axes.tick_params(labelsize=FONT)
        for name, shown in zip(
            terms.values, texts("terms", list(terms.values), len(terms.values)), strict=True
        ):
            i = len(labels) - 1
            look = {"color": COLORS[i % 6], "ls": LINE_STYLES[(i + 1) % len(LINE_STYLES)], "lw": 2}
            handles += above.plot(terms.at, terms.values[name], **look)
            below.plot(terms.at, -terms.slopes[name], **look)
            labels.append(shown)
        for i in np.linspace(0, len(terms.at) - 1, N_ARROWS).round().astype(int):
            start = np.array([terms.at[i], total[i]])
            step = np.array([rate * pull[i], 0])
            if abs(step[0]) > 0.01 * np.ptp(terms.at):  # a shorter one would not show
                arrow(above, start, start + step, BLACK, 1.2)
        above.set_title(f"along {variable}", fontsize=11)
        below.set_xlabel(variable)
    panels[0, 0].set_ylabel("terms [nats]")
    panels[1, 0].set_ylabel("pull: minus the slope")
    handles.append(Line2D([], [], color=BLACK, lw=1.2, marker=">", markevery=[1], ms=6))
    legend_below(figure, handles, [*labels, f"a step of gradient descent, rate {rate:g}"])
    return figure


def _checked(variable: str, terms: Terms) -> Terms:
    at = numbers(f"points of {variable}", terms.at, ["points"])
    if not terms.values or set(terms.values) != set(terms.slopes):
        raise InputError(f"terms along {variable} need a value and a slope each: give both by the same names")
    values, slopes = (
        {name: numbers(f"term {name!r}", term, at.shape) for name, term in given.items()}
        for given in (terms.values, terms.slopes)
    )
    return Terms(at, values, slopes)
