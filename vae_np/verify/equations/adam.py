"""Adam: the two running moments, the correction of their bias, and the step."""

from vae_np.verify.checks import adam as checks
from vae_np.verify.record import Equation, Judge

PAGE = "adam.md"

EQUATIONS = (
    Equation(
        label="adam-moments",
        statement="m_t = beta1 m_(t-1) + (1 - beta1) g_t, v_t = beta2 v_(t-1) + (1 - beta2) g_t^2, "
        "beta1 = 0.9, beta2 = 0.999",
        relation="defined as",
        page=PAGE,
        function="vae_np.train.adam:adam_moments",
        judges=(
            Judge("weighted sum of all gradients, in fractions", "exact", checks.moments_in_fractions),
            Judge("the published rates are the defaults", "exact", checks.moments_with_published_rates),
            Judge("four steps unrolled by SymPy", "symbolic", checks.moments_by_symbols),
        ),
    ),
    Equation(
        label="adam-bias",
        statement="m_hat_t = m_t / (1 - beta1^t), v_hat_t = v_t / (1 - beta2^t), "
        "since (1 - beta) sum_(s=1..t) beta^(t-s) = 1 - beta^t",
        relation="=",
        page=PAGE,
        function="vae_np.train.adam:adam_bias",
        judges=(
            Judge(
                "a constant gradient comes back, in fractions", "exact", checks.bias_of_a_constant_gradient
            ),
            Judge("weights added up one by one, t to 20,000", "exact", checks.bias_with_published_rates),
            Judge(
                "random gradients: E m_hat = E g, E v_hat = E g^2", "monte carlo", checks.bias_in_expectation
            ),
            Judge("geometric sum by induction, SymPy", "symbolic", checks.bias_by_symbols),
            Judge("the moments without correction", "exact", checks.no_correction, refutes=True),
        ),
    ),
    Equation(
        label="adam-step",
        statement="theta_t = theta_(t-1) - lr m_hat_t / (sqrt(v_hat_t) + epsilon), "
        "lr = 1e-3, epsilon = 1e-8, with g_t = grad + weight_decay theta_(t-1) in the moments",
        relation="defined as",
        page=PAGE,
        function="vae_np.train.adam:adam_update",
        judges=(
            Judge("one weight at a time, in fifty digits", "exact", checks.steps_in_fifty_digits),
            Judge("the published settings are the defaults", "exact", checks.steps_with_published_settings),
            Judge("the training loop's step, in place", "exact", checks.step_in_place),
            Judge("steps 1001, 5000 and 20,000", "exact", checks.late_steps),
            Judge("first step = lr g / (|g| + epsilon)", "exact", checks.first_step),
            Judge("the size of the gradient drops out", "exact", checks.size_of_the_gradient_drops_out),
            Judge("equal gradients by SymPy, decay coupled", "symbolic", checks.first_step_by_symbols),
            Judge("without bias correction", "exact", checks.step_without_correction, refutes=True),
            Judge("epsilon inside the root", "exact", checks.step_with_epsilon_inside, refutes=True),
        ),
    ),
)
