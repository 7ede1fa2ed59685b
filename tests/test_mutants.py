"""The gallery of wrong formulas: each is rejected and its term named; what is right passes."""

import pytest

import vae_np
from vae_np.verify.contracts import CONTRACTS
from vae_np.verify.mutants import MUTANTS, NOT_A_FUNCTION, RIGHT

SEEDS_OF_MUTANTS = [pytest.param(range(1)), pytest.param(range(1, 3), marks=pytest.mark.slow)]
SEEDS_OF_RIGHT = [pytest.param(range(1)), pytest.param(range(1, 20), marks=pytest.mark.slow)]

# Every mistake that the project collected from public code, as words of a name.
KNOWN = (
    # KL and ELBO
    "mean over the latent dimensions",
    "log sigma for log sigma^2",
    "sign of the kl",
    "the half missing",
    "the constant once",
    "reconstruction averaged, kl summed",
    "both averaged",
    "kl weight never applied",
    "double half",
    "1/l over the closed-form kl",
    "l forgotten",
    # sampling
    "exp(log_var) for sigma",
    "sigma for sigma^2",
    "noise scaled by 0.01",
    "fresh noise in backward",
    "noise redrawn at inference",
    # gradients
    "eps forgotten in d_sigma",
    "stopped at d_sigma",
    "minus mu",
    "kl gradient reversed",
    "batch mean forgotten",
    "batch mean applied twice",
    "statistics treated as constants",
    "mask forgotten in backward",
    "log_var head identical to the mu head",
    # Adam
    "m not bias-corrected",
    "v not bias-corrected",
    "no bias correction",
    "t off by one",
    "epsilon inside the root",
    "v without the square",
    "beta1 and beta2 swapped",
    "plain gradient descent",
    # delta
    "all cells pooled",
    "held-out type on one side only",
    "sign",
    "medians for means",
    "unshared types included",
    # reported as bugs, and none
    "minus (reconstruction loss + kl)",
    "mu - sigma * eps",
)
PUBLIC = (
    "keras-io #270",
    "grammarVAE #2",
    "keras-molecules #59",
    "ericjang/draw #2",
    "keras #3383",
    "WorldModels #12",
    "lightning-bolts #328",
    "scGen port",
    "numpy-ml",
    "ibp_vae #3",
    "BVAE-tf #7",
    "keras #9972",
    "keras #3283",
    "vgae_pytorch #2",
    "keras #4211",
    "kwj2104 Simple-VAE",
    "maideas",
    "unattributed tutorial",
    "Kaixhin/Autoencoders #9",
)


def title(record):
    return f"{record.label}: {record.name}"


def said_by(report):
    return "; ".join([report.message, *(term.name for term in report.terms)])


@pytest.mark.parametrize("seeds", SEEDS_OF_MUTANTS)
@pytest.mark.parametrize("mutant", MUTANTS, ids=title)
def test_every_wrong_formula_is_rejected_and_named(mutant, seeds):
    for seed in seeds:
        report = vae_np.check(mutant.label, mutant.wrong, seed=seed)
        assert not report.ok
        missing = [words for words in mutant.says if words not in said_by(report)]
        assert not missing, f"seed {seed}: {report.message}"


@pytest.mark.parametrize("seeds", SEEDS_OF_RIGHT)
@pytest.mark.parametrize("record", RIGHT, ids=title)
def test_every_right_formula_passes(record, seeds):
    for seed in seeds:
        report = vae_np.check(record.label, record.right, seed=seed)
        assert report.ok, f"seed {seed}: {report.message}"


def test_the_gallery_covers_every_contract():
    assert {mutant.label for mutant in MUTANTS} == set(CONTRACTS)
    assert {record.label for record in RIGHT} == set(CONTRACTS)
    for records in (MUTANTS, RIGHT):
        assert len({title(record) for record in records}) == len(records)


def test_every_known_mistake_has_its_place():
    names = [record.name.lower() for record in (*MUTANTS, *RIGHT, *NOT_A_FUNCTION)]
    assert [words for words in KNOWN if not any(words in name for name in names)] == []
    assert [words for words in KNOWN if words != words.lower()] == []


def test_every_public_source_is_cited():
    cited = " ".join(source for record in (*MUTANTS, *RIGHT, *NOT_A_FUNCTION) for source in record.sources)
    assert [source for source in PUBLIC if source not in cited] == []


def test_every_record_says_what_it_does():
    assert all(mutant.effect.endswith((".", ".)")) and mutant.says for mutant in MUTANTS)
    assert all(record.effect and record.reason and record.choice for record in NOT_A_FUNCTION)
    assert all(record.reason for record in RIGHT if record.sources)
