"""`vae-np bench`: a training step beside PyTorch and the published tools."""

import json
from typing import Any

import click

from vae_np.cli.options import options
from vae_np.cli.output import print_table, remark


@click.command(short_help="Time training beside PyTorch.")
@click.option(
    "--genes",
    type=click.IntRange(1),
    multiple=True,
    default=(7000, 2000),
    show_default=True,
    help="Number of genes; may be given several times, as the next two.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(2),
    multiple=True,
    default=(32,),
    show_default=True,
    help="Cells in a step.",
)
@click.option("--threads", type=click.IntRange(1), multiple=True, help="[default: 1, and one a core]")
@click.option("--pertpy", metavar="PYTHON", help="Interpreter of an environment with pertpy.")
@click.option("--scgen", metavar="PYTHON", help="Interpreter of an environment with scgen.")
@click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Turns of each contestant."
)
@click.option(
    "--steps", type=click.IntRange(1), default=10, show_default=True, help="Training steps in a turn."
)
@options("json")
def bench(**given: Any) -> None:  # noqa: ANN401 - click passes each option by its name
    """Time a training step of the default model: ours, PyTorch's, and the published tools'.

    All take turns on the same synthetic cells, 7 % of whose values are not zero. 7,000 genes in batches
    of 32 are always among the sizes.
    """
    from vae_np.bench.run import HEADING, description, run, table

    peers = {name: given[name] for name in ("pertpy", "scgen") if given[name] is not None}
    sizes = given["genes"], given["batch_size"], given["threads"]
    result = run(*sizes, peers, given["rounds"], given["steps"], remark)
    if given["as_json"]:
        click.echo(json.dumps(result))
        return
    print_table(HEADING, table(result["rows"]), n_words=4)
    for line in description(result["machine"]):
        click.echo(line)
