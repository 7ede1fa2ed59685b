"""The score-function gradient: unbiased for every f, at the price of its variance."""

from vae_np.verify.checks import score_function as checks
from vae_np.verify.record import Equation, Judge

PAGE = "score_function.md"

EQUATIONS = (
    Equation(
        label="score-function",
        statement="d/dphi E_Q f(z) = E_Q 1/L sum_l [f(z^(l)) - c] d log Q(z^(l))/dphi for any constant c",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.elbo.score_function:score_function",
        judges=(
            Judge("slope of log Q, draws held", "complex step", checks.each_draw_is_the_slope_of_log_q),
            Judge("affine decoder, draws with five exact moments", "exact", checks.affine_decoder_is_exact),
            Judge("curved decoder: the pathwise gradient", "quadrature", checks.curved_decoder_by_quadrature),
            Judge("curved decoder by sampling", "monte carlo", checks.curved_decoder_by_sampling),
            Judge("a jump, against the normal density", "monte carlo", checks.jump_by_sampling),
            Judge("the pathwise gradient of a jump", "complex step", checks.jump_by_path, refutes=True),
            Judge("variance over the pathwise variance, n = 1..3", "exact", checks.variance_ratio_by_nodes),
            Judge("its growth, n = 1..20", "monte carlo", checks.variance_ratio_by_sampling),
            Judge("powers and a jump by SymPy", "symbolic", checks.score_by_symbols),
        ),
    ),
)
