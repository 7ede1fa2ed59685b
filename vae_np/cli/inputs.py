"""From words to work: the options become cells, a trained model, and the plan of an experiment."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vae_np.cli.options import Options, flag
from vae_np.cli.output import require_file
from vae_np.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from vae_np.evaluate.experiment import Experiment
    from vae_np.scgen.predictor import ScGen


def read_cells(file: Path, given: Options) -> "AnnData":
    """Read or open the file; with --normalize, bring log-normalized values into X.

    Of a file that stays where it is (--backed), the normalized cells are written to OUT.normalized.h5ad. It
    is removed when the command ends; if that is killed, the next one writes it anew.
    """
    from vae_np.data import cells_file
    from vae_np.data.expression import log_matrix, log_normalize

    backed = given.get("backed", False)
    adata = cells_file.read_cells(file, backed)
    if given["normalize"]:
        logs: Path | None = None
        if backed:
            logs = given["out"].with_name(given["out"].name + ".normalized.h5ad")
            require_file(logs, file)
            click.get_current_context().call_on_close(partial(logs.unlink, missing_ok=True))
        adata = log_normalize(adata, given["layer"], logs)
        given["layer"] = None
    else:
        log_matrix(adata, given["layer"])
    return adata


def load_model(given: Options) -> "ScGen":
    """Load the model that --model names; what it already knows need not be given again."""
    from vae_np.data.expression import place
    from vae_np.scgen.predictor import ScGen

    for name in ("genes", "max_epochs", "batch_size", "kl_weight", "checkpoint_every", "resume"):
        if given[name] is not None:
            raise click.UsageError(f"{flag(name)} does not go with --model, which is trained already")
    model = ScGen.load(given["model"])
    for name in ("condition_key", "cell_type_key"):
        own = getattr(model.fitted, name)
        given[name] = given[name] or own
        if given[name] != own:
            raise InputError(f"{flag(name)} is {given[name]}, but the model was trained with {own}")
    own = model.fitted.layer
    if given["layer"] is None and not given["normalize"]:
        given["layer"] = own
    found = None if given["normalize"] else given["layer"]
    if found != own:
        raise InputError(f"the model was trained on {place(own)}, but the values are in {place(found)}")
    if given["seed"] is None:
        given["seed"] = model.settings.seed
    if given["threads"] is not None:
        model.settings = replace(model.settings, n_threads=given["threads"])
    return model


def plan(given: Options, **training: Any) -> "Experiment":  # noqa: ANN401 - arguments of `ScGen.fit`
    """Make the experiment that the options describe, training as said; what is not given has its default."""
    from vae_np.evaluate.experiment import Experiment

    model = {"n_threads": given["threads"]}
    if given.get("kl_weight") is not None:
        model["kl_weight"] = given["kl_weight"]
    training |= {name: given[name] for name in ("max_epochs", "batch_size") if given.get(name) is not None}
    return Experiment(
        condition_key=given["condition_key"],
        cell_type_key=given["cell_type_key"],
        ctrl_key=given.get("control") or "",  # training knows no conditions, only their column
        stim_key=given.get("stimulated") or "",
        layer=given.get("layer"),
        n_genes=given.get("genes"),
        model=model,
        training=training,
        predictions={
            "scgen": {name: given[name] for name in ("mode", "delta_method") if given.get(name) is not None}
        },
    )


def read_grid(words: Sequence[str]) -> dict[str, list[Any]]:
    """Read each NAME=VALUE,VALUE of --grid; the values are numbers, true or false."""
    grid: dict[str, list[Any]] = {}
    for word in words:
        name, _, values = word.partition("=")
        name = name.strip().replace("-", "_")
        if name in grid:
            raise click.UsageError(f"--grid names {name} twice: give all its values at once")
        try:
            grid[name] = json.loads(f"[{values or '?'}]")
        except ValueError:
            raise click.UsageError(f"--grid is {word!r}: write numbers, as in kl_weight=2.5e-5,1") from None
    return grid
