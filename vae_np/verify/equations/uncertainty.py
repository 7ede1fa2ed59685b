"""Uncertainty of delta: do the types agree, how much does it vary over types and cells, is it too short."""

from vae_np.verify.checks import uncertainty as checks
from vae_np.verify.record import Equation, Judge

PAGE = "uncertainty.md"

EQUATIONS = (
    Equation(
        label="delta-agreement",
        statement="c_t = cos( delta_t, mean of delta_u over the other types u )",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.uncertainty:agreement",
        judges=(
            Judge("each type left out, exactly rounded sums", "exact", checks.agreement_by_leaving_out),
            Judge("known angle between two types", "exact", checks.agreement_of_known_angles),
            Judge("equal cosine between any two", "exact", checks.agreement_of_equal_correlations),
            Judge("no direction, one type", "exact", checks.agreement_without_direction),
            Judge("equal cosines by SymPy, K = 2..6", "symbolic", checks.agreement_by_symbols),
            Judge(
                "mean over all types, its own included",
                "exact",
                checks.own_delta_among_the_others,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="delta-jackknife",
        statement="(K-1)/K sum_t (delta without type t - their mean)^2 = s^2 / K, s^2 the types' variance",
        relation="=",
        page=PAGE,
        function="vae_np.scgen.uncertainty:jackknife_variance",
        judges=(
            Judge("s^2 / K by exact sums", "exact", checks.jackknife_is_the_variance_of_the_mean),
            Judge("cells of each type removed in turn", "exact", checks.jackknife_over_the_cells),
            Judge("unbiased for normal types", "quadrature", checks.jackknife_is_unbiased),
            Judge("K = 2..5 by SymPy", "symbolic", checks.jackknife_by_symbols),
            Judge(
                "leave-one-out deltas as independent ones",
                "exact",
                checks.plain_variance_of_the_leave_one_outs,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="delta-interval",
        statement="P( |y_new - mean y| <= t_{K-1} sqrt(s^2 (1 + 1/K)) ) = level, for normal types",
        relation="=",
        page=PAGE,
        function="vae_np.scgen.uncertainty:prediction_interval",
        judges=(
            Judge(
                "quantiles in closed form, K = 2, 3, 5",
                "exact",
                checks.interval_of_closed_quantiles,
            ),
            Judge("affine decoder: variance along the gene", "exact", checks.interval_of_an_affine_decoder),
            Judge("coverage as an integral over s", "quadrature", checks.interval_covers),
            Judge("noise on top: at least the level", "quadrature", checks.interval_covers_noisy_values),
            Judge("coverage in 4000 drawn worlds", "monte carlo", checks.interval_covers_drawn_types),
            Judge(
                "interval of the mean for a further type",
                "quadrature",
                checks.interval_of_the_mean,
                refutes=True,
            ),
            Judge("normal quantile for Student's", "quadrature", checks.normal_quantile, refutes=True),
        ),
    ),
    Equation(
        label="delta-errors",
        statement="(K^2 - 1)/K^3 sum_t e_t^2 = s^2 (1 + 1/K), e_t = y_t - mean of the others' y",
        relation="=",
        page=PAGE,
        function="vae_np.scgen.uncertainty:error_interval",
        judges=(
            Judge("half-width of the types' interval", "exact", checks.errors_of_closed_quantiles),
            Judge("an error of the decoder on top", "exact", checks.errors_count_what_the_decoder_misses),
            Judge("coverage as an integral over s", "quadrature", checks.errors_cover),
            Judge(
                "errors taken for deviations from the mean",
                "quadrature",
                checks.error_of_a_mean,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="delta-bootstrap",
        statement="cells drawn again within types: E delta* = delta, "
        "Cov delta* = 1/K^2 sum_t (S_t1 / n_t1 + S_t0 / n_t0), S divided by n",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.scgen.uncertainty:bootstrap_deltas",
        judges=(
            Judge("all 432 resamples of a few cells", "exact", checks.listed_resamples_have_these_moments),
            Judge("every draw is one of them", "exact", checks.every_draw_is_in_the_list),
            Judge("cells that leave nothing to chance", "exact", checks.bootstrap_without_chance),
            Judge("mean and covariance of 4000 draws", "monte carlo", checks.bootstrap_mean_and_covariance),
            Judge("two and three cells by SymPy", "symbolic", checks.resamples_by_symbols),
            Judge("covariance divided by n - 1", "exact", checks.divided_by_one_less, refutes=True),
        ),
    ),
    Equation(
        label="delta-scale",
        statement="a = sum measured * decoded / sum decoded^2; "
        "= lambda / (lambda - s2) for a linear VAE and shifts along one eigenvector",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.uncertainty:shrinkage_factor",
        judges=(
            Judge("least squares solver", "exact", checks.scale_by_least_squares),
            Judge("inverse of the shrinkage", "exact", checks.scale_undoes_the_shrinkage),
            Judge("weighted mean of the inverses", "exact", checks.scale_is_a_weighted_mean),
            Judge("derivative and one eigenvector by SymPy", "symbolic", checks.scale_by_symbols),
            Judge(
                "regression the other way round",
                "exact",
                checks.measured_on_decoded_the_wrong_way,
                refutes=True,
            ),
            Judge(
                "one number repairs every shift", "exact", checks.one_number_for_every_direction, refutes=True
            ),
        ),
    ),
)
