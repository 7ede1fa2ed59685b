"""Mistakes that lie between the formulas, and the design choice of the library that rules each out."""

from vae_np.verify.mutants.record import NotAFunction

NOT_A_FUNCTION = (
    NotAFunction(
        "noise redrawn at inference",
        ("airc-rl-agent #43",),
        "The same cell gets another code each time it is encoded: delta and predictions change from run to "
        "run, and a mean over few cells is noisier than it need be.",
        "The sampler itself is right; the mistake is that prediction calls it.",
        "encoding returns the mean; sampling is a separate call",
    ),
    NotAFunction(
        "gradients accumulated twice",
        (),
        "If gradients are stored on the layers and added to, a second backward pass, or a forgotten reset, "
        "doubles them; Adam hides the size and keeps the stale direction.",
        "Each derivative is right; the mistake is where its result is kept.",
        "caches are returned, never stored on an object",
    ),
    NotAFunction(
        "KL weight never applied in the loss",
        ("lightning-bolts #328",),
        "The weight is an argument that is stored and never used: every setting trains alike.",
        "No function of the table takes the weight, since it is no part of the ELBO; its way into the "
        "gradient is d_kl, and there the gallery has it, under grad-heads-add.",
        "variance and kl_weight are explicit and multiply plain things",
    ),
    NotAFunction(
        "gradients in another order than the parameters",
        (),
        "A weight gets the gradient of another one of the same shape; the loss may still fall, slowly.",
        "Each derivative is right; the mistake is in the list that pairs them.",
        "gradients have the same type and layout as the parameters",
    ),
    NotAFunction(
        "one layer for both heads",
        ("LP_BNN #3", "kaist-dmlab/TRAP #1"),
        "log_var is mu in every cell, so mean and spread cannot be chosen apart.",
        "The layer and the formulas are right; the mistake is that it is called twice. Its effect on the "
        "draws is in the gallery under reparam-gaussian, that on the gradient under grad-heads-add.",
        "all parameters are views of one flat vector, and each head has its own",
    ),
)
