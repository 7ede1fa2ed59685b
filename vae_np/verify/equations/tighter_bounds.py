"""Tighter bounds: the mean of several weights inside the logarithm, their order, bounded weights."""

from vae_np.verify.checks import tighter_bounds as checks
from vae_np.verify.record import Equation, Judge

PAGE = "tighter_bounds.md"

EQUATIONS = (
    Equation(
        label="iwae",
        statement="L_k = log(1/k sum_l w_l), w_l = P(x, z^(l)) / r(z^(l)), z^(l) ~ r",
        relation="defined as",
        page=PAGE,
        function="vae_np.elbo.marginal:iwae",
        judges=(
            Judge("SciPy's logsumexp", "exact", checks.iwae_is_scipys),
            Judge("no overflow", "exact", checks.iwae_does_not_overflow),
            Judge("its backward: the shares", "complex step", checks.shares_by_complex_step),
            Judge("its backward, Taylor", "taylor", checks.shares_by_taylor),
            Judge("its backward, no overflow", "exact", checks.shares_do_not_overflow),
            Judge("two draws by SymPy", "symbolic", checks.iwae_by_symbols),
        ),
    ),
    Equation(
        label="iwae-order",
        statement="log P(x) >= E L_(k+1) >= E L_k >= E L_1 = ELBO",
        relation=">=",
        page=PAGE,
        function=None,
        judges=(
            Judge("one draw left out: no expectation needed", "exact", checks.one_draw_left_out),
            Judge("one draw is the ELBO, two nodes", "exact", checks.one_draw_is_the_elbo),
            Judge("ELBO, two draws, three draws, log P(x)", "quadrature", checks.order_by_quadrature),
            Judge("equality at the exact posterior", "exact", checks.equality_at_the_posterior),
            Judge("curved decoder, up to 50 draws", "monte carlo", checks.order_by_sampling),
            Judge(
                "'=' in the place of '>=', three draws",
                "quadrature",
                checks.three_draws_are_not_the_evidence,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="marginal-is",
        statement="P(x) = E_r w, w = P(x|z) P(z) / r(z) <= P(x|z) / a, r = a P(z) + (1 - a) Q(z|x), a = 0.1",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.elbo.marginal:marginal_log_weights",
        judges=(
            Judge("the mixture by SciPy", "exact", checks.mixture_is_scipys),
            Judge("the mixture's integral, two dimensions", "quadrature", checks.mixture_is_normalized),
            Judge("draws follow the mixture", "monte carlo", checks.draws_follow_the_mixture),
            Judge("shares of 0 and 1", "exact", checks.shares_of_0_and_1),
            Judge("weight times mixture = joint density", "exact", checks.weight_times_mixture_is_the_joint),
            Judge("mean weight = P(x), curved decoder", "quadrature", checks.mean_weight_by_quadrature),
            Judge("mean weight = P(x) by sampling", "monte carlo", checks.mean_weight_by_sampling),
            Judge("weights are bounded", "exact", checks.weights_are_bounded),
            Judge("weights of Q alone are not", "exact", checks.weights_of_q_alone, refutes=True),
            Judge("E w^2 is finite", "quadrature", checks.second_moment_converges),
            Judge("E w^2 of Q alone is not", "quadrature", checks.second_moment_of_q_alone, refutes=True),
        ),
    ),
)
