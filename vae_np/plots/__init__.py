"""Plots: functions that take numbers and return a matplotlib Figure, never shown or saved here."""

from vae_np.plots.latent import latent_plot
from vae_np.plots.means import reg_mean_plot

__all__ = ["latent_plot", "reg_mean_plot"]
