"""The evidence log p(x): an integral over z, what training maximizes, and what Q has to approximate."""

from vae_np.verify.checks import evidence as checks
from vae_np.verify.record import Equation, Judge

PAGE = "evidence.md"

EQUATIONS = (
    Equation(
        label="marginal-likelihood",
        statement="P(x;theta) = int P(x|z;theta) P(z) dz",
        relation="=",
        page=PAGE,
        function=None,
        lines="L18",
        printed="right",
        judges=(
            Judge(
                "closed form of the affine decoder by trapezoid rule",
                "quadrature",
                checks.evidence_by_trapezoid,
            ),
            Judge(
                "closed form of the affine decoder by SymPy, n = d = 1",
                "symbolic",
                checks.evidence_by_symbols,
            ),
            Judge("mass 1 over all x, curved decoder", "quadrature", checks.evidence_is_a_density),
            Judge(
                "law of generated cells, curved decoder",
                "monte carlo",
                checks.evidence_is_the_law_of_generated_cells,
            ),
            Judge("mean of p(x|z) over the prior", "monte carlo", checks.evidence_by_sampling_the_prior),
        ),
    ),
    Equation(
        label="sum-loglik",
        statement="theta = argmax sum_i log P(x_i;theta), the log density of independent cells",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L16",
        printed="right",
        judges=(
            Judge("joint density of independent cells", "exact", checks.sum_is_the_log_joint_density),
            Judge("closed form of the maximum", "exact", checks.maximum_by_its_formula),
            Judge("slope 0 at the maximum", "complex step", checks.slope_at_the_maximum),
            Judge("100 other parameters are not better", "exact", checks.no_other_parameters_are_better),
            Judge(
                "for cells that share a z",
                "exact",
                checks.sum_for_cells_that_share_a_latent_variable,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="goal",
        statement="log P(x|z;theta) + log P(z) - log P(z|x;theta) = log P(x;theta) for every z",
        relation="=",
        page=PAGE,
        function=None,
        lines="L20",
        printed="sloppy",
        judges=(
            Judge(
                "the same at 50 points, affine decoder",
                "exact",
                checks.joint_over_posterior_is_the_same_everywhere,
            ),
            Judge("every z by SymPy, n = d = 1", "symbolic", checks.posterior_by_symbols),
            Judge(
                "the average posterior is the prior",
                "exact",
                checks.posteriors_of_all_cells_make_up_the_prior,
            ),
            Judge(
                "z of a given cell from the prior",
                "exact",
                checks.prior_as_the_source_of_the_cells_z,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="q-approximates",
        statement="Q(z|x;phi) approximates P(z|x;theta) = P(x|z;theta) P(z) / P(x;theta), a density of z",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L22, L33",
        printed="wrong",
        judges=(
            Judge("P(z|x) has mass 1 over z, curved decoder", "quadrature", checks.posterior_has_mass_one),
            Judge("P(z|x) is the best Q, n = 1", "complex step", checks.posterior_is_the_best_q),
            Judge("P(x|z) over its mass is a bell", "exact", checks.likelihood_over_its_mass_is_a_bell),
            Judge("P(x|z) as a density of z", "exact", checks.likelihood_as_a_density_of_z, refutes=True),
            Judge(
                "P(x|z) divided by its mass is the best Q",
                "complex step",
                checks.scaled_likelihood_is_not_the_best_q,
                refutes=True,
            ),
        ),
    ),
)
