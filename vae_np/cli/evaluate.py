"""`vae-np evaluate`: each context held out in turn, with several seeds, beside baselines."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vae_np.cli.inputs import plan, read_cells, read_grid
from vae_np.cli.options import PATH, flag, options, require
from vae_np.cli.output import as_records, print_table, remark, require_folder, say, write_text
from vae_np.cli.trainings import kept_in, kept_until_reported
from vae_np.errors import whole_number

if TYPE_CHECKING:
    from vae_np.evaluate.experiment import Experiment
    from vae_np.evaluate.report import Section
    from vae_np.evaluate.runs import Run

FILES = ("scores.csv", "summary.json", "report.html")
SETTINGS = ("max_epochs", "batch_size", "kl_weight")  # options of their own, and names of a grid


@click.command(short_help="Hold out each cell type in turn; score beside baselines.")
@click.argument("file", type=PATH)
@options("condition_key", "control", "stimulated", "cell_type_key")
@click.option(
    "--predict", "only", multiple=True, help="Hold out this cell type only; may be given several times."
)
@click.option(
    "--min-cells",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Hold out the types with this many cells in both conditions.",
)
@options("layer", "normalize", "backed", "genes", "max_epochs", "batch_size", "kl_weight")
@options("seed", "seeds", "threads", "mode", "delta_method")
@click.option("--conditional-vae", is_flag=True, help="Train and score a conditional VAE too.")
@click.option(
    "--grid",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="Train with each of these values of a setting too, such as kl_weight=2.5e-5,1; several --grid: with "
    "every combination. The first value is scGen's in the tables.",
)
@options("jobs", "scheduler", "resume_many", "out_folder", "json")
def evaluate(file: Path, **given: Any) -> None:  # noqa: ANN401 - click passes each option by its name
    """Hold out each cell type of FILE (.h5ad) in turn, predict it, and score beside baselines.

    The stimulated cells of the type are hidden, genes are chosen and the model is trained on all
    others. Writes scores.csv (after every training), summary.json and report.html. What is finished is kept
    in OUT/finished until the report is written: an evaluation that was stopped, even killed, goes on from
    there with --resume, and its files are those of one that was not.
    """
    import numpy as np

    from vae_np.evaluate.contexts import find_contexts
    from vae_np.evaluate.experiment import with_conditional_vae
    from vae_np.evaluate.grid import with_grid
    from vae_np.evaluate.paired import paired_differences
    from vae_np.evaluate.report import write_report
    from vae_np.evaluate.sections import overview, with_scores
    from vae_np.evaluate.summary import summarize, verdicts
    from vae_np.evaluate.tables import short_table
    from vae_np.evaluate.tasks import Study, all_rows, list_tasks

    require(given, "condition_key", "control", "stimulated", "cell_type_key", reason="to hold cells out")
    if given["scheduler"] is not None and given["jobs"] is not None:
        raise click.UsageError("--jobs and --scheduler exclude each other: the cluster has its own workers")
    side_by_side = given["scheduler"] is not None or given["jobs"] not in (None, 1)
    if given["backed"] and side_by_side:
        raise click.UsageError("--backed goes with one training at a time: leave out --jobs and --scheduler")
    grid = read_grid(given["grid"])
    for name in SETTINGS:
        if name in grid and given[name] is not None:
            raise click.UsageError(f"{flag(name)} and --grid {name} exclude each other: leave one out")
    scores, summary_file, page = require_folder(given["out"], FILES, file)
    kept = kept_in(given["out"], given)
    if side_by_side:
        given["threads"] = given["threads"] or 1
    cells = read_cells(file, given)
    experiment = with_grid(plan(given), grid)
    if given["conditional_vae"]:
        experiment = with_conditional_vae(experiment)
    contexts = find_contexts(cells, experiment, given["min_cells"], given["only"] or None, remark)
    first = given["seed"] or 0
    seeds = range(first, first + given["seeds"])
    whole_number("the last seed", seeds[-1], least=0)
    study = Study(cells, experiment, partial(first_section, experiment=experiment, seed=first))
    with kept_until_reported(given, kept, scores, outdated=(summary_file, page)) as finish_all:
        found = finish_all(study, list_tasks(experiment, contexts, seeds))
        rows = all_rows(found, found)
        pairs = paired_differences(rows, np.random.default_rng(first))
        results = rows, pairs, experiment, contexts, seeds
        summary = summarize(*results)
        write_text(summary_file, json.dumps(summary, indent=2) + "\n")
        sections = [with_scores(done.seen, rows) for done in found.values() if done.seen]
        write_report(page, f"Leave one out: {file.name}", [overview(*results), *sections])
    if given["as_json"]:
        click.echo(json.dumps({"out": str(given["out"]), **summary, "scores": as_records(rows)}))
        return
    print_table(*short_table(rows))
    for sentence in verdicts(pairs):
        click.echo(sentence)
    say(f"written: {scores}, {summary_file}, {page}")


def first_section(run: "Run", experiment: "Experiment", seed: int) -> "Section | None":
    """The report's section of a run; the first seed stands for all, scGen for its variants."""
    from vae_np.evaluate.experiment import SCGEN
    from vae_np.evaluate.sections import context_section

    return context_section(run, experiment) if (run.method, run.seed) == (SCGEN, seed) else None
