"""The Monte Carlo ELBO: what an average over L draws has in common with the expectation, and what not."""

from vae_np.verify.checks import monte_carlo as checks
from vae_np.verify.record import Equation, Judge

PAGE = "monte_carlo.md"

EQUATIONS = (
    Equation(
        label="mc-reconstruction",
        statement="E[1/L sum_l log P(x|z^(l))] = E_Q log P(x|z), with variance Var_Q log P(x|z) / L",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.elbo.monte_carlo:monte_carlo_reconstruction",
        lines="L62-64",
        printed="wrong",
        judges=(
            Judge("exact mean over the noise of L = 1..3 draws", "exact", checks.average_has_the_true_mean),
            Judge("exact variance over the same noise", "exact", checks.average_has_the_variance_over_l),
            Judge("mean of 10,000 replicates", "monte carlo", checks.average_by_sampling),
            Judge(
                "L times the square error, L = 1, 3, 9",
                "monte carlo",
                checks.square_error_falls_as_one_over_l,
            ),
            Judge("its backward, L = 1 and 3", "complex step", checks.average_backward),
            Judge(
                "as printed: one average is the mean",
                "exact",
                checks.one_average_is_not_the_expectation,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="mc-sample",
        statement="z^(l) = g_phi(eps^(l), x), eps^(l) ~ p(eps) independent over draws and cells",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L68-69",
        printed="right",
        judges=(
            Judge("joint moments of two draws factor", "exact", checks.joint_moments_of_two_draws_factor),
            Judge(
                "Jacobian of draws in noise is diagonal",
                "complex step",
                checks.each_draw_sees_its_own_noise_only,
            ),
            Judge("correlations of draws and of cells", "monte carlo", checks.draws_are_uncorrelated),
            Judge("one noise for all draws", "exact", checks.shared_noise_averages_nothing_out, refutes=True),
        ),
    ),
    Equation(
        label="mc-elbo",
        statement="E[1/L sum_l log P(x|z^(l)) - KL(Q||P)] = ELBO(x) = log P(x) - KL(Q||P(z|x))",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.elbo.monte_carlo:elbo_estimate",
        lines="L73-76",
        printed="wrong",
        judges=(
            Judge(
                "exact mean over the noise of L = 1..3 draws", "exact", checks.estimate_has_the_elbo_as_mean
            ),
            Judge("at L = infinity: log P(x) less the gap", "exact", checks.limit_misses_by_the_gap),
            Judge("curved decoder, 20,000 replicates", "monte carlo", checks.estimate_by_sampling),
            Judge("its backward, L = 1 and 3", "complex step", checks.estimate_backward),
            Judge("as printed, L = 3", "exact", checks.estimate_is_not_the_evidence, refutes=True),
            Judge("as printed, L = infinity", "exact", checks.limit_is_not_the_evidence, refutes=True),
        ),
    ),
)
