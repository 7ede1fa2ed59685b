"""Evaluation: metrics, baselines, the held-out experiment, reports."""

from vae_np.evaluate.baselines import mean_shift
from vae_np.evaluate.held_out import Row, Split, hold_out, score_held_out
from vae_np.evaluate.metrics import responding_genes, score

__all__ = ["Row", "Split", "hold_out", "mean_shift", "responding_genes", "score", "score_held_out"]
