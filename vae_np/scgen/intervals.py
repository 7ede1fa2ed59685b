"""From an uncertain delta to an interval for the mean of each gene in the predicted cells.

Three questions have three answers:

- *errors*: how far off were predictions made in the same way for the types that were measured
  [delta-errors]? They differ from the new type's in what types do differently and in what the decoder
  gets wrong. This is the interval to show beside a prediction.
- *types*: each training type's own delta is one draw of how a type responds; it is added to the control
  cells and decoded, and the spread of the predicted means is the uncertainty [delta-interval]. It takes the
  decoder for right.
- *cells*: where would the predicted mean lie, had other cells of the same types been measured? Cells are
  resampled within their types [delta-bootstrap]. It does not know that types differ.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from vae_np.errors import InputError
from vae_np.scgen.delta import delta_predict
from vae_np.scgen.uncertainty import error_interval, prediction_interval

Over = Literal["errors", "types", "cells"]
Move: TypeAlias = Callable[[np.ndarray], np.ndarray]


class Interval(NamedTuple):
    """Predicted mean of each gene and the ends of its interval, (d,) each."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _predicted_mean(move: Move, z: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the predicted cells, and its sampling variance v/n."""
    if len(z) < 2:
        raise InputError(f"an interval needs the spread of control cells: there are {len(z)}, give 2 or more")
    predicted = move(delta_predict(z, shift))
    return predicted.mean(axis=0, dtype=float), predicted.var(axis=0, dtype=float, ddof=1) / len(z)


def interval_over_types(
    move: Move, z: np.ndarray, shift: np.ndarray, deltas: np.ndarray, level: float
) -> Interval:
    """Interval for the mean of a type that was not measured [delta-interval].

    mean +- t_{K-1} sqrt( s^2 (1 + 1/K) + v/n ), s^2 the variance over types of the mean predicted with each
    type's own delta, v/n the sampling variance of the mean of the n predicted cells

    Parameters
    ----------
    move
        Takes shifted latents (n, k) to predicted cells (n, d).
    z
        Latent means of the control cells, (n, k).
    shift
        The delta of the prediction, (k,).
    deltas
        Delta of each training type, (K, k).
    level
        Share of types whose mean is to lie inside.

    Returns
    -------
    Interval
        For each gene.

    Raises
    ------
    InputError
        If there are fewer than two types or two cells.
    """
    mean, noise = _predicted_mean(move, z, shift)
    by_type = np.stack([move(delta_predict(z, d)).mean(axis=0, dtype=float) for d in deltas])
    half = prediction_interval(by_type, noise, level)
    return Interval(mean, mean - half, mean + half)


def interval_from_errors(
    move: Move, z: np.ndarray, shift: np.ndarray, errors: np.ndarray, level: float
) -> Interval:
    """Interval for the mean of a new type from the errors made for the known ones [delta-errors].

    mean +- t_{K-1} sqrt( (K^2 - 1)/K^3 sum_t e_t^2 + v/n )

    The errors are taken from measured means and hold noise like v/n already, of the training types' size;
    v/n is added for a type with few control cells, and makes the interval too wide by that much otherwise.

    Parameters
    ----------
    move, z, shift, level
        As in `interval_over_types`.
    errors
        True minus predicted mean of each training type, predicted from the others, (K, d).

    Returns
    -------
    Interval
        For each gene.

    Raises
    ------
    InputError
        As in `interval_over_types`.
    """
    mean, noise = _predicted_mean(move, z, shift)
    half = error_interval(errors, noise, level)
    return Interval(mean, mean - half, mean + half)


def interval_over_cells(
    move: Move, z: np.ndarray, shift: np.ndarray, deltas: np.ndarray, level: float, rng: np.random.Generator
) -> Interval:
    """Percentile interval of the predicted mean over resampled cells [delta-bootstrap].

    Parameters
    ----------
    move, z, shift
        As in `interval_over_types`.
    deltas
        Deltas of resampled training cells, (B, k).
    level
        Share of the resamples that is to lie inside.
    rng
        Of the resampling of the control cells.

    Returns
    -------
    Interval
        For each gene.
    """
    means = []
    for d in deltas:
        rows = rng.integers(len(z), size=len(z))
        means.append(move(delta_predict(z, d))[rows].mean(axis=0, dtype=float))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(move(delta_predict(z, shift)).mean(axis=0, dtype=float), low, high)
