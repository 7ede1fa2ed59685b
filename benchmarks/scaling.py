"""How the time of a step grows with cells, genes, batch size and threads: ours beside PyTorch's best.

One size at a time is changed, the others stay at 2,000 cells, 7,000 genes and a batch of 32 (`--base`);
each setting in a process of its own, the two contestants in turns (`vae_np.bench.measure`).

    python benchmarks/scaling.py
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from matplotlib.figure import Figure
from output import COLORS, markdown_table, out_option, threads_option, threads_text, write

from vae_np.bench.children import run_child
from vae_np.bench.steps import left_out

SIZES = ("cells", "genes", "batch size")
OURS, OTHER = "vae_np-numba", "torch-fused"


def points(base: tuple[int, ...], *values: tuple[int, ...]) -> Iterator[tuple[str, dict[str, int]]]:
    """Every size that is changed, with the whole setting."""
    for size, choices in zip(SIZES, values, strict=True):
        for value in choices:
            yield size, dict(zip(SIZES, base, strict=True)) | {size: value}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """A panel for each size, a line for each contestant and number of threads."""
    panels = list(dict.fromkeys(row["varied"] for row in rows))
    figure = Figure(figsize=(3.2 * len(panels), 3.2), layout="constrained")
    for axes, size in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
    ):
        for name, color in ((OURS, COLORS[3]), (OTHER, COLORS[2])):
            for n_threads in sorted({row["threads"] for row in rows}):
                chosen = [
                    row
                    for row in rows
                    if (row["varied"], row["name"], row["threads"]) == (size, name, n_threads)
                ]
                axes.plot(
                    [row[size] for row in chosen],
                    [row["wall_ms_per_step"] for row in chosen],
                    "o-" if n_threads == 1 else "s--",
                    ms=4,
                    color=color,
                    label=f"{name}, {threads_text(n_threads)}",
                )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="batch size [cells]" if size == "batch size" else f"number of {size}",
        )
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("time of a step [ms]")
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each setting: both medians and their ratio."""
    times = {
        (row["varied"], row[row["varied"]], row["threads"], row["name"]): row["wall_ms_per_step"]
        for row in rows
    }
    lines = []
    for size, value, n_threads in dict.fromkeys(key[:3] for key in times):
        ours, other = (times.get((size, value, n_threads, name)) for name in (OURS, OTHER))
        found = [f"{time:.1f}" if time else "" for time in (ours, other)]
        ratio = f"{other / ours:.2f}" if ours and other else ""
        lines.append([f"{size} {value:,}", str(n_threads), *found, ratio])
    return markdown_table(["", "threads", f"{OURS}, ms", f"{OTHER}, ms", "ratio"], lines)


@click.command()
@click.option("--cells", multiple=True, default=(500, 2000, 8000), help="Cells; may be repeated.")
@click.option("--genes", multiple=True, default=(500, 1000, 2000, 5000, 10_000, 20_000), help="Genes.")
@click.option("--batch-size", multiple=True, default=(16, 32, 64, 128, 256, 512, 1024), help="Cells a step.")
@click.option("--base", nargs=3, default=(2000, 7000, 32), help="Cells, genes and batch where not changed.")
@click.option("--rounds", "n_rounds", default=3, help="Turns of each contestant.")
@click.option("--steps", "n_steps", default=10, help="Steps of a turn.")
@threads_option
@out_option
def main(
    cells: tuple[int, ...],
    genes: tuple[int, ...],
    batch_size: tuple[int, ...],
    base: tuple[int, int, int],
    counts: tuple[int, ...],
    n_rounds: int,
    n_steps: int,
    out: Path,
) -> None:
    """Time a step at every setting."""
    rows = []
    for size, setting in points(base, cells, genes, batch_size):
        for n in counts:
            click.echo(f"{size} {setting[size]:,}, {threads_text(n)}", err=True)
            arguments = {
                "names": [name for name in (OURS, OTHER) if name not in left_out()],
                "n_cells": setting["cells"],
                "n_genes": setting["genes"],
                "batch_size": setting["batch size"],
                "n_threads": n,
                "n_rounds": n_rounds,
                "n_steps": n_steps,
            }
            answer = run_child([sys.executable, "-m", "vae_np.bench.child", json.dumps(arguments)], n)
            rows += [{"varied": size, **setting, **row} for row in answer["rows"]]
    click.echo(table(rows))
    write(out, "scaling", {"rounds": n_rounds, "steps": n_steps, "rows": rows}, draw(rows))


if __name__ == "__main__":
    main()
