"""What is recovered where the truth is known: coverage of intervals, deltas of stimulus and species.

    python benchmarks/known_truth.py

*Coverage*: simulated cells of six types; one type at a time is held out, and a 90 % interval of each gene's
mean is made in three ways. Counted are the genes whose mean, over the cells held out, lies inside: of all
genes, and of the 100 whose true change is largest (these are the hard ones: a gene is among them also
because its interval is too short).

*Recovery*: four species with an effect of their own and a stimulus that adds up; a species' stimulated
cells are held out and predicted along the stimulus (`predict`) and across the species (`predict_cross`).
Compared are the predicted and the true change of each gene: from the target's control cells to its
stimulated ones, and from the source's stimulated cells to the target's.
"""

from pathlib import Path

import click
import numpy as np
from anndata import AnnData
from matplotlib.figure import Figure
from output import markdown_table, out_option, write

from vae_np import ScGen, simulate
from vae_np.data.matrix import gene_mean
from vae_np.data.simulate import simulate_species
from vae_np.evaluate import hold_out
from vae_np.evaluate.metrics import coverage, pearson
from vae_np.plots import score_heatmap

WAYS = ("errors", "types", "cells")
SIZES = {"n_hidden": 128, "n_latent": 16, "n_layers": 1, "n_threads": 1}


def mean(cells: AnnData, key: str, name: str, condition: str) -> np.ndarray:
    """Mean of each gene over the cells of a context and condition."""
    return gene_mean(cells[((cells.obs[key] == name) & (cells.obs["condition"] == condition)).to_numpy()].X)


def trained(cells: AnnData, key: str, seed: int, max_epochs: int) -> ScGen:
    """A model of a size that suits the simulations."""
    return ScGen(seed=seed, **SIZES).fit(
        cells, condition_key="condition", cell_type_key=key, max_epochs=max_epochs, progress=False
    )


def coverages(seed: int, target: str, max_epochs: int) -> list[float]:
    """Share of genes inside the interval made in each way: of all, then of the 100 of largest change."""
    adata = simulate(2400, 400, 6, seed=seed)
    train, held_out = hold_out(adata, "condition", "cell_type", "stimulated", target)
    model = trained(train, "cell_type", seed, max_epochs)
    true, control = gene_mean(held_out.X), mean(train, "cell_type", target, "control")
    top = np.argsort(-np.abs(true - control), kind="stable")[:100]
    intervals = [model.predict_interval(celltype_to_predict=target, over=way) for way in WAYS]
    ends = [(i["low"].to_numpy(), i["high"].to_numpy()) for i in intervals]
    return [coverage(*pair, true, genes) for genes in (np.arange(len(true)), top) for pair in ends]


def recoveries(seed: int, max_epochs: int) -> list[float]:
    """Correlation, and explained share, of the change along the stimulus and across species."""
    adata = simulate_species(2400, 400, 4, seed=seed)
    species = adata.obs["species"].cat.categories
    target, source = species[1], species[0]
    train, held_out = hold_out(adata, "condition", "species", "stimulated", target)
    model = trained(train, "species", seed, max_epochs)
    along, _ = model.predict(celltype_to_predict=target)
    across, _ = model.predict_cross("control", "stimulated", target, source)
    true = gene_mean(held_out.X)
    starts = mean(train, "species", target, "control"), mean(train, "species", source, "stimulated")
    result = []
    for predicted, start in zip((along, across), starts, strict=True):
        change, true_change = gene_mean(predicted.X) - start, true - start
        explained = 1 - np.sum((change - true_change) ** 2) / np.sum(true_change**2)
        result += [pearson(change, true_change) or 0.0, float(explained)]
    return result


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=4, help="Simulations of each kind.")
@click.option("--max-epochs", type=click.IntRange(1), default=60, help="Longest training.")
@out_option
def main(seeds: int, max_epochs: int, out: Path) -> None:
    """Measure coverage of intervals and recovery of effects on simulated cells."""
    targets = ("type 1", "type 3", "type 5")
    runs = [(seed, target) for seed in range(seeds) for target in targets]
    covered = np.array([coverages(seed, target, max_epochs) for seed, target in runs])
    recovered = np.array([recoveries(seed, max_epochs) for seed in range(seeds)])
    lines = [
        [way, *(f"{column.mean():.2f} ({column.min():.2f}-{column.max():.2f})" for column in columns)]
        for way, columns in zip(WAYS, zip(covered.T[:3], covered.T[3:], strict=True), strict=True)
    ]
    click.echo(markdown_table(["90 % interval from", "all genes inside", "100 of largest change"], lines))
    lines = [
        [route, *(f"{column.mean():.2f} ({column.min():.2f}-{column.max():.2f})" for column in columns)]
        for route, columns in (
            ("along the stimulus", recovered.T[:2]),
            ("across species", recovered.T[2:]),
        )
    ]
    click.echo("\n" + markdown_table(["route", "correlation of the change", "share explained"], lines))
    figure: Figure = score_heatmap(
        covered.T[:3], list(WAYS), [f"{target}, seed {seed}" for seed, target in runs], "genes inside"
    )
    results = {"ways": WAYS, "coverage": covered.tolist(), "recovery": recovered.tolist()}
    write(out, "known_truth", results, figure)


if __name__ == "__main__":
    main()
