"""Plots: functions that take numbers and return a matplotlib Figure, never shown or saved here."""

from vae_np.plots.arrows import delta_arrows_plot
from vae_np.plots.classifier import auc, classifier_plot
from vae_np.plots.embedding import embedding_plot
from vae_np.plots.heatmap import score_heatmap
from vae_np.plots.history import history_plot
from vae_np.plots.intervals import intervals_plot
from vae_np.plots.latent import latent_plot
from vae_np.plots.regression import reg_mean_plot, reg_var_plot
from vae_np.plots.violins import violin_plot

__all__ = [
    "auc",
    "classifier_plot",
    "delta_arrows_plot",
    "embedding_plot",
    "history_plot",
    "intervals_plot",
    "latent_plot",
    "reg_mean_plot",
    "reg_var_plot",
    "score_heatmap",
    "violin_plot",
]
