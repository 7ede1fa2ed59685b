"""Cells in a file against the same cells in memory: peak memory, speed, and how well training converges.

Simulated cells are written a chunk at a time. Then the whole way is gone, each time in a process of its own,
with the cells in memory, in an .h5ad file and in a .zarr folder, in turns: the stimulated cells of one type
are held out, a model is trained on the others, they are encoded, the type is predicted into a file, and the
prediction is scored. The memory is looked at all the time. Speed is training cells times epochs by the
seconds of `fit`, all that `fit` does included.

Convergence is looked at on cells sorted by type and condition: the validation loss of every epoch, of a full
shuffle and of blocks and buffers of several sizes, each with several seeds.

    python benchmarks/out_of_core.py --cells 1000000 --folder /path/with/room
"""

import os
import resource
import tempfile
import threading
import time
from pathlib import Path
from statistics import mean
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from output import COLORS, markdown_table, out_option, own_process, spread, write

FORMS = {"in memory": ("h5ad", False), ".h5ad": ("h5ad", True), ".zarr": ("zarr", True)}
TARGET, NAMES = "type 1", ("condition", "cell_type")
BLOCKS = {
    "512 of 16,384": (512, 16_384),
    "512 of 4,096": (512, 4096),
    "64 of 4,096": (64, 4096),
    "512 of 512": (512, 512),
}


