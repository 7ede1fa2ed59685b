"""The command line: `vae-np demo`, `train`, `predict`, `equations`, `where`, `check`, `exercise`, `bench`.

Exit status: 0 done, 1 a check failed, 2 bad usage or bad input, said in one line on
stderr, 130 interrupted. Progress and remarks go to stderr, results to stdout; with --json stdout holds
the JSON alone.
"""

import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from vae_np import __version__
from vae_np.errors import InputError

if TYPE_CHECKING:
    from anndata import AnnData

    from vae_np.evaluate.held_out import Row, Split
    from vae_np.scgen.predictor import ScGen

Options = dict[str, Any]
DEMO_TARGET = "type 2"


def remark(text: str) -> None:
    """Say something to the person at the terminal."""
    click.echo(text, err=True)


# ------------------------------------------------------------------------------------- options


def options(*names: str) -> Callable[[Callable], Callable]:
    """Decorate a command with some of the options, each of which has one spelling and one meaning."""
    path = click.Path(path_type=Path)
    known = {
        "condition_key": click.option("--condition-key", help="Column of obs with the condition."),
        "cell_type_key": click.option("--cell-type-key", help="Column of obs with the cell type."),
        "control": click.option("--control", help="Name of the control condition."),
        "stimulated": click.option("--stimulated", help="Name of the stimulated condition."),
        "predict": click.option("--predict", "target", help="Cell type to predict (train: to hold out)."),
        "layer": click.option("--layer", help="Layer that holds the values.  [default: X]"),
        "normalize": click.option(
            "--normalize", is_flag=True, help="The values are raw counts: log-normalize them."
        ),
        "genes": click.option(
            "--genes", type=click.IntRange(1), help="Keep this many genes of largest variance."
        ),
        "max_epochs": click.option(
            "--max-epochs",
            type=click.IntRange(1),
            help="Longest training, in passes over all cells.  [default: 100]",
        ),
        "batch_size": click.option(
            "--batch-size", type=click.IntRange(2), help="Cells in a step.  [default: 32]"
        ),
        "seed": click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of everything random.  [default: 0]"
        ),
        "threads": click.option(
            "--threads", type=click.IntRange(1), help="Threads to compute with.  [default: one a core]"
        ),
        "model": click.option("--model", type=path, help="Use this trained model instead of training."),
        "mode": click.option(
            "--mode",
            type=click.Choice(["change", "decode", "sample"]),
            default="change",
            show_default=True,
            help="Add the decoded change to each cell, decode the shifted cell, or draw a sample.",
        ),
        "no_clip": click.option("--no-clip", is_flag=True, help="Keep negative predicted values."),
        "delta_method": click.option(
            "--delta-method",
            type=click.Choice(["shared", "scgen", "pooled"]),
            default="shared",
            show_default=True,
            help="How delta is averaged over cell types.",
        ),
        "out": click.option("--out", type=path, required=True, help="Output file."),
        "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    }

    def decorate(command: Callable) -> Callable:
        for name in reversed(names):
            command = known[name](command)
        return command

    return decorate


FLAGS = {"target": "--predict"}


def flag(name: str) -> str:
    """The spelling of an option on the command line."""
    return FLAGS.get(name, "--" + name.replace("_", "-"))


def require(given: Options, *names: str, reason: str) -> None:
    """Raise a usage error that names the missing options and says why they are needed."""
    missing = [flag(name) for name in names if given[name] is None]
    if missing:
        raise click.UsageError(f"missing {', '.join(missing)}: needed {reason}")


def require_output(given: Options, *inputs: Path | None) -> None:
    """Make sure, before the work, that the output can be written and replaces no input."""
    from vae_np.data.writing import require_writable

    out = require_writable(given["out"])
    for path in inputs:
        if path is not None and path.exists() and out.exists() and out.samefile(path):
            raise InputError(f"--out is {path}, which is also read: give the output another name")


# ----------------------------------------------------------------------------- steps of the way


def read_cells(file: Path, given: Options) -> "AnnData":
    """Read the file; with --normalize, bring log-normalized values into X."""
    from vae_np.data.expression import log_matrix, log_normalize
    from vae_np.data.reading import read_h5ad

    adata = read_h5ad(file)
    if given["normalize"]:
        adata = log_normalize(adata, given["layer"])
        given["layer"] = None
    else:
        log_matrix(adata, given["layer"])
    return adata


