"""Delta: differences of latent means, what composition and the decoder do to them, and batches."""

from vae_np.verify.checks import delta as checks
from vae_np.verify.record import Equation, Judge

PAGE = "delta.md"

EQUATIONS = (
    Equation(
        label="delta",
        statement="delta = mean z1 - mean z0, z0 the control and z1 the stimulated cells",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.delta:delta",
        lines="L176-178",
        printed="right",
        judges=(
            Judge(
                "coefficient of the condition, least squares",
                "exact",
                checks.delta_is_the_coefficient_of_the_condition,
            ),
            Judge("exactly rounded sums", "exact", checks.delta_by_exact_sums),
            Judge("affine encoder, known shift", "exact", checks.delta_of_an_affine_encoder),
            Judge("exchange, translation, repetition", "exact", checks.delta_keeps_its_symmetries),
            Judge("normal equations by SymPy", "symbolic", checks.delta_by_symbols),
            Judge(
                "z0 the mean of every state: too short",
                "exact",
                checks.mean_of_every_state_for_the_control,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="delta-balanced",
        statement="delta = 1/K sum_k (mean z1 of type k - mean z0 of type k), k over the shared types",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.delta:delta_balanced",
        lines="L174",
        printed="implied",
        judges=(
            Judge("group means by least squares", "exact", checks.balanced_by_least_squares),
            Judge("known steps of the types", "exact", checks.balanced_recovers_the_steps),
            Judge("repeated cells change nothing", "exact", checks.balanced_ignores_cell_numbers),
            Judge("mean of the types' own deltas", "exact", checks.balanced_is_the_mean_of_the_types),
            Judge("bias of the pooled delta", "exact", checks.pooled_bias_is_the_difference_of_shares),
            Judge("shared types are counted", "exact", checks.types_are_counted),
            Judge("no shared type is refused", "exact", checks.no_shared_type_is_refused),
            Judge("three types by SymPy", "symbolic", checks.balanced_by_symbols),
            Judge("all cells pooled", "exact", checks.all_cells_pooled, refutes=True),
            Judge(
                "types weighted by their cells", "exact", checks.types_weighted_by_their_cells, refutes=True
            ),
        ),
    ),
    Equation(
        label="delta-resampling-limit",
        statement="E delta_resampled = mean over stimulated types of their mean z1 "
        "- mean over control types of their mean z0",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.scgen.delta:delta_resampled",
        judges=(
            Judge("cells that leave nothing to chance", "exact", checks.resampled_without_chance),
            Judge(
                "balanced delta if all types are shared",
                "exact",
                checks.resampled_is_balanced_where_types_are_shared,
            ),
            Judge("mean and total variance of 1200 runs", "monte carlo", checks.resampled_mean_and_spread),
            Judge("balanced delta for unshared types", "exact", checks.balanced_for_the_limit, refutes=True),
        ),
    ),
    Equation(
        label="delta-composition-bias",
        statement="limit with all control cells - balanced delta "
        "= 1/K (mean of the other types' control means - target's control mean)",
        relation="=",
        page=PAGE,
        function=None,
        judges=(
            Judge(
                "published minus balanced delta, K = 2..6",
                "exact",
                checks.bias_is_what_separates_the_two_deltas,
            ),
            Judge("means of noisy cells, least squares", "exact", checks.bias_from_the_means_of_noisy_cells),
            Judge("K = 2..5 by SymPy", "symbolic", checks.bias_by_symbols),
            Judge("target's control cells do not matter", "exact", checks.no_bias, refutes=True),
        ),
    ),
    Equation(
        label="delta-predict",
        statement="x_hat = decode(z_ctrl + delta)",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.delta:delta_predict",
        lines="L13",
        printed="implied",
        judges=(
            Judge(
                "affine decoder moves every cell by delta W",
                "exact",
                checks.affine_decoder_moves_every_cell_alike,
            ),
            Judge("predicted mean = stimulated mean", "exact", checks.predicted_mean_is_the_stimulated_mean),
            Judge("curved decoder, slope along the path", "quadrature", checks.curved_decoder_by_its_slope),
            Judge("decode(delta) for the change", "exact", checks.decoded_delta_for_the_change, refutes=True),
            Judge(
                "a curved decoder moves all cells alike",
                "exact",
                checks.one_step_for_all_cells_of_a_curved_decoder,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="decoded-change",
        statement="x_hat = x + decode(z + delta) - decode(z)",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.delta:decoded_change",
        judges=(
            Judge("affine decoder: x + delta W", "exact", checks.change_of_an_affine_decoder),
            Judge(
                "curved decoder, slope along the path",
                "quadrature",
                checks.change_of_a_curved_decoder_by_its_slope,
            ),
            Judge("delta = 0 returns the cells", "exact", checks.no_shift_no_change),
            Judge(
                "minus decode(z + delta) = x - decode(z)",
                "exact",
                checks.change_keeps_the_reconstruction_error,
            ),
            Judge(
                "decode(z + 0) returns the cells",
                "exact",
                checks.decoded_prediction_returns_the_cell,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="delta-two-factor",
        statement="m[t,1] - {m[t,0] + (m[o,1] - m[o,0])} = m[t,1] - m[t,0] - m[o,1] + m[o,0]; "
        "the braces = m[o,1] + (m[t,0] - m[o,0])",
        relation="=",
        page=PAGE,
        function="vae_np.scgen.delta:two_factor",
        judges=(
            Judge("across conditions = across contexts", "exact", checks.two_orders_one_number),
            Judge("cells keep their differences", "exact", checks.two_factors_keep_the_stimulated_cells),
            Judge("regression on the three groups seen", "exact", checks.two_factors_by_regression),
            Judge("error = coefficient of the interaction", "exact", checks.error_is_the_interaction),
            Judge("additive effects: no error", "exact", checks.additive_is_exact),
            Judge("both orders and the error by SymPy", "symbolic", checks.two_factors_by_symbols),
            Judge("always exact", "exact", checks.always_exact, refutes=True),
        ),
    ),
    Equation(
        label="delta-shrinkage",
        statement="decoded shift = U_k diag((lambda_j - s2)/lambda_j) U_k' (mean x1 - mean x0), "
        "linear VAE at its optimum",
        relation="=",
        page=PAGE,
        function=None,
        judges=(
            Judge("shift along each eigenvector", "exact", checks.shrinkage_of_each_eigenvector),
            Judge("pipeline against the closed form", "exact", checks.shrinkage_of_the_pipeline),
            Judge("two genes, one latent by SymPy", "symbolic", checks.shrinkage_by_symbols),
            Judge("the shift comes back whole", "exact", checks.shift_comes_back_whole, refutes=True),
        ),
    ),
    Equation(
        label="batch-removal",
        statement="z'_i = z_i + mean z of (type of i, its largest batch) - mean z of (type of i, batch of i)",
        relation="defined as",
        page=PAGE,
        function="vae_np.scgen.batch_removal:remove_batch_shift",
        judges=(
            Judge("regression on batches within types", "exact", checks.batches_by_regression),
            Judge("known batch effects", "exact", checks.batches_of_known_effect),
            Judge("twice, and in another order", "exact", checks.batches_keep_what_is_within),
            Judge("one shift a batch, types ignored", "exact", checks.one_shift_for_each_batch, refutes=True),
            Judge(
                "no batch effect is left between types", "exact", checks.no_batch_effect_is_left, refutes=True
            ),
        ),
    ),
)
