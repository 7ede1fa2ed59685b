"""Which cells enter delta, by which rule, and what is said about them in the result."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, Self

import numpy as np

from vae_np.errors import InputError
from vae_np.scgen.delta import delta, delta_balanced, delta_resampled, shared_types
from vae_np.scgen.uncertainty import agreement, type_deltas

DeltaMethod = Literal["shared", "scgen", "pooled"]


class Reference(NamedTuple):
    """The training cells as the arithmetic sees them: latent means and labels, no expression.

    Attributes
    ----------
    z
        Latent means, (n, k).
    condition, cell_type
        Label of each cell, (n,), strings.
    context
        Further labels by the name of their column, each (n,), strings.
    """

    z: np.ndarray
    condition: np.ndarray
    cell_type: np.ndarray
    context: Mapping[str, np.ndarray] = MappingProxyType({})

    def among(self, context: Mapping[str, list[str]]) -> Self:
        """Keep the cells whose further labels are among the names given for each column.

        Raises
        ------
        InputError
            If a name is unknown.
        """
        chosen = np.ones(len(self.z), bool)
        for key, names in context.items():
            for name in names:
                require_known(name, self.context[key], key)
            chosen &= np.isin(self.context[key], names)
        kept = {key: values[chosen] for key, values in self.context.items()}
        return self._replace(
            z=self.z[chosen],
            condition=self.condition[chosen],
            cell_type=self.cell_type[chosen],
            context=kept,
        )


class Groups(NamedTuple):
    """Latent means and cell types of the control and of the stimulated cells that enter delta."""

    z_ctrl: np.ndarray
    z_stim: np.ndarray
    type_ctrl: np.ndarray
    type_stim: np.ndarray


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


class NoDeltaError(InputError):
    """No cell type has cells in both conditions."""


def require_known(name: str, known: np.ndarray, what: str) -> None:
    """Raise `InputError` with the list of known names if `name` is not one of them."""
    if name not in known:
        names = ", ".join(map(repr, np.unique(known).tolist()))
        raise InputError(f"{what} {name!r} does not exist: the names are {names}")


def choose_cells(
    condition: np.ndarray,
    cell_type: np.ndarray,
    ctrl_key: str,
    stim_key: str,
    *,
    target: str | None,
    only_types: list[str] | None = None,
    method: DeltaMethod = "shared",
    min_cells: int = 10,
) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[int, int]]]:
    """Choose the control and the stimulated cells that enter delta.

    ``shared`` and ``pooled`` leave the target out on both sides; ``scgen``, as published, keeps its
    control cells. The target's stimulated cells are never chosen.

    Parameters
    ----------
    condition, cell_type
        Label of each cell, (n,).
    ctrl_key, stim_key
        The two conditions.
    target
        The cell type to be predicted, or None for cells that have none.
    only_types
        Cell types to use; None is all.
    method
        The rule.
    min_cells
        For ``shared``: a type enters if it has this many cells in both conditions.

    Returns
    -------
    tuple
        Masks of the control and of the stimulated cells, (n,), and cell type -> (control cells,
        stimulated cells).

    Raises
    ------
    InputError
        If a name or the method is unknown, both conditions are the same, or no cells are left.
    """
    for name in (ctrl_key, stim_key):
        require_known(name, condition, "condition")
    if ctrl_key == stim_key:
        raise InputError(f"control and stimulated are both {ctrl_key!r}: name two conditions")
    if method not in ("shared", "scgen", "pooled"):
        raise InputError(f"delta_method {method!r} is unknown: use 'shared', 'scgen' or 'pooled'")
    for name in only_types or []:
        require_known(name, cell_type, "cell type")

    usable = np.ones(len(condition), bool) if only_types is None else np.isin(cell_type, only_types)
    not_target = cell_type != target
    control = usable & (condition == ctrl_key) & (not_target | (method == "scgen"))
    stimulated = usable & (condition == stim_key) & not_target
    least = min_cells if method == "shared" else 0
    counts = shared_types(cell_type[control], cell_type[stimulated], least)
    if not counts or not control.any() or not stimulated.any():
        rule = f"{min_cells} cells" if method == "shared" else "cells"
        raise NoDeltaError(
            f"no cell type is left with {rule} in both {ctrl_key!r} and {stim_key!r}: "
            "delta needs at least one type other than the predicted one"
        )
    return control, stimulated, counts


def chosen_latents(
    reference: Reference,
    ctrl_key: str,
    stim_key: str,
    *,
    target: str | None,
    only_types: list[str] | None,
    min_cells: int,
    method: DeltaMethod = "shared",
) -> tuple[Groups, dict[str, tuple[int, int]]]:
    """Take the latents and types of the cells that enter delta.

    Parameters
    ----------
    reference
        The training cells.
    ctrl_key, stim_key, target, only_types, min_cells, method
        As in `choose_cells`.

    Returns
    -------
    tuple
        The two groups, and cell type -> (control cells, stimulated cells).

    Raises
    ------
    InputError
        As in `choose_cells`.
    """
    z, condition, cell_type, _ = reference
    control, stimulated, counts = choose_cells(
        condition,
        cell_type,
        ctrl_key,
        stim_key,
        target=target,
        only_types=only_types,
        method=method,
        min_cells=min_cells,
    )
    return Groups(z[control], z[stimulated], cell_type[control], cell_type[stimulated]), counts


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
    """Compute delta from the training cells.

    ``shared`` [delta-balanced]: mean over types of the difference within each, no randomness.
    ``pooled`` [delta]: mean of all stimulated minus mean of all control cells.
    ``scgen`` [delta-resampling-limit]: the published resampling.

    Parameters
    ----------
    reference
        The training cells.
    ctrl_key, stim_key, target, only_types, method, min_cells
        As in `choose_cells`.
    rng
        Source of randomness of ``scgen``.

    Returns
    -------
    Perturbation
        The vector and the cells behind it.

    Raises
    ------
    InputError
        As in `choose_cells`.
    """
    groups, counts = chosen_latents(
        reference,
        ctrl_key,
        stim_key,
        target=target,
        only_types=only_types,
        method=method,
        min_cells=min_cells,
    )
    if method == "shared":
        return Perturbation(delta_balanced(*groups, min_cells=min_cells), counts)
    if method == "scgen":
        return Perturbation(delta_resampled(*groups, rng), counts)
    return Perturbation(delta(groups.z_ctrl, groups.z_stim), counts)


class TypeDeltas(NamedTuple):
    """The delta of each cell type by itself, and how well the types agree.

    Attributes
    ----------
    names
        Cell types, K of them.
    deltas
        Shape (K, k).
    agreement
        Cosine of each type's delta with the mean of the others', (K,); near 1 if one shared delta is a
        good summary [delta-agreement].
    """

    names: list[str]
    deltas: np.ndarray
    agreement: np.ndarray


def deltas_by_type(
    reference: Reference,
    ctrl_key: str,
    stim_key: str,
    *,
    target: str | None,
    only_types: list[str] | None,
    min_cells: int,
) -> TypeDeltas:
    """Compute the delta of each type that enters the shared one.

    Parameters
    ----------
    reference, ctrl_key, stim_key, target, only_types, min_cells
        As in `perturbation`.

    Returns
    -------
    TypeDeltas
        Types in sorted order.

    Raises
    ------
    InputError
        As in `choose_cells`.
    """
    groups, _ = chosen_latents(
        reference, ctrl_key, stim_key, target=target, only_types=only_types, min_cells=min_cells
    )
    names, deltas = type_deltas(*groups, min_cells=min_cells)
    return TypeDeltas(names, deltas, agreement(deltas))
