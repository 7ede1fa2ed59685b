"""What a training costs, predicted before it is run: the model of `cost_model.py` against the stopwatch.

The rates of the machine come from steps of two batch sizes and from its bandwidth. With them the step is
predicted at other numbers of genes, widths, depths, batch sizes, threads and workers, whole trainings at
other numbers of cells, with their memory, and each prediction is put beside what was measured.

    python benchmarks/cost.py
"""

from pathlib import Path
from typing import Any

import click
from cost_model import (
    STORED,
    Job,
    Machine,
    calibrated,
    epoch_seconds,
    exchange_seconds,
    memory_bytes,
    step_seconds,
)
from cost_runs import WIDTHS, sizes_of
from matplotlib.figure import Figure
from output import COLORS, markdown_table, out_option, own_process, write
from roofline import REST

BASE = {"n_genes": 7000, "batch_size": 32, "n_threads": 1, "n_workers": 1, **WIDTHS}
CALIBRATION = ({"batch_size": 32}, {"batch_size": 256})
POINTS: tuple[dict[str, int], ...] = (  # what is changed
    {"n_genes": 1000},
    {"n_genes": 2000},
    {"n_genes": 16_000},
    {"batch_size": 64},
    {"batch_size": 128},
    {"batch_size": 512},
    {"n_hidden": 400},
    {"n_hidden": 1600},
    {"n_layers": 1},
    {"n_layers": 4},
    {"n_latent": 20},
    {"n_threads": 2},
    {"n_threads": 2, "batch_size": 256},
    {"n_threads": 2, "n_genes": 2000},
    {"n_workers": 2},
    {"n_workers": 2, "n_genes": 2000},
)
TRAININGS: tuple[dict[str, int], ...] = (
    {"n_cells": 8000, "n_genes": 2000},
    {"n_cells": 4000, "n_genes": 7000},
    {"n_cells": 40_000, "n_genes": 1000, "batch_size": 256},
    {"n_cells": 4000, "n_genes": 7000, "n_threads": 2},
)
DENSITY, BUFFER = 0.07, 16_384  # of what is predicted and not measured
TINY = {
    "n_cells": 64,
    "n_genes": 20,
    "n_hidden": 8,
    "n_latent": 2,
}  # what the libraries take, with next to nothing


def job_of(point: dict[str, Any], measured: dict[str, Any]) -> Job:
    """The job of a point."""
    n_cells, batch_size = point.get("n_cells", 0), point["batch_size"]
    return Job(n_cells, sizes_of(point), batch_size, measured["density"], measured["n_expressed"])


def in_words(point: dict[str, int]) -> str:
    """What is changed, as text."""
    return ", ".join(
        f"{value:,} {name.removeprefix('n_').replace('_', ' ')}" for name, value in point.items()
    )


def measure(function: str, change: dict[str, int], base: dict[str, int], n_steps: int) -> dict[str, Any]:
    """Measure in a process of its own, on as many cores as it needs."""
    point = base | change
    n_cores = point["n_threads"] * point["n_workers"]
    return {"point": point, **own_process("cost_runs", function, n_cores, point=point, n_steps=n_steps)}


def in_turns(
    base: dict[str, int],
    points: list[dict[str, int]],
    trainings: list[dict[str, int]],
    how: dict[str, int],
    n_rounds: int,
) -> tuple[dict[int, float], list[dict[str, Any]], list[dict[str, Any]]]:
    """Measure everything in turn, several times; of each, keep the turn that was disturbed least.

    Other programs, and other guests of a machine that is rented, can only make it slower.
    """
    bandwidth: dict[int, float] = {}
    steps: list[list[dict[str, Any]]] = [[] for _ in points]
    epochs: list[list[dict[str, Any]]] = [[] for _ in trainings]
    for _ in range(n_rounds):
        for n in (1, 2):
            found = own_process("cost_runs", "update_bandwidth", n, n_threads=n, megabytes=how["megabytes"])
            bandwidth[n] = max(found, bandwidth.get(n, 0))
        for turns, change in zip(steps, points, strict=True):
            turns.append(measure("point_phases", change, base, how["n_steps"]))
            click.echo(f"{in_words(change)}: {1e3 * turns[-1]['seconds']['step']:.1f} ms", err=True)
        for turns, change in zip(epochs, trainings, strict=True):
            turns.append(measure("training", change, base, how["n_steps"]))
            click.echo(f"{in_words(change)}: {turns[-1]['epoch']:.1f} s", err=True)
    return (
        bandwidth,
        [min(turns, key=lambda turn: turn["seconds"]["step"]) for turns in steps],
        [min(turns, key=lambda turn: turn["epoch"]) for turns in epochs],
    )


def compared(kind: str, change: dict[str, int], predicted: float, measured: float) -> dict[str, Any]:
    """A prediction beside a measurement."""
    off = predicted / measured - 1
    return {"kind": kind, "what": in_words(change), "predicted": predicted, "measured": measured, "off": off}


