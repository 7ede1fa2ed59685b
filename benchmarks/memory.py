"""Peak memory of a training, resident set size: ours through `ScGen.fit`, PyTorch's, the published tools'.

Each in a process of its own that reads the same cells and trains for a few epochs. The peak holds all: the
interpreter, the libraries, the data, the model and its optimizer. The median of several processes counts;
in the first of ours kernels may have to be compiled.

    python benchmarks/memory.py --pertpy PYTHON --scgen PYTHON
"""

import os
import sys
import tempfile
from pathlib import Path

import click
from matplotlib.figure import Figure
from output import COLORS, FOLDER, markdown_table, out_option, own_process, peer_options, spread, write
from scipy import sparse

from vae_np.bench.children import PEERS, run_child
from vae_np.bench.data import synthetic_cells
from vae_np.bench.steps import left_out

OURS, TORCH = "vae_np", ("torch-adam", "torch-fused")


def save_cells(path: str, n_cells: int, n_genes: int) -> None:
    """Write the cells that all train on; the peak of a child is no lower than its parent's memory."""
    sparse.save_npz(path, synthetic_cells(n_cells, n_genes), compressed=False)


def commands(pertpy: str | None, scgen: str | None) -> dict[str, tuple[str, Path, list[str]]]:
    """By name: the interpreter, the script, and what it is told after the numbers."""
    names = [OURS, *(name for name in TORCH if name not in left_out())]
    found = {name: (sys.executable, FOLDER / "trainings.py", [name]) for name in names}
    peers = {"pertpy": pertpy, "scgen": scgen}
    return found | {name: (python, PEERS[name], []) for name, python in peers.items() if python}


def draw(peaks: dict[str, list[float]]) -> Figure:
    """One point a process."""
    figure = Figure(figsize=(6, 0.8 + 0.4 * len(peaks)), layout="constrained")
    axes = figure.add_subplot()
    for row, values in enumerate(peaks.values()):
        axes.plot(values, [row] * len(values), "o", color=COLORS[3], alpha=0.6)
    axes.set(
        yticks=range(len(peaks)), yticklabels=peaks, ylim=(len(peaks) - 0.5, -0.5), xlabel="peak memory [MB]"
    )
    axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.4)
    return figure


@click.command()
@click.option("--cells", "n_cells", default=4000, help="Cells.")
@click.option("--genes", "n_genes", default=7000, help="Genes.")
@click.option("--batch-size", default=32, help="Cells of a step.")
@click.option("--epochs", "n_epochs", default=2, help="Epochs after the first.")
@click.option("--threads", "n_threads", default=2, help="Threads.")
@click.option("--repeats", default=3, help="Processes of each.")
@peer_options
@out_option
def main(
    n_cells: int,
    n_genes: int,
    batch_size: int,
    n_epochs: int,
    n_threads: int,
    repeats: int,
    pertpy: str | None,
    scgen: str | None,
    out: Path,
) -> None:
    """Train in turns and read the peak memory of each process."""
    numbers = [str(n_threads), str(batch_size), str(n_epochs)]
    chosen = commands(pertpy, scgen)
    peaks: dict[str, list[float]] = {name: [] for name in chosen}
    with tempfile.TemporaryDirectory() as folder:
        cells = os.fspath(Path(folder) / "cells.npz")
        own_process("memory", "save_cells", 1, path=cells, n_cells=n_cells, n_genes=n_genes)
        for _ in range(repeats):
            for name, (python, script, more) in chosen.items():
                command = [python, FOLDER / "peak.py", script, cells, *numbers, *more]
                peaks[name].append(run_child([os.fspath(word) for word in command], n_threads))
                click.echo(f"{name}: {peaks[name][-1]:.0f} MB", err=True)
    click.echo(markdown_table(["", "peak, MB", "min..max"], [[n, *spread(v, 0)] for n, v in peaks.items()]))
    sizes = {"n_cells": n_cells, "n_genes": n_genes, "batch_size": batch_size, "epochs": 1 + n_epochs}
    write(out, "memory", {**sizes, "threads": n_threads, "peak_mb": peaks}, draw(peaks))


if __name__ == "__main__":
    main()
