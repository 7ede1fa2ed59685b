"""What the scripts share: options, a process of its own for a measurement, the form of the results."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click
from matplotlib.figure import Figure

from vae_np.bench.children import run_child

FOLDER = Path(__file__).parent
COLORS = ("#56b4e9", "#bbbbbb", "#d55e00", "#0072b2", "#f0e442", "#009e73", "#cc79a7")  # Okabe and Ito's
CALL = "import json, sys; from {} import {} as call; print(json.dumps(call(**json.loads(sys.argv[1]))))"

Command = Callable[..., Any]


def out_option(command: Command) -> Command:
    """Add ``--out``, the folder for the JSON and the figure."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--out", type=kind, default=FOLDER / "results", help="Folder for the results.")(
        command
    )


def threads_option(command: Command) -> Command:
    """Add ``--threads``."""
    text = "Numbers of threads; may be repeated."
    return click.option("--threads", "counts", multiple=True, default=(1, 2), help=text)(command)


def peer_options(command: Command) -> Command:
    """Add ``--pertpy`` and ``--scgen``."""
    text = "Python of the environment that holds it; left out without."
    for name in ("scgen", "pertpy"):
        command = click.option(f"--{name}", metavar="PYTHON", help=text)(command)
    return command


def own_process(module: str, function: str, n_cores: int, **arguments: object) -> Any:  # noqa: ANN401
    """Call a function of a module in a new process, on so many cores; what goes in and out is JSON."""
    path = os.pathsep.join(filter(None, [os.fspath(FOLDER), os.environ.get("PYTHONPATH")]))
    code = CALL.format(module, function)
    return run_child([sys.executable, "-c", code, json.dumps(arguments)], n_cores, PYTHONPATH=path)


def write(out: Path, name: str, results: dict[str, Any], figure: Figure) -> None:
    """Write ``name.json``, with the machine as the processes saw it, and ``name.png`` to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    record = {"machine": own_process("vae_np.bench.machine", "machine", 1), **results}
    (out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    figure.savefig(out / f"{name}.png", dpi=90)
    click.echo(f"wrote {name}.json and {name}.png", err=True)


def threads_text(n: int) -> str:
    """Say how many: 1 thread, 2 threads."""
    return f"{n} thread" if n == 1 else f"{n} threads"


def spread(values: list[float], digits: int) -> list[str]:
    """Median and min..max as text."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return [middle, f"{low}..{high}"]


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """Lines of a Markdown table; the first column holds words, the others numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
