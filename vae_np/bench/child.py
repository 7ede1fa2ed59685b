"""What runs in the process of one setting: `python -m vae_np.bench.child SETTING` prints JSON."""

import json
import sys
from dataclasses import asdict

from vae_np.bench.data import synthetic_cells
from vae_np.bench.machine import machine
from vae_np.bench.measure import measure


def main(setting: str) -> None:
    """Measure, and print the rows and the machine as JSON.

    Parameters
    ----------
    setting
        JSON: ``n_cells``, ``n_genes``, and the arguments of `measure` but for the cells.
    """
    arguments = json.loads(setting)
    x = synthetic_cells(arguments.pop("n_cells"), arguments.pop("n_genes"))
    rows = [asdict(row) for row in measure(x=x, **arguments)]
    print(json.dumps({"rows": rows, "machine": machine()}))


if __name__ == "__main__":
    main(sys.argv[1])
