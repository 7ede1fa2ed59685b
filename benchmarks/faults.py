"""What happens when something breaks: each fault tried many times on the real program, as a table.

A fault is a function of an empty folder, how many times, and a generator; it gives an `Outcome`. Nothing may
be lost: the old file or the new one, the bits of an uninterrupted training, one sentence and no traceback.
Exit status 1 if something was.

    python benchmarks/faults.py
"""

import json
import sys
import tempfile
import zlib
from pathlib import Path

import click
import fault_disks
import fault_kills
import numpy as np
from output import FOLDER, markdown_table, own_process

from vae_np.errors import in_one_line

FAULTS = [*fault_kills.FAULTS, *fault_disks.FAULTS]


@click.command()
@click.option("--times", default=50, help="How many times each fault is tried.")
@click.option("--only", default="", help="Those with this word in their name.")
@click.option("--seed", default=0, help="Of the moments, sizes and places.")
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER / "results" / "faults.json")
def main(times: int, only: str, seed: int, out: Path) -> None:
    """Try each fault and print the table."""
    rows, records = [], []
    for name, fault in FAULTS:
        if only not in name:
            continue
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        with tempfile.TemporaryDirectory() as folder:
            outcome = fault(Path(folder), times, rng)
        rows.append([name, str(outcome.tried), in_one_line("; LOST: ".join([outcome.seen, *outcome.lost]))])
        records.append({"fault": name, **outcome._asdict()})
        click.echo(f"{name}: {outcome.tried} tried, {len(outcome.lost)} lost", err=True)
    click.echo(markdown_table(["fault", "times", "result"], rows))
    machine = own_process("vae_np.bench.machine", "machine", 1)
    out.write_text(json.dumps({"machine": machine, "faults": records}, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(record["lost"] for record in records))


if __name__ == "__main__":
    main()