def load_model(given: Options) -> "ScGen":
    """Load the model that --model names; what it already knows need not be given again."""
    from vae_np.data.expression import place
    from vae_np.scgen.predictor import ScGen

    for name in ("genes", "max_epochs", "batch_size"):
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


def require_predictable(cells: "AnnData", given: Options) -> None:
    """Find out before training whether there will be cells to predict and cells to take delta from."""
    from vae_np.scgen.arithmetic import choose_cells
    from vae_np.scgen.cells import control_cells, labels

    keys = given["condition_key"], given["cell_type_key"]
    names = given["control"], given["stimulated"]
    condition, cell_type = (labels(cells, key) for key in keys)
    control_cells(cells, *keys, given["control"], given["target"])
    choose_cells(condition, cell_type, *names, target=given["target"], method=given["delta_method"])


def choose_genes(split: "Split", given: Options) -> "Split":
    """Keep the genes of largest variance in the training cells, if a number is given."""
    from vae_np.data.expression import select_genes

    if given["genes"] is None:
        return split
    genes = select_genes(split.train, given["genes"], given["layer"])
    return split._replace(train=split.train[:, genes].copy(), held_out=split.held_out[:, genes].copy())


def train_model(adata: "AnnData", given: Options) -> "ScGen":
    """Train on all the cells that are given, and say how it went."""
    from vae_np.scgen.predictor import ScGen

    given["seed"] = given["seed"] or 0
    remark(f"training on {adata.n_obs} cells x {adata.n_vars} genes")
    model = ScGen(seed=given["seed"], n_threads=given["threads"]).fit(
        adata,
        condition_key=given["condition_key"],
        cell_type_key=given["cell_type_key"],
        layer=given["layer"],
        max_epochs=given["max_epochs"] or 100,
        batch_size=given["batch_size"] or 32,
    )
    losses = model.history["validation_total"]
    best = losses.argmin()
    remark(f"{len(losses)} epochs; the best is {best + 1}, validation loss {losses[best]:.4g} nats per cell")
    return model


def predict_and_score(model: "ScGen", split: "Split", given: Options) -> tuple["AnnData", list["Row"]]:
    """Predict the control cells of the target; score them where the stimulated ones were held out."""
    from vae_np.evaluate.held_out import score_held_out
    from vae_np.scgen.cells import control_cells

    names = given["control"], given["stimulated"]
    keys = given["condition_key"], given["cell_type_key"]
    is_control = control_cells(split.train, *keys, given["control"], given["target"])
    settings = {
        "adata_to_predict": split.train[is_control],  # of one type, which hence stays out of delta
        "delta_method": given["delta_method"],
        "mode": given["mode"],
        "seed": given["seed"],
    }
    predicted, _ = model.predict(*names, clip=not given["no_clip"], **settings)
    if split.held_out.n_obs == 0:
        return predicted, []
    unclipped, _ = model.predict(*names, clip=False, **settings)
    rows = score_held_out(unclipped, split, *keys, *names, given["target"], given["seed"], given["layer"])
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        scores.setdefault(row.method, {})[row.metric] = row.value
    predicted.uns["vae_np"]["scores"] = scores
    return predicted, rows


