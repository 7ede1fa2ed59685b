"""The bound: what the KL from the posterior consists of, and why the ELBO lies below log p(x)."""

from vae_np.verify.checks import bound as checks
from vae_np.verify.record import Equation, Judge

PAGE = "bound.md"

EQUATIONS = (
    Equation(
        label="kl-decomposition",
        statement="KL(Q||P(z|x)) = -E_Q log P(x|z) + log P(x) + KL(Q||P(z))",
        relation="=",
        page=PAGE,
        function=None,
        lines="L24-31",
        printed="sloppy",
        judges=(
            Judge("every line, curved decoder", "quadrature", checks.five_lines_for_a_curved_decoder),
            Judge(
                "first = last line, 200 cells in 10 models",
                "exact",
                checks.first_and_last_line_for_affine_decoders,
            ),
            Judge("lines 2 to 5 by SymPy, n = d = 1", "symbolic", checks.lines_by_symbols),
            Judge("line 3 as printed, no bracket", "quadrature", checks.third_line_as_printed, refutes=True),
        ),
    ),
    Equation(
        label="kl-nearly-zero",
        statement="KL(Q||P(z|x)) >= 0, and 0 only for Q = P(z|x)",
        relation=">=",
        page=PAGE,
        function=None,
        lines="L33-34",
        printed="wrong",
        judges=(
            Judge("never negative, 3000 random (theta, phi, x)", "exact", checks.never_negative),
            Judge("never negative, curved decoder", "quadrature", checks.never_negative_for_a_curved_decoder),
            Judge("sum of three parts, each at least 0", "exact", checks.three_parts_that_are_not_negative),
            Judge("log t <= t - 1 by SymPy", "symbolic", checks.logarithm_below_its_tangent),
            Judge("0 at a diagonal posterior", "exact", checks.zero_at_the_posterior),
            Judge("best diagonal Q: Hadamard's gap", "exact", checks.best_diagonal_q_by_hadamard),
            Judge("best diagonal Q: slope 0", "complex step", checks.best_diagonal_q_has_slope_zero),
            Judge("nearly 0 at random phi", "exact", checks.nearly_zero_for_a_random_phi, refutes=True),
            Judge(
                "nearly 0 for the best diagonal Q", "exact", checks.nearly_zero_for_the_best_phi, refutes=True
            ),
        ),
    ),
    Equation(
        label="elbo",
        statement="log P(x) >= E_Q log P(x|z) - KL(Q||P(z)), equality only for Q = P(z|x)",
        relation=">=",
        page=PAGE,
        function=None,
        lines="L37-39",
        printed="wrong",
        judges=(
            Judge("never above, 3000 random (theta, phi, x)", "exact", checks.never_above_the_evidence),
            Judge(
                "never above, curved decoder",
                "quadrature",
                checks.never_above_the_evidence_of_a_curved_decoder,
            ),
            Judge("equality at a diagonal posterior", "exact", checks.equality_at_the_posterior),
            Judge("the difference by SymPy, n = d = 1", "symbolic", checks.bound_by_symbols),
            Judge("as printed, nearly equal", "exact", checks.read_as_an_approximate_equality, refutes=True),
        ),
    ),
    Equation(
        label="elbo-gap",
        statement="log P(x) - ELBO = KL(Q||P(z|x)) "
        "= 1/2 [tr(C^-1 S) + (m - mu)' C^-1 (m - mu) - n + log(|C|/|S|)] for P(z|x) = N(m, C)",
        relation="=",
        page=PAGE,
        function="vae_np.verify.oracle:kl_to_posterior",
        judges=(
            Judge("log p - ELBO, n = 1..4", "exact", checks.gap_is_evidence_minus_elbo),
            Judge("two Gauss-Hermite nodes, n = 1..4", "exact", checks.gap_by_nodes),
            Judge("integral by SymPy, n = 1", "symbolic", checks.gap_by_symbols),
            Judge("minus the slope of the ELBO", "complex step", checks.gap_has_minus_the_slope_of_the_elbo),
            Judge("curved decoder", "quadrature", checks.gap_of_a_curved_decoder),
        ),
    ),
    Equation(
        label="term1-intractable",
        statement="E_Q log P(x|z) = -1/2 [d log 2 pi s^2 + (|x - W' mu - b|^2 "
        "+ sum_j sigma_j^2 |W_j|^2) / s^2] for an affine decoder; "
        "no closed form is known for a curved one in general",
        relation="=",
        page=PAGE,
        function=None,
        lines="L42",
        printed="sloppy",
        judges=(
            Judge("six Gauss-Hermite nodes, affine decoder", "exact", checks.closed_form_by_nodes),
            Judge("integral by SymPy, n = d = 1", "symbolic", checks.closed_form_by_symbols),
            Judge("sampling, curved decoder", "monte carlo", checks.sampling_for_a_curved_decoder),
            Judge("formula of the tangent", "quadrature", checks.closed_form_of_the_tangent, refutes=True),
        ),
    ),
)
