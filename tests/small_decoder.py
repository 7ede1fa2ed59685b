"""The small decoder of an interactive page, trained once; its predictions in float64 and their rounding."""

from functools import cache

import numpy as np

from vae_np.book.decoder import train_decoder
from vae_np.model import Params, Stats, decode
from vae_np.scgen import decoded_change, delta_predict

U = 2.0**-53  # unit roundoff


@cache
def trained():
    return train_decoder()


def float64_model():
    """The trained model with its float32 weights in float64."""
    model = trained().model
    params = Params(model.params.sizes, model.params.flat.astype(float))
    return params, Stats(model.params.sizes, model.stats.flat.astype(float))


def shown():
    return trained().shown_genes()


def rounding(params, stats, z):
    """Largest difference of two ways to round the decoder at z, (n, d): errors carried through the layers."""
    h, error = z, np.zeros_like(z)
    for block, running in zip(params.decoder, stats.decoder, strict=True):
        size = np.abs(h) @ np.abs(block.W) + np.abs(block.b)
        error = error @ np.abs(block.W) + (len(block.W) + 1) * U * size
        scale = np.abs(block.gamma) / np.sqrt(running.var + 1e-3)
        size = scale * (np.abs(h @ block.W + block.b) + np.abs(running.mean)) + np.abs(block.beta)
        error = scale * error + 8 * U * size
        h, error = decode_block(h, block, running), error + U * size  # leaky ReLU has no slope above 1
    size = np.abs(h) @ np.abs(params.output.W) + np.abs(params.output.b)
    return 2 * (error @ np.abs(params.output.W) + (len(params.output.W) + 1) * U * size)


def decode_block(h, block, running):
    a = (h @ block.W + block.b - running.mean) / np.sqrt(running.var + 1e-3) * block.gamma + block.beta
    return np.where(a > 0, a, 0.01 * a)


def predicted_means(cell_type, share):
    """What page four must show: the mean of the decoded change, in float64; its rounding."""
    params, stats = float64_model()
    control = trained().cells(cell_type, stimulated=False)
    z = trained().model.encode(control).astype(float)
    moved = delta_predict(z, share * trained().delta().astype(float))
    before, after = (decode(params, stats, point)[0] for point in (z, moved))
    mean = decoded_change(control.astype(float), before, after).mean(axis=0)
    each = rounding(params, stats, z) + rounding(params, stats, moved)
    sums = len(z) * U * (np.abs(control) + np.abs(before) + np.abs(after)).mean(axis=0)
    return mean[shown()], (each.mean(axis=0) + 4 * sums)[shown()]
