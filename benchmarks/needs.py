"""What a training step has to do at least, phase by phase: bytes through memory, multiplications, updates.

The two matrices of genes, W of the first and of the output layer, with Adam's m and v, do not fit in a
cache: 7,000 x 800 x 3 numbers are 67 MB each. So in float32, for every step:

- first layer, forward: the rows of W of the genes that some cell of the batch expresses, read once; no
  other row is multiplied by anything.
- output layer: W, m and v read once and written once. Nothing asks for its gradient but Adam, so the
  product forward, the way back and the update can be done a few genes at a time, while they are in cache.
- first layer, update: W, m and v read once and written once, a second time for W, since what is to be
  subtracted from it is known only after everything else. All rows: weight decay and the momentum of
  earlier steps move the weights of a gene that no cell of the batch expresses, too.
- middle layers: W read once forward, then W, m and v read and written on the way back; in between, the
  matrices of genes have gone through the cache.

Activations (batch x hidden) and the batch itself stay in cache and are counted as free, and so is all that
is done to them: batch norm, dropout, noise. Each number of a product is one multiplication and one addition.
"""

from typing import NamedTuple

from rates import Rates

from vae_np.model import Sizes

PHASES = ("first layer, forward", "middle layers", "output layer", "first layer, update")
NUMBER = 4  # bytes
READ, UPDATED = NUMBER, 6 * NUMBER  # a weight read; W, m and v read and written


class Need(NamedTuple):
    """Bytes to move, floating-point operations of products, weights to update."""

    n_bytes: float
    flops: float
    updates: float


def needs(sizes: Sizes, batch_size: int, n_values: float, n_expressed: float) -> dict[str, Need]:
    """What each phase needs.

    Parameters
    ----------
    sizes
        The model.
    batch_size
        Cells.
    n_values
        Values of the batch that are not zero.
    n_expressed
        Genes that have such a value.
    """
    hidden, latent = sizes.n_hidden, sizes.n_latent
    first, output = sizes.n_genes * hidden, hidden * sizes.n_genes
    squares = 2 * (sizes.n_layers - 1) * hidden * hidden
    middle = squares + 3 * hidden * latent  # two heads, and the decoder's first layer
    return {
        "first layer, forward": Need(READ * n_expressed * hidden, 2 * n_values * hidden, 0),
        "middle layers": Need((READ + UPDATED) * middle, 3 * 2 * batch_size * middle, middle),
        "output layer": Need(UPDATED * output, 3 * 2 * batch_size * output, output),
        "first layer, update": Need(UPDATED * first, 2 * n_values * hidden, first),
    }


def best_bandwidth(rates: Rates) -> float:
    """The best of the three, in bytes a second."""
    return max(rates.read, rates.triad, rates.update)


def bound(need: Need, rates: Rates) -> float:
    """Seconds that a phase takes at least: memory and arithmetic can go on at once."""
    arithmetic = need.flops / rates.sgemm + need.updates / rates.adam
    return max(need.n_bytes / best_bandwidth(rates), arithmetic)


def classical_bound(all_needs: dict[str, Need], rates: Rates) -> float:
    """Seconds of the plain roofline: all bytes against all products, as if phases could overlap."""
    n_bytes, flops, _ = (sum(column) for column in zip(*all_needs.values(), strict=True))
    return max(n_bytes / best_bandwidth(rates), flops / rates.sgemm)
