"""`vae-np demo`: the whole way on simulated cells, whose true response is known."""

import json
from pathlib import Path
from typing import Any

import click

from vae_np.cli.inputs import plan
from vae_np.cli.options import PATH, options
from vae_np.cli.output import as_records, print_table, remark, require_folder, say

TARGET = "type 2"
FILES = ("scores.csv", "predicted.h5ad", "report.html")


@click.command(short_help="Simulate, train, predict, score.")
@click.option("--out", type=PATH, default=Path("vae-np-demo"), show_default=True, help="Output folder.")
@click.option(
    "--max-epochs",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Longest training, in passes over all cells.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Threads of the matrix products; for products this small more do not help.",
)
@options("seed", "json")
def demo(**given: Any) -> None:  # noqa: ANN401 - click passes each option by its name
    """Simulate cells with a known truth, hide one type's stimulated cells, predict and score them.

    Writes scores.csv, predicted.h5ad and report.html.
    """
    from vae_np.data.simulate import simulate
    from vae_np.data.writing_cells import write_cells
    from vae_np.evaluate.held_out import hold_out
    from vae_np.evaluate.report import Section, write_report, write_scores
    from vae_np.evaluate.runs import run
    from vae_np.evaluate.scoring import predict_context
    from vae_np.evaluate.sections import EXPLANATION, context_section, with_scores
    from vae_np.evaluate.tables import averages, short_table

    given |= {"condition_key": "condition", "cell_type_key": "cell_type"}
    given |= {"control": "control", "stimulated": "stimulated"}
    out: Path = given["out"]
    files = require_folder(out, FILES)
    seed, experiment = given["seed"] or 0, plan(given)
    cells = simulate(seed=seed)
    split = hold_out(cells, "condition", "cell_type", "stimulated", TARGET)
    hidden = split.held_out.n_obs
    remark(f"simulated {cells.n_obs} cells; the {hidden} stimulated {TARGET} cells are hidden")
    done = run(split, experiment, TARGET, seed, remark)
    # as anybody would: with negative values clipped, unlike those that are scored both ways
    predicted = predict_context(done.model, split.train, experiment, TARGET, seed)
    predicted.uns["vae_np"]["scores"] = averages(done.rows)
    story = Section(
        "What was done",
        [
            f"{cells.n_obs} simulated cells of {cells.obs['cell_type'].nunique()} types, {cells.n_vars} "
            f"genes. The {hidden} stimulated cells of {TARGET} were hidden; the model was trained on all "
            "others and predicted them from the control cells of that type.",
            *EXPLANATION,
        ],
    )
    section = with_scores(context_section(done, experiment), done.rows)
    out.mkdir(exist_ok=True)
    write_scores(files[0], done.rows)
    write_cells(files[1], predicted)
    write_report(files[2], f"vae_np demo: predicted response of {TARGET}", [story, section])
    if given["as_json"]:
        click.echo(json.dumps({"out": str(out), "scores": as_records(done.rows)}))
        return
    print_table(*short_table(done.rows))
    say(f"written: {', '.join(map(str, files))}")
