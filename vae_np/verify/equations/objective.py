"""The objective: the estimate that training maximizes, its draws, its maximum, and the KL weight."""

from vae_np.verify.checks import objective as checks
from vae_np.verify.record import Equation, Judge

PAGE = "objective.md"

EQUATIONS = (
    Equation(
        label="objective",
        statement="E[1/L sum_l log P(x|z_l;theta) - KL(Q||P)] = log P(x;theta) - KL(Q||P(z|x;theta)), "
        "with -KL(Q||P) = 1/2 sum_j [1 + log sigma_j^2 - mu_j^2 - sigma_j^2]",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.elbo.monte_carlo:monte_carlo_elbo",
        lines="L162-163",
        printed="wrong",
        judges=(
            Judge("SciPy's densities, both terms", "exact", checks.estimate_by_scipy),
            Judge("its mean is the ELBO, affine decoder", "exact", checks.mean_is_the_closed_form),
            Judge("its mean + KL(Q||posterior) = log P(x)", "exact", checks.mean_lies_below_by_the_gap),
            Judge(
                "its mean is the ELBO, curved decoder, L = 3",
                "monte carlo",
                checks.unbiased_for_a_curved_decoder,
            ),
            Judge("its mean is the ELBO, by SymPy, n = 1", "symbolic", checks.objective_by_symbols),
            Judge("its backward", "complex step", checks.objective_pair),
            Judge("Taylor remainder of its backward", "taylor", checks.objective_taylor),
            Judge("as printed: log P(x) = the estimate", "exact", checks.mean_is_the_evidence, refutes=True),
            Judge(
                "every single estimate is a bound",
                "monte carlo",
                checks.single_estimates_stay_below,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="objective-sample",
        statement="z_l = mu(x) + sigma(x) * eps_l, eps_l ~ N(0, I), one mu and one sigma for all l",
        relation="defined as",
        page=PAGE,
        function=None,
        lines="L167-169",
        printed="wrong",
        judges=(
            Judge("one mu and one sigma in all draws of the network", "exact", checks.one_mean_and_one_sigma),
            Judge("mu_l and sigma_l: KL averaged too = mean ELBO", "exact", checks.every_pass_with_its_kl),
            Judge(
                "mu_l and sigma_l: KL averaged too <= log P(x)",
                "exact",
                checks.every_pass_with_its_kl_is_below,
            ),
            Judge(
                "as printed: mu_l in the draws, one KL", "exact", checks.every_pass_with_one_kl, refutes=True
            ),
            Judge(
                "as printed: still <= log P(x), decoder z^2",
                "quadrature",
                checks.one_kl_stays_below,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="maximize",
        statement="(theta, phi) = argmax sum_i ELBO(x_i; theta, phi); linear-Gaussian: max = max_theta "
        "sum_i log P(x_i;theta)",
        relation="=",
        page=PAGE,
        function=None,
        lines="L171",
        printed="sloppy",
        judges=(
            Judge(
                "at the pPCA optimum = the best log evidence", "exact", checks.maximum_is_the_best_evidence
            ),
            Judge("no slope in theta or phi there", "exact", checks.no_slope_at_the_maximum),
            Judge("30 other (theta, phi) are not higher", "exact", checks.nothing_is_higher),
            Judge("theta alone, phi held at the prior", "exact", checks.theta_alone, refutes=True),
            Judge("phi alone, theta held", "exact", checks.phi_alone, refutes=True),
            Judge("one cell alone has a maximum", "exact", checks.one_cell_alone, refutes=True),
        ),
    ),
    Equation(
        label="beta-is-variance",
        statement="1/L sum_l 1/2 |x - xhat_l|^2 + a KL = a (-ELBO at variance a) - a d/2 log(2 pi a)",
        relation="=",
        page=PAGE,
        function="vae_np.model.vae:loss",
        judges=(
            Judge("a second forward pass and SciPy's densities", "exact", checks.loss_by_hand),
            Judge("the same with the default arguments", "exact", checks.loss_by_default),
            Judge("decoding with the default arguments", "exact", checks.decode_by_default),
            Judge("weight a = variance a, by the second forward pass", "exact", checks.weight_is_a_variance),
            Judge("slopes: a times those of -ELBO", "exact", checks.slopes_have_the_same_factor),
            Judge("the published loss, its 5e-5 halved", "exact", checks.published_weight_halved),
            Judge(
                "the published loss, its 5e-5 as it stands",
                "exact",
                checks.published_weight_as_it_stands,
                refutes=True,
            ),
            Judge(
                "best variance = mean square of the residual",
                "complex step",
                checks.best_variance_is_the_mean_square,
            ),
            Judge(
                "best variance = the weight", "complex step", checks.best_variance_is_the_weight, refutes=True
            ),
            Judge("loss and loss_backward, every parameter", "complex step", checks.loss_pair),
            Judge("float32 stays float32", "exact", checks.loss_keeps_single_precision),
            Judge("noise of another shape is refused", "exact", checks.loss_refuses_other_shapes),
            Judge("weight and best variance by SymPy, d = 1", "symbolic", checks.weight_by_symbols),
        ),
    ),
)
