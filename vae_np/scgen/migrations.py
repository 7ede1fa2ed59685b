"""Older model files: what makes each version of the header and the arrays those of the next one.

A step is written once and then stays as it is, so it names things by the words of its day and not by today's
constants. A file of any age takes its steps one after the other; what an older version did not say is None.
"""

from vae_np.data.archive import Arrays, Header, Migration


def from_1_to_2(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Version 1 had the layer by itself, and did not say how the model was trained.

    Its first files knew no further labels, hence no ``context_keys``.
    """
    changed = {
        "preprocessing": {"values": "log-normalized", "layer": header["layer"]},
        "training": None,
        "context_keys": header.get("context_keys", []),
    }
    return {**header, **changed}, arrays


MIGRATIONS: dict[int, Migration] = {1: from_1_to_2}
