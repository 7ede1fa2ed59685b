"""Parameters and gradients as named views of one flat vector; running statistics in the same way.

Everything that treats all weights alike (Adam, averaging, gradient checks) works on `.flat`;
everything that means one weight writes `params.encoder[0].W`. Both see the same memory.

W is (n_in, n_out) as in the derivation, whatever its order in memory. There, a layer that reads genes
keeps one row a gene, n_in rows of n_out numbers, so that the weights of the few genes that a cell
expresses are whole rows; every other layer keeps one row an output, n_out rows of n_in numbers, and
W is the transposed view of them. So the rows of the two large matrices, the first and the last, are
genes, and a step can take them a few rows at a time.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

from vae_np.layers.batch_norm import RunningStats
from vae_np.layers.mlp import Block


class Sizes(NamedTuple):
    """Widths that fix the shape of every parameter; n_layers = 0 is the affine model, heads only.

    Conditions, where there are any, are further inputs of the encoder (after the genes) and of the
    decoder (after the latent dimensions).
    """

    n_genes: int
    n_hidden: int
    n_latent: int
    n_layers: int
    n_conditions: int = 0

    @property
    def encoder_widths(self) -> list[tuple[int, int]]:
        """(n_in, n_out) of each encoder block, from the data inward."""
        widths = [self.n_genes + self.n_conditions] + [self.n_hidden] * self.n_layers
        return list(pairwise(widths))

    @property
    def decoder_widths(self) -> list[tuple[int, int]]:
        """(n_in, n_out) of each decoder block, from the latent space outward."""
        widths = [self.n_latent + self.n_conditions] + [self.n_hidden] * self.n_layers
        return list(pairwise(widths))

    @property
    def head_width(self) -> int:
        """Number of features that the two encoder heads read."""
        return self.n_hidden if self.n_layers else self.n_genes + self.n_conditions

    @property
    def output_width(self) -> int:
        """Number of features that the output layer reads."""
        return self.n_hidden if self.n_layers else self.n_latent + self.n_conditions

    @property
    def n_params(self) -> int:
        """P, the length of `Params.flat`."""
        blocks = sum((n_in + 3) * n_out for n_in, n_out in self.encoder_widths + self.decoder_widths)
        heads = 2 * (self.head_width + 1) * self.n_latent
        return blocks + heads + (self.output_width + 1) * self.n_genes

    @property
    def n_stats(self) -> int:
        """Length of `Stats.flat`: a mean and a variance for each hidden unit."""
        return 4 * self.n_layers * self.n_hidden


class Head(NamedTuple):
    """Parameters of a linear layer without batch norm, or their gradients: W (n_in, n_out), b (n_out,)."""

    W: np.ndarray
    b: np.ndarray


def _cutter(flat: np.ndarray) -> Callable[..., np.ndarray]:
    """Return a function that cuts the next view of a given shape off the flat vector."""
    start = 0

    def cut(*shape: int) -> np.ndarray:
        nonlocal start
        stop = start + math.prod(shape)
        view = flat[start:stop].reshape(shape)
        start = stop
        return view

    return cut


def _require_length(flat: np.ndarray, length: int) -> None:
    if flat.shape != (length,):
        raise ValueError(f"the flat vector has shape {flat.shape}, these sizes need ({length},)")


class Params:
    """All parameters theta, phi, or their gradient: `.flat` and attribute views of it.

    Attributes
    ----------
    sizes
        The widths.
    flat
        Shape (P,), contiguous.
    encoder, decoder
        A `Block` (W, b, gamma, beta) a layer.
    mu, log_var, output
        A `Head` (W, b) each.

    Raises
    ------
    ValueError
        If `flat` has not the length that `sizes` needs.
    """

    def __init__(self, sizes: Sizes, flat: np.ndarray) -> None:
        _require_length(flat, sizes.n_params)
        self.sizes, self.flat = sizes, flat
        cut = _cutter(flat)

        def head(n_in: int, n_out: int, reads_genes: bool = False) -> Head:
            W = cut(n_in, n_out) if reads_genes else cut(n_out, n_in).T
            return Head(W, cut(n_out))

        def block(n_in: int, n_out: int, reads_genes: bool = False) -> Block:
            return Block(*head(n_in, n_out, reads_genes), cut(n_out), cut(n_out))

        self.encoder = tuple(block(*w, reads_genes=i == 0) for i, w in enumerate(sizes.encoder_widths))
        self.mu = head(sizes.head_width, sizes.n_latent, sizes.n_layers == 0)
        self.log_var = head(sizes.head_width, sizes.n_latent, sizes.n_layers == 0)
        self.decoder = tuple(block(*w) for w in sizes.decoder_widths)
        self.output = head(sizes.output_width, sizes.n_genes)

    @classmethod
    def join(cls, sizes: Sizes, arrays: Sequence[np.ndarray]) -> Self:
        """Build from separate arrays in the order of `named`, copied into one vector."""
        joined = cls(sizes, np.empty(sizes.n_params, np.result_type(*arrays)))
        for (_, view), array in zip(joined.named(), arrays, strict=True):
            view[:] = array
        return joined

    def parts(self) -> list[tuple[str, Block | Head]]:
        """List every layer with its name, such as ``"encoder[0]"``, in the order of `flat`."""
        return [
            *((f"encoder[{i}]", block) for i, block in enumerate(self.encoder)),
            ("mu", self.mu),
            ("log_var", self.log_var),
            *((f"decoder[{i}]", block) for i, block in enumerate(self.decoder)),
            ("output", self.output),
        ]

    def named(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every view with its name, such as ``"encoder[0].W"``, in the order of `flat`."""
        for name, part in self.parts():
            for field, view in zip(part._fields, part, strict=True):
                yield f"{name}.{field}", view

    def copy(self) -> Self:
        """Return the same values in memory of their own."""
        return type(self)(self.sizes, self.flat.copy())


