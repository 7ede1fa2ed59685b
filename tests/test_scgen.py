"""The AnnData-facing model: what goes in and comes out, on small data and in the exact linear world."""

import contextlib
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from vae_np import ScGen, simulate
from vae_np.errors import InputError
from vae_np.model import Params, Sizes, Stats, encode, initialize
from vae_np.scgen import autoencoder
from vae_np.scgen.arithmetic import Reference
from vae_np.scgen.fitted import Fitted
from vae_np.train import NonFiniteLossError, fit

# A small model of few cells and epochs has no direction that its types could agree on.
pytestmark = pytest.mark.filterwarnings("ignore:the cell types respond in different directions")

KEYS = {"condition_key": "condition", "cell_type_key": "cell_type"}
TARGET = "type 2"
SMALL = {"n_hidden": 24, "n_latent": 4, "n_layers": 1}


def without_target(adata):
    held_out = (adata.obs["cell_type"] == TARGET) & (adata.obs["condition"] == "stimulated")
    return adata[~held_out].copy()


@pytest.fixture(scope="module")
def adata():
    return simulate(360, 40, 3, seed=3)


@pytest.fixture(scope="module")
def train(adata):
    return without_target(adata)


@pytest.fixture(scope="module")
def model(train):
    return ScGen(**SMALL).fit(train, **KEYS, max_epochs=8)


def control(adata, cell_type=TARGET):
    return adata[(adata.obs["cell_type"] == cell_type) & (adata.obs["condition"] == "control")].copy()


def dense(x):
    return x if isinstance(x, np.ndarray) else x.toarray()


def validate_on_the_last_40(monkeypatch, cells):
    rows = np.arange(cells.n_obs)
    monkeypatch.setattr(autoencoder, "split_cells", lambda *_: (rows[:-40], rows[-40:]))


# ---------------------------------------------------------------------------------- prediction


