"""Unbiased estimates of one gradient: the same mean, very different noise, and how the noise grows.

Draws far out in a tail would squeeze all others into one bin. The axis therefore spans the central 99 %
of the noisiest estimator's draws, or more if the others need it, and the legend says what lies beyond.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, legend_below
from vae_np.plots.marks import blank
from vae_np.plots.palette import BLACK, kind

N_BINS = 81
TAIL = 0.005  # share of the draws left out on each side


def _edges(draws: Mapping[str, np.ndarray], exact: float) -> np.ndarray:
    """Bins, (N_BINS + 1,), over the central draws of all estimators and the exact gradient."""
    ends = np.concatenate([np.quantile(values, [TAIL, 1 - TAIL]) for values in draws.values()])
    low, high = min(float(ends.min()), exact), max(float(ends.max()), exact)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # equal up to rounding: no bin fits between
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, N_BINS + 1)


def _summary(name: str, draws: np.ndarray, edges: np.ndarray) -> str:
    """Name, mean with standard error, and the share of the draws that the axis does not show."""
    error = float(draws.std(ddof=1)) / np.sqrt(len(draws))
    decimals = int(np.clip(1 - np.floor(np.log10(error)), 0, 6)) if error > 0 else 3
    hidden = float(np.mean((draws < edges[0]) | (draws > edges[-1])))
    beyond = f"; beyond the axis {hidden:.2%}" if hidden else ""
    return f"{name}: mean {draws.mean():.{decimals}f} ± {error:.{decimals}f}{beyond}"


def gradient_noise_plot(
    draws: Mapping[str, np.ndarray],
    exact: float,
    dimensions: np.ndarray,
    measured: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
) -> Figure:
    """Plot the distributions of unbiased gradient estimates and their growing variances [score-function].

    Parameters
    ----------
    draws
        Name of each estimator and its estimates from single draws, (n,), at least 2.
    exact
        The gradient that all of them estimate.
    dimensions
        Numbers of latent dimensions, (m,), rising.
    measured
        For each estimator the variance of sampled estimates at each dimension, (m,), the marks.
    expected
        For each estimator the variance by formula, (m,), the lines.

    Returns
    -------
    Figure
        Not shown or saved. The legend states each mean with its standard error.

    Raises
    ------
    InputError
        If there is no estimator, the names or shapes differ, a number is not finite, or a variance or
        a dimension is not positive.
    """
    if not draws or not set(draws) == set(measured) == set(expected):
        raise InputError("draws, measured and expected must name the same estimators, at least one")
    estimates = {name: numbers(f"draws of {name!r}", values, ["draws"]) for name, values in draws.items()}
    if min(len(values) for values in estimates.values()) < 2:
        raise InputError("an estimator has one draw only: give at least 2")
    exact = float(numbers("exact", exact, []))
    dimensions = numbers("dimensions", dimensions, ["dimensions"])
    marks = {name: numbers(f"measured {name!r}", measured[name], dimensions.shape) for name in draws}
    lines = {name: numbers(f"expected {name!r}", expected[name], dimensions.shape) for name in draws}
    if min(float(values.min()) for values in (dimensions, *marks.values(), *lines.values())) <= 0:
        raise InputError("a dimension or a variance is not positive: a logarithmic axis cannot show it")

    figure = blank(9.5, 4.4)
    left, right = figure.subfigures(1, 2, squeeze=False)[0]
    panels = left.subplots(len(estimates), 1, sharex=True, squeeze=False)[:, 0]
    growth = right.subplots()
    edges = _edges(estimates, exact)
    handles: list[Artist] = []
    for i, (axes, (name, values)) in enumerate(zip(panels, estimates.items(), strict=True)):
        look = kind(name, i)
        shares = np.histogram(values, edges)[0] / len(values)
        axes.stairs(shares, edges, fill=True, color=look.color, alpha=0.6)
        mark = axes.axvline(exact, color=BLACK, lw=1.2)
        beside = {"transform": axes.transAxes, "clip_on": False}  # whose panel it is, also in gray
        axes.plot(-0.04, 0.5, look.marker, color=look.color, ms=7, **beside)
        axes.set(yticks=[], ylim=(0, None))
        growth.plot(dimensions, lines[name], color=look.color, ls=look.line, lw=1.8)
        growth.plot(dimensions, marks[name], look.marker, color=look.color, ms=7)
        handles.append(Line2D([], [], color=look.color, ls=look.line, marker=look.marker, ms=7, lw=1.8))
    panels[0].set_title("Estimates from one draw: shares of the draws", fontsize=11)
    panels[-1].set_xlabel("estimate of the gradient")
    growth.set(xscale="log", yscale="log", xlabel="latent dimensions", ylabel="variance of one estimate")
    growth.set_title("Variance: formula (line), sampled (mark)", fontsize=11)
    growth.set_xticks(np.unique(dimensions), [f"{tick:g}" for tick in np.unique(dimensions)])
    growth.minorticks_off()
    for axes in (*panels, growth):
        axes.tick_params(labelsize=FONT)
    names = texts("estimators", list(draws), len(draws))
    labels = [_summary(name, estimates[key], edges) for name, key in zip(names, draws, strict=True)]
    legend_below(figure, [*handles, mark], [*labels, f"exact gradient: {exact:.4g}"])
    return figure
