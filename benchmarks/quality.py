"""How good are predictions of held-out cell types: ours, pertpy's, and those that need no model.

    python benchmarks/quality.py CELLS.h5ad ... [--pertpy PYTHON --predictions FOLDER]

Every cell type with enough cells is held out in turn, with several seeds, on the same cells and genes for
all. Files hold raw counts, with the columns ``condition`` (control, stimulated) and ``cell_type`` in `obs`.
One trained model of ours gives several predictions that differ in one thing each: ``scgen`` the default,
``scgen_resampled`` with the published delta, ``scgen_decode`` decoded as published, ``scgen_published``
both. pertpy trains in an environment of its own; what it predicts is kept in a folder and not made again.
All predictions are scored alike, clipped at zero and as they are.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import click
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.figure import Figure
from output import markdown_table, out_option, write

from vae_np.bench.children import run_child
from vae_np.data import log_normalize
from vae_np.data.reading import read_h5ad
from vae_np.evaluate.baselines import Seen
from vae_np.evaluate.contexts import find_contexts
from vae_np.evaluate.experiment import Experiment, with_conditional_vae
from vae_np.evaluate.held_out import Row
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.plots import score_heatmap

COLUMNS = {"condition_key": "condition", "cell_type_key": "cell_type"}
NAMES = {"ctrl_key": "control", "stim_key": "stimulated"}
PREDICTIONS: dict[str, dict[str, str]] = {
    "scgen": {},
    "scgen_resampled": {"delta_method": "scgen"},
    "scgen_decode": {"mode": "decode"},
    "scgen_published": {"mode": "decode", "delta_method": "scgen"},
}
SHOWN = ("r2_mean", "r2_mean_deg100", "pearson_delta", "r2_delta")
PEER = Path(__file__).parent / "peers" / "predict_pertpy.py"
Scores = dict[tuple[str, str, str], list[float]]


class PertpysPredictions(NamedTuple):
    """What pertpy predicts for control cells of a file, kept in a folder."""

    python: str | None
    folder: Path
    name: str

    def place(self, context: str, seed: int) -> Path:
        """Where a prediction is kept."""
        return self.folder / f"{self.name}-{re.sub('[^A-Za-z0-9]+', '_', context)}.{seed}.npy"

    def has(self, context: str, seed: int) -> bool:
        """Whether it is there or can be made."""
        return self.python is not None or self.place(context, seed).exists()

    def __call__(self, seen: Seen, seed: int) -> np.ndarray:
        """Read the prediction; make it if it is not there."""
        place = self.place(seen.target, seed)
        if not place.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            train, made = place.with_suffix(".h5ad"), place.with_suffix(".part.npy")
            columns = {"condition": seen.condition, "cell_type": seen.cell_type}
            cells = AnnData(seen.x, obs=pd.DataFrame(columns, np.arange(len(seen.condition)).astype(str)))
            cells.write_h5ad(train)
            run_child([str(self.python), str(PEER), str(train), seen.target, str(seed), str(made)], 1)
            made.replace(place)
            train.unlink()
        return np.load(place)


def say(text: str) -> None:
    """Tell how far it is."""
    click.echo(text, err=True)


def runs(
    adata: AnnData, experiment: Experiment, seeds: int, min_cells: int, peer: PertpysPredictions
) -> Iterator[list[Row]]:
    """Scores of each context of a file, all seeds together."""
    for context in find_contexts(adata, experiment, min_cells, say=say):
        rows: list[Row] = []
        for seed in range(seeds):
            others = {**experiment.others, "pertpy": peer} if peer.has(context, seed) else experiment.others
            (run,) = leave_one_out(adata, replace(experiment, others=others), [context], [seed], say)
            rows += run.rows
        yield rows


def in_order(values: Iterable[str]) -> list[str]:
    """Keep the first of each."""
    return list(dict.fromkeys(values))


def by_method(rows: list[Row]) -> Scores:
    """(method, context, metric) -> a value for each seed."""
    scores: Scores = {}
    for row in rows:
        scores.setdefault((row.method, row.context, row.metric), []).append(row.value)
    return scores


def nested(rows: list[Row]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Context -> method -> metric -> a value for each seed, with four digits."""
    result: dict[str, dict[str, dict[str, list[float]]]] = {}
    for (method, context, metric), values in by_method(rows).items():
        result.setdefault(context, {}).setdefault(method, {})[metric] = [float(f"{v:.4g}") for v in values]
    return result


