"""How far one shared delta can be trusted: the types against each other, and cells drawn again.

Scalar case. Three types have delta 1, 2 and 6; their mean, 3, is what a new type is predicted to do. The
types vary with s^2 = 7, so the mean is uncertain by s^2/3 = 2.3 and the delta of a fourth type by 7 + 2.3.

Two different questions. *Over types*: how do types differ? That is what a prediction for a new type has
to fear, and K types give K - 1 degrees of freedom to measure it. *Over cells*: how would delta change, had
other cells of the same types been measured? That goes to zero with many cells, however much types differ.
"""

import numpy as np
from scipy.special import stdtrit

from vae_np.errors import InputError
from vae_np.scgen.delta import delta, shared_types


def _types_in_both(type_ctrl: np.ndarray, type_stim: np.ndarray, min_cells: int) -> list[str]:
    """List the shared types; an error if there is none."""
    names = list(shared_types(type_ctrl, type_stim, min_cells))
    if not names:
        raise InputError(f"no cell type has {min_cells} cells in both conditions: give a smaller min_cells")
    return names


def type_deltas(
    z_ctrl: np.ndarray,
    z_stim: np.ndarray,
    type_ctrl: np.ndarray,
    type_stim: np.ndarray,
    min_cells: int = 1,
) -> tuple[list[str], np.ndarray]:
    """Difference of the means within each shared type; `delta_balanced` is their mean [delta-balanced].

    Parameters
    ----------
    z_ctrl, z_stim, type_ctrl, type_stim, min_cells
        As in `delta_balanced`.

    Returns
    -------
    tuple
        Names of the K types in sorted order, and their deltas, (K, k).

    Raises
    ------
    InputError
        If no type has enough cells in both conditions.
    """
    names = _types_in_both(type_ctrl, type_stim, min_cells)
    return names, np.stack([delta(z_ctrl[type_ctrl == t], z_stim[type_stim == t]) for t in names])


def _sums_of_others(deltas: np.ndarray) -> np.ndarray:
    """For each type the sum over all the other types, (K, k) [delta-agreement] [delta-jackknife]."""
    return (1 - np.eye(len(deltas))) @ deltas


def agreement(deltas: np.ndarray) -> np.ndarray:
    """Cosine of each type's delta with the mean of the other types' deltas [delta-agreement].

    1: the type answers in the direction that the others predict; 0: at a right angle to it, or not at all.

    Parameters
    ----------
    deltas
        Delta of each type, (K, k).

    Returns
    -------
    np.ndarray
        Shape (K,), between -1 and 1. If a type's delta or the mean of the others is zero, 0. One type alone
        has 1: the shared delta is its own, and nothing contradicts it.
    """
    if len(deltas) == 1:
        return np.ones(1)
    others = _sums_of_others(deltas)  # a sum has the direction of the mean
    lengths = np.sqrt(np.vecdot(deltas, deltas) * np.vecdot(others, others))
    return np.divide(np.vecdot(deltas, others), lengths, out=np.zeros(len(deltas)), where=lengths > 0)


def jackknife_variance(deltas: np.ndarray) -> np.ndarray:
    """Variance of the balanced delta over types, from leaving out one type at a time [delta-jackknife].

    (K-1)/K sum_t ( delta without type t - mean of these )^2 = s^2 / K

    Parameters
    ----------
    deltas
        Delta of each type, (K, k).

    Returns
    -------
    np.ndarray
        Shape (k,).

    Raises
    ------
    InputError
        If there is one type only.
    """
    K = len(deltas)
    if K < 2:
        raise InputError(f"the variance over types needs at least two types: there is {K}")
    without = _sums_of_others(deltas) / (K - 1)
    return (K - 1) / K * ((without - without.mean(axis=0)) ** 2).sum(axis=0)


def _student_quantile(K: int, level: float) -> float:
    """Quantile that leaves (1 - level)/2 on each side, for K types [delta-interval]."""
    if K < 2:
        raise InputError(f"an interval over types needs at least two types: there is {K}")
    if not 0 < level < 1:
        raise InputError(f"level is {level}: give a number between 0 and 1")
    return float(stdtrit(K - 1, (1 + level) / 2))