def compare(
    machine: Machine,
    steps: list[tuple[dict[str, int], dict[str, Any]]],
    trainings: list[tuple[dict[str, int], dict[str, Any]]],
    empty: float,
) -> list[dict[str, Any]]:
    """Predictions beside what was measured: steps in ms, epochs in s, peaks of memory in MB."""
    rows = []
    for change, run in steps:
        shared = run["point"]["n_threads"], run["point"]["n_workers"]
        predicted = step_seconds(job_of(run["point"], run), machine, *shared)
        rows.append(compared("step, ms", change, 1e3 * predicted, 1e3 * run["seconds"]["step"]))
    for change, run in trainings:
        job = job_of(run["point"], run)
        seconds = epoch_seconds(job, machine, run["point"]["n_threads"])
        rows.append(compared("epoch, s", change, seconds, run["epoch"]))
        rows.append(compared("peak, MB", change, 1e-6 * memory_bytes(job, empty), 1e-6 * run["peak"]))
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each comparison."""
    lines = [
        [
            f"{row['kind']}: {row['what']}",
            *(f"{row[name]:.3g}" for name in ("predicted", "measured")),
            f"{row['off']:+.0%}",
        ]
        for row in rows
    ]
    return markdown_table(["", "predicted", "measured", "off"], lines)


def on_paper(machine: Machine, base: float) -> str:
    """What nobody has run here: an epoch of 1 to 100 million cells in a file, two threads, 2,000 genes."""
    job = Job(0, sizes_of(BASE | {"n_genes": 2000}), BASE["batch_size"], DENSITY, 2000)
    columns = [job._replace(n_cells=n) for n in (10**6, 10**7, 10**8)]
    lines = [
        ["steps", *(f"{each.n_steps:,}" for each in columns)],
        ["hours", *(f"{epoch_seconds(each, machine, n_threads=2) / 3600:.2g}" for each in columns)],
        ["GB read", *(f"{2 * STORED * DENSITY * each.n_cells * 2000 / 1e9:,.1f}" for each in columns)],
        ["GB in memory", *(f"{memory_bytes(each, base, BUFFER) / 1e9:,.1f}" for each in columns)],
    ]
    return markdown_table(["an epoch", *(f"{each.n_cells:,} cells" for each in columns)], lines)


def with_more_machines(machine: Machine, n_machines: int = 10, link: float = 1.25e9) -> str:
    """One update over ever more cells, by one machine and by ten that exchange gradients; 7,000 genes."""
    sizes = sizes_of(BASE)
    exchange = exchange_seconds(sizes.n_params, n_machines, link)
    lines = []
    for batch_size in (32, 128, 512):
        shard, whole = (Job(0, sizes, b, DENSITY, 7000) for b in (batch_size, n_machines * batch_size))
        seconds = step_seconds(shard, machine, 2), exchange, step_seconds(whole, machine, 2)
        lines.append([f"{batch_size:,}", *(f"{1e3 * each:.0f}" for each in seconds)])
    heading = ["cells a machine", "its step, ms", "exchange, ms", "one machine alone, all cells, ms"]
    return markdown_table(heading, lines)


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Predicted against measured, with the band of 25 %."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot()
    values = [row["measured"] for row in rows]
    ends = min(values) / 2, max(values) * 2
    axes.fill_between(
        ends, [0.75 * end for end in ends], [1.25 * end for end in ends], color="#dddddd", lw=0, label="25 %"
    )
    for kind, color, marker in zip(
        dict.fromkeys(row["kind"] for row in rows), (COLORS[3], COLORS[2], COLORS[5]), "osD", strict=False
    ):
        chosen = [row for row in rows if row["kind"] == kind]
        axes.plot(
            [row["measured"] for row in chosen],
            [row["predicted"] for row in chosen],
            marker,
            color=color,
            ms=5,
            label=kind,
        )
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured", ylabel="predicted")
    axes.legend(frameon=False)
    return figure


@click.command()
@click.option("--steps", "n_steps", default=15, help="Timed steps of a point; epochs of a training are 3.")
@click.option("--megabytes", default=200, help="Size of each vector that bandwidth is measured with.")
@click.option("--genes", "n_genes", default=BASE["n_genes"], help="Genes where they are not changed.")
@click.option("--points", "n_points", default=len(POINTS), help="Steps to compare; the first so many.")
@click.option("--trainings", "n_trainings", default=len(TRAININGS), help="Trainings to compare.")
@click.option("--rounds", "n_rounds", default=3, help="How often each has its turn.")
@out_option
def main(
    n_steps: int, megabytes: int, n_genes: int, n_points: int, n_trainings: int, n_rounds: int, out: Path
) -> None:
    """Measure the rates, predict, measure, compare."""
    base, n = BASE | {"n_genes": n_genes}, len(CALIBRATION)
    changes, trainings = [*CALIBRATION, *POINTS[:n_points]], list(TRAININGS[:n_trainings])
    how = {"n_steps": n_steps, "megabytes": megabytes}
    bandwidth, steps, epochs = in_turns(base, changes, trainings, how, n_rounds)
    known = [(job_of(run["point"], run), run["seconds"]) for run in steps[:n]]
    machine = calibrated(bandwidth, known, REST)
    empty = measure("training", TINY, base, n_steps)["peak"]
    pairs = [list(zip(*each, strict=True)) for each in ((changes[n:], steps[n:]), (trainings, epochs))]
    rows = compare(machine, *pairs, empty)
    worst = max(rows, key=lambda row: abs(row["off"]))
    click.echo(f"{table(rows)}\n\nfarthest off: {worst['kind']}, {worst['what']}, {worst['off']:+.0%}")
    click.echo(f"\n{on_paper(machine, empty)}\n\n{with_more_machines(machine)}")
    write(out, "cost", {"rates": machine._asdict(), "comparisons": rows}, draw(rows))


if __name__ == "__main__":
    main()
