"""Contexts, several conditions, two factors, scale, intervals, batch removal: on an affine model, by hand.

An affine decoder turns every statement about latent vectors into one about expression: x_hat = x + shift W.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vae_np import ScGen, simulate
from vae_np.errors import InputError

KEYS = {"condition_key": "condition", "cell_type_key": "cell_type"}
TARGET = "type 2"
AFFINE = {"n_latent": 3, "n_layers": 0, "dtype": "float64"}
pytestmark = pytest.mark.filterwarnings("ignore:the cell types respond in different directions")


@pytest.fixture(scope="module")
def train():
    """Four types; of type 2 only control cells; a donor for every other cell; a third condition."""
    adata = simulate(480, 30, 4, seed=5)
    adata = adata[~((adata.obs["cell_type"] == TARGET) & (adata.obs["condition"] == "stimulated"))].copy()
    adata.obs["donor"] = np.where(np.arange(adata.n_obs) % 3, "d1", "d2")
    condition = adata.obs["condition"].astype(str)
    of_type_1 = ((adata.obs["cell_type"] == "type 1") & (condition == "stimulated")).to_numpy()
    condition.iloc[np.flatnonzero(of_type_1)[:20]] = "other"
    condition.iloc[np.flatnonzero(of_type_1)[20:23]] = "rare"
    adata.obs["condition"] = condition
    return adata


@pytest.fixture(scope="module")
def model(train):
    return ScGen(**AFFINE).fit(train, **KEYS, context_keys=["donor"], max_epochs=3)


def rows(adata, **labels):
    return np.logical_and.reduce([(adata.obs[key] == name).to_numpy() for key, name in labels.items()])


def mean_z(model, adata, **labels):
    return model.encode(adata[rows(adata, **labels)]).mean(axis=0)


def own_delta(model, adata, name, **labels):
    return mean_z(model, adata, cell_type=name, condition="stimulated", **labels) - mean_z(
        model, adata, cell_type=name, condition="control", **labels
    )


def expression(adata, **labels):
    return adata[rows(adata, **labels)].X.toarray().astype(float)


# ------------------------------------------------------------------------------------- contexts


def test_delta_can_be_restricted_to_any_context_that_fit_was_told_of(model, train, tmp_path):
    by_hand = [own_delta(model, train, t, donor="d2") for t in ("type 1", "type 3", "type 4")]
    restriction = {"donor": ["d2"]}
    _, shift = model.predict(celltype_to_predict=TARGET, restrict_arithmetic_to=restriction)
    np.testing.assert_allclose(shift, np.mean(by_hand, axis=0), rtol=1e-10)
    both = {"donor": "d2", "cell_type": ["type 3", "type 4"]}
    _, shift = model.predict(celltype_to_predict=TARGET, restrict_arithmetic_to=both)
    np.testing.assert_allclose(shift, np.mean(by_hand[1:], axis=0), rtol=1e-10)
    model.save(tmp_path / "model.npz")
    _, again = ScGen.load(tmp_path / "model.npz", train).predict(
        celltype_to_predict=TARGET, restrict_arithmetic_to=both
    )
    np.testing.assert_array_equal(again, shift)


@pytest.mark.parametrize(
    ("restriction", "message"),
    [
        ({"patient": ["d1"]}, "the column 'patient': this model knows 'cell_type', 'donor'"),
        ({"donor": ["d3"]}, "donor 'd3' does not exist: the names are 'd1', 'd2'"),
        ({"donor": 3}, "restrict_arithmetic_to gives 3 for 'donor': give names, or None for all"),
        ({"donor": []}, "gives .* for 'donor': give names"),
        (b"type 1", "gives b'type 1' for 'cell_type'"),
    ],
)
def test_a_wrong_context_is_named(model, restriction, message):
    with pytest.raises(InputError, match=message):
        model.predict(celltype_to_predict=TARGET, restrict_arithmetic_to=restriction)


def test_context_keys_are_columns_of_obs(train):
    with pytest.raises(InputError, match="obs has no column 'patient'"):
        ScGen(**AFFINE).fit(train, **KEYS, context_keys=["patient"])
    for keys in ("donor", None, 5):
        with pytest.raises(InputError, match=r"context_keys is .*: give a list"):
            ScGen(**AFFINE).fit(train, **KEYS, context_keys=keys)


def test_any_column_can_be_the_context(train):
    """What is called cell type may be a donor: its stimulated cells stay out of its own delta."""
    model = ScGen(**AFFINE).fit(train, condition_key="condition", cell_type_key="donor", max_epochs=1)
    with pytest.warns(UserWarning, match="trained on .* stimulated cells of 'd2'"):
        _, shift = model.predict(celltype_to_predict="d2")
    by_hand = mean_z(model, train, donor="d1", condition="stimulated") - mean_z(
        model, train, donor="d1", condition="control"
    )
    np.testing.assert_allclose(shift, by_hand, rtol=1e-10)


# --------------------------------------------------------------------------- several conditions


def test_predict_all_is_predict_for_each_condition(model, tmp_path):
    with pytest.warns(UserWarning, match="1 conditions have too few cells for a delta .*: rare"):
        everything, deltas = model.predict_all(celltype_to_predict=TARGET)
    assert list(deltas) == ["other", "stimulated"]
    for name in deltas:
        one, shift = model.predict("control", name, TARGET)
        part = everything[rows(everything, predicted_condition=name)]
        np.testing.assert_array_equal(part.X, one.X)
        np.testing.assert_array_equal(part.obsm["latent"], one.obsm["latent"])
        np.testing.assert_array_equal(deltas[name], shift)
        assert list(part.obs_names) == [f"{cell}-{name}" for cell in one.obs_names]
    assert list(everything.var_names) == list(one.var_names)
    table = everything.uns["vae_np"]["delta_from"]
    assert table.loc[table["stimulated"] == "other", ["cell_types", "n_stimulated"]].values.tolist() == [
        ["type 1", 20]
    ]
    everything.write_h5ad(tmp_path / "all.h5ad")


def test_predict_all_takes_names_and_the_arguments_of_predict(model):
    cells, deltas = model.predict_all("control", "stimulated", TARGET, mode="decode", clip=False)
    one, _ = model.predict("control", "stimulated", TARGET, mode="decode", clip=False)
    np.testing.assert_array_equal(cells.X, one.X)
    assert list(deltas) == ["stimulated"]
    with pytest.raises(InputError, match="no cell type is left with 10 cells in both 'control' and 'rare'"):
        model.predict_all(stim_keys=["rare"], celltype_to_predict=TARGET)
    again, _ = model.predict_all("control", ["stimulated", "stimulated"], TARGET, mode="decode", clip=False)
    assert again.n_obs == one.n_obs
    with pytest.raises(InputError, match="stim_keys is 5: give a list of conditions"):
        model.predict_all(stim_keys=5, celltype_to_predict=TARGET)
    with pytest.raises(InputError, match="condition 'heat' does not exist"):
        model.predict_all(stim_keys=["heat"], celltype_to_predict=TARGET)
    with pytest.raises(InputError, match="no condition can be predicted from 'control'"):
        model.predict_all(celltype_to_predict=TARGET, min_cells=1000)


# ---------------------------------------------------------------------------------- two factors


def test_cross_moves_the_other_contexts_stimulated_cells_by_the_contexts_difference(model, train):
    source = "type 3"
    predicted, shift = model.predict_cross("control", "stimulated", TARGET, source, clip=False)
    by_hand = mean_z(model, train, cell_type=TARGET, condition="control") - mean_z(
        model, train, cell_type=source, condition="control"
    )
    np.testing.assert_allclose(shift, by_hand, rtol=1e-10)
    x = expression(train, cell_type=source, condition="stimulated")
    np.testing.assert_allclose(predicted.X, x + by_hand @ model.params.output.W, rtol=1e-6, atol=1e-9)
    assert set(predicted.obs["cell_type"]) == {source}


def test_both_routes_of_the_two_factors_have_one_latent_mean(model):
    across, _ = model.predict_cross("control", "stimulated", TARGET, "type 3")
    along, _ = model.predict("control", "stimulated", TARGET, restrict_arithmetic_to="type 3")
    np.testing.assert_allclose(
        across.obsm["latent"].mean(axis=0), along.obsm["latent"].mean(axis=0), rtol=1e-10
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("control", "stimulated", TARGET, TARGET), "source and target are both 'type 2'"),
        (("control", "stimulated", TARGET, "type 9"), "cell type 'type 9' does not exist"),
        (("control", "control", TARGET, "type 1"), "control and stimulated are both 'control'"),
        (("heat", "stimulated", TARGET, "type 1"), "condition 'heat' does not exist"),
        (("control", "rare", TARGET, "type 1"), "'type 1' has 3 cells in condition 'rare': min_cells is 10"),
    ],
)
def test_cross_says_what_is_wrong(model, arguments, message):
    with pytest.raises(InputError, match=message):
        model.predict_cross(*arguments)


# ------------------------------------------------------------------------------ scale, agreement


def test_scale_goes_part_of_the_way(model, train):
    full, shift = model.predict(celltype_to_predict=TARGET, clip=False)
    x = expression(train, cell_type=TARGET, condition="control")
    for scale in (0, 0.5, 2):
        part, scaled = model.predict(celltype_to_predict=TARGET, clip=False, scale=scale)
        np.testing.assert_allclose(scaled, scale * shift, rtol=1e-12)
        np.testing.assert_allclose(part.X, x + scale * (full.X - x), rtol=1e-6, atol=1e-9)
    for scale in ("measure", float("nan"), None, 1e300, np.array([1.0, 2.0])):
        with pytest.raises(InputError, match="scale is"):
            model.predict(celltype_to_predict=TARGET, scale=scale)


def test_the_measured_scale_fits_the_decoded_to_the_measured_changes(model, train, tmp_path):
    types = ("type 1", "type 3", "type 4")
    W = model.params.output.W
    decoded = np.array([own_delta(model, train, t) @ W for t in types])
    measured = np.array(
        [
            expression(train, cell_type=t, condition="stimulated").mean(axis=0)
            - expression(train, cell_type=t, condition="control").mean(axis=0)
            for t in types
        ]
    )
    slope = np.linalg.lstsq(decoded.reshape(-1, 1), measured.ravel(), rcond=None)[0][0]
    predicted, _ = model.predict(celltype_to_predict=TARGET, scale="measured")
    np.testing.assert_allclose(predicted.uns["vae_np"]["scale"], slope, rtol=1e-6)
    model.save(tmp_path / "model.npz")
    cells = train[rows(train, cell_type=TARGET)]
    with pytest.raises(InputError, match="a loaded model holds no expression values"):
        ScGen.load(tmp_path / "model.npz").predict(adata_to_predict=cells, scale="measured")
    with pytest.raises(InputError, match="'type 1' has no cells at hand: give the training cells"):
        ScGen.load(tmp_path / "model.npz", cells).predict(adata_to_predict=cells, scale="measured")


def with_deltas(model, train, directions):
    """A model whose training types have the given latent deltas, all else being equal."""
    names = ["type 1", "type 3", "type 4"]
    z, condition, cell_type, context = model.fitted.reference
    z = np.zeros_like(z)
    for name, direction in zip(names, directions, strict=True):
        z[(condition == "stimulated") & (cell_type == name)] = direction
    turned = ScGen(**AFFINE)
    turned._adata, turned._fitted = (
        train,
        model.fitted._replace(reference=type(model.fitted.reference)(z, condition, cell_type, context)),
    )
    return turned


@pytest.mark.filterwarnings("error")
def test_types_that_disagree_are_announced(model, train):
    apart = with_deltas(model, train, np.eye(3))
    with pytest.warns(UserWarning, match=r"respond in different directions \(median cosine 0\.00\)"):
        apart.predict(celltype_to_predict=TARGET)
    alike = with_deltas(model, train, [[1, 0.1, 0], [1, 0, 0.1], [1, 0, 0]])
    predicted, _ = alike.predict(celltype_to_predict=TARGET)
    assert (predicted.uns["vae_np"]["agreement"] > 0.99).all()
    answer = alike.type_deltas()
    assert answer.names == ["type 1", "type 3", "type 4"]
    np.testing.assert_allclose(answer.deltas, [[1, 0.1, 0], [1, 0, 0.1], [1, 0, 0]], atol=1e-12)
    assert alike.type_deltas(restrict_arithmetic_to="type 3").names == ["type 3"]


# ------------------------------------------------------------------------------------ intervals


def test_the_interval_over_types_is_a_t_interval_of_expression(model, train):
    types = ("type 1", "type 3", "type 4")
    x = expression(train, cell_type=TARGET, condition="control")
    by_type = np.array([x.mean(axis=0) + own_delta(model, train, t) @ model.params.output.W for t in types])
    spread = np.sqrt(by_type.var(axis=0, ddof=1) * (1 + 1 / 3) + x.var(axis=0, ddof=1) / len(x))
    half = stats.t(2).ppf(0.9) * spread
    interval = model.predict_interval(celltype_to_predict=TARGET, over="types", clip=False, level=0.8)
    np.testing.assert_allclose(interval["mean"], by_type.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(interval["high"] - interval["mean"], half, rtol=1e-6)
    np.testing.assert_allclose(interval["mean"] - interval["low"], half, rtol=1e-6)
    assert list(interval.index) == model.genes
    clipped = model.predict_interval(celltype_to_predict=TARGET, over="types", level=0.8)
    assert (clipped >= 0).all(axis=None)


def test_the_interval_from_errors_knows_what_the_decoder_misses(model, train, tmp_path):
    types = ("type 1", "type 3", "type 4")
    W, errors = model.params.output.W, []
    for t in types:
        shift = np.mean([own_delta(model, train, other) for other in types if other != t], axis=0)
        control, true = (expression(train, cell_type=t, condition=c) for c in ("control", "stimulated"))
        errors.append(true.mean(axis=0) - control.mean(axis=0) - shift @ W)
    x = expression(train, cell_type=TARGET, condition="control")
    half = stats.t(2).ppf(0.95) * np.sqrt(
        8 / 27 * np.square(errors).sum(axis=0) + x.var(axis=0, ddof=1) / len(x)
    )
    interval = model.predict_interval(celltype_to_predict=TARGET, clip=False)
    np.testing.assert_allclose(interval["high"] - interval["mean"], half, rtol=1e-6)
    np.testing.assert_allclose(interval["mean"] - interval["low"], half, rtol=1e-6)
    model.save(tmp_path / "model.npz")
    cells = train[rows(train, cell_type=TARGET)]
    with pytest.raises(InputError, match="a loaded model holds no expression values"):
        ScGen.load(tmp_path / "model.npz").predict_interval(adata_to_predict=cells)


def test_the_interval_over_cells_has_the_spread_of_resampled_means(model, train):
    """Means of many cells are near normal, with a variance in closed form [delta-bootstrap]."""
    W, types = model.params.output.W, ("type 1", "type 3", "type 4")
    control = train[rows(train, cell_type=TARGET, condition="control")]
    x = expression(control, cell_type=TARGET)
    variance = x.var(axis=0) / len(x)
    for t in types:
        for condition in ("control", "stimulated"):
            decoded = model.encode(train[rows(train, cell_type=t, condition=condition)]) @ W
            variance += decoded.var(axis=0) / len(decoded) / 9
    n = 2000
    interval = model.predict_interval(
        celltype_to_predict=TARGET, over="cells", n_samples=n, clip=False, level=0.6827
    )
    half = (interval["high"] - interval["low"]) / 2
    # standard error of a quantile at p: sqrt(p (1 - p) / n) / density; the bound is that of two quantiles
    p = 0.15865
    error = np.sqrt(p * (1 - p) / n) / stats.norm.pdf(1)
    skew = 0.05  # means of 20 to 60 cells are not quite normal
    np.testing.assert_allclose(half, np.sqrt(variance), rtol=4.892 * error + skew)
    few = [model.predict_interval(celltype_to_predict=TARGET, over="cells", n_samples=9) for _ in "ab"]
    pd.testing.assert_frame_equal(*few)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"level": 1}, "level is 1"),
        ({"level": 90}, "level is 90"),
        ({"over": "genes"}, "over is 'genes': use 'errors', 'types' or 'cells'"),
        ({"mode": "sample"}, "mode 'sample' has no interval"),
        ({"n_samples": 0}, "n_samples is 0"),
        ({"restrict_arithmetic_to": "type 3"}, "at least two types"),
    ],
)
def test_intervals_say_what_is_wrong(model, settings, message):
    with pytest.raises(InputError, match=message):
        model.predict_interval(celltype_to_predict=TARGET, **settings)


def test_one_control_cell_has_no_spread(model, train):
    one = train[np.flatnonzero(rows(train, cell_type=TARGET))[:1]]
    with pytest.raises(InputError, match="there are 1, give 2 or more"):
        model.predict_interval(adata_to_predict=one)


# ---------------------------------------------------------------------------- batches, other names


def test_what_is_measured_keeps_to_the_context(model, train):
    """Scale and errors come from the cells that delta comes from, not from those of other donors."""
    restriction = {"donor": "d1"}
    spoiled = train.copy()
    of_d2 = rows(spoiled, donor="d2", condition="stimulated")
    x = spoiled.X.toarray()
    x[of_d2] = 0
    spoiled.X = x
    answers = []
    for cells in (train, spoiled):
        model._adata = cells
        scaled, _ = model.predict(
            celltype_to_predict=TARGET, restrict_arithmetic_to=restriction, scale="measured"
        )
        interval = model.predict_interval(celltype_to_predict=TARGET, restrict_arithmetic_to=restriction)
        answers.append((scaled.uns["vae_np"]["scale"], interval["high"].to_numpy()))
    model._adata = train
    np.testing.assert_allclose(answers[0][0], answers[1][0], rtol=1e-12)
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-12)
    assert list(scaled.uns["vae_np"]["restrict_arithmetic_to"]["donor"]) == ["d1"]


def test_labels_and_genes_need_an_anndata(model, train, tmp_path):
    with pytest.raises(InputError, match="an AnnData is needed, got ndarray"):
        model.batch_removal(train.X.toarray())
    model.save(tmp_path / "model.npz")
    with pytest.raises(InputError, match="an AnnData is needed, got str"):
        ScGen.load(tmp_path / "model.npz", "cells.h5ad")
    with pytest.raises(InputError, match=r"obs has no column \['condition'\]"):
        ScGen(**AFFINE).fit(train, condition_key=["condition"], cell_type_key="cell_type")
    twice = train.copy()
    twice.obs = pd.concat([twice.obs, twice.obs[["donor"]]], axis=1)
    with pytest.raises(InputError, match="obs column 'donor' stands more than once"):
        ScGen(**AFFINE).fit(twice, **KEYS, context_keys=["donor"])


def test_batch_removal_moves_expression_with_the_latent(model, train):
    result = model.batch_removal(batch_key="donor", clip=False)
    assert list(result.obs_names) == list(train.obs_names)
    z, W = model.encode(train), model.params.output.W
    for t in train.obs["cell_type"].unique():
        means = [result.obsm["latent"][rows(train, cell_type=t, donor=d)].mean(axis=0) for d in ("d1", "d2")]
        np.testing.assert_allclose(*means, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(  # d1 is the larger one
            result.obsm["latent"][rows(train, cell_type=t, donor="d1")],
            z[rows(train, cell_type=t, donor="d1")],
        )
    expected = train.X.toarray() + (result.obsm["latent"] - z) @ W
    np.testing.assert_allclose(result.X, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(result.obsm["corrected_latent"], model.encode(result.X), rtol=1e-10)
    assert (model.batch_removal(batch_key="donor").X >= 0).all()


def test_batch_removal_takes_other_cells_and_keeps_raw(model, train):
    cells = train[::2].copy()
    cells.raw = cells
    cells.obs["lab"] = np.where(np.arange(cells.n_obs) % 2, "a", "b")
    result = model.batch_removal(cells, "lab", "cell_type", mode="decode", clip=False)
    np.testing.assert_allclose(result.X, model.decode(result.obsm["latent"]), rtol=1e-12)
    np.testing.assert_array_equal(result.raw.X.toarray(), cells.X.toarray())


def test_batches_that_share_no_type_are_left_and_announced(model, train):
    with pytest.warns(UserWarning, match="no cell type is found in more than one batch"):
        result = model.batch_removal(batch_key="cell_type", clip=False)
    np.testing.assert_allclose(result.X, train.X.toarray(), atol=1e-12)
    with pytest.raises(InputError, match="obs has no column 'lab'"):
        model.batch_removal(batch_key="lab")
    with pytest.raises(InputError, match="mode 'sample' does not go with batch_removal"):
        model.batch_removal(batch_key="donor", mode="sample")


def test_scvi_names_are_ours(model, train, tmp_path):
    np.testing.assert_array_equal(model.get_latent_representation(), model.encode(train))
    np.testing.assert_array_equal(model.get_latent_representation(train[:5]), model.encode(train[:5]))
    np.testing.assert_array_equal(model.get_decoded_expression(), model.reconstruct(train))
    model.save(tmp_path / "model.npz")
    with pytest.raises(InputError, match="holds no expression values"):
        ScGen.load(tmp_path / "model.npz").get_latent_representation()
