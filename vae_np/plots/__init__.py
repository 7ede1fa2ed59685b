"""Plots: functions that take numbers and return a matplotlib Figure, never shown or saved here."""

from vae_np.plots.adam_bias import adam_bias_plot
from vae_np.plots.arrows import delta_arrows_plot
from vae_np.plots.classifier import auc, classifier_plot
from vae_np.plots.composition_bias import composition_bias_plot
from vae_np.plots.embedding import embedding_plot
from vae_np.plots.gradient_noise import gradient_noise_plot
from vae_np.plots.heatmap import score_heatmap
from vae_np.plots.history import history_plot
from vae_np.plots.intervals import intervals_plot
from vae_np.plots.kl_terms import kl_terms_plot
from vae_np.plots.latent import latent_plot
from vae_np.plots.latent_traversal import latent_traversal_plot
from vae_np.plots.posterior_ellipses import posterior_ellipses_plot
from vae_np.plots.posterior_gap import posterior_gap_plot
from vae_np.plots.regression import reg_mean_plot, reg_var_plot
from vae_np.plots.training_frames import training_frames_plot
from vae_np.plots.violins import violin_plot

__all__ = [
    "adam_bias_plot",
    "auc",
    "classifier_plot",
    "composition_bias_plot",
    "delta_arrows_plot",
    "embedding_plot",
    "gradient_noise_plot",
    "history_plot",
    "intervals_plot",
    "kl_terms_plot",
    "latent_plot",
    "latent_traversal_plot",
    "posterior_ellipses_plot",
    "posterior_gap_plot",
    "reg_mean_plot",
    "reg_var_plot",
    "score_heatmap",
    "training_frames_plot",
    "violin_plot",
]
