"""Wrong versions of delta, the perturbation vector, and of its use."""

import numpy as np

from vae_np.verify.mutants.record import Array, Mutant


def _sign(z_ctrl: Array, z_stim: Array) -> Array:
    return z_ctrl.mean(axis=0) - z_stim.mean(axis=0)


def _medians(z_ctrl: Array, z_stim: Array) -> Array:
    return np.median(z_stim, axis=0) - np.median(z_ctrl, axis=0)


def _mean_of_every_state(z_ctrl: Array, z_stim: Array) -> Array:
    return z_stim.mean(axis=0) - np.concatenate([z_ctrl, z_stim]).mean(axis=0)


def _sums(z_ctrl: Array, z_stim: Array) -> Array:
    return z_stim.sum(axis=0) - z_ctrl.sum(axis=0)


def _one_number(z_ctrl: Array, z_stim: Array) -> Array:
    return z_stim.mean() - z_ctrl.mean()


def _pooled(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    return z_stim.mean(axis=0) - z_ctrl.mean(axis=0)


def _pooled_shared(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = np.intersect1d(type_ctrl, type_stim)
    stim, ctrl = z_stim[np.isin(type_stim, shared)], z_ctrl[np.isin(type_ctrl, shared)]
    return stim.mean(axis=0) - ctrl.mean(axis=0)


def _weighted_by_cells(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = np.intersect1d(type_ctrl, type_stim)
    steps = [z_stim[type_stim == t].mean(axis=0) - z_ctrl[type_ctrl == t].mean(axis=0) for t in shared]
    return np.average(steps, axis=0, weights=[(type_stim == t).sum() for t in shared])


def _unshared_included(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    stim = np.mean([z_stim[type_stim == t].mean(axis=0) for t in np.unique(type_stim)], axis=0)
    ctrl = np.mean([z_ctrl[type_ctrl == t].mean(axis=0) for t in np.unique(type_ctrl)], axis=0)
    return stim - ctrl


def _held_out_in_control(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = np.intersect1d(type_ctrl, type_stim)
    stim = np.mean([z_stim[type_stim == t].mean(axis=0) for t in shared], axis=0)
    ctrl = np.mean([z_ctrl[type_ctrl == t].mean(axis=0) for t in np.unique(type_ctrl)], axis=0)
    return stim - ctrl


def _balanced_sign(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = np.intersect1d(type_ctrl, type_stim)
    steps = [z_ctrl[type_ctrl == t].mean(axis=0) - z_stim[type_stim == t].mean(axis=0) for t in shared]
    return np.mean(steps, axis=0)


def _balanced_medians(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = np.intersect1d(type_ctrl, type_stim)
    steps = [
        np.median(z_stim[type_stim == t], axis=0) - np.median(z_ctrl[type_ctrl == t], axis=0) for t in shared
    ]
    return np.mean(steps, axis=0)


def _summed_over_types(z_ctrl: Array, z_stim: Array, type_ctrl: Array, type_stim: Array) -> Array:
    shared = np.intersect1d(type_ctrl, type_stim)
    steps = [z_stim[type_stim == t].mean(axis=0) - z_ctrl[type_ctrl == t].mean(axis=0) for t in shared]
    return np.sum(steps, axis=0)


def _subtracted(z_ctrl: Array, delta: Array) -> Array:
    return z_ctrl - delta


def _mean_moved(z_ctrl: Array, delta: Array) -> Array:
    return np.tile(z_ctrl.mean(axis=0) + delta, (len(z_ctrl), 1))


def _delta_alone(z_ctrl: Array, delta: Array) -> Array:
    return np.tile(delta, (len(z_ctrl), 1))


MUTANTS = (
    Mutant(
        "sign",
        "delta",
        _sign,
        (),
        "Cells are moved away from the stimulated state: added to control cells, it predicts the opposite "
        "of the response.",
        ("sign is reversed",),
    ),
    Mutant(
        "medians for means",
        "delta",
        _medians,
        (),
        "Control mean plus delta is no longer the stimulated mean, and a response of less than half of the "
        "cells may not show at all.",
        ("not of medians",),
    ),
    Mutant(
        "mean of every state for the control",
        "delta",
        _mean_of_every_state,
        ("the source text, read literally",),
        "Too short, by the factor n0 / (n0 + n1): the more stimulated cells there are, the smaller the "
        "response that is predicted.",
        ("mean of all cells",),
    ),
    Mutant(
        "sums for means",
        "delta",
        _sums,
        (),
        "It grows with the number of cells, and unequal numbers add a multiple of the overall mean.",
        (
            "sum of z_ctrl",
            "sum of z_stim",
        ),
    ),
    Mutant(
        "one mean over all dimensions",
        "delta",
        _one_number,
        (),
        "Every latent dimension is moved by the same amount, so the response's direction is lost.",
        ("delta has the shape ()",),
    ),
    Mutant(
        "all cells pooled",
        "delta-balanced",
        _pooled,
        (),
        "The difference in composition is taken for a response: with shares p1 and p0 and type means m it is "
        "off by sum_k (p1_k - p0_k) m_k.",
        ("all cells are pooled",),
    ),
    Mutant(
        "cells of the shared types pooled",
        "delta-balanced",
        _pooled_shared,
        (),
        "The shared types' unequal numbers still enter: off by sum_k (p1_k - p0_k) m_k over those types.",
        ("pooled or weighted by number",),
    ),
    Mutant(
        "types weighted by their cells",
        "delta-balanced",
        _weighted_by_cells,
        (),
        "The commonest type decides: a new type is predicted to respond as that one does, not as types do "
        "on average.",
        ("weighted by",),
    ),
    Mutant(
        "unshared types included",
        "delta-balanced",
        _unshared_included,
        ("the published scGen arithmetic",),
        "A type found in one condition only shifts that condition's mean: its distance from the others is "
        "taken for a response.",
        ("types found in one condition only must stay out",),
    ),
    Mutant(
        "held-out type on one side only",
        "delta-balanced",
        _held_out_in_control,
        ("the published scGen arithmetic",),
        "With K control types, one of them held out, delta is off by 1/K (the other types' mean in control - "
        "the held-out type's mean): in a toy by 1.83, where the true shift was 1.57 long.",
        (
            "types found in one condition only must stay out",
            "z_ctrl",
        ),
    ),
    Mutant(
        "sign",
        "delta-balanced",
        _balanced_sign,
        (),
        "Cells are moved away from the stimulated state.",
        ("sign is reversed",),
    ),
    Mutant(
        "medians for means",
        "delta-balanced",
        _balanced_medians,
        (),
        "The mean of a type's moved control cells is no longer its stimulated mean, not even with one type.",
        ("not of medians",),
    ),
    Mutant(
        "summed over the types",
        "delta-balanced",
        _summed_over_types,
        (),
        "K times too long for K shared types: predictions overshoot the more, the more types are known.",
        ("the whole formula",),
    ),
    Mutant(
        "delta subtracted",
        "delta-predict",
        _subtracted,
        (),
        "Cells are moved away from the stimulated state.",
        ("the term delta has",),
    ),
    Mutant(
        "mean moved, cells lost",
        "delta-predict",
        _mean_moved,
        (),
        "The predicted mean is right, but all cells are the same: no variance is left to compare.",
        ("mean of z_ctrl",),
    ),
    Mutant(
        "delta alone",
        "delta-predict",
        _delta_alone,
        (),
        "The cell that was to be moved is forgotten: what is decoded is the neighborhood of the prior's "
        "mean, the same for every cell.",
        ("the term z is missing",),
    ),
)
