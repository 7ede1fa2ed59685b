"""The evidence lower bound and its parts: densities, KL, reparameterization, likelihoods."""

from vae_np.elbo.bernoulli_likelihood import (
    bernoulli,
    bernoulli_log_likelihood,
    bernoulli_log_likelihood_backward,
    bernoulli_sample,
)
from vae_np.elbo.gaussian import (
    cross_entropy_standard_normal,
    cross_entropy_standard_normal_backward,
    kl_standard_normal,
    kl_standard_normal_backward,
    log_normal,
    log_normal_backward,
    log_standard_normal,
    log_standard_normal_backward,
    negative_entropy,
    negative_entropy_backward,
)
from vae_np.elbo.gaussian_likelihood import (
    gaussian,
    gaussian_log_likelihood,
    gaussian_log_likelihood_backward,
    gaussian_sample,
)
from vae_np.elbo.likelihood import Likelihood
from vae_np.elbo.marginal import (
    iwae,
    iwae_backward,
    log_defensive_mixture,
    marginal_log_weights,
    sample_defensive_mixture,
)
from vae_np.elbo.monte_carlo import (
    elbo_estimate,
    elbo_estimate_backward,
    monte_carlo_elbo,
    monte_carlo_elbo_backward,
    monte_carlo_reconstruction,
    monte_carlo_reconstruction_backward,
)
from vae_np.elbo.reparameterize import reparameterize, reparameterize_backward
from vae_np.elbo.score_function import score_function

__all__ = [
    "Likelihood",
    "bernoulli",
    "bernoulli_log_likelihood",
    "bernoulli_log_likelihood_backward",
    "bernoulli_sample",
    "cross_entropy_standard_normal",
    "cross_entropy_standard_normal_backward",
    "elbo_estimate",
    "elbo_estimate_backward",
    "gaussian",
    "gaussian_log_likelihood",
    "gaussian_log_likelihood_backward",
    "gaussian_sample",
    "iwae",
    "iwae_backward",
    "kl_standard_normal",
    "kl_standard_normal_backward",
    "log_defensive_mixture",
    "log_normal",
    "log_normal_backward",
    "log_standard_normal",
    "log_standard_normal_backward",
    "marginal_log_weights",
    "monte_carlo_elbo",
    "monte_carlo_elbo_backward",
    "monte_carlo_reconstruction",
    "monte_carlo_reconstruction_backward",
    "negative_entropy",
    "negative_entropy_backward",
    "reparameterize",
    "reparameterize_backward",
    "sample_defensive_mixture",
    "score_function",
]
