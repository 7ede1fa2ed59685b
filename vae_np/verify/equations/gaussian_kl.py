"""The Gaussian KL: two densities, two integrals, every step of them, and the closed form."""

from vae_np.verify.checks import gaussian_kl as checks
from vae_np.verify.record import Equation, Judge

PAGE = "gaussian_kl.md"

EQUATIONS = (
    Equation(
        label="gaussian-q",
        statement="log Q(z|x;phi) = -1/2 sum_j [log 2 pi + log sigma_j^2 + (z_j - mu_j)^2 / sigma_j^2]",
        relation="defined as",
        page=PAGE,
        function="vae_np.elbo.gaussian:log_normal",
        lines="L80-82",
        printed="sloppy",
        judges=(
            Judge("SciPy's multivariate normal", "exact", checks.q_is_scipys_multivariate_normal),
            Judge("SciPy's normal, log sigma^2 to +-10", "exact", checks.q_far_out),
            Judge("integral, mean and variance", "quadrature", checks.q_is_normalized_with_the_right_moments),
            Judge("integral, mean and variance by SymPy", "symbolic", checks.q_by_symbols),
            Judge("several draws at a time", "exact", checks.draws_have_an_axis_of_their_own),
            Judge("its backward", "complex step", checks.q_backward),
        ),
    ),
    Equation(
        label="diagonal-covariance",
        statement="Sigma = diag(sigma_1^2, ..., sigma_n^2)",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L86-87",
        printed="right",
        judges=(
            Judge("joint density = product of the marginals", "exact", checks.joint_is_the_product),
            Judge("determinant, inverse and quadratic form, n = 4", "symbolic", checks.diagonal_by_symbols),
        ),
    ),
    Equation(
        label="gaussian-prior",
        statement="log P(z) = -n/2 log 2 pi - |z|^2 / 2",
        relation="defined as",
        page=PAGE,
        function="vae_np.elbo.gaussian:log_standard_normal",
        lines="L91-92",
        printed="sloppy",
        judges=(
            Judge("SciPy's multivariate normal", "exact", checks.prior_is_scipys),
            Judge("integral, mean and variance by SymPy, n = 2", "symbolic", checks.prior_by_symbols),
            Judge("several draws at a time", "exact", checks.draws_have_an_axis_of_their_own),
            Judge("its backward", "complex step", checks.prior_backward),
        ),
    ),
    Equation(
        label="cross-entropy-split",
        statement="int Q log P dz = -n/2 log 2 pi - 1/2 int Q |z|^2 dz",
        relation="=",
        page=PAGE,
        function=None,
        lines="L96-101",
        printed="right",
        judges=(Judge("line 1 = line 2, two nodes, n = 1..4", "exact", checks.cross_entropy_split_by_nodes),),
    ),
    Equation(
        label="second-moment",
        statement="sum_i int z_i^2 exp[-1/2 sum_j (z_j-mu_j)^2/sigma_j^2] dz "
        "= (2 pi)^(n/2) prod_j sigma_j sum_i (sigma_i^2 + mu_i^2)",
        relation="=",
        page=PAGE,
        function=None,
        lines="L105-108",
        printed="wrong",
        judges=(
            Judge("both arrows, n = 3, SymPy", "symbolic", checks.second_moment_by_symbols),
            Judge("trapezoid rule, n = 2", "quadrature", checks.second_moment_by_trapezoid),
            Judge(
                "as printed, j inside int .. dz_i: diverges",
                "quadrature",
                checks.second_moment_with_the_printed_index,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="cross-entropy",
        statement="int Q log P dz = -n/2 log 2 pi - 1/2 sum_i (sigma_i^2 + mu_i^2)",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.gaussian:cross_entropy_standard_normal",
        lines="L112-113",
        printed="right",
        judges=(
            Judge("two Gauss-Hermite nodes, n = 1..4", "exact", checks.cross_entropy_by_nodes),
            Judge("SciPy's moments, log sigma^2 to +-10", "exact", checks.cross_entropy_far_out),
            Judge("integrals by SymPy, n = 3", "symbolic", checks.cross_entropy_by_symbols),
            Judge("its backward", "complex step", checks.cross_entropy_backward),
        ),
    ),
    Equation(
        label="neg-entropy-split",
        statement="int Q log Q dz = -n/2 log 2 pi - 1/2 log|Sigma| "
        "- 1/2 int Q sum_j (z_j-mu_j)^2/sigma_j^2 dz",
        relation="=",
        page=PAGE,
        function=None,
        lines="L117-121",
        printed="right",
        judges=(Judge("line 1 = line 2, two nodes, n = 1..4", "exact", checks.neg_entropy_split_by_nodes),),
    ),
    Equation(
        label="scaled-second-moment",
        statement="sum_i 1/sigma_i^2 int z_i^2 prod_j exp(-z_j^2/2 sigma_j^2) dz "
        "= n (2 pi)^(n/2) prod_j sigma_j, after z -> z + mu",
        relation="=",
        page=PAGE,
        function=None,
        lines="L125-128",
        printed="sloppy",
        judges=(
            Judge("both arrows, n = 3, SymPy", "symbolic", checks.scaled_second_moment_by_symbols),
            Judge("trapezoid rule, n = 2", "quadrature", checks.scaled_second_moment_by_trapezoid),
            Judge(
                "without the substitution z -> z + mu",
                "quadrature",
                checks.scaled_second_moment_without_the_shift,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="neg-entropy",
        statement="int Q log Q dz = -n/2 log 2 pi - 1/2 sum_j (1 + log sigma_j^2)",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.gaussian:negative_entropy",
        lines="L132-133",
        printed="right",
        judges=(
            Judge("two Gauss-Hermite nodes, n = 1..4", "exact", checks.neg_entropy_by_nodes),
            Judge("minus SciPy's entropy, log sigma^2 to +-10", "exact", checks.neg_entropy_is_scipys),
            Judge("integrals by SymPy, n = 3", "symbolic", checks.neg_entropy_by_symbols),
            Judge("its backward", "complex step", checks.neg_entropy_backward),
        ),
    ),
    Equation(
        label="kl-closed",
        statement="KL(Q||P) = 1/2 sum_j [mu_j^2 + sigma_j^2 - 1 - log sigma_j^2]",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.gaussian:kl_standard_normal",
        lines="L137-140",
        printed="right",
        judges=(
            Judge("two Gauss-Hermite nodes, n = 1..4", "exact", checks.kl_by_nodes),
            Judge("difference of the two integrals", "exact", checks.kl_is_the_difference_of_the_integrals),
            Judge("SciPy's entropy and moments, log sigma^2 to +-10", "exact", checks.kl_far_out),
            Judge("formula for full covariances, n to 100", "exact", checks.kl_by_the_general_formula),
            Judge("0 at the prior, positive elsewhere", "exact", checks.kl_is_zero_only_at_the_prior),
            Judge("integral by SymPy, n = 1", "symbolic", checks.kl_by_symbols),
            Judge("sampling, n = 3", "monte carlo", checks.kl_by_sampling),
            Judge("its backward", "complex step", checks.kl_backward),
        ),
    ),
)
