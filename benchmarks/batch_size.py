"""What a larger batch does: steps, and cells, until the validation loss has fallen to the same value.

Simulated cells; the same model, split and learning rate for all batch sizes, several seeds. The validation
loss is looked at after each epoch; between two epochs the curve is taken as straight. Steps S and cells
E = S B are fitted by S = S_min + E_min / B; B_crit = E_min / S_min (McCandlish et al. 2018,
arXiv:1812.06162). They tune the learning rate for each batch size; here it is the default one for all, so
B_crit is that of this learning rate.

    python benchmarks/batch_size.py
"""

import statistics
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from output import COLORS, markdown_table, out_option, own_process, write
from scipy.optimize import nnls

ABOVE = 2.0  # nats: at the very best loss, noise decides
SIZES = (16, 32, 64, 128, 256, 512)


def losses(batch_size: int, seed: int, n_cells: int, n_genes: int, n_epochs: int) -> list[float]:
    """Validation loss after each epoch, nats a cell."""
    from vae_np import ScGen
    from vae_np.data.simulate import simulate

    cells = simulate(n_cells=n_cells, n_genes=n_genes, seed=0)
    model = ScGen(seed=seed, n_threads=1)
    model.fit(
        cells,
        condition_key="condition",
        cell_type_key="cell_type",
        batch_size=batch_size,
        max_epochs=n_epochs,
        early_stopping=False,
        progress=False,
    )
    return model.history["validation_total"].tolist()


def epochs_until(curve: list[float], target: float) -> float | None:
    """When the curve first falls to the target, in epochs counted from 1; None if it never does."""
    for epoch, loss in enumerate(curve, start=1):
        if loss <= target:
            if epoch == 1:
                return 1.0
            before = curve[epoch - 2]
            return epoch - 1 + (before - target) / (before - loss)
    return None


def common_target(curves: list[list[float]]) -> float:
    """A loss that all curves reach while they still fall: a little above the best of the worst of them.

    Not a share of the way from the first loss: the running statistics that validation uses have seen few
    steps then, of large batches above all.
    """
    return max(min(curve) for curve in curves) + ABOVE


def fit_steps(batch_sizes: list[int], steps: list[float]) -> tuple[float, float]:
    """S_min and E_min of S = S_min + E_min / B, by least squares of the relative errors."""
    weights = 1 / np.array(steps)
    columns = np.column_stack([np.ones(len(steps)), 1 / np.array(batch_sizes)]) * weights[:, None]
    fewest_steps, fewest_cells = nnls(columns, np.ones(len(steps)))[0]
    return float(fewest_steps), float(fewest_cells)


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each batch size that reached the target."""
    lines = [
        [str(row["batch_size"]), f"{row['epochs']:.1f}", f"{row['steps']:,.0f}", f"{row['cells']:,.0f}"]
        for row in rows
    ]
    return markdown_table(["batch size", "epochs", "steps", "cells seen"], lines)


def draw(rows: list[dict[str, Any]], fewest_steps: float, fewest_cells: float) -> Figure:
    """Steps against batch size, with the fitted curve."""
    figure = Figure(figsize=(4.5, 3.4), layout="constrained")
    axes = figure.add_subplot()
    sizes = np.array([row["batch_size"] for row in rows])
    fine = np.geomspace(sizes.min(), sizes.max(), 50)
    axes.plot(fine, fewest_steps + fewest_cells / fine, color=COLORS[1], label="fitted")
    axes.plot(sizes, [row["steps"] for row in rows], "o", color=COLORS[3], label="measured")
    axes.set(xscale="log", yscale="log", xlabel="batch size [cells]", ylabel="steps to the same loss")
    axes.set_xticks(sizes, [f"{size}" for size in sizes])
    axes.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    axes.legend(frameon=False)
    return figure


@click.command()
@click.option("--cells", "n_cells", default=6000, help="Simulated cells.")
@click.option("--genes", "n_genes", default=1000, help="Genes.")
@click.option("--epochs", "n_epochs", default=60, help="Epochs of each training.")
@click.option("--seeds", "n_seeds", default=2, help="Seeds.")
@click.option("--batch-size", "sizes", multiple=True, default=SIZES, help="Cells of a step; may be repeated.")
@out_option
def main(n_cells: int, n_genes: int, n_epochs: int, n_seeds: int, sizes: tuple[int, ...], out: Path) -> None:
    """Train with each batch size and find when the loss is reached that all of them reach."""
    shape = {"n_cells": n_cells, "n_genes": n_genes, "n_epochs": n_epochs}
    curves: dict[int, list[list[float]]] = {}
    for size in sizes:
        click.echo(f"batch size {size}", err=True)
        seeds = range(n_seeds)
        curves[size] = [
            own_process("batch_size", "losses", 1, batch_size=size, seed=s, **shape) for s in seeds
        ]
    target = common_target([curve for each in curves.values() for curve in each])
    rows = []
    n_trained = own_process("batch_size", "n_trained", 1, n_cells=n_cells, n_genes=n_genes)
    for size, each in curves.items():
        epochs = statistics.mean(epochs_until(curve, target) for curve in each)
        steps = epochs * -(-n_trained // size)
        rows.append({"batch_size": size, "epochs": epochs, "steps": steps, "cells": epochs * n_trained})
    fewest = fit_steps([row["batch_size"] for row in rows], [row["steps"] for row in rows])
    critical = f"{fewest[1] / fewest[0]:,.0f}" if fewest[0] else "more than all of these"
    found = f"S_min {fewest[0]:,.0f}, E_min {fewest[1]:,.0f}, B_crit {critical}"
    click.echo(f"{table(rows)}\n\nloss {target:.4g}; {found}")
    result = {
        **shape,
        "target": target,
        "rows": rows,
        "S_min": fewest[0],
        "E_min": fewest[1],
        "curves": curves,
    }
    write(out, "batch_size", result, draw(rows, *fewest))


def n_trained(n_cells: int, n_genes: int) -> int:
    """Cells that are trained on."""
    from vae_np.data.simulate import simulate

    return round(0.9 * simulate(n_cells=n_cells, n_genes=n_genes, seed=0).n_obs)


if __name__ == "__main__":
    main()
