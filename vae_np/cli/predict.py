"""`vae-np predict`: the cells of one type as if they had been stimulated, scored where the truth is known."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vae_np.cli.checkpoints import checkpoint_beside, kept_until_written
from vae_np.cli.inputs import load_model, plan, read_cells
from vae_np.cli.options import PATH, Options, options, require
from vae_np.cli.output import as_records, print_table, remark, require_file, say

if TYPE_CHECKING:
    from anndata import AnnData

    from vae_np.evaluate.held_out import Row


def require_predictable(cells: "AnnData", given: Options) -> None:
    """Find out before training whether there will be cells to predict and cells to take delta from."""
    from vae_np.scgen.arithmetic import choose_cells
    from vae_np.scgen.cells import control_cells, labels

    keys = given["condition_key"], given["cell_type_key"]
    names = given["control"], given["stimulated"]
    condition, cell_type = (labels(cells, key) for key in keys)
    control_cells(cells, *keys, given["control"], given["target"])
    choose_cells(condition, cell_type, *names, target=given["target"], method=given["delta_method"])


@click.command(short_help="Predict the response of one cell type.")
@click.argument("file", type=PATH)
@options("condition_key", "control", "stimulated", "cell_type_key", "predict", "layer", "normalize")
@options("backed", "genes", "max_epochs", "batch_size", "kl_weight", "seed", "threads", "model", "mode")
@options("no_clip", "delta_method", "checkpoint_every", "resume", "out", "json")
def predict(file: Path, **given: Any) -> None:  # noqa: ANN401 - click passes each option by its name
    """Predict the control cells of one cell type in FILE (.h5ad, .zarr) as if they had been stimulated.

    Without --model, trains first, on all cells but the stimulated ones of that type; a training that is
    kept (--checkpoint-every) and then stopped, even killed, is resumed with --resume. Where FILE holds
    such cells, the prediction is scored against them, beside baselines that need no model.
    """
    from vae_np.data.writing_cells import require_no_zarr, write_cells
    from vae_np.evaluate.experiment import choose_genes, train
    from vae_np.evaluate.held_out import Split, hold_out
    from vae_np.evaluate.scoring import control_of, score_context
    from vae_np.evaluate.tables import averages, short_table
    from vae_np.scgen.cells import labels

    require(given, "control", "stimulated", "target", reason="to predict")
    require_no_zarr(given["out"])
    require_file(given["out"], file, given["model"])
    target, stim_key = given["target"], given["stimulated"]
    if given["model"] is not None:
        model = load_model(given)
    else:
        require(given, "condition_key", "cell_type_key", reason="unless --model is given")
    keep = checkpoint_beside(given["out"], given)
    cells = read_cells(file, given)
    if given["model"] is None:
        require_predictable(cells, given)
    experiment, seed = plan(given, **keep), given["seed"] or 0
    keys = experiment.condition_key, experiment.cell_type_key
    has_stimulated = stim_key in labels(cells, keys[0])
    split = hold_out(cells, *keys, stim_key, target) if has_stimulated else Split(cells, cells[:0])
    with kept_until_written(given["out"], keep):
        if given["model"] is None:
            remark(f"removed before training: {split.held_out.n_obs} {stim_key} cells of {target}")
            split = choose_genes(split, experiment.n_genes, experiment.layer)
            model = train(split.train, experiment, seed, remark)
        how = {**experiment.predictions["scgen"], "clip": not given["no_clip"]}
        control = control_of(split.train, experiment, target)  # of one type, hence out of delta
        names = experiment.ctrl_key, experiment.stim_key
        predicted, _, values = model.predict_in_chunks(*names, adata_to_predict=control, seed=seed, **how)
        notes = predicted.uns["vae_np"]
        rows: list[Row] = []
        if split.held_out.n_obs:
            _, rows = score_context(model, split, experiment, target, seed)
            notes["scores"] = averages(rows)
        write_cells(given["out"], predicted, values)
    if given["as_json"]:
        counts = zip(notes["cell_types"], notes["n_control"], notes["n_stimulated"], strict=True)
        result = {
            "out": str(given["out"]),
            "cell_type": target,
            "n_cells": predicted.n_obs,
            "n_genes": predicted.n_vars,
            "delta_from": [
                {"cell_type": str(t), "n_control": int(n0), "n_stimulated": int(n1)} for t, n0, n1 in counts
            ],
            "scores": as_records(rows),
        }
        click.echo(json.dumps(result))
        return
    remark(f"delta from {len(notes['cell_types'])} cell types: {', '.join(map(str, notes['cell_types']))}")
    if rows:
        print_table(*short_table(rows))
    say(f"written: {given['out']} ({predicted.n_obs} cells x {predicted.n_vars} genes)")
