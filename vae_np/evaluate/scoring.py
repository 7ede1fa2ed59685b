"""The second half of a held-out experiment: ask the trained model, and others, and score the answers.

One trained model may be asked for several predictions: another rule for delta, another way to decode.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from anndata import AnnData

from vae_np.data.cells_file import view_of
from vae_np.data.matrix import dense_rows
from vae_np.errors import InputError
from vae_np.evaluate.baselines import BASELINES, Baseline, Seen
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.held_out import Row, Split, score_held_out, to_score
from vae_np.evaluate.metrics import coverage, responding_genes
from vae_np.scgen.cells import control_cells, labels, matched_matrix
from vae_np.scgen.predictor import Mode, ScGen

LEVEL = 0.9


def control_of(cells: AnnData, experiment: Experiment, context: str) -> AnnData:
    """The control cells of one context; `InputError` if there are none."""
    keys = experiment.condition_key, experiment.cell_type_key
    return view_of(cells, control_cells(cells, *keys, experiment.ctrl_key, context))


def predict_context(
    model: ScGen, cells: AnnData, experiment: Experiment, context: str, seed: int, **how: object
) -> AnnData:
    """Predict the control cells of one context among some cells; it stays out of delta.

    Parameters
    ----------
    model
        Trained.
    cells
        They hold the context's control cells.
    experiment
        Its columns and conditions are used.
    context
        The one to predict.
    seed
        Of samples and of a delta that is drawn.
    how
        Further arguments of `ScGen.predict`.

    Returns
    -------
    AnnData
        The predicted cells; of control cells in a file, those of `to_score`.

    Raises
    ------
    InputError
        As in `ScGen.predict`, or if the context has no control cell.
    """
    settings: dict[str, Any] = {
        "adata_to_predict": to_score(
            control_of(cells, experiment, context)
        ),  # of one type, hence out of delta
        "seed": seed,
        **how,
    }
    return model.predict(experiment.ctrl_key, experiment.stim_key, **settings)[0]


def score_context(
    model: ScGen,
    split: Split,
    experiment: Experiment,
    context: str,
    seed: int,
    baselines: Mapping[str, Baseline] = BASELINES,
) -> tuple[AnnData, list[Row]]:
    """Make every prediction of the experiment and score them against the hidden cells.

    Parameters
    ----------
    model
        Trained on the first part of `split`.
    split
        Training cells and hidden cells.
    experiment
        Its `predictions` and `others` are scored, beside the baselines.
    context, seed
        Which run this is.
    baselines
        As in `score_held_out`.

    Returns
    -------
    tuple
        The unclipped cells of ``scgen``, and the scores: those of `score_held_out` and of
        `coverage_rows`.

    Raises
    ------
    InputError
        As in `predict_context` and `score_held_out`.
    """
    asked = {
        method: predict_context(model, split.train, experiment, context, seed, **how, clip=False)
        for method, how in experiment.predictions.items()
    }
    predicted = asked.pop("scgen")
    further = {method: cells.X for method, cells in asked.items()}
    keys = experiment.condition_key, experiment.cell_type_key
    names = experiment.ctrl_key, experiment.stim_key
    if experiment.others:
        x = matched_matrix(split.train, predicted.var_names.tolist(), experiment.layer)
        condition, cell_type = (labels(split.train, key) for key in keys)
        seen = Seen(x, condition, cell_type, *names, context)
        further |= {method: predict(seen, seed) for method, predict in experiment.others.items()}
    rows = score_held_out(
        predicted,
        split,
        *keys,
        *names,
        context,
        seed,
        experiment.layer,
        further=further,
        baselines=baselines,
        n_components=model.settings.n_latent,
    )
    return predicted, [*rows, *coverage_rows(model, split, experiment, context, seed)]


def coverage_rows(model: ScGen, split: Split, experiment: Experiment, context: str, seed: int) -> list[Row]:
    """Say which share of the genes has its true mean inside the model's 90 % interval.

    Parameters
    ----------
    model, split, experiment, context, seed
        As in `score_context`.

    Returns
    -------
    list of Row
        ``coverage_90`` and ``coverage_90_deg100`` of ``scgen``; none where its prediction has no interval:
        delta is not the shared one, is scaled, or comes from a single type.

    Raises
    ------
    InputError
        As in `control_of`.
    """
    how = experiment.predictions["scgen"]
    if how.get("delta_method", "shared") != "shared" or how.get("scale", 1.0) != 1.0:
        return []
    same: dict[str, Any] = {
        name: how[name] for name in ("restrict_arithmetic_to", "min_cells") if name in how
    }
    control = to_score(control_of(split.train, experiment, context))
    # the mean of samples is the mean of what is decoded
    mode: Mode = "change" if how.get("mode", "change") == "change" else "decode"
    try:
        interval = model.predict_interval(
            experiment.ctrl_key,
            experiment.stim_key,
            adata_to_predict=control,
            mode=mode,
            level=LEVEL,
            **same,
        )
    except InputError:
        return []
    genes, float64 = interval.index.tolist(), np.dtype(float)
    measured, true = (
        dense_rows(matched_matrix(cells, genes, experiment.layer), slice(None), float64)
        for cells in (control, to_score(split.held_out))
    )
    ends = interval["low"].to_numpy(), interval["high"].to_numpy()
    subsets: dict[str, np.ndarray | slice] = {
        "coverage_90": slice(None),
        "coverage_90_deg100": responding_genes(measured, true),
    }
    return [
        Row(context, seed, "scgen", metric, coverage(*ends, true.mean(axis=0), columns))
        for metric, columns in subsets.items()
    ]