class Stats:
    """All running statistics of batch norm: `.flat` and a `RunningStats` (mean, var) a layer.

    Saved, checkpointed and restored together with `Params`, but never touched by Adam.

    Attributes
    ----------
    sizes
        The widths.
    flat
        Shape (4 * n_layers * n_hidden,).
    encoder, decoder
        A `RunningStats` a layer.

    Raises
    ------
    ValueError
        If `flat` has not the length that `sizes` needs.
    """

    def __init__(self, sizes: Sizes, flat: np.ndarray) -> None:
        _require_length(flat, sizes.n_stats)
        self.sizes, self.flat = sizes, flat
        cut = _cutter(flat)
        h = sizes.n_hidden
        self.encoder = tuple(RunningStats(cut(h), cut(h)) for _ in range(sizes.n_layers))
        self.decoder = tuple(RunningStats(cut(h), cut(h)) for _ in range(sizes.n_layers))

    def updated(self, encoder: tuple[RunningStats, ...], decoder: tuple[RunningStats, ...]) -> Self:
        """Build from the statistics that the layers gave back."""
        arrays = [array for layer in (*encoder, *decoder) for array in layer]
        return type(self)(self.sizes, np.concatenate(arrays) if arrays else self.flat)

    def copy(self) -> Self:
        """Return the same values in memory of their own."""
        return type(self)(self.sizes, self.flat.copy())


def initialize(
    sizes: Sizes, rng: np.random.Generator, dtype: np.dtype | type = np.float32
) -> tuple[Params, Stats]:
    """Draw initial parameters and set initial statistics.

    W is uniform on +-sqrt(3/n_in), which has variance 1/n_in: a layer passes inputs of variance 1 on with
    variance 1 (LeCun et al. 1998, Efficient BackProp). b = 0, gamma = 1, beta = 0; running means are 0 and
    running variances 1.

    Parameters
    ----------
    sizes
        Widths of the model.
    rng
        Source of randomness.
    dtype
        float32 or float64.

    Returns
    -------
    tuple
        `Params` and `Stats` of that dtype.
    """
    params = Params(sizes, np.zeros(sizes.n_params, dtype))
    for _, part in params.parts():
        bound = np.sqrt(3 / part.W.shape[0])
        part.W[:] = rng.uniform(-bound, bound, part.W.shape)
        if isinstance(part, Block):
            part.gamma[:] = 1
    stats = Stats(sizes, np.zeros(sizes.n_stats, dtype))
    for layer in (*stats.encoder, *stats.decoder):
        layer.var[:] = 1
    return params, stats
