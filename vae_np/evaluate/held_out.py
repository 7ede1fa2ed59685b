"""The held-out experiment: take one type's stimulated cells away, predict them, score against them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from anndata import AnnData

from vae_np.data.cells_file import in_file, part_of, view_of
from vae_np.data.expression import log_matrix
from vae_np.data.matrix import Matrix, dense_rows
from vae_np.errors import InputError
from vae_np.evaluate.baselines import BASELINES, Baseline, Seen, evenly
from vae_np.evaluate.metrics import mean_scores, responding_genes, score
from vae_np.scgen.arithmetic import require_known
from vae_np.scgen.cells import labels, match_genes


class Row(NamedTuple):
    """One line of ``scores.csv``: one metric of one method for one held-out context and seed."""

    context: str
    seed: int
    method: str
    metric: str
    value: float


class Split(NamedTuple):
    """Training cells, and the stimulated cells of the target that were taken away (perhaps none).

    Both have the same genes in the same order.
    """

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
        Copies; of cells whose values are in a file, views.

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
    return Split(part_of(adata, ~held_out), part_of(adata, held_out))


def to_score(cells: AnnData) -> AnnData:
    """All of the cells; of cells in a file, `evenly` chosen ones, since scores take dense matrices."""
    return view_of(cells, evenly(cells.n_obs)) if in_file(cells) else cells


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
    *,
    further: Mapping[str, Matrix] | None = None,
    baselines: Mapping[str, Baseline] = BASELINES,
    n_components: int = 100,
) -> list[Row]:
    """Score predicted cells, and the baselines, against the cells that were held out.

    Every prediction is scored clipped at zero, as expression is not negative, by all metrics, and in
    rows ``..._unclipped`` as it is, by those of the means and variances.

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
    further
        Other unclipped predictions, method -> cells with the genes of `predicted`, (n0, d).
    baselines
        Method -> function. They know no seed: give none of them (``{}``) to score them once only.
    n_components
        For ``pca_shift``: give the latent size of the model.

    Returns
    -------
    list of Row
        Methods ``scgen``, those of `further`, and the baselines that the data allow; metrics as in
        `vae_np.evaluate.metrics`.

    Raises
    ------
    InputError
        If a name or a gene does not exist, the target has no control cell, or a prediction of `further`
        has another number of genes.
    """
    columns = match_genes(split.train, predicted.var_names.tolist())
    x, held_out = (log_matrix(part, layer)[:, columns] for part in (split.train, to_score(split.held_out)))
    condition, cell_type = labels(split.train, condition_key), labels(split.train, cell_type_key)
    seen = Seen(x, condition, cell_type, ctrl_key, stim_key, target, n_components=n_components)
    control = seen.target_control()
    true = dense_rows(held_out, slice(None), np.dtype(float))
    degs = responding_genes(control, true)
    rows: list[Row] = []

    def add(method: str, prediction: Matrix) -> None:
        cells = dense_rows(prediction, slice(None), np.dtype(float))
        values = score(np.maximum(cells, 0), true, control, degs)
        values |= {f"{m}_unclipped": v for m, v in mean_scores(cells, true, control, degs).items()}
        rows.extend(Row(target, seed, method, metric, value) for metric, value in values.items())

    add("scgen", predicted.X)
    for method, cells in (further or {}).items():
        if cells.shape[1:] != (len(columns),):
            raise InputError(
                f"the prediction {method!r} has shape {cells.shape}: give one column for each of the "
                f"{len(columns)} genes of the others"
            )
        add(method, cells)
    for method, baseline in baselines.items():
        try:
            cells = baseline(seen)
        except InputError:
            continue  # too few cell types: the table shows a dash
        add(method, cells)
    return rows
