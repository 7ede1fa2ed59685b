"""The likelihoods: what the decoder's output says about x, Gaussian or Bernoulli, and the derivatives."""

from vae_np.verify.checks import likelihoods as checks
from vae_np.verify.record import Equation, Judge

PAGE = "likelihoods.md"

EQUATIONS = (
    Equation(
        label="gaussian-likelihood",
        statement="log P(x|z;theta) = -1/2 sum_g [log 2 pi v_g + (x_g - xhat_g)^2 / v_g]",
        relation="defined as",
        page=PAGE,
        function="vae_np.elbo.gaussian_likelihood:gaussian_log_likelihood",
        judges=(
            Judge("SciPy's multivariate normal", "exact", checks.gaussian_is_scipys),
            Judge("mass 1, mean, variances, d = 2", "quadrature", checks.gaussian_mass),
            Judge(
                "the squares alone: no density",
                "quadrature",
                checks.squares_alone_have_no_unit_mass,
                refutes=True,
            ),
            Judge("mass, mean and variance by SymPy", "symbolic", checks.gaussian_by_symbols),
            Judge(
                "draws rank as their noise does", "exact", checks.gaussian_draws_keep_the_rank_of_the_noise
            ),
            Judge("float32 stays float32", "exact", checks.gaussian_keeps_single_precision),
            Judge("its backward", "complex step", checks.gaussian_pair),
            Judge("slope in the variance", "complex step", checks.gaussian_in_the_variance),
        ),
    ),
    Equation(
        label="grad-likelihood",
        statement="d log P(x|z) / d xhat_g = (x_g - xhat_g) / v_g",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.gaussian_likelihood:gaussian_log_likelihood_backward",
        judges=(
            Judge("complex step, L = 1 and 3", "complex step", checks.gaussian_gradient),
            Judge("Taylor remainder, L = 1 and 3", "taylor", checks.gaussian_taylor),
            Judge("the score has mean 0 and variance 1/v", "exact", checks.gaussian_score_laws),
            Judge("float32 stays float32", "exact", checks.gaussian_gradient_keeps_single_precision),
            Judge("derivative by SymPy", "symbolic", checks.gaussian_gradient_by_symbols),
        ),
    ),
    Equation(
        label="bernoulli-likelihood",
        statement="log P(x|z;theta) = sum_g [x_g a_g - log(1 + e^a_g)]",
        relation="defined as",
        page=PAGE,
        function="vae_np.elbo.bernoulli_likelihood:bernoulli_log_likelihood",
        judges=(
            Judge("x log p + (1 - x) log(1 - p) by SciPy", "exact", checks.bernoulli_is_scipys),
            Judge("log odds up to 10,000", "exact", checks.bernoulli_far_out),
            Judge("float32 stays float32", "exact", checks.bernoulli_keeps_single_precision),
            Judge("sum over all binary x is 1, mean p, d = 5", "exact", checks.bernoulli_mass),
            Judge("gray values: mass tanh(a/2)/a", "quadrature", checks.gray_values_have_their_mass),
            Judge(
                "gray values: a normalized density",
                "quadrature",
                checks.gray_values_have_no_unit_mass,
                refutes=True,
            ),
            Judge("the two forms are equal, by SymPy", "symbolic", checks.bernoulli_by_symbols),
            Judge("draws are 1 where the noise is below p", "exact", checks.bernoulli_draws_are_ones_below_p),
            Judge("its backward", "complex step", checks.bernoulli_pair),
        ),
    ),
    Equation(
        label="grad-bernoulli-likelihood",
        statement="d log P(x|z) / d a_g = x_g - 1 / (1 + e^-a_g)",
        relation="=",
        page=PAGE,
        function="vae_np.elbo.bernoulli_likelihood:bernoulli_log_likelihood_backward",
        judges=(
            Judge("complex step, L = 1 and 3", "complex step", checks.bernoulli_gradient),
            Judge("Taylor remainder, L = 1 and 3", "taylor", checks.bernoulli_taylor),
            Judge("the score has mean 0 and variance p (1 - p)", "exact", checks.bernoulli_score_laws),
            Judge("log odds up to 10,000", "exact", checks.bernoulli_gradient_far_out),
            Judge("float32 stays float32", "exact", checks.bernoulli_gradient_keeps_single_precision),
            Judge("derivative by SymPy", "symbolic", checks.bernoulli_gradient_by_symbols),
        ),
    ),
)
