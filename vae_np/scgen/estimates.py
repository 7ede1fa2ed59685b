"""How well a trained model explains cells: whose decoder variance is used, and the result that says so."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from vae_np.data.matrix import Matrix
from vae_np.elbo.gaussian_likelihood import gaussian
from vae_np.errors import InputError, whole_number
from vae_np.model.evidence import Evidence
from vae_np.scgen.fitted import Fitted

Estimator: TypeAlias = Callable[..., Evidence]


class Estimate(NamedTuple):
    """An estimate for each cell and what it rests on.

    Attributes
    ----------
    value
        Nats, (n,).
    standard_error
        Of the Monte Carlo draws, nats, (n,); infinite for one draw.
    variance
        Of the decoder, as it was used.
    variance_from
        ``"residual_variance"`` or ``"given"``.
    """

    value: np.ndarray
    standard_error: np.ndarray
    variance: np.ndarray
    variance_from: str


def estimate(
    estimator: Estimator,
    fitted: Fitted,
    x: Matrix,
    n_samples: int,
    variance: float | np.ndarray | None,
    seed: int,
) -> Estimate:
    """Estimate for each cell with the decoder variance that is given, or with the measured one.

    Parameters
    ----------
    estimator
        One of the functions of `vae_np.model.evidence`.
    fitted
        The trained model.
    x
        Cells with the genes of the model, (n, d).
    n_samples
        Draws a cell.
    variance
        A positive number, or one a gene, (d,); None is the residual variance.
    seed
        Of the draws.

    Returns
    -------
    Estimate
        With the variance and where it is from.

    Raises
    ------
    InputError
        If n_samples, variance or seed are out of range, or the values of the cells are too large.
    """
    n_samples = whole_number("n_samples", n_samples, least=1, most=1_000_000)
    rng = np.random.default_rng(whole_number("seed", seed, least=0))
    origin = "residual_variance" if variance is None else "given"
    used = fitted.residual_variance.copy() if variance is None else np.array(variance)
    if used.ndim and used.shape != (len(fitted.genes),):
        raise InputError(f"variance has shape {used.shape}: give one number, or ({len(fitted.genes)},)")
    try:
        likelihood = gaussian(used)
    except ValueError:
        name = "residual_variance" if variance is None else "variance"
        raise InputError(f"{name} is not positive for every gene: give a variance > 0") from None
    with np.errstate(over="ignore", invalid="ignore"):
        found = estimator(fitted.params, fitted.stats, x, likelihood, n_samples, rng)
    if bad := np.count_nonzero(np.isnan(found.value)):
        kind = fitted.params.flat.dtype
        raise InputError(f"{bad} of {x.shape[0]} cells overflow {kind}: log-normalized values are at most 20")
    return Estimate(*found, used, origin)
