"""The exactly solvable world: evidence, posterior, best parameters, and the price of a diagonal q."""

from vae_np.verify.checks import linear_gaussian as checks
from vae_np.verify.record import Equation, Judge

PAGE = "linear_gaussian.md"

EQUATIONS = (
    Equation(
        label="linear-gaussian-evidence",
        statement="log P(x) = log N(x; b, W^T W + s^2 I) for P(x|z) = N(z W + b, s^2 I)",
        relation="=",
        page=PAGE,
        function="vae_np.verify.oracle:linear_gaussian_evidence",
        judges=(
            Judge("SciPy's multivariate normal", "exact", checks.evidence_is_scipys),
            Judge("integral over z, Gauss-Hermite", "quadrature", checks.evidence_by_nodes),
            Judge("integral, mean and variance over x", "quadrature", checks.evidence_is_normalized),
            Judge("completing the square by SymPy", "symbolic", checks.evidence_by_symbols),
        ),
    ),
    Equation(
        label="linear-gaussian-posterior",
        statement="P(z|x) = N(z; M^-1 W (x - b), s^2 M^-1) with M = W W^T + s^2 I",
        relation="=",
        page=PAGE,
        function="vae_np.verify.oracle:linear_gaussian_posterior",
        judges=(
            Judge("Bayes' rule at random z", "exact", checks.posterior_by_bayes),
            Judge("conditioning the joint normal", "exact", checks.posterior_by_conditioning),
            Judge("both routes by SymPy", "symbolic", checks.posterior_by_symbols),
        ),
    ),
    Equation(
        label="ppca-optimum",
        statement="s^2 = mean(l_(k+1)..l_d), W_j = sqrt(l_j - s^2) U_j, b = mean x; the maximum is "
        "-1/2 [d log 2 pi + sum_(j<=k) log l_j + (d - k) log s^2 + d]",
        relation="=",
        page=PAGE,
        function="vae_np.verify.oracle:ppca_optimum",
        judges=(
            Judge("gradient of the evidence is 0", "complex step", checks.optimum_is_stationary),
            Judge("the maximum is attained", "exact", checks.optimum_is_attained),
            Judge("the maximum is not exceeded", "exact", checks.optimum_is_not_exceeded),
            Judge("singular values of the data", "exact", checks.optimum_by_singular_values),
            Judge("the ELBO reaches the maximum", "exact", checks.optimum_by_elbo),
            Judge("three genes by SymPy", "symbolic", checks.optimum_by_symbols),
        ),
    ),
    Equation(
        label="rotation-gap",
        statement="log P(x) - max over diagonal q of the ELBO = 1/2 [sum_j log M_jj - log|M|] >= 0",
        relation="=",
        page=PAGE,
        function="vae_np.verify.oracle:rotation_gap",
        judges=(
            Judge("evidence minus the best diagonal ELBO", "exact", checks.gap_is_evidence_minus_elbo),
            Judge("no other diagonal q does better", "exact", checks.no_diagonal_does_better),
            Judge("the best diagonal q is stationary", "complex step", checks.best_diagonal_is_stationary),
            Judge("SciPy's entropies", "exact", checks.gap_is_scipys_total_correlation),
            Judge("turning W at the optimum", "exact", checks.rotation_costs_the_gap),
            Judge("0 only for a diagonal M", "exact", checks.only_the_diagonal_is_free),
            Judge("two latent dimensions by SymPy", "symbolic", checks.gap_by_symbols),
        ),
    ),
)
