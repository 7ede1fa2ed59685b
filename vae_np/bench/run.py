"""The whole comparison: every size, every number of threads, every contestant, and what to print."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from itertools import product
from shutil import which
from typing import Any

from vae_np.bench.children import PEERS, our_rows, peer_rows
from vae_np.bench.measure import Row
from vae_np.bench.steps import NAMES, left_out
from vae_np.errors import InputError
from vae_np.kernels.threads import usable_cores

ALWAYS = (7000, 32)
HEADING = ["genes", "batch", "cores", "ms a step", "wall", "range", "CPU", "ratio"]


def run(
    n_genes: Iterable[int],
    batch_sizes: Iterable[int],
    threads: Iterable[int],
    peers: Mapping[str, str],
    n_rounds: int,
    n_steps: int,
    remark: Callable[[str], None],
) -> dict[str, Any]:
    """Time every contestant in every setting, a process for each setting.

    Parameters
    ----------
    n_genes, batch_sizes, threads
        All combinations are measured; 7,000 genes in batches of 32 always are. No threads: one, and
        one a core.
    peers
        The interpreter of the environment of a published tool, by the tool's name.
    n_rounds, n_steps
        As in `vae_np.bench.measure.measure`.
    remark
        Called with what is going on.

    Returns
    -------
    dict
        ``rows``, a dict for each `Row`, and ``machine``.

    Raises
    ------
    InputError
        If there are fewer cores than threads, an interpreter is not there, or a process fails.
    """
    cores = usable_cores()
    counts = sorted(set(threads)) or sorted({1, cores})
    if counts[-1] > cores:
        raise InputError(f"--threads is {counts[-1]}: give at most {cores}, the cores this process may use")
    for name, python in peers.items():
        if which(python) is None:
            raise InputError(f"--{name} is {python}, which cannot be run: give the path of a Python")
    missing = left_out()
    for reason in sorted(set(missing.values())):
        remark(f"left out: {', '.join(n for n in NAMES if missing.get(n) == reason)}: {reason}")
    names = [name for name in NAMES if name not in missing]
    sizes = sorted({ALWAYS, *product(n_genes, batch_sizes)}, reverse=True)
    rows: list[Row] = []
    machine: dict[str, Any] = {}
    for n_threads, (genes, batch_size) in product(counts, sizes):
        remark(f"timing {genes} genes, batches of {batch_size}, threads {n_threads}")
        own, machine = our_rows(names, genes, batch_size, n_threads, n_rounds, n_steps)
        rows += own
        for name, python in peers.items():
            rows += peer_rows(name, python, PEERS[name], genes, batch_size, n_threads, n_rounds)
    return {"rows": [asdict(row) for row in rows], "machine": machine}


def table(rows: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Arrange the rows as lines of text, each beside vae_np-numba in the same setting.

    Parameters
    ----------
    rows
        From `run`.

    Returns
    -------
    list of list of str
        A line a row, under `HEADING`.
    """
    rows = list(rows)
    lines = []
    for row in rows:
        setting = row["n_genes"], row["batch_size"], row["threads"]
        wall, every = row["wall_ms_per_step"], row["wall_ms_all"]
        beside = [r for r in rows if (r["n_genes"], r["batch_size"], r["threads"]) == setting]
        ours = next(r["wall_ms_per_step"] for r in beside if r["name"] == "vae_np-numba")
        spread = f"{min(every):.3g}-{max(every):.3g}"
        numbers = f"{wall:.1f}", spread, f"{row['cpu_ms_per_step']:.1f}", f"{wall / ours:.2f}"
        lines.append([*map(str, setting), row["name"], *numbers])
    return lines


def description(machine: Mapping[str, Any]) -> list[str]:
    """Say in a few lines what the times were measured on.

    Parameters
    ----------
    machine
        From `run`.

    Returns
    -------
    list of str
        Lines.
    """
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    libraries = [f"{one['internal_api']} {one['version']} ({one['architecture']})" for one in machine["blas"]]
    return [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['os']}",
        f"Python {machine['python']}, {packages}; BLAS: {', '.join(libraries)}",
    ]