def write_cells(path: Path, adata: "AnnData") -> None:
    """Write an .h5ad file, whole or not at all."""
    import h5py
    from anndata.io import write_elem

    from vae_np.data.writing import whole_file

    buffer = io.BytesIO()  # HDF5 does not survive a disk that fills up under it
    with h5py.File(buffer, "w") as file:
        write_elem(file, "/", adata, dataset_kwargs={"compression": "gzip"})
    with whole_file(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def print_table(heading: Sequence[str], lines: Sequence[Sequence[str]], n_words: int = 1) -> None:
    """Print a table; its first columns hold words, the others numbers."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    printed = Table(box=SIMPLE)
    for i, name in enumerate(heading):
        printed.add_column(name, justify="left" if i < n_words else "right")
    for line in lines:
        printed.add_row(*line)
    Console().print(printed)


def show(rows: list["Row"]) -> None:
    """Print the table of scores."""
    from vae_np.evaluate.report import table

    heading, *lines = table(rows)
    print_table(heading, lines)


def as_records(rows: list["Row"]) -> list[dict[str, Any]]:
    """Scores as JSON has them."""
    return [row._asdict() for row in rows]


# ------------------------------------------------------------------------------------ commands


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vae-np")
def program() -> None:
    """Variational autoencoder and scGen in NumPy: predict how a cell type responds to a stimulus."""


@program.command(short_help="Simulate, train, predict, score.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("vae-np-demo"),
    show_default=True,
    help="Output folder.",
)
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
    from vae_np.data.matrix import gene_mean
    from vae_np.data.simulate import simulate
    from vae_np.data.writing import require_writable
    from vae_np.evaluate.held_out import hold_out
    from vae_np.evaluate.report import write_report, write_scores
    from vae_np.plots import latent_plot, reg_mean_plot
    from vae_np.scgen.cells import control_cells

    given |= {"condition_key": "condition", "cell_type_key": "cell_type", "target": DEMO_TARGET}
    given |= {"control": "control", "stimulated": "stimulated", "batch_size": None, "layer": None}
    given |= {"mode": "change", "no_clip": False, "delta_method": "shared"}
    out: Path = given["out"]
    files = [out / name for name in ("scores.csv", "predicted.h5ad", "report.html")]
    if out.is_dir():
        for file in files:
            require_writable(file)
    else:
        require_writable(out)
        if out.exists():
            raise InputError(f"output folder {out} is a file: give a folder")

    cells = simulate(seed=given["seed"] or 0)
    split = hold_out(cells, "condition", "cell_type", "stimulated", DEMO_TARGET)
    train, held_out = split
    remark(f"simulated {cells.n_obs} cells; the {held_out.n_obs} stimulated {DEMO_TARGET} cells are hidden")
    model = train_model(train, given)
    predicted, rows = predict_and_score(model, split, given)

    control = train[control_cells(train, "condition", "cell_type", "control", DEMO_TARGET)]
    figures = {
        "Predicted against true mean of each gene; the genes that change most are named.": reg_mean_plot(
            gene_mean(predicted.X), gene_mean(held_out.X), gene_mean(control.X), predicted.var_names
        ),
        "Control cells, the same cells after the shift, and the real stimulated cells.": latent_plot(
            model.encode(train), model.encode(control), predicted.obsm["latent"], model.encode(held_out)
        ),
    }
    paragraphs = [
        f"{cells.n_obs} simulated cells of {cells.obs['cell_type'].nunique()} types, {cells.n_vars} genes. "
        f"The stimulated cells of {DEMO_TARGET} were hidden; the model was trained on all others and "
        "predicted them from the control cells of that type.",
        "Scores compare the predicted with the hidden cells, all clipped at zero: squared Pearson "
        "correlation (R²) of the mean and of the variance of each gene, over all genes and over the 100 "
        "that respond most, correlation (r) of the change against the control mean, and mean squared "
        "error (MSE) of the means.",
        "A model is of use where it beats both baselines: 'no change' returns the control cells, "
        "'mean shift' adds the mean change of the other types gene by gene.",
    ]
    out.mkdir(exist_ok=True)
    write_scores(files[0], rows)
    write_cells(files[1], predicted)
    write_report(files[2], f"vae_np demo: predicted response of {DEMO_TARGET}", paragraphs, rows, figures)
    if given["as_json"]:
        click.echo(json.dumps({"out": str(out), "scores": as_records(rows)}))
        return
    show(rows)
    click.echo(f"written: {', '.join(map(str, files))}")


@program.command(short_help="Train a model on a file.")
@click.argument("file", type=click.Path(path_type=Path))
@options("condition_key", "cell_type_key", "predict", "stimulated", "layer", "normalize", "genes")
@options("max_epochs", "batch_size", "seed", "threads", "out", "json")
def train(file: Path, **given: Any) -> None:  # noqa: ANN401
    """Train a model on FILE (.h5ad) and write it to one file.

    With --predict and --stimulated, the stimulated cells of that type are left out, so that the model
    can predict them later without having seen them.
    """
    from vae_np.evaluate.held_out import Split, hold_out

    require(given, "condition_key", "cell_type_key", reason="to label the training cells")
    if given["target"] is not None or given["stimulated"] is not None:
        require(given, "target", "stimulated", reason="to hold cells out")
    require_output(given, file)
    cells = read_cells(file, given)
    split = Split(cells, cells[:0])
    if given["target"] is not None:
        keys = given["condition_key"], given["cell_type_key"]
        split = hold_out(cells, *keys, given["stimulated"], given["target"])
        remark(f"left out: {split.held_out.n_obs} {given['stimulated']} cells of {given['target']}")
    train_cells = choose_genes(split, given).train
    model = train_model(train_cells, given)
    model.save(given["out"])
    losses = model.history["validation_total"]
    result = {
        "out": str(given["out"]),
        "n_cells": train_cells.n_obs,
        "n_genes": train_cells.n_vars,
        "epochs": len(losses),
        "best_epoch": int(losses.argmin()) + 1,
        "validation_total": float(losses.min()),
    }
    click.echo(json.dumps(result) if given["as_json"] else f"written: {given['out']}")


@program.command(short_help="Predict the response of one cell type.")
@click.argument("file", type=click.Path(path_type=Path))
@options("condition_key", "control", "stimulated", "cell_type_key", "predict", "layer", "normalize")
@options("genes", "max_epochs", "batch_size", "seed", "threads", "model", "mode", "no_clip")
@options("delta_method", "out", "json")
def predict(file: Path, **given: Any) -> None:  # noqa: ANN401
    """Predict the control cells of one cell type in FILE (.h5ad) as if they had been stimulated.

    Without --model, trains first, on all cells but the stimulated ones of that type. Where FILE holds
    such cells, the prediction is scored against them, beside two baselines.
    """
    from vae_np.evaluate.held_out import Split, hold_out
    from vae_np.scgen.cells import labels

    require(given, "control", "stimulated", "target", reason="to predict")
    require_output(given, file, given["model"])
    target, stim_key = given["target"], given["stimulated"]
    if given["model"] is not None:
        model = load_model(given)
    else:
        require(given, "condition_key", "cell_type_key", reason="unless --model is given")
    cells = read_cells(file, given)
    if given["model"] is None:
        require_predictable(cells, given)
    keys = given["condition_key"], given["cell_type_key"]
    has_stimulated = stim_key in labels(cells, keys[0])
    split = hold_out(cells, *keys, stim_key, target) if has_stimulated else Split(cells, cells[:0])
    if given["model"] is None:
        remark(f"removed before training: {split.held_out.n_obs} {stim_key} cells of {target}")
        split = choose_genes(split, given)
        model = train_model(split.train, given)
    predicted, rows = predict_and_score(model, split, given)
    write_cells(given["out"], predicted)
    notes = predicted.uns["vae_np"]
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
        show(rows)
    click.echo(f"written: {given['out']} ({predicted.n_obs} cells x {predicted.n_vars} genes)")


@program.command(short_help="Verify the equations.")
@click.argument("labels", nargs=-1, metavar="[LABEL]...")
@options("seed", "json")
def equations(labels: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401
    """Verify every equation by all of its judges; with LABELs those alone, judge by judge.

    A judge is an independent way to decide a claim: an exact value, quadrature, sampling, a complex
    step, and, where SymPy is installed, symbols. Exit status 1 if one disagrees.
    """
    from vae_np.verify.run import find, sympy_is_installed, verify_all
    from vae_np.verify.table import LEGEND, as_json, claim, details, overview, summary

    start = time.perf_counter()
    reports = verify_all(*labels, seed=given["seed"] or 0)
    seconds = time.perf_counter() - start
    if given["as_json"]:
        click.echo(json.dumps(as_json(reports)))
    else:
        if labels:
            for report in reports:
                click.echo(f"\n{claim(find(report.label))}")
                print_table(*details(report), n_words=2)
        else:
            print_table(*overview(reports), n_words=2)
            click.echo(LEGEND)
        click.echo(summary(reports, seconds))
    for report in reports:
        if not report.ok:
            remark(f"vae-np: {report.label} ({report.page}) is WRONG: {report.message}")
    if not sympy_is_installed():
        remark("the symbolic judges did not take part: pip install 'vae_np[symbolic]'")
    return 0 if all(report.ok for report in reports) else 1


@program.command(short_help="Check a function of your own.")
@click.argument("label")
@click.argument("target", metavar="FILE.py:FUNCTION")
@click.option(
    "--level",
    type=click.IntRange(0, 3),
    default=2,
    show_default=True,
    help="Say 0 right or wrong, 1 which output, 2 which term, 3 the coefficients.",
)
@click.option(
    "--gradescope",
    type=click.Path(path_type=Path),
    help="Also write a results.json for Gradescope, with a point for each output.",
)
@options("seed", "json")
def check(label: str, target: str, **given: Any) -> int:  # noqa: ANN401
    """Check FUNCTION in FILE.py against the equation LABEL, and name the term that is wrong.

    The file runs in a process of its own, for 30 seconds at most. Exit status 1 if it is wrong.
    """
    from vae_np.verify.sandbox import check_file

    if given["gradescope"] is not None:
        from vae_np.data.writing import require_writable

        require_writable(given["gradescope"])
    answer = check_file(label, target, level=given["level"], seed=given["seed"] or 0)
    if given["gradescope"] is not None:
        from vae_np.verify.gradescope import write_results

        write_results(given["gradescope"], [answer])
    if given["as_json"]:
        click.echo(json.dumps({name: answer[name] for name in ("label", "ok", "message", "terms")}))
    else:
        click.echo(f"{label}: {answer['message']}")
    return 0 if answer["ok"] else 1


@program.command(short_help="Write the exercise of a chapter.")
@click.argument("chapter")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="Output folder (nbgrader: the course folder).",
)
@click.option(
    "--format",
    "layout",
    type=click.Choice(["notebook", "nbgrader", "otter", "python"]),
    default="notebook",
    show_default=True,
    help="What to write.",
)
@options("seed")
def exercise(chapter: str, out: Path, layout: str, **given: Any) -> None:  # noqa: ANN401
    """Write tasks on CHAPTER, a derivation page: a formula, a derivative, a planted bug, a proof."""
    from vae_np.verify.exercise_formats import write_exercise

    click.echo(f"written: {write_exercise(chapter, out, layout, given['seed'] or 0)}")


@program.command(short_help="Find an equation's page, function, record and test.")
@click.argument("label")
@options("json")
def where(label: str, **given: Any) -> None:  # noqa: ANN401
    """Print where the equation LABEL stands: its page, function, record and test, as file:line."""
    from vae_np.verify.where import where as find_places

    places = find_places(label)
    if given["as_json"]:
        click.echo(json.dumps({"label": label} | places._asdict() | {"root": str(places.root)}))
        return
    for name in ("page", "function", "record", "test"):
        click.echo(f"{name:<10}{getattr(places, name) or '-'}")
    if places.root != Path.cwd():
        remark(f"in {places.root}")


@program.command(short_help="Time training beside PyTorch.")
@click.option(
    "--genes",
    type=click.IntRange(1),
    multiple=True,
    default=(7000, 2000),
    show_default=True,
    help="Number of genes; may be given several times, as the next two.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(2),
    multiple=True,
    default=(32,),
    show_default=True,
    help="Cells in a step.",
)
@click.option("--threads", type=click.IntRange(1), multiple=True, help="[default: 1, and one a core]")
@click.option("--pertpy", metavar="PYTHON", help="Interpreter of an environment with pertpy.")
@click.option("--scgen", metavar="PYTHON", help="Interpreter of an environment with scgen.")
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of each contestant."
)
@click.option(
    "--steps", type=click.IntRange(1), default=10, show_default=True, help="Training steps in a turn."
)
@options("json")
def bench(**given: Any) -> None:  # noqa: ANN401
    """Time a training step of the default model: ours, PyTorch's, and the published tools'.

    All take turns on the same synthetic cells, 7 % of whose values are not zero. 7,000 genes in batches
    of 32 are always among the sizes.
    """
    from vae_np.bench.run import HEADING, description, run, table

    peers = {name: given[name] for name in ("pertpy", "scgen") if given[name] is not None}
    sizes = given["genes"], given["batch_size"], given["threads"]
    result = run(*sizes, peers, given["rounds"], given["steps"], remark)
    if given["as_json"]:
        click.echo(json.dumps(result))
        return
    print_table(HEADING, table(result["rows"]), n_words=4)
    for line in description(result["machine"]):
        click.echo(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status.

    Parameters
    ----------
    arguments
        The words after the program's name; None takes them from the command line.

    Returns
    -------
    int
        0 done, 1 a check failed, 2 bad usage or bad input, 130 interrupted.
    """
    said: set[str] = set()

    def one_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if str(message) not in said:
            said.add(str(message))
            remark(f"vae-np: warning: {message}")

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without R² still shows the table
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = one_line
        try:
            return program.main(arguments, prog_name="vae-np", standalone_mode=False) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            remark(error.format_message())
        except click.ClickException as error:
            remark(f"vae-np: {error.format_message()} (vae-np --help shows the usage)")
        except InputError as error:
            remark(f"vae-np: {error}")
        except SystemExit:  # how click and rich leave when nobody reads our output any more
            return 0
        except OSError as error:
            remark(f"vae-np: {error.filename or 'a file'} could not be used: {error.strerror or error}")
        except (click.Abort, KeyboardInterrupt):
            remark("vae-np: interrupted")
            return 130
    return 2


if __name__ == "__main__":
    sys.exit(main())
