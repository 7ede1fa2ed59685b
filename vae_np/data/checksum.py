"""A checksum: 256 bits that stand for any number of bytes, and differ if one of them does."""

import hashlib
from collections.abc import Iterable

import numpy as np

SHA256 = "sha256:"


def checksum(parts: Iterable[bytes | np.ndarray]) -> str:
    """SHA-256 of some bytes, given in parts; an array counts as its numbers in C order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part)
    return SHA256 + digest.hexdigest()
