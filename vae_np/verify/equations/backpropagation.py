"""Backpropagation: the derivative of each layer, and of a mean over cells."""

from vae_np.verify.checks import backpropagation as checks
from vae_np.verify.record import Equation, Judge

PAGE = "backpropagation.md"

EQUATIONS = (
    Equation(
        label="grad-linear",
        statement="a = x W + b: d_x = d_a W^T, d_W = x^T d_a, d_b = sum over the rows of d_a",
        relation="=",
        page=PAGE,
        function="vae_np.layers.linear:linear_backward",
        judges=(
            Judge("forward: sums of Python integers", "exact", checks.linear_is_pythons_integer_sum),
            Judge("steps of 1 on integers", "exact", checks.linear_by_steps_of_one),
            Judge("complex step", "complex step", checks.linear_by_complex_step),
            Judge("Taylor", "taylor", checks.linear_by_taylor),
            Judge("rows averaged, not added", "complex step", checks.linear_with_rows_averaged, refutes=True),
        ),
    ),
    Equation(
        label="grad-leaky-relu",
        statement="h = a if a > 0 else slope a: d_a = d_h if a > 0 else slope d_h",
        relation="=",
        page=PAGE,
        function="vae_np.layers.leaky_relu:leaky_relu_backward",
        judges=(
            Judge("forward: slope a + (1 - slope) max(a, 0)", "exact", checks.leaky_relu_is_a_maximum),
            Judge("steps of 1 to the left, at 0 too", "exact", checks.leaky_relu_by_left_steps),
            Judge("Euler: a dh/da = h, and the published slope", "exact", checks.leaky_relu_by_euler),
            Judge("complex step", "complex step", checks.leaky_relu_by_complex_step),
            Judge("Taylor", "taylor", checks.leaky_relu_by_taylor),
            Judge(
                "one derivative at 0 for both sides",
                "exact",
                checks.leaky_relu_with_one_derivative_at_zero,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="grad-batch-norm",
        statement="d_a = (d_u - mean(d_u) - u mean(d_u u)) / s in training, d_u / s in evaluation, "
        "d_u = gamma d_h; d_gamma = sum(d_h u), d_beta = sum(d_h)",
        relation="=",
        page=PAGE,
        function="vae_np.layers.batch_norm:batch_norm_backward",
        judges=(
            Judge("forward: Python's exact statistics", "exact", checks.batch_norm_by_exact_statistics),
            Judge("running statistics: geometric series", "exact", checks.batch_norm_running_statistics),
            Judge("evaluation: steps of 1 on integers", "exact", checks.batch_norm_in_evaluation),
            Judge("one row has no variance", "exact", checks.batch_norm_refuses_one_row),
            Judge("residual of a regression", "exact", checks.batch_norm_as_a_regression),
            Judge("sums to 0 over the batch", "exact", checks.batch_norm_ignores_a_shift),
            Judge("Jacobian by SymPy, n = 3", "symbolic", checks.batch_norm_by_symbols),
            Judge("complex step, both modes", "complex step", checks.batch_norm_by_complex_step),
            Judge("Taylor, both modes", "taylor", checks.batch_norm_by_taylor),
            Judge(
                "training with statistics as constants",
                "complex step",
                checks.batch_norm_with_constant_statistics,
                refutes=True,
            ),
            Judge(
                "running variance with 1/n",
                "exact",
                checks.batch_norm_with_biased_running_variance,
                refutes=True,
            ),
        ),
    ),
    Equation(
        label="grad-dropout",
        statement="h = m x: d_x = m d_h with the same mask m, 0 with probability p and else 1/(1-p)",
        relation="=",
        page=PAGE,
        function="vae_np.layers.dropout:dropout_backward",
        judges=(
            Judge("mask: 0 and 1/(1-p)", "exact", checks.dropout_mask_values),
            Judge("mask: mean, mean square, independence", "monte carlo", checks.dropout_mask_moments),
            Judge("mean over all 32 masks", "exact", checks.dropout_on_average),
            Judge("steps of 1 on integers", "exact", checks.dropout_by_steps_of_one),
            Judge("complex step", "complex step", checks.dropout_by_complex_step),
            Judge("Taylor", "taylor", checks.dropout_by_taylor),
            Judge(
                "mask forgotten in backward",
                "complex step",
                checks.dropout_without_the_mask_in_backward,
                refutes=True,
            ),
            Judge(
                "fresh mask in backward",
                "complex step",
                checks.dropout_with_a_fresh_mask_in_backward,
                refutes=True,
            ),
            Judge("mask of 0 and 1", "exact", checks.dropout_without_the_factor, refutes=True),
        ),
    ),
    Equation(
        label="grad-mean-of-shards",
        statement="grad of mean_i loss_i = sum_s n_s/n (grad of the mean over shard s), "
        "if no loss_i depends on another cell",
        relation="=",
        page=PAGE,
        function=None,
        judges=(
            Judge("the whole batch at once", "exact", checks.shards_by_the_whole_batch),
            Judge("equal shards: the plain mean", "exact", checks.equal_shards_need_no_weights),
            Judge("complex step of the mean loss", "complex step", checks.shards_by_complex_step),
            Judge("Taylor", "taylor", checks.shards_by_taylor),
            Judge("unequal shards without weights", "exact", checks.shards_without_weights, refutes=True),
            Judge("batch norm in training", "exact", checks.shards_in_training, refutes=True),
        ),
    ),
)
