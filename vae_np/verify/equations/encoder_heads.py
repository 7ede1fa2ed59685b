"""The encoder's heads: the gradients of mu and log_var through the sample, through the KL, and their sum."""

from vae_np.verify.checks import encoder_heads as checks
from vae_np.verify.record import Equation, Judge

PAGE = "encoder_heads.md"

EQUATIONS = (
    Equation(
        label="grad-reparam-mu",
        statement="z_l = mu + sigma eps_l: d_mu = sum_l d_z_l",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.reparameterize:reparameterize_backward",
        judges=(
            Judge("steps of 1 on integers", "exact", checks.sample_by_steps_of_one),
            Judge("closed-form gradient, affine decoder", "exact", checks.sample_by_nodes),
            Judge("derivative of E z^p by SymPy", "symbolic", checks.sample_mu_by_symbols),
            Judge("complex step, L = 1 and 3", "complex step", checks.sample_by_complex_step),
            Judge("complex step, log sigma^2 to +-10", "complex step", checks.sample_far_out),
            Judge("Taylor", "taylor", checks.sample_by_taylor),
            Judge(
                "draws averaged, not added", "complex step", checks.sample_averaged_over_draws, refutes=True
            ),
        ),
    ),
    Equation(
        label="grad-reparam-log-var",
        statement="z_l = mu + exp(log_var/2) eps_l: d_log_var = sigma/2 sum_l d_z_l eps_l",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.reparameterize:reparameterize_backward",
        judges=(
            Judge("closed-form gradient, affine decoder", "exact", checks.sample_by_nodes),
            Judge("derivative of E z^p by SymPy", "symbolic", checks.sample_log_var_by_symbols),
            Judge("complex step, L = 1 and 3", "complex step", checks.sample_by_complex_step),
            Judge("complex step, log sigma^2 to +-10", "complex step", checks.sample_far_out),
            Judge("Taylor", "taylor", checks.sample_by_taylor),
            Judge("stopped at d/dsigma", "complex step", checks.sample_stopped_at_sigma, refutes=True),
            Judge("eps forgotten", "complex step", checks.sample_without_eps, refutes=True),
            Judge("fresh noise in backward", "complex step", checks.sample_with_fresh_noise, refutes=True),
        ),
    ),
    Equation(
        label="grad-kl-mu",
        statement="d_mu = mu d_kl",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.gaussian:kl_standard_normal_backward",
        judges=(
            Judge("E_q of the score times log q/p", "exact", checks.kl_by_the_score),
            Judge("exactly 0 at the prior", "exact", checks.kl_is_flat_at_the_prior),
            Judge("pulls to the prior", "exact", checks.kl_pulls_to_the_prior),
            Judge("derivative of the integral by SymPy", "symbolic", checks.kl_mu_by_symbols),
            Judge("complex step", "complex step", checks.kl_by_complex_step),
            Judge("complex step, log sigma^2 to +-10", "complex step", checks.kl_far_out),
            Judge("Taylor", "taylor", checks.kl_by_taylor),
            Judge("-mu", "complex step", checks.kl_with_minus_mu, refutes=True),
        ),
    ),
    Equation(
        label="grad-kl-log-var",
        statement="d_log_var = (sigma^2 - 1)/2 d_kl",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.gaussian:kl_standard_normal_backward",
        judges=(
            Judge("E_q of the score times log q/p", "exact", checks.kl_by_the_score),
            Judge("exactly 0 at the prior", "exact", checks.kl_is_flat_at_the_prior),
            Judge("pulls to the prior", "exact", checks.kl_pulls_to_the_prior),
            Judge("derivative of the integral by SymPy", "symbolic", checks.kl_log_var_by_symbols),
            Judge("complex step", "complex step", checks.kl_by_complex_step),
            Judge("complex step, log sigma^2 to +-10", "complex step", checks.kl_far_out),
            Judge("Taylor", "taylor", checks.kl_by_taylor),
            Judge("derivative in sigma^2", "complex step", checks.kl_by_sigma_squared, refutes=True),
        ),
    ),
    Equation(
        label="grad-heads-add",
        statement="d_mu = sum_l d_z_l + mu d_kl, "
        "d_log_var = sigma/2 sum_l d_z_l eps_l + (sigma^2 - 1)/2 d_kl",
        relation="=",
        page=PAGE,
        function="vae_np.model.heads:heads_backward",
        judges=(
            Judge("gradient of the closed-form ELBO, affine decoder", "exact", checks.heads_by_nodes),
            Judge("0 at the exact posterior", "exact", checks.heads_at_the_posterior),
            Judge("complex step, L = 1 and 3", "complex step", checks.heads_by_complex_step),
            Judge("complex step, log sigma^2 to +-10", "complex step", checks.heads_far_out),
            Judge("Monte Carlo ELBO, curved decoder", "complex step", checks.heads_with_a_curved_decoder),
            Judge("Taylor", "taylor", checks.heads_by_taylor),
            Judge("guard: a logistic curve, never overflows", "exact", checks.guard_is_a_logistic_curve),
            Judge("guard: identity up to a^3/300", "exact", checks.guard_is_near_the_identity),
            Judge("guard: complex step", "complex step", checks.guard_by_complex_step),
            Judge("guard: Taylor", "taylor", checks.guard_by_taylor),
            Judge("KL path dropped", "complex step", checks.heads_without_the_kl_path, refutes=True),
            Judge("KL path reversed", "complex step", checks.heads_with_the_kl_reversed, refutes=True),
            Judge(
                "guard forgotten in backward",
                "complex step",
                checks.guard_forgotten_in_backward,
                refutes=True,
            ),
        ),
    ),
)
