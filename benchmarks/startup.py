"""How long one waits: for `import vae_np`, and for the first training step, cold and warm.

Each in a process of its own. Cold is the first step on this machine: the kernels are compiled (an empty
Numba cache folder). Warm is the first step of any later process: they are loaded from that folder. Both
contain the import of Numba. The median of several processes counts.

    python benchmarks/startup.py
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from matplotlib.figure import Figure
from output import COLORS, markdown_table, out_option, spread, write

from vae_np.bench.children import run_child

IMPORT = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
FIRST_STEP = """
import time
import numpy as np
from vae_np.bench.data import synthetic_cells
from vae_np.bench.steps import setting, stepper
step = stepper("vae_np-numba", synthetic_cells({batch_size}, {n_genes}), {batch_size})
start = time.perf_counter()
with setting("vae_np-numba", 1):
    step(np.arange({batch_size}))
print(time.perf_counter() - start)
"""
LIMITS = {"import vae_np": 0.3, "first step, cold": 10.0, "first step, warm": 1.0}


def measure(n_genes: int, batch_size: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each process, by what it does."""

    def seconds(code: str, cache: str) -> Any:  # noqa: ANN401 - a number
        return run_child([sys.executable, "-c", code], 1, NUMBA_CACHE_DIR=cache)

    first_step = FIRST_STEP.format(n_genes=n_genes, batch_size=batch_size)
    statements = ("import vae_np", "from vae_np import ScGen")
    measured: dict[str, list[float]] = {name: [] for name in (*statements, *list(LIMITS)[1:])}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for statement in statements:
                measured[statement].append(seconds(IMPORT.format(statement), folder))
            measured["first step, cold"].append(seconds(first_step, folder))
            measured["first step, warm"].append(seconds(first_step, folder))
    return measured


def draw(measured: dict[str, list[float]]) -> Figure:
    """One point a process, and the limit of each as a line."""
    figure = Figure(figsize=(6, 2.6), layout="constrained")
    axes = figure.add_subplot()
    for row, (name, values) in enumerate(measured.items()):
        axes.plot(values, [row] * len(values), "o", color=COLORS[3], alpha=0.6)
        if name in LIMITS:
            axes.plot([LIMITS[name]] * 2, [row - 0.35, row + 0.35], color=COLORS[2], lw=2)
    axes.set(
        xscale="log",
        yticks=range(len(measured)),
        yticklabels=measured,
        xlabel="time [s]; line: limit",
        ylim=(len(measured) - 0.5, -0.5),
    )
    axes.grid(axis="x", alpha=0.4)
    return figure


@click.command()
@click.option("--genes", "n_genes", default=7000, help="Genes of the step's data.")
@click.option("--batch-size", default=32, help="Cells of the step.")
@click.option("--repeats", default=5, help="Processes of each kind.")
@out_option
def main(n_genes: int, batch_size: int, repeats: int, out: Path) -> None:
    """Measure import and first step, each in new processes."""
    measured = measure(n_genes, batch_size, repeats)
    rows = []
    for name, values in measured.items():
        rows.append([name, *spread(values, 2), f"{LIMITS[name]:g}" if name in LIMITS else ""])
    click.echo(markdown_table(["", "median, s", "min..max, s", "limit, s"], rows))
    results = {"n_genes": n_genes, "batch_size": batch_size, "seconds": measured, "limits": LIMITS}
    write(out, "startup", results, draw(measured))


if __name__ == "__main__":
    main()
