"""What the trained model says about cells: on an affine model, where log p(x) and the ELBO are exact."""

import numpy as np
import pytest
from scipy import sparse

import vae_np
from vae_np.elbo import bernoulli, gaussian
from vae_np.errors import InputError
from vae_np.model import Sizes, encode, evidence, initialize
from vae_np.verify.judges import standard_errors
from vae_np.verify.oracle import LinearGaussian, linear_gaussian_elbo, linear_gaussian_evidence

N, D, K = 60, 5, 2


@pytest.fixture
def affine(rng):
    """An affine VAE in float32, the same decoder as a linear-Gaussian model, and cells."""
    params, stats = initialize(Sizes(D, 1, K, n_layers=0), rng)
    for _, weights in params.named():
        weights += rng.normal(scale=0.3, size=weights.shape)
    decoder = LinearGaussian(params.output.W.astype(float), params.output.b.astype(float), 0.6)
    return params, stats, decoder, rng.normal(size=(N, D)).astype(np.float32)


def standardized(estimate, exact):
    return np.abs(estimate.value - exact) / estimate.standard_error


def test_elbo_and_reconstruction_are_unbiased(affine, rng):
    params, stats, decoder, x = affine
    mu, log_var = (a.astype(float) for a in encode(params, stats, x)[:2])
    exact = linear_gaussian_elbo(decoder, x.astype(float), mu, log_var)
    elbo = evidence.elbo(params, stats, x, gaussian(0.6), 2000, rng)
    assert standardized(elbo, exact).max() < standard_errors(N)

    kl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    error = evidence.reconstruction_error(params, stats, x, gaussian(0.6), 2000, rng)
    assert standardized(error, -(exact + kl)).max() < standard_errors(N)
    assert (elbo.standard_error > 0).all()


def test_marginal_log_likelihood_finds_the_evidence(affine, rng):
    params, stats, decoder, x = affine
    exact = linear_gaussian_evidence(decoder, x.astype(float))
    found = evidence.marginal_log_likelihood(params, stats, x, gaussian(0.6), 4000, rng)
    # the logarithm of the mean is low by half its variance, far below the standard error here
    assert standardized(found, exact).max() < standard_errors(N)
    assert np.quantile(found.standard_error, 0.9) < 0.1  # a cell far out has a worse proposal


def test_a_sparse_matrix_and_several_chunks_give_the_same(affine, rng):
    params, stats, _, _ = affine
    x = rng.random((1100, D)).astype(np.float32) * (rng.random((1100, D)) < 0.5)
    arguments = params, stats
    for f in (evidence.elbo, evidence.marginal_log_likelihood, evidence.reconstruction_error):
        dense = f(*arguments, x, gaussian(0.6), 3, np.random.default_rng(1))
        from_sparse = f(*arguments, sparse.csr_matrix(x), gaussian(0.6), 3, np.random.default_rng(1))
        np.testing.assert_array_equal(dense.value, from_sparse.value)
        assert dense.value.shape == (1100,)
        assert dense.value.dtype == float


def test_a_posterior_far_from_the_cells_says_so(affine):
    params, stats, _, x = affine
    sharp = evidence.marginal_log_likelihood(params, stats, x, gaussian(1e-4), 50, np.random.default_rng(1))
    assert np.isinf(sharp.standard_error).mean() > 0.5  # one draw in fifty is much better than the others


def test_many_draws_are_taken_a_block_at_a_time(affine, monkeypatch):
    params, stats, _, x = affine
    monkeypatch.setattr(evidence, "ENTRIES", 700)  # 7 cells and 50 draws at a time
    shapes = []
    monkeypatch.setattr(
        evidence,
        "reparameterize",
        lambda mu, log_var, eps: shapes.append(eps.shape) or mu + np.exp(log_var / 2) * eps,
    )
    found = evidence.elbo(params, stats, x, gaussian(0.6), 100, np.random.default_rng(1))
    assert found.value.shape == (N,)
    assert max(np.prod(shape) for shape in shapes) <= 700
    assert sum(shape[0] * shape[1] for shape in shapes) == 100 * N


def test_another_likelihood_and_no_cells(affine, rng):
    params, stats, _, _ = affine
    x = rng.integers(0, 2, (7, D)).astype(np.float32)
    elbo = evidence.elbo(params, stats, x, bernoulli(), 500, rng)
    found = evidence.marginal_log_likelihood(params, stats, x, bernoulli(), 2000, rng)
    assert (found.value < 0).all()  # log probabilities of binary data
    spread = np.hypot(elbo.standard_error, found.standard_error)
    assert (elbo.value < found.value + standard_errors(7) * spread).all()
    assert evidence.elbo(params, stats, x[:0], bernoulli(), 5, rng).value.shape == (0,)


@pytest.fixture(scope="module")
def trained():
    cells = vae_np.simulate(n_genes=30, n_cells=40, seed=1)
    model = vae_np.ScGen(n_hidden=8, n_latent=3, n_layers=1, seed=3)
    keys = {"condition_key": "condition", "cell_type_key": "cell_type"}
    return model.fit(cells, **keys, max_epochs=3, progress=False), cells


def test_the_estimates_say_which_variance_they_used(trained):
    model, cells = trained
    measured = model.elbo(cells)
    assert measured.variance_from == "residual_variance"
    np.testing.assert_array_equal(measured.variance, model.residual_variance)
    assert measured.value.shape == measured.standard_error.shape == (cells.n_obs,)
    given = model.elbo(cells, variance=model.residual_variance)
    assert given.variance_from == "given"
    given.variance[:] = -1  # a copy: the model keeps its own
    assert (model.residual_variance > 0).all()
    np.testing.assert_array_equal(given.value, measured.value)
    assert not np.allclose(model.elbo(cells, variance=2.0).value, measured.value)
    # the ELBO is the reconstruction minus the KL, with the same draws
    error = model.reconstruction_error(cells)
    kl = -(measured.value + error.value)
    assert (kl > 0).all()
    assert (model.marginal_log_likelihood(cells, n_samples=50).value > measured.value - 1).mean() > 0.9


def test_the_draws_follow_the_seed(trained):
    model, cells = trained
    np.testing.assert_array_equal(model.elbo(cells).value, model.elbo(cells, seed=3).value)
    assert not np.array_equal(model.elbo(cells).value, model.elbo(cells, seed=4).value)
    assert np.isinf(model.elbo(cells, n_samples=1).standard_error).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_samples": 0}, "n_samples is 0"),
        ({"variance": -1.0}, "variance is not positive"),
        ({"variance": np.ones(7)}, r"variance has shape \(7,\)"),
        ({"variance": "a"}, "variance is not positive"),
        ({"seed": -1}, "seed is -1"),
        ({"n_samples": 10**12}, "give at most 1000000"),
    ],
)
def test_bad_settings_are_refused(trained, settings, message):
    model, cells = trained
    for method in (model.elbo, model.marginal_log_likelihood, model.reconstruction_error):
        with pytest.raises(InputError, match=message):
            method(cells, **settings)
    with pytest.raises(InputError, match="not trained"):
        vae_np.ScGen().elbo(cells)
    with pytest.raises(InputError, match="the model takes"):
        model.elbo(np.ones((3, 4)))