def table_of_means(rows: list[Row]) -> str:
    """A line a method: the mean over contexts of the mean over seeds, of each metric."""
    scores, contexts = by_method(rows), in_order(row.context for row in rows)
    lines = []
    for method in in_order(row.method for row in rows):
        line = [method]
        for metric in [*SHOWN, *(f"{metric}_unclipped" for metric in SHOWN)]:
            known = [fmean(v) for c in contexts if (v := scores.get((method, c, metric)))]
            line.append(f"{fmean(known):.3f}" if len(known) == len(contexts) else "–")
        lines.append(line)
    return markdown_table(["method", *SHOWN, *(f"{metric}, unclipped" for metric in SHOWN)], lines)


def table_of_contexts(rows: list[Row]) -> str:
    """A line a context and method: the mean over seeds and, in brackets, the range, of each metric."""
    scores = by_method(rows)
    lines = []
    for context in in_order(row.context for row in rows):
        for method in in_order(row.method for row in rows):
            line = [f"{context}: {method}"]
            for metric in SHOWN:
                values = scores.get((method, context, metric), [])
                spread = f" ({min(values):.3f}-{max(values):.3f})" if len(set(values)) > 1 else ""
                line.append(f"{fmean(values):.3f}{spread}" if values else "–")
            lines.append(line)
    return markdown_table(["held out: method", *SHOWN], lines)


def heatmap(rows: list[Row], metric: str) -> Figure:
    """Means over seeds of one metric, methods x contexts."""
    scores = by_method(rows)
    methods, contexts = (in_order(getattr(row, name) for row in rows) for name in ("method", "context"))
    values = [[fmean(scores.get((m, c, metric), [np.nan])) for c in contexts] for m in methods]
    return score_heatmap(np.array(values), methods, contexts, metric)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--genes", type=int, default=3000, help="Genes of largest variance; all where there are fewer.")
@click.option("--seeds", type=click.IntRange(1), default=3, help="How many.")
@click.option("--min-cells", type=click.IntRange(1), default=50, help="Cells in both conditions.")
@click.option("--max-epochs", type=click.IntRange(1), default=100, help="Longest training.")
@click.option("--conditional-vae/--no-conditional-vae", default=True, help="Train it too.")
@click.option(
    "--pertpy", metavar="PYTHON", help="Python of its environment; without, only predictions that are kept."
)
@click.option(
    "--predictions",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("predictions"),
    help="Folder that keeps what pertpy predicts.",
)
@click.option("--model", "sizes", default="{}", help="Sizes of our models as JSON, for a quick look.")
@out_option
def main(
    files: tuple[Path, ...],
    genes: int,
    seeds: int,
    min_cells: int,
    max_epochs: int,
    conditional_vae: bool,
    pertpy: str | None,
    predictions: Path,
    sizes: str,
    out: Path,
) -> None:
    """Hold out every cell type of FILES in turn and score all predictions."""
    for file in files:
        adata = log_normalize(read_h5ad(file))
        experiment = Experiment(
            **COLUMNS,
            **NAMES,
            n_genes=genes if genes < adata.n_vars else None,
            model={"n_threads": 1, **json.loads(sizes)},
            training={"max_epochs": max_epochs, "progress": False},
            predictions=PREDICTIONS,
        )
        if conditional_vae:
            experiment = with_conditional_vae(experiment)
        peer = PertpysPredictions(pertpy, predictions, file.stem)
        rows: list[Row] = []
        for rows_of_context in runs(adata, experiment, seeds, min_cells, peer):
            rows += rows_of_context  # written at once: the next ones may take an hour
            write(out, f"quality_{file.stem}", {"scores": nested(rows)}, heatmap(rows, "pearson_delta"))
        click.echo(f"{file.stem}, mean over held-out cell types:\n\n{table_of_means(rows)}\n")
        click.echo(f"{table_of_contexts(rows)}\n")


if __name__ == "__main__":
    main()
