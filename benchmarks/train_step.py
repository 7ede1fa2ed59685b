"""The time of a training step: ours beside PyTorch's and the published tools', in one run.

Every setting runs in processes of its own. The contestants of this environment take turns within one
process (`vae_np.bench.measure`); the published tools have environments of their own, so theirs and ours
alternate in short rounds. All get the same cells, sizes and cores. What counts is the median over all
rounds; the spread stands beside it.

    python benchmarks/train_step.py --pertpy PYTHON --scgen PYTHON
"""

from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import click
from matplotlib.figure import Figure
from output import (
    COLORS,
    markdown_table,
    out_option,
    peer_options,
    spread,
    threads_option,
    threads_text,
    write,
)

from vae_np.bench.children import PEERS, our_rows, peer_rows
from vae_np.bench.measure import Row
from vae_np.bench.steps import NAMES, left_out

OURS = "vae_np-numba"


def measure_setting(
    peers: dict[str, str], n_genes: int, batch_size: int, n_threads: int, n_rounds: int, n_steps: int
) -> list[dict[str, Any]]:
    """Time all contestants in `n_rounds` rounds; what the rounds give is put together by name."""
    names = [name for name in NAMES if name not in left_out()]
    by_name: dict[str, list[Row]] = defaultdict(list)
    for _ in range(n_rounds):
        rows, _ = our_rows(names, n_genes, batch_size, n_threads, n_rounds=3, n_steps=n_steps)
        for name, python in peers.items():
            rows += peer_rows(name, python, PEERS[name], n_genes, batch_size, n_threads, n_rounds=2)
        for row in rows:
            by_name[row.name].append(row)
    return [joined(rows) for rows in by_name.values()]


def joined(rows: list[Row]) -> dict[str, Any]:
    """One row of several of the same contestant."""
    every = [wall for row in rows for wall in row.wall_ms_all]
    first = rows[0]
    return {
        "name": first.name,
        "threads": first.threads,
        "batch_size": first.batch_size,
        "n_genes": first.n_genes,
        "cpu_ms_per_step": median(row.cpu_ms_per_step for row in rows),
        "wall_ms_per_step": median(every),
        "wall_ms_all": every,
    }


def setting_of(row: dict[str, Any]) -> tuple[int, int, int]:
    """What is compared with each other."""
    return row["n_genes"], row["batch_size"], row["threads"]


def table(rows: list[dict[str, Any]]) -> str:
    """A line a row, in Markdown, with the ratio to ours in the same setting."""
    ours = {setting_of(row): row["wall_ms_per_step"] for row in rows if row["name"] == OURS}
    lines = [
        [
            row["name"],
            *(f"{number:,}" for number in setting_of(row)),
            *spread(row["wall_ms_all"], 1),
            f"{row['cpu_ms_per_step']:.1f}",
            f"{row['wall_ms_per_step'] / ours[setting_of(row)]:.2f}",
        ]
        for row in rows
    ]
    header = ["", "genes", "batch", "threads", "wall, ms", "min..max", "CPU, ms", "ratio to ours"]
    return markdown_table(header, lines)


def draw(rows: list[dict[str, Any]]) -> Figure:
    """A panel for each size, a bar for each contestant and number of threads, from min to max a line."""
    panels = list(dict.fromkeys((row["n_genes"], row["batch_size"]) for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    counts = sorted({row["threads"] for row in rows})
    figure = Figure(figsize=(3.4 * len(panels), 1.6 + 0.32 * len(names)), layout="constrained")
    for axes, panel in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True
    ):
        for i, n_threads in enumerate(counts):
            chosen = [
                row
                for row in rows
                if (row["n_genes"], row["batch_size"], row["threads"]) == (*panel, n_threads)
            ]
            places = [names.index(row["name"]) + 0.8 / len(counts) * i for row in chosen]
            middles = [row["wall_ms_per_step"] for row in chosen]
            low, high = ([f(row["wall_ms_all"]) for row in chosen] for f in (min, max))
            axes.barh(places, middles, 0.8 / len(counts), color=COLORS[i], label=threads_text(n_threads))
            axes.hlines(places, low, high, color="black", lw=1)
        ticks = [i + 0.4 - 0.4 / len(counts) for i in range(len(names))]
        title = f"{panel[0]:,} genes, batch {panel[1]}"
        axes.set(xlabel="time of a step [ms]", title=title, yticks=ticks, yticklabels=names)
        axes.grid(axis="x", alpha=0.3)
    figure.axes[0].invert_yaxis()
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    return figure


@click.command()
@click.option("--genes", multiple=True, default=(7000, 2000), help="Genes; may be repeated.")
@click.option("--batch-size", multiple=True, default=(32, 512), help="Cells of a step; may be repeated.")
@click.option("--rounds", "n_rounds", default=3, help="Rounds of ours and the published tools.")
@click.option("--steps", "n_steps", default=10, help="Steps of each of ours' three turns in a round.")
@threads_option
@peer_options
@out_option
def main(
    genes: tuple[int, ...],
    batch_size: tuple[int, ...],
    n_rounds: int,
    n_steps: int,
    counts: tuple[int, ...],
    pertpy: str | None,
    scgen: str | None,
    out: Path,
) -> None:
    """Time a step in every setting, and print the table in Markdown."""
    peers = {name: python for name, python in {"pertpy": pertpy, "scgen": scgen}.items() if python}
    rows: list[dict[str, Any]] = []
    for setting in product(genes, batch_size, counts):
        click.echo("{:,} genes, batch {}, threads {}".format(*setting), err=True)
        rows += measure_setting(peers, *setting, n_rounds, n_steps)
    click.echo(table(rows))
    write(out, "train_step", {"rounds": n_rounds, "steps": n_steps, "rows": rows}, draw(rows))


if __name__ == "__main__":
    main()
