"""What goes with a derivation page: an interactive page, and the notebooks that repeat its claims."""

COMPANIONS: dict[str, tuple[str, ...]] = {
    "evidence": ("notebooks/evidence_and_bound",),
    "bound": ("interactive/posterior_gap", "notebooks/evidence_and_bound"),
    "reparameterization": ("interactive/reparameterization", "notebooks/reparameterization"),
    "monte_carlo": ("notebooks/reparameterization",),
    "gaussian_kl": ("interactive/gaussian_kl", "notebooks/gaussian_kl"),
    "objective": ("notebooks/is_my_elbo_wrong", "notebooks/posterior_collapse"),
    "likelihoods": ("notebooks/is_my_elbo_wrong",),
    "backpropagation": ("notebooks/backpropagation",),
    "encoder_heads": ("notebooks/backpropagation",),
    "score_function": ("notebooks/reparameterization",),
    "adam": ("notebooks/adam_and_training",),
    "delta": ("interactive/latent_shift", "notebooks/scgen_on_pbmc"),
    "uncertainty": ("notebooks/how_good_is_it",),
    "linear_gaussian": ("interactive/posterior_gap", "notebooks/posterior_collapse"),
    "tighter_bounds": ("notebooks/evidence_and_bound",),
    "speed": ("notebooks/where_the_time_goes",),
}
