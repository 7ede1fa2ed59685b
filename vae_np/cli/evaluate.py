"""`vae-np evaluate`: each context held out in turn, with several seeds, beside baselines."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vae_np.cli.inputs import plan, read_cells
from vae_np.cli.options import PATH, options, require
from vae_np.cli.output import as_records, print_table, remark, require_folder, say, write_text
from vae_np.errors import whole_number

if TYPE_CHECKING:
    from vae_np.evaluate.held_out import Row
    from vae_np.evaluate.report import Section

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
@options("out_folder", "json")
def evaluate(file: Path, **given: Any) -> None:  # noqa: ANN401 - click passes each option by its name
    """Hold out each cell type of FILE (.h5ad) in turn, predict it, and score beside baselines.

    The stimulated cells of the type are hidden, genes are chosen and the model is trained on all
    others. Writes scores.csv (after every training, so that an interruption loses nothing that was
    finished), summary.json and report.html.
    """
    import numpy as np

    from vae_np.evaluate.contexts import find_contexts
    from vae_np.evaluate.experiment import with_conditional_vae
    from vae_np.evaluate.leave_one_out import leave_one_out
    from vae_np.evaluate.paired import paired_differences
    from vae_np.evaluate.report import write_report, write_scores
    from vae_np.evaluate.sections import context_section, overview, with_scores
    from vae_np.evaluate.summary import summarize, verdicts
    from vae_np.evaluate.tables import short_table

    require(given, "condition_key", "control", "stimulated", "cell_type_key", reason="to hold cells out")
    scores, summary_file, page = require_folder(given["out"], FILES, file)
    cells = read_cells(file, given)
    experiment = plan(given)
    if given["conditional_vae"]:
        experiment = with_conditional_vae(experiment)
    contexts = find_contexts(cells, experiment, given["min_cells"], given["only"] or None, remark)
    first = given["seed"] or 0
    seeds = range(first, first + given["seeds"])
    whole_number("the last seed", seeds[-1], least=0)
    rows: list[Row] = []
    sections: list[Section] = []
    try:
        for run in leave_one_out(cells, experiment, contexts, seeds, remark):
            if not rows:  # the first: a report that is there already would not belong to its scores
                given["out"].mkdir(exist_ok=True)
                summary_file.unlink(missing_ok=True)
                page.unlink(missing_ok=True)
            rows += run.rows
            write_scores(scores, rows)
            if run.seed == first:
                sections.append(context_section(run, experiment))
    except (Exception, KeyboardInterrupt):
        if rows:
            remark(f"the scores of what was finished are in {scores}")
        raise
    pairs = paired_differences(rows, np.random.default_rng(first))
    study = rows, pairs, experiment, contexts, seeds
    summary = summarize(*study)
    write_text(summary_file, json.dumps(summary, indent=2) + "\n")
    sections = [overview(*study), *(with_scores(section, rows) for section in sections)]
    write_report(page, f"Leave one out: {file.name}", sections)
    if given["as_json"]:
        click.echo(json.dumps({"out": str(given["out"]), **summary, "scores": as_records(rows)}))
        return
    print_table(*short_table(rows))
    for sentence in verdicts(pairs):
        click.echo(sentence)
    say(f"written: {scores}, {summary_file}, {page}")
