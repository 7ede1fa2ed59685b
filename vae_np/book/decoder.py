"""The small decoder of the interactive page on the latent shift: trained in seconds, written as a script.

Three simulated cell types, two conditions; the stimulated cells of one type are hidden from training. The
page gets what it needs to carry a shift through the decoder by itself, for the genes that respond most:
weights, running statistics, the latent means of the control cells, delta, and the measured means.
"""

import json
from typing import Any, NamedTuple

import numpy as np

from vae_np.data.simulate import simulate
from vae_np.evaluate.held_out import hold_out
from vae_np.layers.batch_norm import EPSILON
from vae_np.layers.leaky_relu import SLOPE
from vae_np.scgen.predictor import ScGen

HELD_OUT = "type 2"
N_SHOWN = 12


class Trained(NamedTuple):
    """A trained model and the simulated cells, those hidden from training included."""

    model: ScGen
    x: np.ndarray  # (n, d), log-normalized
    cell_type: np.ndarray  # (n,), text
    stimulated: np.ndarray  # (n,), bool

    def cells(self, cell_type: str, stimulated: bool) -> np.ndarray:
        """Expression of one type in one condition, (cells, d)."""
        return self.x[(self.cell_type == cell_type) & (self.stimulated == stimulated)]

    def delta(self) -> np.ndarray:
        """Balanced latent shift of the types that were seen in both conditions, (k,) [delta-balanced]."""
        _, delta = self.model.predict("control", "stimulated", HELD_OUT)
        return delta

    def shown_genes(self) -> np.ndarray:
        """Genes that respond most in the types seen in both conditions, largest rise first, (N_SHOWN,)."""
        known = sorted(set(self.cell_type) - {HELD_OUT})
        change = np.mean([self.cells(t, True).mean(0) - self.cells(t, False).mean(0) for t in known], axis=0)
        largest = np.argsort(-np.abs(change), kind="stable")[:N_SHOWN]
        return largest[np.argsort(-change[largest], kind="stable")]

    def record(self) -> dict[str, Any]:
        """Everything that the page needs, as plain lists; each float32 as the exact decimal of its double.

        Returns
        -------
        dict
            slope, epsilon, blocks, output, delta, genes, and for each cell type its name, whether it was
            held out, the control cells' latent means ``z``, and the measured means ``control`` and
            ``stimulated``.
        """
        params, stats, shown = self.model.params, self.model.stats, self.shown_genes()
        layers = zip(params.decoder, stats.decoder, strict=True)
        return {
            "slope": SLOPE,
            "epsilon": EPSILON,
            "blocks": [_lists(**block._asdict(), **running._asdict()) for block, running in layers],
            "output": _lists(W=params.output.W[:, shown], b=params.output.b[shown]),
            "genes": [self.model.genes[g] for g in shown],
            "cellTypes": [
                {"name": name, "heldOut": name == HELD_OUT}
                | _lists(
                    z=self.model.encode(self.cells(name, False)),
                    control=self.cells(name, False).mean(axis=0, dtype=float)[shown],
                    stimulated=self.cells(name, True).mean(axis=0, dtype=float)[shown],
                )
                for name in sorted(set(self.cell_type))
            ],
        } | _lists(delta=self.delta())


def train_decoder() -> Trained:
    """Simulate cells, hide the stimulated ones of one type, train a model with one hidden layer.

    Returns
    -------
    Trained
        The model, with 5 latent dimensions and 24 hidden units, and the cells.
    """
    cells = simulate(n_cells=480, n_genes=100, n_cell_types=3, shift=3.0, dropout=0.0, seed=1)
    seen = hold_out(cells, "condition", "cell_type", "stimulated", HELD_OUT).train
    model = ScGen(n_hidden=24, n_latent=5, n_layers=1, dropout_rate=0.0, kl_weight=1.0, n_threads=1)
    model.fit(seen, condition_key="condition", cell_type_key="cell_type", max_epochs=150, progress=False)
    cell_type = cells.obs["cell_type"].to_numpy().astype(str)
    return Trained(model, cells.X.toarray(), cell_type, (cells.obs["condition"] == "stimulated").to_numpy())


def decoder_script() -> str:
    """Train the decoder and return the script `decoder.js`, which sets ``window.vaeDecoder``.

    Returns
    -------
    str
        One line of JavaScript; the same bits on every call.
    """
    return f"window.vaeDecoder = {json.dumps(train_decoder().record(), allow_nan=False)};\n"


def _lists(**arrays: np.ndarray) -> dict[str, Any]:
    return {name: array.astype(float).tolist() for name, array in arrays.items()}
