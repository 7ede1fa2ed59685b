"""The options: each has one spelling and one meaning, whichever command takes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Options = dict[str, Any]


class FilePath(click.Path):
    """The name of a file or folder, which may have any character but one."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:  # noqa: ANN401 - as the base class
        """Refuse what no system call takes."""
        if "\0" in str(value):
            self.fail(f"{value!r} holds a NUL character, which no file name has.", parameter, context)
        return super().convert(value, parameter, context)


PATH = FilePath(path_type=Path)
KNOWN: dict[str, Callable] = {
    "condition_key": click.option("--condition-key", help="Column of obs with the condition."),
    "cell_type_key": click.option("--cell-type-key", help="Column of obs with the cell type."),
    "control": click.option("--control", help="Name of the control condition."),
    "stimulated": click.option("--stimulated", help="Name of the stimulated condition."),
    "predict": click.option("--predict", "target", help="Cell type to predict (train: to hold out)."),
    "layer": click.option("--layer", help="Layer that holds the values.  [default: X]"),
    "normalize": click.option(
        "--normalize", is_flag=True, help="The values are raw counts: log-normalize them."
    ),
    "backed": click.option(
        "--backed",
        is_flag=True,
        help="Leave the values in FILE and read a part at a time: for files larger than memory.",
    ),
    "genes": click.option(
        "--genes", type=click.IntRange(1), help="Keep this many genes of largest variance."
    ),
    "max_epochs": click.option(
        "--max-epochs",
        type=click.IntRange(1),
        help="Longest training, in passes over all cells.  [default: 100]",
    ),
    "batch_size": click.option(
        "--batch-size", type=click.IntRange(2), help="Cells in a step.  [default: 32]"
    ),
    "seed": click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of everything random.  [default: 0]"
    ),
    "kl_weight": click.option(
        "--kl-weight",
        type=float,
        help="Factor on the KL in training; 1 is the ELBO.  [default: 2.5e-5, as published]",
    ),
    "threads": click.option(
        "--threads", type=click.IntRange(1), help="Threads to compute with.  [default: one a core]"
    ),
    "model": click.option("--model", type=PATH, help="Use this trained model instead of training."),
    "mode": click.option(
        "--mode",
        type=click.Choice(["change", "decode", "sample"]),
        default="change",
        show_default=True,
        help="Add the decoded change to each cell, decode the shifted cell, or draw a sample.",
    ),
    "no_clip": click.option("--no-clip", is_flag=True, help="Keep negative predicted values."),
    "delta_method": click.option(
        "--delta-method",
        type=click.Choice(["shared", "scgen", "pooled"]),
        default="shared",
        show_default=True,
        help="How delta is averaged over cell types.",
    ),
    "checkpoint_every": click.option(
        "--checkpoint-every",
        type=click.IntRange(1),
        metavar="N",
        help="Keep the training in OUT.checkpoint after every N epochs, to resume it if it is stopped.  "
        "[default: not kept; with --resume 1]",
    ),
    "resume": click.option(
        "--resume",
        is_flag=True,
        default=None,
        help="Go on from OUT.checkpoint with the same data and settings; start anew if there is none.",
    ),
    "out": click.option("--out", type=PATH, required=True, help="Output file."),
    "out_folder": click.option("--out", type=PATH, required=True, help="Output folder."),
    "seeds": click.option(
        "--seeds",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="Repeat with this many seeds: --seed and those that follow.",
    ),
    "jobs": click.option(
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help="Train N models at a time, each with one thread unless --threads says otherwise.  [default: 1]",
    ),
    "scheduler": click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Train on the workers of the Dask scheduler at tcp://HOST:PORT, which must be trusted.",
    ),
    "resume_many": click.option(
        "--resume",
        is_flag=True,
        help="Do not repeat what is in OUT/finished, of the same data and settings.",
    ),
    "json": click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
}
FLAGS = {"target": "--predict"}


def options(*names: str) -> Callable[[Callable], Callable]:
    """Decorate a command with some of the options.

    Parameters
    ----------
    names
        Keys of `KNOWN`, in the order of the help text.

    Returns
    -------
    callable
        The decorator.
    """

    def decorate(command: Callable) -> Callable:
        for name in reversed(names):
            command = KNOWN[name](command)
        return command

    return decorate


def flag(name: str) -> str:
    """The spelling of an option on the command line."""
    return FLAGS.get(name, "--" + name.replace("_", "-"))


def require(given: Options, *names: str, reason: str) -> None:
    """Make sure that some options are given.

    Parameters
    ----------
    given
        The options by name.
    names
        Those that must be given.
    reason
        Why, for the message.

    Raises
    ------
    click.UsageError
        With the missing options and the reason.
    """
    missing = [flag(name) for name in names if given[name] is None]
    if missing:
        raise click.UsageError(f"missing {', '.join(missing)}: needed {reason}")
