"""Which cells enter delta, by which rule, and what is said about them in the result."""

from typing import Literal, NamedTuple

import numpy as np

from vae_np.errors import InputError
from vae_np.scgen.delta import delta, delta_balanced, delta_resampled, shared_types

DeltaMethod = Literal["shared", "scgen", "pooled"]


class Reference(NamedTuple):
    """The training cells as the arithmetic sees them: latent means and labels, no expression.

    Attributes
    ----------
    z
        Latent means, (n, k).
    condition, cell_type
        Label of each cell, (n,), strings.
    """

    z: np.ndarray
    condition: np.ndarray
    cell_type: np.ndarray


class Perturbation(NamedTuple):
    """A perturbation vector and the cells behind it.

    Attributes
    ----------
    delta
        Shape (k,).
    counts
        Cell type -> (control cells, stimulated cells) that entered.
    """

    delta: np.ndarray
    counts: dict[str, tuple[int, int]]


def require_known(name: str, known: np.ndarray, what: str) -> None:
    """Raise `InputError` with the list of known names if `name` is not one of them."""
    if name not in known:
        names = ", ".join(map(repr, np.unique(known).tolist()))
        raise InputError(f"{what} {name!r} does not exist: the names are {names}")


def perturbation(
    reference: Reference,
    ctrl_key: str,
    stim_key: str,
    *,
    target: str | None,
    only_types: list[str] | None,
    method: DeltaMethod,
    min_cells: int,
    rng: np.random.Generator,
) -> Perturbation:
    """Compute delta from the training cells, never from stimulated cells of the target type.

    ``shared`` [delta-balanced]: mean of the per-type differences over the types with at least
    `min_cells` cells in both conditions, the target excluded; exact, no randomness.
    ``pooled`` [delta]: mean of all stimulated minus mean of all control cells, the target excluded.
    ``scgen`` [delta-resampling-limit]: the published resampling over all types, the target's control
    cells included.

    Parameters
    ----------
    reference
        The training cells.
    ctrl_key, stim_key
        The two conditions.
    target
        The cell type to be predicted, or None for cells that have none.
    only_types
        Cell types to use; None is all.
    method, min_cells
        The rule.
    rng
        Source of randomness of ``scgen``.

    Returns
    -------
    Perturbation
        The vector and the cells behind it.

    Raises
    ------
    InputError
        If a name or the method is unknown, both conditions are the same, or no cells are left.
    """
    for name in (ctrl_key, stim_key):
        require_known(name, reference.condition, "condition")
    if ctrl_key == stim_key:
        raise InputError(f"control and stimulated are both {ctrl_key!r}: name two conditions")
    if method not in ("shared", "scgen", "pooled"):
        raise InputError(f"delta_method {method!r} is unknown: use 'shared', 'scgen' or 'pooled'")
    for name in only_types or []:
        require_known(name, reference.cell_type, "cell type")

    z, condition, cell_type = reference
    usable = np.ones(len(z), bool) if only_types is None else np.isin(cell_type, only_types)
    not_target = cell_type != target
    control = usable & (condition == ctrl_key) & (not_target | (method == "scgen"))
    stimulated = usable & (condition == stim_key) & not_target
    cells = (z[control], z[stimulated], cell_type[control], cell_type[stimulated])
    counts = shared_types(*cells[2:], min_cells=min_cells if method == "shared" else 0)
    if not counts or not control.any() or not stimulated.any():
        rule = f"{min_cells} cells" if method == "shared" else "cells"
        raise InputError(
            f"no cell type is left with {rule} in both {ctrl_key!r} and {stim_key!r}: "
            "delta needs at least one type other than the predicted one"
        )
    if method == "shared":
        return Perturbation(delta_balanced(*cells, min_cells=min_cells), counts)
    if method == "scgen":
        return Perturbation(delta_resampled(*cells, rng).astype(z.dtype, copy=False), counts)
    return Perturbation(delta(*cells[:2]), counts)
