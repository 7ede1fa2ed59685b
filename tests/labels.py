"""Every label there has to be: displayed equations of the source, claims in its prose, what the code adds."""


def labels(text: str) -> set[str]:
    return set(text.split())


SOURCE = labels("""
marginal-likelihood kl-decomposition elbo sample-q reparam reparam-expectation mc-reconstruction mc-sample
mc-elbo gaussian-q diagonal-covariance gaussian-prior cross-entropy-split second-moment cross-entropy
neg-entropy-split scaled-second-moment neg-entropy kl-closed reparam-gaussian reparam-mean
reparam-covariance objective objective-sample delta
""")
PROSE = labels("""
sum-loglik goal q-approximates kl-nearly-zero term1-intractable direct-inconvenient two-moments maximize
delta-balanced delta-predict
""")
BEYOND = labels("""
gaussian-likelihood beta-is-variance elbo-gap iwae iwae-order marginal-is grad-likelihood
bernoulli-likelihood grad-bernoulli-likelihood grad-linear grad-leaky-relu grad-batch-norm grad-dropout
grad-reparam-mu grad-reparam-log-var grad-kl-mu grad-kl-log-var grad-heads-add score-function adam-moments
adam-bias adam-step linear-gaussian-evidence linear-gaussian-posterior ppca-optimum rotation-gap
delta-resampling-limit delta-composition-bias decoded-change delta-two-factor delta-shrinkage batch-removal
grad-mean-of-shards
delta-agreement delta-jackknife delta-interval delta-errors delta-bootstrap delta-scale
conditional-objective
""")
