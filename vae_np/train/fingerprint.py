"""What a training is a training of: its data, settings and start, as words, numbers and checksums.

Two trainings with one fingerprint go the same way, to the bit, with the same number of threads on the same
kind of machine. That is how a checkpoint is known to belong to the training that wants to go on from it.
"""

import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from vae_np.data.checksum import SHA256, checksum
from vae_np.data.matrix import Matrix, dense_rows, in_chunks
from vae_np.data.stored import Stored
from vae_np.elbo.gaussian_likelihood import gaussian_variance
from vae_np.elbo.likelihood import Likelihood
from vae_np.train.settings import TrainSettings
from vae_np.train.state import State

LISTED = 20


def checksum_of_names(names: Iterable[str]) -> str:
    """SHA-256 of names in their order."""
    return checksum([json.dumps(list(map(str, names))).encode()])


def plain(value: Any) -> Any:  # noqa: ANN401 - what JSON has
    """Give a value as it comes back from a JSON text; arrays become lists."""
    return json.loads(json.dumps(value, default=np.ndarray.tolist))


def generator_states(state: State) -> dict[str, Any]:
    """Where each random generator is, by the name it has in `Sources`."""
    sources = state.sources._asdict().items()
    return {name: plain(source.bit_generator.state) for name, source in sources}


def fingerprint(
    x: Matrix,
    c: np.ndarray | None,
    cells: tuple[np.ndarray, np.ndarray],
    likelihood: Likelihood,
    settings: TrainSettings,
    start: State,
) -> dict[str, Any]:
    """Say what is trained, on what, how, and from where.

    Parameters
    ----------
    x, c, likelihood, settings
        As in `fit`.
    cells
        Indices of the training cells and of the validation cells.
    start
        The state before the first epoch.

    Returns
    -------
    dict
        Values that JSON can hold. What is long is a checksum: x, cell by cell, as the numbers that training
        sees.
    """
    dtype, variance = start.params.flat.dtype, gaussian_variance(likelihood)
    name = getattr(likelihood.log_prob, "__qualname__", "another") if variance is None else "gaussian"
    values = (dense_rows(rows, slice(None), dtype).tobytes() for rows in in_chunks(x))
    described = {
        **asdict(settings),
        "likelihood": name,
        "variance": variance,
        **start.params.sizes._asdict(),
        "dtype": dtype.name,
        "shape of x": x.shape,
        "values of x": checksum(values),
        "values of c": None if c is None else checksum([c.tobytes()]),
        "validation cells": checksum(indices.astype("<i8").tobytes() for indices in cells),
        "initial weights": checksum([start.params.flat.tobytes(), start.stats.flat.tobytes()]),
        "random generators": checksum([json.dumps(generator_states(start)).encode()]),
    }
    if not isinstance(x, Stored) or len(cells[0]) <= settings.buffer_size:  # the same as in memory
        del described["block_size"], described["buffer_size"]
    return plain(described)


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Say in what two fingerprints differ, with both values unless they are checksums; '' if in nothing.

    What is there comes from a file: whatever it is, the sentence stays short.
    """
    found = []
    for name in dict.fromkeys([*here, *there]):
        old, new = there.get(name), here.get(name)
        if old != new:
            shown = name if name in here else reprlib.repr(name)[1:-1]
            known = new if old is None else old
            is_checksum = isinstance(known, str) and known.startswith(SHA256)
            values = f"{reprlib.repr(old)} there and {reprlib.repr(new)} here"
            found.append(f"other {shown}" if is_checksum else f"{shown} {values}")
    more = [f"{len(found) - LISTED} more"] if len(found) > LISTED else []
    return ", ".join(found[:LISTED] + more)
