"""Model files and checkpoints as the page derivations/model_file.md describes them, made with NumPy alone."""

import hashlib
import io
import json

import numpy as np


def parts_of(path):
    """The header of a file, without what it says about the rest of the file, and its arrays."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    return {name: value for name, value in header.items() if name not in ("arrays", "checksum")}, arrays


def signed(header, arrays, /, **claims):
    """The text of a header with table and checksum; what it claims instead may be given."""
    table = {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()}
    text = json.dumps({**header, "arrays": table, **claims})[:-1].encode()
    digest = hashlib.sha256(text + b"".join(a.tobytes() for a in arrays.values())).hexdigest()
    return text + f', "checksum": "sha256:{digest}"}}'.encode()


def packed(text, arrays):
    """The bytes of a file with this text for a header."""
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(text, np.uint8), **arrays)
    return buffer.getvalue()


def archive(header, arrays, /, **changes):
    """The bytes of a whole file: everything in it is consistent, with other arrays or without some (None)."""
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    return packed(signed(header, arrays), arrays)
