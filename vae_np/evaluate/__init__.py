"""Evaluation: metrics, baselines, the held-out experiment, paired comparison, P-values, reports."""

from vae_np.evaluate.baselines import BASELINES, Seen, mean_shift
from vae_np.evaluate.differential import differential_expression
from vae_np.evaluate.held_out import Row, Split, hold_out, score_held_out
from vae_np.evaluate.integration import batch_scores
from vae_np.evaluate.metrics import coverage, responding_genes, score
from vae_np.evaluate.paired import Paired, paired_differences

__all__ = [
    "BASELINES",
    "Paired",
    "Row",
    "Seen",
    "Split",
    "batch_scores",
    "coverage",
    "differential_expression",
    "hold_out",
    "mean_shift",
    "paired_differences",
    "responding_genes",
    "score",
    "score_held_out",
]
