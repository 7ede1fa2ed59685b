"""Adam's first steps: what the start at zero does to both moments, and what undoing it does to the steps."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from vae_np.errors import InputError
from vae_np.plots.checks import numbers
from vae_np.plots.labels import FONT, legend_below
from vae_np.plots.marks import blank
from vae_np.plots.palette import BLACK, BLUE, VERMILLION

CORRECTED = {"color": BLUE, "ls": "-", "lw": 1.5}
PLAIN = {"color": VERMILLION, "ls": "--", "lw": 1.5}
TRUTH = {"color": BLACK, "ls": ":", "lw": 1.4}


def adam_bias_plot(
    m: np.ndarray,
    m_hat: np.ndarray,
    v: np.ndarray,
    v_hat: np.ndarray,
    steps: np.ndarray,
    plain_steps: np.ndarray,
    mean: float,
    mean_square: float,
) -> Figure:
    """Plot moments and steps of one weight, with and without correction [adam-moments] [adam-bias].

    Parameters
    ----------
    m, v
        Running moments after steps 1 to T, (T,).
    m_hat, v_hat
        The same, corrected, (T,).
    steps, plain_steps
        Sizes of the steps in units of the learning rate, with the corrected moments and with the plain
        ones, (T,).
    mean, mean_square
        Of the gradients: what the two moments should show.

    Returns
    -------
    Figure
        Not shown or saved. Steps count from 1, on a logarithmic axis.

    Raises
    ------
    InputError
        If the lengths differ, there are fewer than two steps, or a number is not finite.
    """
    m = numbers("m", m, ["steps"])
    if len(m) < 2:
        raise InputError("there is one step only: give at least 2")
    pairs = [
        (m, numbers("m_hat", m_hat, m.shape)),
        (numbers("v", v, m.shape), numbers("v_hat", v_hat, m.shape)),
        (numbers("plain_steps", plain_steps, m.shape), numbers("steps", steps, m.shape)),
    ]
    truths = [float(numbers("mean", mean, [])), float(numbers("mean_square", mean_square, [])), None]
    titles = ["first moment", "second moment", "step / learning rate"]
    t = np.arange(1, len(m) + 1)
    figure = blank(10, 3.8)
    for axes, (plain, corrected), truth, title in zip(
        figure.subplots(1, 3), pairs, truths, titles, strict=True
    ):
        (plain_line,) = axes.plot(t, plain, **PLAIN)
        (corrected_line,) = axes.plot(t, corrected, **CORRECTED)
        if truth is not None:
            mark = axes.axhline(truth, **TRUTH)
        axes.set(xscale="log", xlabel="step", title=title)
        axes.title.set_fontsize(11)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(labelsize=FONT)
        if min(plain.min(), corrected.min()) >= 0:
            axes.set_ylim(bottom=0)
    names = ["without correction", "with correction", "mean of the gradients, and of their squares"]
    legend_below(figure, [plain_line, corrected_line, mark], names)
    return figure
