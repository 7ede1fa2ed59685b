"""The reparameterization: a draw from Q as a function of noise, and what may be done with it."""

from vae_np.verify.checks import reparameterization as checks
from vae_np.verify.record import Equation, Judge

PAGE = "reparameterization.md"

EQUATIONS = (
    Equation(
        label="sample-q",
        statement="z ~ Q(z|x;phi): P(z in A) = int_A Q(z|x;phi) dz",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L44-45",
        printed="right",
        judges=(
            Judge(
                "mass of the density between two draws",
                "quadrature",
                checks.draws_hold_the_mass_of_the_density,
            ),
            Judge("200,000 draws follow SciPy's law", "monte carlo", checks.draws_follow_scipys_law),
        ),
    ),
    Equation(
        label="direct-inconvenient",
        statement="d/dphi E_Q f = E_Q[f d log Q/dphi] = E_p[f'(g) dg/dphi]; "
        "for f = |z|^2 at mu = 0 the variances have the ratio (n+2)(n+4)/4",
        relation="=",
        page=PAGE,
        function=None,
        lines="L47",
        printed="sloppy",
        judges=(
            Judge(
                "both means = slope of the closed form", "exact", checks.both_estimators_have_the_true_mean
            ),
            Judge("variance ratios, f = |z|^2, n = 1..5", "exact", checks.variance_ratio_of_the_square),
            Judge("variance ratios by SymPy, every n", "symbolic", checks.variance_ratio_by_symbols),
            Judge(
                "differentiating a drawn number",
                "complex step",
                checks.a_drawn_number_has_no_derivative,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="reparam",
        statement="z = g_phi(eps, x), eps ~ p(eps), dp/dphi = 0, Q(g_phi(eps, x)) |det dg/deps| = p(eps)",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L49-50",
        printed="right",
        judges=(
            Judge("change of variables, five pairs (p, g)", "exact", checks.density_times_stretch),
            Judge("change of variables by SymPy", "symbolic", checks.pushforward_by_symbols),
            Judge("without the Jacobian", "exact", checks.density_without_stretch, refutes=True),
        ),
    ),
    Equation(
        label="reparam-expectation",
        statement="E_Q f(z) = int Q f(z) dz = int p(eps) f(g(eps)) deps = E_p f(g(eps)); "
        "d/dphi E_Q f = E_p[f'(g) dg/dphi] for f locally absolutely continuous, with an integrable bound",
        relation="=",
        page=PAGE,
        function=None,
        lines="L55-58",
        printed="sloppy",
        judges=(
            Judge("two integrals, six f, n = 1", "quadrature", checks.expectation_by_two_integrals),
            Judge("two integrals, four f, n = 2", "quadrature", checks.expectation_of_two_variables),
            Judge("exponential law, both lines by SymPy", "symbolic", checks.exponential_law_by_symbols),
            Judge(
                "slope of the integral = pathwise mean", "complex step", checks.pathwise_derivative_by_nodes
            ),
            Judge("the same across a kink", "complex step", checks.pathwise_derivative_across_a_kink),
            Judge("score form, Cantor's function", "quadrature", checks.score_form_needs_no_smoothness),
            Judge("pathwise, f with a jump", "complex step", checks.pathwise_across_a_jump, refutes=True),
            Judge(
                "pathwise, Cantor's function",
                "complex step",
                checks.pathwise_along_cantors_function,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="reparam-gaussian",
        statement="g_phi(eps, x) = mu(x) + sigma(x) * eps, eps ~ N(0, I), draws from N(mu, diag(sigma^2))",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.reparameterize:reparameterize",
        lines="L143-147",
        printed="sloppy",
        judges=(
            Judge(
                "quantiles of the noise onto quantiles of Q",
                "exact",
                checks.stratified_noise_gives_the_quantiles,
            ),
            Judge(
                "noise beyond one in 1e8, log sigma^2 to +-10",
                "exact",
                checks.far_noise_gives_the_far_quantiles,
            ),
            Judge("law and moment generating function by SymPy", "symbolic", checks.gaussian_by_symbols),
            Judge("three marginals and a projection", "monte carlo", checks.marginals_and_a_projection),
            Judge("its backward", "complex step", checks.gaussian_backward),
        ),
    ),
    Equation(
        label="reparam-mean",
        statement="E_p[mu + sigma * eps] = mu",
        relation="=",
        page=PAGE,
        function=None,
        lines="L151-152",
        printed="right",
        judges=(
            Judge("two Gauss-Hermite nodes, n = 1..4", "exact", checks.mean_by_nodes),
            Judge("integrals by SymPy, n = 2", "symbolic", checks.mean_by_symbols),
            Judge("sampling, n = 3", "monte carlo", checks.mean_by_sampling),
        ),
    ),
    Equation(
        label="reparam-covariance",
        statement="E_p[sigma_i eps_i sigma_j eps_j] = delta_ij sigma_i sigma_j",
        relation="=",
        page=PAGE,
        function=None,
        lines="L156",
        printed="right",
        judges=(
            Judge("two Gauss-Hermite nodes, n = 1..4", "exact", checks.covariance_by_nodes),
            Judge("integrals by SymPy, n = 2", "symbolic", checks.covariance_by_symbols),
            Judge("sampling, n = 3", "monte carlo", checks.covariance_by_sampling),
        ),
    ),
    Equation(
        label="two-moments",
        statement="E z^4 = mu^4 + 6 mu^2 sigma^2 + kappa sigma^4, kappa = E eps^4: 3 for normal, 1 for sign, "
        "9/5 for uniform noise, all of mean 0 and variance 1",
        relation="=",
        page=PAGE,
        function=None,
        lines="L149-158",
        printed="sloppy",
        judges=(
            Judge(
                "normal noise: nine moments of SciPy's law", "exact", checks.affine_images_keep_all_moments
            ),
            Judge("three noises, the same two moments", "exact", checks.three_noises_share_two_moments),
            Judge("three noises, three fourth moments", "exact", checks.fourth_moments_differ_as_stated),
            Judge("signs for normal noise", "exact", checks.signs_are_read_as_normal, refutes=True),
            Judge("uniform for normal noise", "exact", checks.uniform_is_read_as_normal, refutes=True),
        ),
    ),
)