class Sampler(threading.Thread):
    """Notes the time, the phase and the resident memory, ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.phase, self.samples, self.seconds, self.cpu_seconds = "read", [], {}, {}
        self.start_time = self.phase_start = time.perf_counter()
        self.cpu_start = time.process_time()

    def run(self) -> None:
        """Take samples until the program ends."""
        page = os.sysconf("SC_PAGE_SIZE")
        while True:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page / 1e6
            self.samples.append(
                (round(time.perf_counter() - self.start_time, 2), self.phase, round(resident, 1))
            )
            time.sleep(0.1)

    def begin(self, phase: str) -> None:
        """End a phase and begin the next."""
        now = time.perf_counter()
        self.seconds[self.phase] = now - self.phase_start
        self.cpu_seconds[self.phase] = time.process_time() - self.cpu_start
        self.phase, self.phase_start, self.cpu_start = phase, now, time.process_time()


def whole_way(path: str, backed: bool, n_threads: int, n_epochs: int, n_hidden: int) -> dict[str, Any]:
    """Train, encode, predict and score once; this process's peak memory in MB, its seconds and samples."""
    from vae_np.data import read_cells, write_cells
    from vae_np.evaluate.experiment import Experiment
    from vae_np.evaluate.held_out import hold_out
    from vae_np.evaluate.scoring import control_of, score_context
    from vae_np.scgen.predictor import ScGen

    sampler = Sampler()
    sampler.start()
    cells = read_cells(path, backed)
    split = hold_out(cells, *NAMES, "stimulated", TARGET)
    del cells
    sampler.begin("fit")
    model = ScGen(n_hidden=n_hidden, n_threads=n_threads)
    keys = dict(zip(("condition_key", "cell_type_key"), NAMES, strict=True))
    model.fit(split.train, **keys, max_epochs=n_epochs, early_stopping=False, progress=False)
    sampler.begin("encode")
    model.encode(split.train)
    sampler.begin("predict")
    experiment = Experiment(*NAMES, "control", "stimulated")
    control = control_of(split.train, experiment, TARGET)
    labels, _, x = model.predict_in_chunks(adata_to_predict=control)
    with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
        write_cells(Path(folder) / "predicted.h5ad", labels, x)
    sampler.begin("score")
    _, rows = score_context(model, split, experiment, TARGET, 0)
    sampler.begin("end")
    recorded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # may lack some pages
    scores = {row.metric: row.value for row in rows if row.method == "scgen"}
    return {
        "peak_mb": max(recorded, *(resident for _, _, resident in sampler.samples)),
        "seconds": sampler.seconds,
        "cpu_seconds": sampler.cpu_seconds,
        "cells_a_second": split.train.n_obs * n_epochs / sampler.seconds["fit"],
        "validation_total": model.history["validation_total"].tolist(),
        "r2_mean": scores["r2_mean"],
        "pearson_delta": scores["pearson_delta"],
        "samples": sampler.samples[:: max(1, len(sampler.samples) // 500)],
    }


def losses(
    path: str, block_size: int, buffer_size: int, seed: int, n_epochs: int, n_hidden: int, n_threads: int
) -> list[float]:
    """Validation loss of each epoch of a training on cells in a file."""
    from vae_np.data import read_cells
    from vae_np.scgen.predictor import ScGen

    cells = read_cells(path, backed=True)
    keys = dict(zip(("condition_key", "cell_type_key"), NAMES, strict=True))
    how = {"early_stopping": False, "progress": False, "block_size": block_size, "buffer_size": buffer_size}
    model = ScGen(n_hidden=n_hidden, seed=seed, n_threads=n_threads)
    return model.fit(cells, **keys, max_epochs=n_epochs, **how).history["validation_total"].tolist()


def speed_table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Peak memory, speed and scores of each form."""
    rows = []
    reference = mean(run["cells_a_second"] for run in next(iter(runs.values())))
    for name, done in runs.items():
        rates = [run["cells_a_second"] for run in done]
        peak = max(run["peak_mb"] for run in done)
        last = done[-1]
        cells = [name, f"{peak:,.0f}", *spread(rates, 0), f"{mean(rates) / reference:.0%}"]
        cells += [f"{last[key]:.3f}" for key in ("r2_mean", "pearson_delta")]
        rows.append([*cells, " / ".join(f"{s:.0f}" for s in last["seconds"].values())])
    heading = ["", "peak, MB", "cells a second", "min..max", "of the first", "r2_mean", "pearson_delta"]
    return markdown_table([*heading, "read / fit / encode / predict / score, s"], rows)


def convergence_table(found: dict[str, list[list[float]]]) -> str:
    """Validation loss after some epochs, mean over seeds; the spread of the full shuffle is the yardstick."""
    n_epochs = len(next(iter(found.values()))[0])
    shown = sorted({0, n_epochs // 2, n_epochs - 1})
    rows = []
    for name, trainings in found.items():
        table = np.array(trainings)
        values = [
            f"{table[:, i].mean():.2f} ± {table[:, i].std(ddof=min(1, len(table) - 1)):.2f}" for i in shown
        ]
        rows.append([name, *values, f"{table.min(axis=1).mean():.2f}"])
    return markdown_table(["blocks of, buffer of", *(f"epoch {i + 1}" for i in shown), "best"], rows)


def draw(runs: dict[str, list[dict[str, Any]]], found: dict[str, list[list[float]]]) -> Figure:
    """Memory over time; validation loss over epochs, less that of the full shuffle."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    memory, loss = figure.subplots(1, 2)
    for color, (name, done) in zip(COLORS[2:], runs.items(), strict=False):
        seconds, _, resident = zip(*done[-1]["samples"], strict=True)
        memory.plot(seconds, resident, color=color, label=name)
    memory.axhline(2**31 / 1e6, color="k", ls=":", lw=1, label="2 GiB")
    memory.set(xlabel="time [s]", ylabel="resident memory [MB]", ylim=(0, None))
    memory.legend()
    reference = np.mean(next(iter(found.values())), axis=0) if found else 0
    for color, (name, trainings) in zip(COLORS, found.items(), strict=False):
        for i, training in enumerate(trainings):
            epochs = np.arange(1, len(training) + 1)
            loss.plot(epochs, training - reference, color=color, label=None if i else name)
    loss.set(xlabel="epoch", ylabel="validation loss - full shuffle's [nats]")
    loss.grid(alpha=0.4)
    if found:
        loss.legend(title="blocks of, buffer of")
    return figure


@click.command()
@click.option("--cells", "n_cells", default=1_000_000, help="Cells, mixed, for memory and speed.")
@click.option("--genes", "n_genes", default=2000, help="Genes.")
@click.option("--hidden", "n_hidden", default=800, help="Hidden units.")
@click.option("--epochs", "n_epochs", default=1, help="Epochs, for memory and speed.")
@click.option(
    "--form",
    "forms",
    multiple=True,
    type=click.Choice(list(FORMS)),
    default=list(FORMS),
    help="Where the cells are; may be repeated.",
)
@click.option("--rounds", default=1, help="How often each form has its turn.")
@click.option("--threads", "n_threads", default=2, help="Threads.")
@click.option("--sorted-cells", default=60_000, help="Cells, sorted, for convergence; 0 leaves it out.")
@click.option("--sorted-epochs", default=10, help="Epochs, for convergence.")
@click.option("--sorted-hidden", default=400, help="Hidden units, for convergence.")
@click.option("--seeds", default=3, help="Seeds, for convergence.")
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="Where the cells are written.")
@out_option
def main(
    n_cells: int,
    n_genes: int,
    n_hidden: int,
    n_epochs: int,
    forms: tuple[str, ...],
    rounds: int,
    n_threads: int,
    sorted_cells: int,
    sorted_epochs: int,
    sorted_hidden: int,
    seeds: int,
    folder: Path | None,
    out: Path,
) -> None:
    """Write the cells, train in turns, and say what it took."""
    runs: dict[str, list[dict[str, Any]]] = {form: [] for form in forms}
    found: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = os.fspath(Path(name) / "cells.")
        sizes = {"n_cells": n_cells, "n_genes": n_genes}
        density = own_process("cells_on_disk", "write_simulated", 1, path=path + "h5ad", **sizes)
        if ".zarr" in forms:
            own_process("cells_on_disk", "write_zarr", 1, path=path + "zarr", source=path + "h5ad")
        click.echo(f"{n_cells} cells x {n_genes} genes written, {density:.1%} not zero", err=True)
        for _ in range(rounds):
            for form in forms:
                suffix, backed = FORMS[form]
                how = {"backed": backed, "n_threads": n_threads, "n_epochs": n_epochs, "n_hidden": n_hidden}
                runs[form].append(
                    own_process("out_of_core", "whole_way", n_threads, path=path + suffix, **how)
                )
                done = runs[form][-1]
                click.echo(
                    f"{form}: {done['peak_mb']:.0f} MB, {done['cells_a_second']:.0f} cells/s", err=True
                )
    click.echo(speed_table(runs))
    if sorted_cells:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            path = os.fspath(Path(name) / "sorted.h5ad")
            sizes = {"n_cells": sorted_cells, "n_genes": n_genes}
            own_process("cells_on_disk", "write_simulated", 1, path=path, is_sorted=True, **sizes)
            how = {"n_epochs": sorted_epochs, "n_hidden": sorted_hidden, "n_threads": n_threads, "path": path}
            for seed in range(seeds):
                for label, (block, buffer) in {"full shuffle": (4, sorted_cells), **BLOCKS}.items():
                    blocks = {"block_size": block, "buffer_size": buffer, "seed": seed}
                    found.setdefault(label, []).append(
                        own_process("out_of_core", "losses", n_threads, **how, **blocks)
                    )
                    click.echo(f"{label}, seed {seed}: {min(found[label][-1]):.2f} nats", err=True)
        click.echo(convergence_table(found))
    settings = {"n_cells": n_cells, "n_genes": n_genes, "n_hidden": n_hidden, "epochs": n_epochs}
    settings |= {"threads": n_threads, "density": density}
    settings |= {"sorted_cells": sorted_cells, "sorted_hidden": sorted_hidden}
    write(out, "out_of_core", {**settings, "runs": runs, "convergence": found}, draw(runs, found))


if __name__ == "__main__":
    main()