def test_predicted_cells_are_the_control_cells_moved(model, train):
    predicted, shift = model.predict(celltype_to_predict=TARGET, mode="decode", clip=False)
    cells = control(train)
    pd.testing.assert_frame_equal(predicted.obs, cells.obs)
    pd.testing.assert_frame_equal(predicted.var, cells.var)
    assert predicted.X.dtype == np.float32
    z = model.encode(cells)
    np.testing.assert_allclose(predicted.X, model.decode(z + shift), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(predicted.obsm["latent"], z + shift, rtol=1e-5, atol=1e-6)


def test_change_mode_adds_the_decoded_change_to_the_measured_cell(model, train):
    predicted, shift = model.predict(celltype_to_predict=TARGET, clip=False)
    cells = control(train)
    z = model.encode(cells)
    expected = dense(cells.X) + model.decode(z + shift) - model.decode(z)
    np.testing.assert_allclose(predicted.X, expected, rtol=1e-5, atol=1e-5)


def test_clipping_is_the_default_and_only_removes_negative_values(model):
    clipped, _ = model.predict(celltype_to_predict=TARGET)
    plain, _ = model.predict(celltype_to_predict=TARGET, clip=False)
    assert plain.X.min() < 0
    np.testing.assert_array_equal(clipped.X, np.maximum(plain.X, 0))


def test_samples_scatter_by_the_residual_variance(model):
    center, _ = model.predict(celltype_to_predict=TARGET, mode="decode", clip=False)
    draws = [
        model.predict(celltype_to_predict=TARGET, mode="sample", clip=False, seed=s)[0].X - center.X
        for s in range(40)
    ]
    z = np.concatenate(draws) / np.sqrt(model.residual_variance)
    n = len(z)
    assert (np.abs(z.mean(axis=0)) < 4.892 / np.sqrt(n)).all()
    assert (np.abs(z.var(axis=0) - 1) < 4.892 * np.sqrt(2 / n)).all()
    again, _ = model.predict(celltype_to_predict=TARGET, mode="sample", clip=False, seed=0)
    np.testing.assert_array_equal(again.X - center.X, draws[0])


def test_the_result_says_what_it_rests_on(model, train, tmp_path):
    predicted, shift = model.predict(celltype_to_predict=TARGET)
    notes = predicted.uns["vae_np"]
    assert list(notes["cell_types"]) == ["type 1", "type 3"]
    assert list(notes["n_control"]) == [60, 60]
    assert list(notes["n_stimulated"]) == [60, 60]
    assert (notes["delta_method"], notes["mode"], notes["clip"]) == ("shared", "change", True)
    np.testing.assert_array_equal(notes["delta"], shift)
    predicted.write_h5ad(tmp_path / "predicted.h5ad")
    again = anndata.read_h5ad(tmp_path / "predicted.h5ad")
    np.testing.assert_array_equal(again.X, predicted.X)
    assert list(again.uns["vae_np"]["cell_types"]) == ["type 1", "type 3"]


def test_the_counts_behind_delta_are_not_exchanged(train):
    is_stimulated = (train.obs["condition"] == "stimulated") & (train.obs["cell_type"] == "type 1")
    fewer = train[(~is_stimulated | (is_stimulated.cumsum() > 13)).to_numpy()].copy()
    predicted, _ = ScGen(**SMALL).fit(fewer, **KEYS, max_epochs=1).predict(celltype_to_predict=TARGET)
    assert list(predicted.uns["vae_np"]["n_control"]) == [60, 60]
    assert list(predicted.uns["vae_np"]["n_stimulated"]) == [47, 60]


def test_delta_is_the_mean_difference_of_encodings_in_each_shared_type(model, train):
    z, labels = model.encode(train), train.obs[["cell_type", "condition"]].astype(str)
    by_type = [
        z[(labels == [t, "stimulated"]).all(axis=1)].mean(axis=0)
        - z[(labels == [t, "control"]).all(axis=1)].mean(axis=0)
        for t in ("type 1", "type 3")
    ]
    _, shift = model.predict(celltype_to_predict=TARGET)
    np.testing.assert_allclose(shift, np.mean(by_type, axis=0), rtol=1e-4, atol=1e-6)
    _, only = model.predict(celltype_to_predict=TARGET, restrict_arithmetic_to=["type 3"])
    _, same = model.predict(celltype_to_predict=TARGET, restrict_arithmetic_to={"cell_type": ["type 3"]})
    np.testing.assert_allclose(only, by_type[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(only, same)


@pytest.mark.parametrize("method", ["shared", "pooled", "scgen"])
def test_predictions_repeat_themselves(model, method):
    runs = [model.predict(celltype_to_predict=TARGET, delta_method=method) for _ in range(2)]
    np.testing.assert_array_equal(runs[0][0].X, runs[1][0].X)
    _, other = model.predict(celltype_to_predict=TARGET, delta_method=method, seed=99)
    assert np.array_equal(other, runs[0][1]) == (method != "scgen")


def test_new_cells_need_no_labels_and_genes_are_matched_by_name(model, train, rng):
    cells = control(train)
    expected, _ = model.predict(adata_to_predict=cells)
    order = rng.permutation(cells.n_vars)
    extra = anndata.AnnData(
        np.full((cells.n_obs, 2), 0.5, np.float32),
        obs=cells.obs[[]],
        var=pd.DataFrame(index=["other1", "other2"]),
    )
    shuffled = cells[:, order].copy()
    shuffled.obs = shuffled.obs[[]]
    del shuffled.uns["truth"], shuffled.layers["counts"]
    new = anndata.concat([extra, shuffled], axis=1)
    predicted, _ = model.predict(adata_to_predict=new)
    assert list(predicted.var_names) == list(shuffled.var_names)
    np.testing.assert_array_equal(predicted[:, train.var_names].X, expected.X)

    with pytest.raises(InputError, match="2 of the model's 40 genes are missing from the data: gene0, gene1"):
        model.predict(adata_to_predict=cells[:, 2:])
    with pytest.raises(InputError, match=r"12 of .* gene9 and 2 more"):
        model.encode(cells[:, 12:])


def test_a_labeled_type_handed_in_stays_out_of_delta(adata):
    model = ScGen(**SMALL).fit(adata, **KEYS, max_epochs=1)
    cells = control(adata)
    with pytest.warns(UserWarning, match="trained on 60 stimulated cells of 'type 2'"):
        labeled, _ = model.predict(adata_to_predict=cells)
    assert list(labeled.uns["vae_np"]["cell_types"]) == ["type 1", "type 3"]
    unlabeled, _ = model.predict(adata_to_predict=anndata.AnnData(cells.X, var=cells.var))
    assert list(unlabeled.uns["vae_np"]["cell_types"]) == ["type 1", "type 2", "type 3"]


def test_types_that_are_numbers_are_labels_like_any_other(adata):
    numbered = adata.copy()
    numbered.obs["cell_type"] = numbered.obs["cell_type"].cat.codes.astype(int) + 1
    model = ScGen(**SMALL).fit(numbered, **KEYS, max_epochs=1)
    for target in (2, "2"):
        with pytest.warns(UserWarning, match="trained on 60 stimulated cells of '2'"):
            predicted, _ = model.predict(celltype_to_predict=target, delta_method="pooled")
        assert list(predicted.uns["vae_np"]["cell_types"]) == ["1", "3"]


def test_a_leak_is_announced_and_does_not_enter_delta(adata, train):
    model = ScGen(**SMALL).fit(adata, **KEYS, max_epochs=2)
    with pytest.warns(UserWarning, match="trained on 60 stimulated cells of 'type 2'"):
        _, shift = model.predict(celltype_to_predict=TARGET)
    z, labels = model.encode(adata), adata.obs
    by_type = [
        z[(labels["cell_type"] == t) & (labels["condition"] == "stimulated")].mean(axis=0)
        - z[(labels["cell_type"] == t) & (labels["condition"] == "control")].mean(axis=0)
        for t in ("type 1", "type 3")
    ]
    np.testing.assert_allclose(shift, np.mean(by_type, axis=0), rtol=1e-4, atol=1e-6)


# ------------------------------------------------------------------- encoding and other doors


def test_encoding_draws_nothing_and_sampling_has_its_law(model, train):
    np.testing.assert_array_equal(model.encode(train), model.encode(train))
    draws = model.sample_latent(train[:5], np.random.default_rng(0), n_samples=4000)
    assert draws.shape == (4000, 5, 4)
    spread = draws.std(axis=0, ddof=1)
    z = (draws.mean(axis=0) - model.encode(train[:5])) / (spread / np.sqrt(4000))
    assert np.abs(z).max() < 4.892
    _, log_var, _, _ = encode(model.params, model.stats, dense(train.X)[:5])
    # a variance estimated from n normal draws has the relative standard error sqrt(2 / (n - 1))
    assert np.abs(spread**2 / np.exp(log_var) - 1).max() < 4.892 * np.sqrt(2 / 3999)


def test_genes_in_another_order_are_matched(model, train):
    np.testing.assert_array_equal(model.encode(train[:, ::-1].copy()), model.encode(train))


def test_arrays_and_anndata_are_the_same_cells(model, train):
    x = dense(train.X)
    for cells in (x, sparse.csr_matrix(x), sparse.csc_array(x)):
        np.testing.assert_array_equal(model.encode(cells), model.encode(train))
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(model.encode(train)))


def test_many_cells_are_encoded_as_few_are(model, train):
    many = np.tile(dense(train.X), (8, 1))  # more than one chunk
    np.testing.assert_allclose(model.encode(many), np.tile(model.encode(train), (8, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_dense_sparse_and_layer_train_the_same_model(train, model, kind):
    other = anndata.AnnData(
        np.zeros(train.shape, np.float32),
        obs=train.obs,
        var=train.var,
        layers={"log": kind(dense(train.X))},
    )
    again = ScGen(**SMALL).fit(other, **KEYS, layer="log", max_epochs=8)
    np.testing.assert_array_equal(again.params.flat, model.params.flat)
    predicted, _ = again.predict(celltype_to_predict=TARGET)
    np.testing.assert_array_equal(predicted.X, model.predict(celltype_to_predict=TARGET)[0].X)


def test_the_input_is_left_as_it_was(train):
    copy = train.copy()
    model = ScGen(**SMALL).fit(copy, **KEYS, max_epochs=1)
    model.predict(celltype_to_predict=TARGET)
    np.testing.assert_array_equal(copy.X.toarray(), train.X.toarray())
    pd.testing.assert_frame_equal(copy.obs, train.obs)
    assert set(copy.uns) == set(train.uns)


def test_residual_variance_is_what_the_decoder_leaves(train):
    model = ScGen(**SMALL).fit(train, **KEYS, max_epochs=2, train_size=1.0, early_stopping=False)
    residual = dense(train.X) - model.reconstruct(train)
    np.testing.assert_allclose(model.residual_variance, (residual**2).mean(axis=0), rtol=1e-4)


def test_residual_variance_and_loss_are_those_of_the_validation_cells(train, monkeypatch):
    validate_on_the_last_40(monkeypatch, train)
    model = ScGen(**SMALL, variance=0.5, kl_weight=0).fit(train, **KEYS, max_epochs=2)
    squares = (dense(train.X) - model.reconstruct(train))[-40:] ** 2
    # float32 sums of 40 cells x 40 genes, in other groups of cells
    np.testing.assert_allclose(model.residual_variance, squares.mean(axis=0), rtol=1e-3)
    best = 0.5 * (40 * np.log(2 * np.pi * 0.5) + squares.sum(axis=1) / 0.5).mean()
    np.testing.assert_allclose(model.history["validation_total"].min(), best, rtol=1e-4)


def test_fit_hands_every_setting_on(train, monkeypatch):
    given = {}

    def spy(*arguments, **settings):
        given.update(settings)
        return fit(*arguments, **settings)

    monkeypatch.setattr(autoencoder, "fit", spy)
    own = {"dropout_rate": 0.3, "kl_weight": 0.25}
    settings = {"max_epochs": 2, "batch_size": 50, "early_stopping": False, "patience": 7, "min_delta": 0.5}
    settings |= {"lr": 2e-3, "epsilon": 0.03, "weight_decay": 0.04, "kl_warmup_epochs": 5, "progress": False}
    ScGen(**SMALL, **own).fit(train, **KEYS, **settings)
    expected = settings | own
    assert {name: given.get(name) for name in expected} == expected


@pytest.mark.parametrize("kind", ["mask", "indices"])
def test_the_cells_to_validate_on_can_be_given(train, monkeypatch, kind):
    seen = {}

    def spy(*arguments, **settings):
        seen.update(settings)
        return fit(*arguments, **settings)

    monkeypatch.setattr(autoencoder, "fit", spy)
    mask = np.arange(train.n_obs) % 7 == 0
    given = mask if kind == "mask" else np.flatnonzero(mask)
    model = ScGen(**SMALL).fit(train, **KEYS, max_epochs=1, validation_cells=given)
    np.testing.assert_array_equal(seen["validation_cells"], np.flatnonzero(mask))
    residual = dense(train[mask].X) - model.reconstruct(train[mask])
    np.testing.assert_allclose(model.residual_variance, (residual**2).mean(axis=0), rtol=1e-4)
    with pytest.raises(InputError, match=f"indices from 0 to {train.n_obs - 1}, or a mask"):
        ScGen(**SMALL).fit(train, **KEYS, validation_cells=[train.n_obs])


def test_the_threads_are_limited(train, monkeypatch):
    asked = []

    def spy(n_threads):
        asked.append(n_threads)
        return contextlib.nullcontext()

    monkeypatch.setattr(autoencoder, "threads", spy)
    ScGen(**SMALL, n_threads=3).fit(train, **KEYS, max_epochs=1).encode(train)
    assert asked == [3, 3]


def test_the_seed_also_rules_the_training(train, monkeypatch):
    def same_start(sizes, _, dtype):
        return initialize(sizes, np.random.default_rng(0), dtype)

    monkeypatch.setattr(autoencoder, "initialize", same_start)
    validate_on_the_last_40(monkeypatch, train)
    first, second = (ScGen(**SMALL, seed=seed).fit(train, **KEYS, max_epochs=1) for seed in (5, 6))
    assert not np.array_equal(first.params.flat, second.params.flat)


def test_two_models_with_one_seed_are_the_same(train):
    runs = [ScGen(**SMALL, seed=5, n_threads=1).fit(train, **KEYS, max_epochs=2) for _ in range(2)]
    np.testing.assert_array_equal(runs[0].params.flat, runs[1].params.flat)
    other = ScGen(**SMALL, seed=6).fit(train, **KEYS, max_epochs=2)
    assert not np.array_equal(other.params.flat, runs[0].params.flat)


def test_float64_is_kept_all_the_way(train):
    model = ScGen(**SMALL, dtype="float64").fit(train, **KEYS, max_epochs=2)
    predicted, shift = model.predict(celltype_to_predict=TARGET)
    assert model.params.flat.dtype == model.stats.flat.dtype == np.float64
    assert predicted.X.dtype == shift.dtype == np.float64


# ------------------------------------------------------------------------------- model files


@pytest.mark.parametrize("method", ["shared", "pooled", "scgen"])
def test_a_loaded_model_predicts_the_same(model, train, tmp_path, method):
    path = tmp_path / "model.any suffix"
    model.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.any suffix"]
    cells = control(train)
    expected, shift = model.predict(adata_to_predict=cells, delta_method=method)
    alone = ScGen.load(path)
    predicted, again = alone.predict(adata_to_predict=cells, delta_method=method)
    np.testing.assert_array_equal(predicted.X, expected.X)
    np.testing.assert_array_equal(again, shift)
    assert str(alone) == str(model)
    np.testing.assert_array_equal(alone.residual_variance, model.residual_variance)
    for name, values in model.history.items():
        np.testing.assert_array_equal(alone.history[name], values)

    with pytest.raises(InputError, match="holds no expression values: give adata to load"):
        alone.predict(celltype_to_predict=TARGET)
    with_cells = ScGen.load(path, adata=train)
    predicted, _ = with_cells.predict(celltype_to_predict=TARGET, delta_method=method)
    expected, _ = model.predict(celltype_to_predict=TARGET, delta_method=method)
    np.testing.assert_array_equal(predicted.X, expected.X)


def test_a_loaded_model_reads_its_layer(train, tmp_path):
    zeros = np.zeros(train.shape, np.float32)
    other = anndata.AnnData(zeros, obs=train.obs, var=train.var, layers={"log": train.X})
    model = ScGen(**SMALL).fit(other, **KEYS, layer="log", max_epochs=1)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(ScGen.load(tmp_path / "model").encode(other), model.encode(other))


def test_load_refuses_cells_without_the_models_genes(model, train, tmp_path):
    model.save(tmp_path / "model")
    with pytest.raises(InputError, match="2 of the model's 40 genes are missing"):
        ScGen.load(tmp_path / "model", adata=train[:, 2:])


def test_numpy_numbers_are_settings_like_any_other(train, tmp_path):
    numpy_numbers = {"n_hidden": np.int64(8), "kl_weight": np.float32(0.5), "seed": np.uint8(3)}
    model = ScGen(**numpy_numbers, n_layers=1, n_latent=2, n_threads=np.int64(1), dtype=np.float32)
    model.fit(train, **KEYS, max_epochs=np.int64(1))
    model.save(tmp_path / "model")
    assert ScGen.load(tmp_path / "model").settings == model.settings
    assert model.params.flat.dtype == np.float32


def test_a_model_file_holds_no_expression_values(model, tmp_path):
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        shapes = {name: archive[name].shape for name in archive.files}
    n_cells = 300
    wide = {name for name, shape in shapes.items() if shape[0] == n_cells and len(shape) == 2}
    assert wide == {"z"}
    assert shapes["z"] == (300, 4)


# ---------------------------------------------------------------------------------- bad input


def test_an_untrained_model_says_so(train, tmp_path):
    model = ScGen()
    for call in (
        lambda: model.encode(train),
        lambda: model.decode(np.zeros((1, 100))),
        lambda: model.predict(celltype_to_predict=TARGET),
        lambda: model.save(tmp_path / "model"),
        lambda: model.params,
    ):
        with pytest.raises(InputError, match="not trained: call fit first"):
            call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"celltype_to_predict": None}, "give one of celltype_to_predict and adata_to_predict"),
        ({"celltype_to_predict": "type 9"}, "cell type 'type 9' does not exist: the names are 'type 1'"),
        ({"ctrl_key": "ctrl"}, "condition 'ctrl' does not exist: the names are 'control', 'stimulated'"),
        ({"stim_key": "control"}, "both 'control'"),
        ({"mode": "mean"}, "mode 'mean' is unknown"),
        ({"delta_method": "x"}, "delta_method 'x' is unknown"),
        ({"min_cells": 0}, "min_cells is 0"),
        ({"min_cells": "3"}, "min_cells is '3': give a whole number"),
        ({"seed": -1}, "seed is -1: give at least 0"),
        ({"restrict_arithmetic_to": 5}, "restrict_arithmetic_to gives 5 for 'cell_type': give names"),
        ({"min_cells": 1000}, "no cell type is left with 1000 cells"),
        ({"restrict_arithmetic_to": "type 9"}, "cell type 'type 9' does not exist"),
        (
            {"restrict_arithmetic_to": {"donor": ["d"]}},
            "names the column 'donor': this model knows 'cell_type'",
        ),
        ({"restrict_arithmetic_to": [TARGET]}, "no cell type is left"),
    ],
)
def test_predict_says_what_is_wrong(model, settings, message):
    with pytest.raises(InputError, match=message):
        model.predict(**({"celltype_to_predict": TARGET} | settings))


def test_both_kinds_of_target_at_once_are_refused(model, train):
    with pytest.raises(InputError, match="not both or none"):
        model.predict(celltype_to_predict=TARGET, adata_to_predict=train)


def test_a_type_without_control_cells_is_named(train):
    cells = train[~((train.obs["cell_type"] == "type 1") & (train.obs["condition"] == "control"))]
    model = ScGen(**SMALL).fit(cells.copy(), **KEYS, max_epochs=1)
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(InputError, match="'type 1' has no cell in condition 'control'"),
    ):
        model.predict(celltype_to_predict="type 1")


