"""The conditional VAE: what its loss estimates once the condition of each cell is known."""

from vae_np.verify.checks import conditional as checks
from vae_np.verify.record import Equation, Judge

PAGE = "conditional.md"

EQUATIONS = (
    Equation(
        label="conditional-objective",
        statement="E[1/L sum_l log P(x|z_l,c) - KL(Q(z|x,c)||P(z))] "
        "= log P(x|c) - KL(Q(z|x,c)||P(z|x,c)) <= log P(x|c)",
        relation="equal in expectation",
        page=PAGE,
        function="vae_np.model.conditional:conditional_loss",
        judges=(
            Judge("a second forward pass, c as biases", "exact", checks.loss_by_hand),
            Judge("the same with the default arguments", "exact", checks.loss_by_default),
            Judge("one c for all: the plain loss, other biases", "exact", checks.one_condition),
            Judge("its mean + KL(Q||posterior) = log P(x|c)", "exact", checks.mean_lies_below_by_the_gap),
            Judge("its mean = log P(x|c) at the posterior", "exact", checks.equality_at_the_posterior),
            Judge("its mean, a network with a hidden layer", "quadrature", checks.mean_of_a_network),
            Judge("its mean, by SymPy, n = d = 1", "symbolic", checks.bound_by_symbols),
            Judge("its backward, every parameter", "complex step", checks.loss_pair),
            Judge("float32 stays float32", "exact", checks.loss_keeps_single_precision),
            Judge(
                "read as a bound of log P(x), c summed out",
                "exact",
                checks.bound_without_the_condition,
                refutes=True,
            ),
            Judge(
                "nothing lost if the encoder is not told c",
                "exact",
                checks.encoder_that_is_not_told,
                refutes=True,
            ),
        ),
    ),
)
