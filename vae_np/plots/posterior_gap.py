"""The gap of the bound: how far each q is from the posterior, and what its ELBO loses for that.

    log p(x) = ELBO + KL(q||posterior)          -2.2655 = -3.4189 + 1.1534

A bar of the length of the KL, put on the ELBO, ends at log p(x) for every q, good or bad.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import FONT, LINE, legend_below
from vae_np.plots.marks import blank
from vae_np.plots.palette import BLACK, COLORS, GRAY, LINE_STYLES, MARKERS


def posterior_gap_plot(
    z: np.ndarray,
    prior: np.ndarray,
    posterior: np.ndarray,
    q: Mapping[str, np.ndarray],
    log_evidence: float,
    elbo: np.ndarray,
    gap: np.ndarray,
) -> Figure:
    """Plot prior, posterior and several q, and log p(x) = ELBO + KL(q||posterior) of each [elbo-gap].

    Each of the numbers is drawn as it is given: where they break the equation, the bar does not end at
    the line.

    Parameters
    ----------
    z
        Latent points, one dimension, (m,).
    prior, posterior
        Densities at these points, (m,).
    q
        Name of each q and its density, (m,).
    log_evidence
        log p(x), nats.
    elbo, gap
        ELBO and KL from the posterior of each q, (K,), nats.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If there is no q, the shapes do not fit, or a number is not finite.
    """
    z = numbers("z", z, ["points"])
    prior, posterior = numbers("prior", prior, z.shape), numbers("posterior", posterior, z.shape)
    if not q:
        raise InputError("q is empty: give at least one density")
    densities = [numbers(f"density of {name!r}", density, z.shape) for name, density in q.items()]
    names = texts("densities", list(q), len(q))
    end = float(numbers("log_evidence", log_evidence, []))
    elbo, gap = numbers("elbo", elbo, [len(q)]), numbers("gap", gap, [len(q)])

    rows = np.arange(len(q))
    low_height = 0.75 + 1.4 * LINE * len(q)
    figure = blank(7, 3.4 + low_height)
    above, below = figure.subplots(2, 1, height_ratios=[2.4, low_height])
    handles: list[Artist] = [
        above.fill_between(z, prior, color=GRAY, alpha=0.35, lw=0),
        *above.plot(z, posterior, color=BLACK, lw=4, alpha=0.4),
    ]
    for i, density in enumerate(densities):
        color, line = COLORS[i % 6], LINE_STYLES[i % len(LINE_STYLES)]  # neither black nor gray
        marker = MARKERS[i % len(MARKERS)]
        few = max(1, len(z) // 12)
        handles += above.plot(z, density, line, color=color, marker=marker, ms=5, markevery=(few // 2, few))
        below.plot(elbo[i], i, marker, color=color, ms=8, mec="white", zorder=3, label="ELBO")
    bars = below.barh(
        rows, gap, left=elbo, height=0.55, facecolor="white", edgecolor=GRAY, hatch="///", zorder=1
    )
    line_at = below.axvline(end, color=BLACK, ls="--", lw=1.5, zorder=2)
    above.set(xlabel="z", ylabel="density", xlim=(z.min(), z.max()) if np.ptp(z) else None)
    above.set_ylim(bottom=0)
    below.set_yticks(rows, names, parse_math=False)
    below.set(ylim=(len(q) - 0.5, -0.5), xlabel="nats")
    below.use_sticky_edges = False  # room for the marks at both ends
    below.margins(x=0.05)
    sizes = below.secondary_yaxis("right")
    sizes.set_yticks(rows, [f"{value:.3g}" for value in gap])
    sizes.set_ylabel("KL [nats]")
    for axes in (above, below, sizes):
        axes.tick_params(labelsize=FONT)
    above.set_title("Densities of the latent variable", fontsize=11)
    below.set_title("ELBO (mark) + KL from the posterior (bar) = log p(x)", fontsize=11)
    handles += [bars, line_at]
    legend_below(figure, handles, ["prior", "posterior", *names, "KL(q||posterior)", f"log p(x) = {end:.4g}"])
    return figure
