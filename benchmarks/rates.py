"""What this machine can do at best: bytes moved, multiplications and Adam's updates a second.

Each rate is the best of several tries: a bound made of them is one that nothing stays under by luck. All
use as many threads as the block of `vae_np.kernels.threads.threads` around them, as a step does.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from vae_np.kernels import adam
from vae_np.kernels.threads import in_parts

TRIES = 7
IN_CACHE = 16_384  # numbers in each of Adam's four vectors: 256 kB in all, within a second-level cache
REPEATS = 50


class Rates(NamedTuple):
    """Bytes a second, floating-point operations a second, Adam's updates a second.

    Attributes
    ----------
    read
        To sum up a vector: 4 bytes a number.
    triad
        a = b + s c: 12 bytes a number, as STREAM counts.
    update
        Three vectors changed in place: each number read and written, 24 bytes.
    sgemm, sgemm_step
        2 n m k operations a product: a large square one, and that of a step, batch x hidden x genes.
    adam
        Weights updated with all four vectors in cache.
    """

    read: float
    triad: float
    update: float
    sgemm: float
    sgemm_step: float
    adam: float


@numba.njit(nogil=True, fastmath=True)
def _read(a: np.ndarray) -> np.float32:
    total = np.float32(0)
    for i in range(a.size):
        total += a[i]
    return total


@numba.njit(nogil=True)
def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    for i in range(a.size):
        a[i] = b[i] + np.float32(0.5) * c[i]


@numba.njit(nogil=True)
def _update(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    for i in range(a.size):
        a[i] += np.float32(1e-3)
        b[i] *= np.float32(0.9)
        c[i] += np.float32(0.1)


def best_seconds(work: Callable[[], object]) -> float:
    """The shortest of several runs, after one that does not count."""
    work()
    seconds = []
    for _ in range(TRIES):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def bandwidth(kernel: Callable, n_bytes: int, *vectors: np.ndarray) -> float:
    """Bytes a second of a kernel that moves `n_bytes` for each number of the vectors."""
    n = vectors[0].size

    def work() -> None:
        in_parts(lambda part: kernel(*(vector[part] for vector in vectors)), n, n)

    return n_bytes * n / best_seconds(work)


def update_rate(*vectors: np.ndarray) -> float:
    """Bytes a second when three vectors are changed in place."""
    return bandwidth(_update, 24, *vectors)


def multiplication_rate(n: int, k: int, m: int) -> float:
    """Floating-point operations a second of a product (n, k) times (m, k)^T, its m rows shared."""
    rng = np.random.default_rng(0)
    x, rows = (rng.standard_normal(shape).astype(np.float32) for shape in ((n, k), (m, k)))
    out = np.empty((m, n), np.float32)
    work = lambda part: np.dot(rows[part], x.T, out[part])  # noqa: E731
    return 2 * n * k * m / best_seconds(lambda: in_parts(work, m, m * k))


@numba.njit(nogil=True)
def _adam(theta: np.ndarray, grad: np.ndarray, m: np.ndarray, v: np.ndarray, factors: np.ndarray) -> None:
    for _ in range(REPEATS):
        adam.update(theta, grad, m, v, factors)


def adam_rate(n_threads: int) -> float:
    """Updates a second, each thread on vectors of its own that stay in its cache."""
    rng = np.random.default_rng(0)
    vectors = [rng.random((4, IN_CACHE)).astype(np.float32) for _ in range(n_threads)]
    factors = adam.rates(vectors[0][0], 3, 1e-3, 0.9, 0.999, 0.01, 1e-6)
    n = REPEATS * IN_CACHE * n_threads
    return n / best_seconds(lambda: in_parts(lambda mine: _adam(*vectors[mine.start], factors), n_threads, n))


def measure_rates(n_threads: int, megabytes: int, square: int, shape: tuple[int, int, int]) -> Rates:
    """Measure all, inside a block `threads(n_threads)`.

    Parameters
    ----------
    n_threads
        Threads of the block.
    megabytes
        Size of each of the three vectors: several times the last cache.
    square
        Rows of the square product.
    shape
        Batch, hidden units, genes.
    """
    a, b, c = (np.ones(megabytes * 250_000, np.float32) for _ in range(3))
    return Rates(
        bandwidth(_read, 4, a),
        bandwidth(_triad, 12, a, b, c),
        update_rate(a, b, c),
        multiplication_rate(square, square, square),
        multiplication_rate(*shape),
        adam_rate(n_threads),
    )