def test_fit_says_what_is_wrong(train):
    def fit(adata=train, **changes):
        ScGen(**SMALL).fit(adata, **(KEYS | {"max_epochs": 1} | changes))

    with pytest.raises(InputError, match="obs has no column 'x': the columns are 'cell_type', 'condition'"):
        fit(condition_key="x")
    with pytest.raises(InputError, match="layer 'x' does not exist: the layers are counts"):
        fit(layer="x")
    with pytest.raises(InputError, match=r"raw counts .* where log-normalized values belong"):
        fit(layer="counts")
    with pytest.raises(InputError, match="batch_size is 1"):
        fit(batch_size=1)
    gap = train.copy()
    gap.obs.iloc[3, gap.obs.columns.get_loc("cell_type")] = np.nan
    with pytest.raises(InputError, match="'cell_type' is empty in 1 cells"):
        fit(gap)
    for n in (0, 1):
        with pytest.raises(InputError, match=f"{n} cells"):
            fit(train[:n].copy())


@pytest.mark.parametrize(
    "settings",
    [
        {"n_hidden": 0},
        {"n_latent": 0},
        {"n_layers": -1},
        {"dropout_rate": 1.0},
        {"kl_weight": -1e-5},
        {"variance": 0.0},
        {"n_threads": 0},
        {"dtype": "float16"},
        {"seed": -1},
        {"seed": 2**64},
        {"seed": None},
        {"n_latent": 8.5},
        {"variance": "one"},
        {"variance": 1e-60},
        {"kl_weight": "0.5"},
        {"kl_weight": 10**400},
        {"dropout_rate": True},
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        ScGen(**settings)


def test_decode_and_encode_check_shapes(model, train):
    with pytest.raises(InputError, match=r"z has shape \(2, 3\): the model takes \(n, 4\)"):
        model.decode(np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"the cells have shape \(2, 3\): the model takes \(n, 40\)"):
        model.encode(np.zeros((2, 3)))
    with pytest.raises(InputError, match="the matrix of cells holds 40 NaN or infinite values"):
        model.encode(np.full((1, 40), np.nan))
    with pytest.raises(InputError, match="values of type <U1"):
        model.encode([["a"] * 40])
    with pytest.raises(InputError, match="adata_to_predict is a ndarray: give an AnnData"):
        model.predict(adata_to_predict=dense(train.X))


def test_a_diverged_model_still_holds_its_last_good_weights(train):
    model = ScGen(**SMALL)
    with pytest.raises(NonFiniteLossError, match="smaller lr"):
        model.fit(train, **KEYS, lr=1e35, epsilon=1e-8)
    assert np.isfinite(model.params.flat).all()
    predicted, _ = model.predict(celltype_to_predict=TARGET)
    assert np.isfinite(predicted.X).all()


# ------------------------------------------------------------------------- the exact linear world


def test_pipeline_equals_the_closed_form_on_a_linear_model(rng):
    """At the pPCA optimum decode(encode(x)) = b + U diag((lam - s2)/lam) U'(x - b) [delta-shrinkage]."""
    d, k, n = 6, 2, 80
    types, conditions = np.repeat(["a", "b", "c"], 2 * n), np.tile(np.repeat(["control", "stimulated"], n), 3)
    x = 5 + rng.normal(size=(6 * n, d)) * [1.5, 1, 0.5, 0.5, 0.5, 0.5]
    x += rng.normal(size=(3, d)).repeat(2 * n, axis=0)
    x[conditions == "stimulated"] += rng.normal(size=d)
    x = np.abs(x)
    adata = anndata.AnnData(
        x, obs=pd.DataFrame({"condition": conditions, "cell_type": types}, index=map(str, range(6 * n)))
    )
    b = x.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    values, U = values[::-1], vectors[:, ::-1][:, :k]
    s2, lam = values[k:].mean(), values[:k]

    sizes = Sizes(d, 1, k, 0)
    params = Params(sizes, np.zeros(sizes.n_params))
    W = U * np.sqrt(lam - s2)
    params.output.W[:], params.output.b[:] = W.T, b
    params.mu.W[:] = W / lam  # (W'W + s2 I)^-1 W' transposed: W'W + s2 I = diag(lam)
    params.mu.b[:] = -b @ params.mu.W
    model = ScGen(n_hidden=1, n_latent=k, n_layers=0, variance=s2, dtype="float64")
    z = (x - b) @ params.mu.W
    stats = Stats(sizes, np.zeros(0))
    genes = list(adata.var_names)
    model._fitted = Fitted(
        params, stats, {}, np.ones(d), genes, None, *KEYS.values(), Reference(z, conditions, types)
    )
    model._adata = adata

    with pytest.warns(UserWarning, match="no held-out"):
        predicted, _ = model.predict(celltype_to_predict="c", mode="decode", clip=False)
    shrink = U * ((lam - s2) / lam) @ U.T
    mean = {
        (t, c): x[(types == t) & (conditions == c)].mean(axis=0)
        for t in "abc"
        for c in ("control", "stimulated")
    }
    shift = np.mean([mean[t, "stimulated"] - mean[t, "control"] for t in "ab"], axis=0)
    expected = b + (mean["c", "control"] - b) @ shrink + shift @ shrink
    np.testing.assert_allclose(predicted.X.mean(axis=0), expected, rtol=1e-12)
    with pytest.warns(UserWarning, match="no held-out"):
        changed, _ = model.predict(celltype_to_predict="c", clip=False)
    np.testing.assert_allclose(changed.X.mean(axis=0), mean["c", "control"] + shift @ shrink, rtol=1e-12)
