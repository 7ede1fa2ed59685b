"""Latent points in two dimensions, all groups in one picture: principal components, or UMAP.

Both are fitted to all points together: fitted to one group, the others would be drawn along axes that
were not chosen for them. Distances in a PCA plane are real ones, as far as two axes show them; those
in a UMAP are not.
"""

import importlib
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from vae_np.errors import InputError
from vae_np.plots.checks import numbers, texts
from vae_np.plots.labels import legend_below
from vae_np.plots.marks import blank, dots
from vae_np.plots.palette import kind


def principal_plane(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of points along their two directions of largest variance.

    Parameters
    ----------
    z
        Points, (n, k).

    Returns
    -------
    tuple
        Coordinates (n, 2); share of the variance along each, (2,), 0 where there is none.
    """
    centered = z - z.mean(axis=0)
    spreads, axes = np.linalg.eigh(centered.T @ centered)  # rising
    axes = axes[:, ::-1][:, :2]
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # the sign is free: the same picture every time
    total = float(np.trace(centered.T @ centered))
    shares = np.zeros(2)
    shares[: axes.shape[1]] = spreads[::-1][:2] / total if total > 0 else 0
    return np.pad(centered @ axes, ((0, 0), (0, 2 - axes.shape[1]))), shares


def _umap(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """UMAP of points (n, k), at least 4, into (n, 2)."""
    try:
        umap = importlib.import_module("umap")
    except ImportError:
        raise InputError(
            "umap-learn is not installed: install it (pip install umap-learn) or use pca"
        ) from None
    if len(z) < 4:
        raise InputError(f"{len(z)} points are too few for UMAP: give at least 4 or use pca")
    # One job: with a seed UMAP runs no more, and warns if it was asked to.
    settings = {"n_neighbors": min(15, len(z) - 1), "n_jobs": 1, "init": "random"}
    return umap.UMAP(random_state=int(rng.integers(2**31)), **settings).fit_transform(z)


def embedding_plot(
    groups: Mapping[str, np.ndarray], method: str = "pca", rng: np.random.Generator | None = None
) -> Figure:
    """Plot groups of latent points in the plane of a PCA or a UMAP of all of them.

    Parameters
    ----------
    groups
        Name of each group and its points, (n, k); ``control``, ``predicted``, ``true`` keep their
        colors from figure to figure. Larger groups are drawn first.
    method
        ``"pca"`` or ``"umap"`` (needs the package umap-learn).
    rng
        Source of randomness, for UMAP only.

    Returns
    -------
    Figure
        Not shown or saved.

    Raises
    ------
    InputError
        If a group is empty or has another number of dimensions, the method is unknown, or UMAP is
        asked for and is not installed, has no `rng`, or has fewer than 4 points.
    """
    if not groups:
        raise InputError("groups is empty: give at least one group of latent points")
    points = {}
    n_latent: int | str = "latent dimensions"
    for name, z in groups.items():
        points[name] = numbers(f"group {name!r}", z, ["cells", n_latent])
        n_latent = points[name].shape[1]
    together = np.concatenate(list(points.values()))
    if method == "pca":
        at, shares = principal_plane(together)
        labels = [f"PC{i + 1} ({share:.0%} of the variance)" for i, share in enumerate(shares)]
    elif method == "umap":
        if rng is None:
            raise InputError("rng is None, but UMAP is random: give a numpy Generator")
        at, labels = _umap(together, rng), ["UMAP 1", "UMAP 2"]
    else:
        raise InputError(f"method is {method!r}: give pca or umap")

    figure = blank(7, 6)
    axes = figure.add_subplot()
    ends = np.cumsum([len(z) for z in points.values()])
    size = float(np.clip(12000 / len(together), 8, 30))
    handles = []
    for i, (name, z) in enumerate(points.items()):
        mine = at[ends[i] - len(z) : ends[i]]
        layer = 2 - len(z) / len(together)
        handles.append(dots(axes, mine, kind(name, i), name, size, layer=layer))
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=labels[0], ylabel=labels[1], title="Latent space")
    legend_below(figure, handles, texts("groups", list(points), len(points)), marker_scale=(30 / size) ** 0.5)
    return figure
