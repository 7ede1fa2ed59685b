"""`vae-np evaluate`: each context held out in turn, with several seeds, beside baselines."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vae_np.cli.inputs import plan, read_cells
from vae_np.cli.options import PATH, options, require
from vae_np.cli.output import as_records, print_table, remark, require_folder, write_text
from vae_np.cli.trainings import kept_in, progress, workplace
from vae_np.errors import whole_number

if TYPE_CHECKING:
    from vae_np.evaluate.experiment import Experiment
    from vae_np.evaluate.report import Section
    from vae_np.evaluate.runs import Run

FILES = ("scores.csv", "summary.json", "report.html")


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
@options("layer", "normalize", "genes", "max_epochs", "batch_size", "kl_weight")
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
    from vae_np.evaluate.finished import identify, read_finished, remove_finished, write_finished
    from vae_np.evaluate.grid import with_grid
    from vae_np.evaluate.paired import paired_differences
    from vae_np.evaluate.report import write_report, write_scores
    from vae_np.evaluate.sections import overview, with_scores
    from vae_np.evaluate.summary import summarize, verdicts
    from vae_np.evaluate.tables import short_table
    from vae_np.evaluate.tasks import Study, all_rows, list_tasks, perform_all

    require(given, "condition_key", "control", "stimulated", "cell_type_key", reason="to hold cells out")
    if given["scheduler"] is not None and given["jobs"] is not None:
        raise click.UsageError("--jobs and --scheduler exclude each other: the cluster has its own workers")
    scores, summary_file, page = require_folder(given["out"], FILES, file)
    kept = kept_in(given["out"], given)
    if given["scheduler"] is not None or given["jobs"] not in (None, 1):
        given["threads"] = given["threads"] or 1
    cells = read_cells(file, given)
    experiment = with_grid(plan(given), read_grid(given["grid"]))
    if given["conditional_vae"]:
        experiment = with_conditional_vae(experiment)
    contexts = find_contexts(cells, experiment, given["min_cells"], given["only"] or None, remark)
    first = given["seed"] or 0
    seeds = range(first, first + given["seeds"])
    whole_number("the last seed", seeds[-1], least=0)
    tasks = list_tasks(experiment, contexts, seeds)
    identity = identify(cells, experiment, first)
    found = {task: done for task, done in read_finished(kept, identity, remark).items() if task in tasks}
    left = [task for task in tasks if task not in found]
    study = Study(cells, experiment, partial(first_section, experiment=experiment, seed=first))
    say_progress = progress(len(found), len(tasks))
    try:
        with workplace(given) as where:
            for finished in perform_all(study, left, remark, **where):
                kept.mkdir(parents=True, exist_ok=True)
                write_finished(kept, identity, finished)
                found[finished.task] = finished
                for other in (summary_file, page):  # of an older run: they would not belong to the scores
                    other.unlink(missing_ok=True)
                write_scores(scores, all_rows(tasks, found))
                say_progress(finished.task)
    except (Exception, KeyboardInterrupt):
        if found:
            remark(f"the scores of what was finished are in {scores}; the same command with --resume goes on")
        raise
    rows = all_rows(tasks, found)
    write_scores(scores, rows)
    pairs = paired_differences(rows, np.random.default_rng(first))
    results = rows, pairs, experiment, contexts, seeds
    summary = summarize(*results)
    write_text(summary_file, json.dumps(summary, indent=2) + "\n")
    sections = [with_scores(found[task].seen, rows) for task in tasks if found[task].seen]
    write_report(page, f"Leave one out: {file.name}", [overview(*results), *sections])
    remove_finished(kept)
    if given["as_json"]:
        click.echo(json.dumps({"out": str(given["out"]), **summary, "scores": as_records(rows)}))
        return
    print_table(*short_table(rows))
    for sentence in verdicts(pairs):
        click.echo(sentence)
    click.echo(f"written: {scores}, {summary_file}, {page}")


def first_section(run: "Run", experiment: "Experiment", seed: int) -> "Section | None":
    """The report's section of a run; the first seed stands for all, scGen for its variants."""
    from vae_np.evaluate.experiment import SCGEN
    from vae_np.evaluate.sections import context_section

    return context_section(run, experiment) if (run.method, run.seed) == (SCGEN, seed) else None


def read_grid(words: Sequence[str]) -> dict[str, list[Any]]:
    """Read each NAME=VALUE,VALUE of --grid; the values are numbers, true or false."""
    grid: dict[str, list[Any]] = {}
    for word in words:
        name, _, values = word.partition("=")
        name = name.strip().replace("-", "_")
        if name in grid:
            raise click.UsageError(f"--grid names {name} twice: give all its values at once")
        try:
            grid[name] = json.loads(f"[{values}]")
        except ValueError:
            raise click.UsageError(f"--grid is {word!r}: write numbers, as in kl_weight=2.5e-5,1") from None
    return grid