def prediction_interval(
    values: np.ndarray, sampling_variance: np.ndarray | float = 0.0, level: float = 0.9
) -> np.ndarray:
    """Half-width of the interval for a type that is not among the K measured ones [delta-interval].

    t quantile with K - 1 degrees of freedom times sqrt( s^2 (1 + 1/K) + sampling variance )

    Parameters
    ----------
    values
        Predicted mean of each gene when only one type's delta is used, (K, d).
    sampling_variance
        Variance that the value to be covered has besides, (d,), or 0.
    level
        Probability of covering it, for normal types: exact if `sampling_variance` is 0, else at least this.

    Returns
    -------
    np.ndarray
        Shape (d,): the interval is the mean over the types plus and minus this.

    Raises
    ------
    InputError
        If there is one type only, or `level` is not between 0 and 1.
    """
    K = len(values)
    quantile = _student_quantile(K, level)
    return quantile * np.sqrt(values.var(axis=0, ddof=1) * (1 + 1 / K) + sampling_variance)


def error_interval(
    errors: np.ndarray, sampling_variance: np.ndarray | float = 0.0, level: float = 0.9
) -> np.ndarray:
    """Half-width of the interval for a new type, from the errors made for the known ones [delta-errors].

    t quantile with K - 1 degrees of freedom times sqrt( (K^2 - 1)/K^3 sum_t e_t^2 + sampling variance )

    Parameters
    ----------
    errors
        True minus predicted mean of each gene, each type predicted from the delta of the others, (K, d).
    sampling_variance, level
        As in `prediction_interval`.

    Returns
    -------
    np.ndarray
        Shape (d,): the half-width of `prediction_interval` if nothing but the types' differences makes the
        errors, more if the decoder adds its own.

    Raises
    ------
    InputError
        As in `prediction_interval`.
    """
    K = len(errors)
    quantile = _student_quantile(K, level)
    return quantile * np.sqrt((K**2 - 1) / K**3 * (errors**2).sum(axis=0) + sampling_variance)


def _means_of_resamples(z: np.ndarray, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Mean of each of `n_samples` draws of n of the n cells with replacement, (B, k) [delta-bootstrap].

    How often the cells are drawn is multinomial, so no draw has to be laid out cell by cell.
    """
    n = len(z)
    return rng.multinomial(n, np.full(n, 1 / n), size=n_samples) @ z / n


def bootstrap_deltas(
    z_ctrl: np.ndarray,
    z_stim: np.ndarray,
    type_ctrl: np.ndarray,
    type_stim: np.ndarray,
    n_samples: int,
    rng: np.random.Generator,
    min_cells: int = 1,
) -> np.ndarray:
    """Balanced delta of cells drawn with replacement within each type and condition [delta-bootstrap].

    covariance of the draws = 1/K^2 sum_t ( S_t,0 / n_t,0 + S_t,1 / n_t,1 ), S the covariance of the cells
    of a type and condition, divided by n and not by n - 1

    Parameters
    ----------
    z_ctrl, z_stim, type_ctrl, type_stim, min_cells
        As in `delta_balanced`.
    n_samples
        Number of resamples, B.
    rng
        Source of randomness.

    Returns
    -------
    np.ndarray
        Shape (B, k).

    Raises
    ------
    InputError
        If no type has enough cells in both conditions.
    """
    steps = [
        _means_of_resamples(z_stim[type_stim == t], n_samples, rng)
        - _means_of_resamples(z_ctrl[type_ctrl == t], n_samples, rng)
        for t in _types_in_both(type_ctrl, type_stim, min_cells)
    ]
    return np.mean(steps, axis=0)


def shrinkage_factor(changes: np.ndarray, decoded: np.ndarray) -> float:
    """Number that brings the decoded changes of the types closest to the measured ones [delta-scale].

    a = sum measured * decoded / sum decoded^2, least squares over types and genes

    Parameters
    ----------
    changes
        Measured difference of the means of each type, (K, d).
    decoded
        What the decoder makes of each type's delta, (K, d).

    Returns
    -------
    float
        Above 1 if the model shrinks.

    Raises
    ------
    InputError
        If the decoded changes are all zero.
    """
    if not decoded.any():
        raise InputError("the decoded changes are all zero: no factor brings them to the measured ones")
    return float(np.sum(changes * decoded) / np.sum(decoded**2))
