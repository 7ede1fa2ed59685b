"""`vae-np train`: a model file from a file of cells."""

import json
from pathlib import Path
from typing import Any

import click

from vae_np.cli.checkpoints import checkpoint_beside, kept_until_written
from vae_np.cli.inputs import plan, read_cells
from vae_np.cli.options import PATH, options, require
from vae_np.cli.output import remark, require_file, say


@click.command(short_help="Train a model on a file.")
@click.argument("file", type=PATH)
@options("condition_key", "cell_type_key", "predict", "stimulated", "layer", "normalize", "backed", "genes")
@options("max_epochs", "batch_size", "kl_weight", "seed", "threads")
@options("checkpoint_every", "resume", "out", "json")
def train(file: Path, **given: Any) -> None:  # noqa: ANN401 - click passes each option by its name
    """Train a model on FILE (.h5ad, .zarr) and write it to one file.

    With --predict and --stimulated, the stimulated cells of that type are left out, so that the model
    can predict them later without having seen them. A training that is kept (--checkpoint-every) and then
    stopped, even killed, is resumed with --resume: the model is the same to the bit as without the stop.
    """
    from vae_np.evaluate.experiment import choose_genes, train
    from vae_np.evaluate.held_out import Split, hold_out

    require(given, "condition_key", "cell_type_key", reason="to label the training cells")
    if given["target"] is not None or given["stimulated"] is not None:
        require(given, "target", "stimulated", reason="to hold cells out")
    require_file(given["out"], file)
    keep = checkpoint_beside(given["out"], given)
    cells = read_cells(file, given)
    split = Split(cells, cells[:0])
    if given["target"] is not None:
        keys = given["condition_key"], given["cell_type_key"]
        split = hold_out(cells, *keys, given["stimulated"], given["target"])
        remark(f"left out: {split.held_out.n_obs} {given['stimulated']} cells of {given['target']}")
    experiment = plan(given, **keep)
    seen = choose_genes(split, experiment.n_genes, experiment.layer).train
    with kept_until_written(given["out"], keep):
        model = train(seen, experiment, given["seed"] or 0, remark)
        model.save(given["out"])
    losses = model.history["validation_total"]
    result = {
        "out": str(given["out"]),
        "n_cells": seen.n_obs,
        "n_genes": seen.n_vars,
        "epochs": len(losses),
        "best_epoch": int(losses.argmin()) + 1,
        "validation_total": float(losses.min()),
    }
    if given["as_json"]:
        click.echo(json.dumps(result))
        return
    say(f"written: {given['out']}")
