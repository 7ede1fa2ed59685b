"""How near a training step comes to what this machine allows.

Measured on the spot, with 1 and 2 threads: memory bandwidth, the rate of matrix products and that of
Adam's updates in cache. From these and from what a step has to do at least (`needs.py`) follow

- a bound for each phase, max(bytes / bandwidth, operations / rate of products + updates / rate of updates);
- a bound for the step, their sum; and the same with products at the rate that the library reaches on a
  matrix as thin as a batch;
- the coarser classical one, max(all bytes / bandwidth, all operations / rate of products).

Beside them stands the time of a real step and of its phases.

    python benchmarks/roofline.py
"""

import statistics
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from clocks import clocks
from matplotlib.figure import Figure
from needs import PHASES, bound, classical_bound, needs
from output import COLORS, markdown_table, out_option, own_process, threads_option, threads_text, write
from rates import measure_rates

from vae_np.bench.data import synthetic_cells
from vae_np.bench.published import published_sizes
from vae_np.bench.steps import setting, stepper

REST = "everything else"
N_BATCHES = 8


def time_phases(step: Any, batches: list[np.ndarray], n_steps: int) -> list[dict[str, float]]:  # noqa: ANN401
    """Milliseconds of each step ("step"), of its phases and of the rest."""
    rows = []
    for i in range(n_steps):
        with clocks() as seconds:
            start = time.perf_counter()
            step(batches[i % len(batches)])
            whole = time.perf_counter() - start
        rest = whole - sum(seconds.values())
        rows.append({name: 1e3 * t for name, t in {"step": whole, **seconds, REST: rest}.items()})
    return rows


def report(
    n_threads: int, n_genes: int, batch_size: int, n_steps: int, megabytes: int, square: int
) -> dict[str, Any]:
    """Rates, bounds and measured times (medians, ms) with so many threads."""
    x = synthetic_cells(N_BATCHES * batch_size, n_genes)
    batches = np.split(np.arange(x.shape[0]), N_BATCHES)
    sizes = published_sizes(n_genes)
    n_expressed = np.mean([np.unique(x[cells].indices).size for cells in batches])
    todo = needs(sizes, batch_size, x.nnz / N_BATCHES, float(n_expressed))
    step = stepper("vae_np-numba", x, batch_size)
    with setting("vae_np-numba", n_threads):
        time_phases(step, batches, 2)  # loads or compiles the kernels
        rows = time_phases(step, batches, n_steps)
        rates = measure_rates(n_threads, megabytes, square, (batch_size, sizes.n_hidden, n_genes))
        rows += time_phases(step, batches, n_steps)
    measured = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    bounds = {phase: 1e3 * bound(need, rates) for phase, need in todo.items()}
    thin = rates._replace(sgemm=rates.sgemm_step)
    steps = {
        "step": sum(bounds.values()),
        "step, products at the rate of its own shapes": 1e3
        * sum(bound(need, thin) for need in todo.values()),
        "step, classical bound": 1e3 * classical_bound(todo, rates),
    }
    return {
        "threads": n_threads,
        "rates": rates._asdict(),
        "needs": {phase: need._asdict() for phase, need in todo.items()},
        "bound_ms": bounds,
        "step_bounds_ms": steps,
        "measured_ms": measured,
        "shares": {name: least / measured["step"] for name, least in steps.items()},
    }


def rates_table(reports: list[dict[str, Any]]) -> str:
    """Rates, a column for each number of threads."""
    rows = [
        [f"{name}, 10^9 a second", *(f"{each['rates'][name] / 1e9:.1f}" for each in reports)]
        for name in reports[0]["rates"]
    ]
    return markdown_table(["", *(threads_text(each["threads"]) for each in reports)], rows)


def phases_table(reports: list[dict[str, Any]]) -> str:
    """Bound and measured time of each phase and of the step, and the share reached, for each report."""
    header, rows = ["ms"], []
    for each in reports:
        header += [f"bound, {threads_text(each['threads'])}", "measured", "share"]
    for phase in (*PHASES, REST):
        row = [phase]
        for each in reports:
            least, took = each["bound_ms"].get(phase, 0.0), each["measured_ms"][phase]
            row += [f"{least:.2f}", f"{took:.2f}", f"{least / took:.0%}"]
        rows.append(row)
    for name in reports[0]["step_bounds_ms"]:
        row = [name]
        for each in reports:
            least = each["step_bounds_ms"][name]
            row += [f"{least:.2f}", f"{each['measured_ms']['step']:.2f}", f"{each['shares'][name]:.0%}"]
        rows.append(row)
    return markdown_table(header, rows)


def speedups(reports: list[dict[str, Any]]) -> dict[str, float]:
    """The last number of threads against the first: step, its bound, and bandwidth of the update."""
    one, more = reports[0], reports[-1]
    return {
        "step": one["measured_ms"]["step"] / more["measured_ms"]["step"],
        "bound": one["step_bounds_ms"]["step"] / more["step_bounds_ms"]["step"],
        "bandwidth": more["rates"]["update"] / one["rates"]["update"],
    }


def draw(reports: list[dict[str, Any]]) -> Figure:
    """Stacked bars by phase: the bound beside the measured time."""
    figure = Figure(figsize=(6.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    bars = [
        (f"{kind}\n{threads_text(each['threads'])}", each[key])
        for each in reports
        for kind, key in (("bound", "bound_ms"), ("measured", "measured_ms"))
    ]
    bottom = np.zeros(len(bars))
    for phase, color in zip((*PHASES, REST), COLORS, strict=False):
        heights = np.array([times.get(phase, 0.0) for _, times in bars])
        axes.bar(range(len(bars)), heights, 0.6, bottom, color=color, label=phase)
        bottom += heights
    axes.set(xticks=range(len(bars)), xticklabels=[name for name, _ in bars], ylabel="time of a step [ms]")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False, fontsize=9)
    return figure


@click.command()
@click.option("--genes", "n_genes", default=7000, help="Genes.")
@click.option("--batch-size", default=32, help="Cells of a step.")
@click.option("--steps", "n_steps", default=40, help="Timed steps before, and after, the rates.")
@click.option("--megabytes", default=200, help="Size of each vector that bandwidth is measured with.")
@click.option("--square", default=2000, help="Rows of the large square product.")
@threads_option
@out_option
def main(counts: tuple[int, ...], out: Path, **sizes: int) -> None:
    """Measure rates and steps, each number of threads in a process of its own."""
    reports = [own_process("roofline", "report", n, n_threads=n, **sizes) for n in counts]
    ratios = speedups(reports)
    click.echo(f"{rates_table(reports)}\n\n{phases_table(reports)}\n")
    click.echo(", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()) + " times one thread's")
    write(out, "roofline", {"settings": sizes, "reports": reports, "speedups": ratios}, draw(reports))


if __name__ == "__main__":
    main()
