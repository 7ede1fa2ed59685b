"""The held-out experiment: take one type's stimulated cells away, predict them, score against them."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from anndata import AnnData

from vae_np.data.matrix import dense_rows
from vae_np.errors import InputError
from vae_np.evaluate.baselines import mean_shift
from vae_np.evaluate.metrics import responding_genes, score
from vae_np.scgen.arithmetic import require_known
from vae_np.scgen.cells import labels, matched_matrix


class Row(NamedTuple):
    """One line of ``scores.csv``: one metric of one method for one held-out context and seed."""

    context: str
    seed: int
    method: str
    metric: str
    value: float


class Split(NamedTuple):
    """Training cells, and the stimulated cells of the target that were taken away (perhaps none)."""

    train: AnnData
    held_out: AnnData


def hold_out(adata: AnnData, condition_key: str, cell_type_key: str, stim_key: str, target: str) -> Split:
    """Separate the stimulated cells of one cell type from all others.

    Parameters
    ----------
    adata
        The cells.
    condition_key, cell_type_key
        Columns of `obs`.
    stim_key, target
        The condition and the cell type to hold out.

    Returns
    -------
    Split
        Copies.

    Raises
    ------
    InputError
        If a column or a name does not exist, or no cell would be left.
    """
    condition, cell_type = labels(adata, condition_key), labels(adata, cell_type_key)
    require_known(stim_key, condition, "condition")
    require_known(target, cell_type, "cell type")
    held_out = (condition == stim_key) & (cell_type == target)
    if held_out.all():
        raise InputError(f"all cells are {stim_key!r} cells of {target!r}: none is left to train on")
    return Split(adata[~held_out].copy(), adata[held_out].copy())


def score_held_out(
    predicted: AnnData,
    split: Split,
    condition_key: str,
    cell_type_key: str,
    ctrl_key: str,
    stim_key: str,
    target: str,
    seed: int,
    layer: str | None = None,
) -> list[Row]:
    """Score predicted cells, and the two baselines, against the cells that were held out.

    Every prediction is scored clipped at zero, as expression is not negative, and in rows
    ``..._unclipped`` as it is.

    Parameters
    ----------
    predicted
        Unclipped prediction for the control cells of the target.
    split
        From `hold_out`, log-normalized.
    condition_key, cell_type_key, ctrl_key, stim_key, target
        As in `hold_out` and `ScGen.predict`.
    seed
        Of the prediction; copied into the rows.
    layer
        Where the values of `split` are; None is X.

    Returns
    -------
    list of Row
        Methods ``scgen``, ``no_change`` and, where it exists, ``mean_shift``; metrics as in `score`.

    Raises
    ------
    InputError
        If a name or a gene does not exist.
    """
    genes = predicted.var_names.tolist()
    condition, cell_type = labels(split.train, condition_key), labels(split.train, cell_type_key)
    x = matched_matrix(split.train, genes, layer)
    is_control = (condition == ctrl_key) & (cell_type == target)
    control = dense_rows(x, is_control, np.dtype(float))
    true = dense_rows(matched_matrix(split.held_out, genes, layer), slice(None), np.dtype(float))
    predictions = {"scgen": predicted.X, "no_change": control}
    with suppress(InputError):  # no other type has enough cells: the table shows a dash
        shift = mean_shift(x, condition, cell_type, ctrl_key, stim_key, target)
        predictions["mean_shift"] = control + shift
    degs = responding_genes(control, true)
    rows = []
    for method, cells in predictions.items():
        for suffix, shown in (("", np.maximum(cells, 0)), ("_unclipped", cells)):
            values = score(shown, true, control, degs)
            rows += [Row(target, seed, method, m + suffix, value) for m, value in values.items()]
    return rows
