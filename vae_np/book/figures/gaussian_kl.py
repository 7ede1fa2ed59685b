"""Figure of the page on the Gaussian KL: what each term of the closed form pulls."""

import numpy as np
from matplotlib.figure import Figure

from vae_np.plots import kl_terms_plot
from vae_np.plots.kl_terms import Terms


def kl_terms() -> Figure:
    """Draw 1/2 [mu^2 + sigma^2 - 1 - log sigma^2] term by term, along mu and along log_var [kl-closed]."""
    mu, log_var = np.linspace(-3, 3, 121), np.linspace(-4, 2, 121)
    none = np.zeros_like(log_var)
    of_mu = Terms(mu, {"½ μ²": mu**2 / 2}, {"½ μ²": mu})
    of_log_var = Terms(
        log_var,
        {"½ σ²": np.exp(log_var) / 2, "-½ log σ²": -log_var / 2, "-½": none - 0.5},
        {"½ σ²": np.exp(log_var) / 2, "-½ log σ²": none - 0.5, "-½": none},
    )
    return kl_terms_plot(of_mu, of_log_var)
