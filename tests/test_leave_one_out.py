"""Leave one out: which contexts, each run by hand, nothing of the hidden cells used."""

import numpy as np
import pandas as pd
import pytest

from vae_np import ScGen, simulate
from vae_np.data import select_genes
from vae_np.errors import InputError
from vae_np.evaluate import BASELINES, Seen, hold_out, score_held_out
from vae_np.evaluate.conditional_baseline import conditional_vae
from vae_np.evaluate.contexts import find_contexts
from vae_np.evaluate.experiment import Experiment, choose_genes, with_conditional_vae
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.evaluate.runs import run
from vae_np.evaluate.scoring import coverage_rows, score_context

pytestmark = pytest.mark.filterwarnings("ignore:the cell types respond in different directions")

NAMES = ("condition", "cell_type", "control", "stimulated")
TINY = {"n_hidden": 16, "n_latent": 4, "n_threads": 1}
SHORT = {"max_epochs": 2, "progress": False}
EXPERIMENT = Experiment(*NAMES, model=TINY, training=SHORT)


@pytest.fixture(scope="module")
def cells():
    return simulate(240, 60, 4, seed=3)


def without(adata, cell_type, condition, n_left):
    """Keep that many cells of one type in one condition."""
    chosen = ((adata.obs["cell_type"] == cell_type) & (adata.obs["condition"] == condition)).to_numpy()
    return adata[~chosen | (chosen.cumsum() <= n_left)].copy()


def mask_of(adata, cell_type, condition="stimulated"):
    return ((adata.obs["cell_type"] == cell_type) & (adata.obs["condition"] == condition)).to_numpy()


def whole(done):
    """All of a run, as `look` had it, with the scores of all baselines."""
    return done.seen._replace(rows=done.rows)


def whole_runs(adata, experiment, contexts, seeds=(0,)):
    return map(whole, leave_one_out(adata, experiment, contexts, seeds, look=lambda run: run))


# ------------------------------------------------------------------------------------ contexts


def test_contexts_have_enough_cells_in_both_conditions(cells):
    said = []
    fewer = without(without(cells, "type 2", "stimulated", 19), "type 4", "control", 0)
    assert find_contexts(fewer, EXPERIMENT, 20, say=said.append) == {"type 1": (30, 30), "type 3": (30, 30)}
    assert said == [
        "not held out, fewer than 20 control and stimulated cells each: type 2 (30 and 19), type 4 (0 and 30)"
    ]
    assert list(find_contexts(fewer, EXPERIMENT, 19)) == ["type 1", "type 2", "type 3"]


def test_contexts_asked_for_need_not_have_that_many(cells):
    fewer = without(cells, "type 2", "stimulated", 3)
    assert find_contexts(fewer, EXPERIMENT, 20, ["type 3", "type 2"]) == {
        "type 3": (30, 30),
        "type 2": (30, 3),
    }
    with pytest.raises(InputError, match="cell type 'x' does not exist: the names are 'type 1'"):
        find_contexts(fewer, EXPERIMENT, 20, ["x"])
    none = without(cells, "type 2", "stimulated", 0)
    with pytest.raises(InputError, match="cell type 'type 2' has 30 control and 0 stimulated cells"):
        find_contexts(none, EXPERIMENT, 20, ["type 2"])


def test_what_cannot_be_held_out_is_found_before_training(cells):
    with pytest.raises(InputError, match="no cell type has 31 control and stimulated cells each: there are "):
        find_contexts(cells, EXPERIMENT, 31)
    with pytest.raises(InputError, match="condition 'x' does not exist"):
        find_contexts(cells, Experiment("condition", "cell_type", "control", "x"))
    with pytest.raises(InputError, match="no column 'x'"):
        find_contexts(cells, Experiment("condition", "x", "control", "stimulated"))
    with pytest.raises(InputError, match="control and stimulated are both 'control'"):
        find_contexts(cells, Experiment("condition", "cell_type", "control", "control"), 31)
    with pytest.raises(InputError, match="only is 'type 1': give a list of contexts"):
        find_contexts(cells, EXPERIMENT, only="type 1")
    alone = cells[(cells.obs["cell_type"] == "type 1").to_numpy()].copy()
    with pytest.raises(InputError, match="no cell type is left with 10 cells"):
        find_contexts(alone, EXPERIMENT, 20)


# ----------------------------------------------------------------------------------------- runs


def test_a_run_is_hold_out_select_fit_predict_score(cells):
    experiment = Experiment(*NAMES, n_genes=40, model=TINY, training=SHORT)
    (done,) = whole_runs(cells, experiment, ["type 2"], [5])
    hidden = mask_of(cells, "type 2")
    genes = select_genes(cells[~hidden], 40)
    seen = cells[~hidden, genes].copy()
    model = ScGen(seed=5, **TINY).fit(seen, condition_key="condition", cell_type_key="cell_type", **SHORT)
    predicted, _ = model.predict(celltype_to_predict="type 2", clip=False)
    split = hold_out(cells[:, genes].copy(), "condition", "cell_type", "stimulated", "type 2")
    rows = score_held_out(predicted, split, *NAMES, "type 2", 5, n_components=4)
    assert [row for row in done.rows if not row.metric.startswith("coverage")] == rows
    assert (done.context, done.seed) == ("type 2", 5)
    np.testing.assert_array_equal(done.predicted.X, predicted.X)
    assert done.split.held_out.n_obs == hidden.sum()
    assert done.split.held_out.var_names.tolist() == done.split.train.var_names.tolist() == genes


def test_nothing_of_the_hidden_cells_is_used(cells):
    """Poison: if a hidden cell were trained on, or had a say in the genes, other values would show."""
    experiment = Experiment(*NAMES, n_genes=40, model=TINY, training=SHORT)
    experiment = with_conditional_vae(experiment)
    hidden = mask_of(cells, "type 2")
    poisoned = cells.copy()
    poisoned.X = cells.X.toarray()
    dull = ~cells.var_names.isin(select_genes(cells[~hidden], 40))
    poisoned.X[np.ix_(np.flatnonzero(hidden)[::2], np.flatnonzero(dull))] = 19.5
    poisoned.X[np.ix_(np.flatnonzero(hidden)[1::2], np.flatnonzero(~dull))] *= 0.25
    runs = [next(whole_runs(adata, experiment, ["type 2"])) for adata in (cells, poisoned)]
    assert runs[0].split.train.var_names.tolist() == runs[1].split.train.var_names.tolist()
    np.testing.assert_array_equal(*(done.model.params.flat for done in runs))
    np.testing.assert_array_equal(*(done.predicted.X for done in runs))
    assert not np.array_equal(runs[0].split.held_out.X.toarray(), runs[1].split.held_out.X)
    # the scores alone know the hidden cells: a conditional VAE, too, predicted the same
    assert runs[0].rows != runs[1].rows
    seen = []
    spy = Experiment(
        *NAMES, model=TINY, training=SHORT, others={"spy": lambda s, seed: seen.append(s) or s.x[:1]}
    )
    next(leave_one_out(poisoned, spy, ["type 2"]))
    assert not ((seen[0].cell_type == "type 2") & (seen[0].condition == "stimulated")).any()
    assert len(seen[0].x) == (~hidden).sum() == len(seen[0].condition)


def test_seeds_share_cells_and_genes_and_baselines(cells):
    experiment = Experiment(*NAMES, n_genes=40, model=TINY, training=SHORT)
    runs = list(whole_runs(cells, experiment, ["type 3", "type 1"], [7, 8]))
    assert [(done.context, done.seed) for done in runs] == [
        ("type 3", 7), ("type 3", 8), ("type 1", 7), ("type 1", 8),
    ]  # fmt: skip
    for first, second in (runs[:2], runs[2:]):
        for one, other in zip(first.split, second.split, strict=True):
            np.testing.assert_array_equal(one.X.toarray(), other.X.toarray())
            assert one.obs_names.equals(other.obs_names)
            assert one.var_names.equals(other.var_names)
        assert all(row.seed == 8 for row in second.rows)
        known = {(r.method, r.metric): r.value for r in first.rows if r.method in BASELINES}
        assert {m for m, _ in known} == set(BASELINES)
        assert known == {(r.method, r.metric): r.value for r in second.rows if r.method in BASELINES}
        assert not np.array_equal(first.model.params.flat, second.model.params.flat)
        # the same as a run of its own with all the baselines
        again = run(second.split, experiment, second.context, 8)
        assert sorted(again.rows) == sorted(second.rows)


def test_one_model_is_asked_for_several_predictions(cells):
    asked = {
        "scgen_decode": {"mode": "decode"},
        "scgen": {},
        "scgen_published": {"delta_method": "scgen"},
    }
    experiment = Experiment(*NAMES, model=TINY, training=SHORT, predictions=asked)
    (done,) = whole_runs(cells, experiment, ["type 2"], [5])
    for method, how in asked.items():
        predicted, _ = done.model.predict(celltype_to_predict="type 2", clip=False, seed=5, **how)
        expected = score_held_out(predicted, done.split, *NAMES, "type 2", 5, baselines={})
        found = [
            row._replace(method="scgen")
            for row in done.rows
            if row.method == method and not row.metric.startswith("coverage")
        ]
        assert found == expected
    np.testing.assert_array_equal(
        done.predicted.X, done.model.predict(celltype_to_predict="type 2", clip=False)[0].X
    )


def test_the_conditional_vae_takes_part(cells):
    experiment = with_conditional_vae(Experiment(*NAMES, n_genes=40, model=TINY, training=SHORT))
    (done,) = whole_runs(cells, experiment, ["type 2"], [5])
    train = done.split.train
    seen = Seen(
        train.X.toarray(),
        train.obs["condition"].to_numpy(str),
        train.obs["cell_type"].to_numpy(str),
        *("control", "stimulated", "type 2"),
    )
    predicted = done.predicted.copy()
    predicted.X = conditional_vae(seen, seed=5, n_hidden=16, n_latent=4, **SHORT)
    expected = score_held_out(predicted, done.split, *NAMES, "type 2", 5, baselines={})
    found = {r.metric: r.value for r in done.rows if r.method == "conditional_vae"}
    assert found.keys() == {r.metric for r in expected}
    for row in expected:
        np.testing.assert_allclose(found[row.metric], row.value, rtol=1e-4)  # dense here, sparse there


# -------------------------------------------------------------------------------------- coverage


@pytest.fixture
def trained(cells):
    split = choose_genes(hold_out(cells, "condition", "cell_type", "stimulated", "type 2"), 40)
    model = ScGen(seed=0, **TINY).fit(
        split.train, condition_key="condition", cell_type_key="cell_type", **SHORT
    )
    return model, split


def test_coverage_counts_true_means_inside_the_interval(trained, monkeypatch):
    model, split = trained
    true = split.held_out.X.toarray().mean(axis=0, dtype=float)
    inside = np.arange(40) % 4 != 0
    low = np.where(inside, true - 0.1, true + 0.1)
    frame = pd.DataFrame({"low": low, "high": low + 0.2}, index=model.genes)
    monkeypatch.setattr(type(model), "predict_interval", lambda *a, **k: frame[::-1])
    rows = coverage_rows(model, split, EXPERIMENT, "type 2", 3)
    # of 40 genes, all are among the 100 that respond most
    assert [tuple(row) for row in rows] == [
        ("type 2", 3, "scgen", "coverage_90", 0.75),
        ("type 2", 3, "scgen", "coverage_90_deg100", 0.75),
    ]


@pytest.mark.parametrize(
    ("mode", "asked"), [("change", "change"), ("decode", "decode"), ("sample", "decode")]
)
def test_the_interval_is_that_of_the_prediction(trained, monkeypatch, mode, asked):
    model, split = trained
    experiment = Experiment(*NAMES, predictions={"scgen": {"mode": mode}})
    interval = type(model).predict_interval
    calls = []

    def spy(self, *names, **settings):
        calls.append(settings)
        return interval(self, *names, **settings)

    monkeypatch.setattr(type(model), "predict_interval", spy)
    values = [row.value for row in coverage_rows(model, split, experiment, "type 2", 0)]
    (settings,) = calls
    assert (settings["mode"], settings["level"]) == (asked, 0.9)
    assert settings["adata_to_predict"].n_obs == 30
    ends = interval(model, "control", "stimulated", celltype_to_predict="type 2", mode=asked)
    true = split.held_out.X.toarray().mean(axis=0)
    expected = ((ends["low"] <= true) & (true <= ends["high"])).mean()
    assert values == [expected, expected]


def test_the_interval_has_the_training_cells_of_the_prediction(trained):
    model, split = trained
    how = {"restrict_arithmetic_to": ["type 1", "type 3"], "min_cells": 5}
    values = [
        row.value
        for row in coverage_rows(model, split, Experiment(*NAMES, predictions={"scgen": how}), "type 2", 0)
    ]
    ends = model.predict_interval("control", "stimulated", "type 2", **how)
    true = split.held_out.X.toarray().mean(axis=0)
    expected = ((ends["low"] <= true) & (true <= ends["high"])).mean()
    assert values == [expected, expected]


def test_an_experiment_without_scgen_or_with_a_seed_is_an_error():
    with pytest.raises(InputError, match="one must be called 'scgen'"):
        Experiment(*NAMES, predictions={"mine": {}})
    with pytest.raises(InputError, match="model names a seed"):
        Experiment(*NAMES, model={"seed": 1})


@pytest.mark.parametrize("how", [{"delta_method": "pooled"}, {"scale": 0.5}, {"scale": "measured"}])
def test_a_prediction_without_an_interval_has_no_coverage(trained, how):
    model, split = trained
    other = Experiment(*NAMES, predictions={"scgen": how})
    assert coverage_rows(model, split, other, "type 2", 0) == []


def test_from_one_type_there_is_no_coverage(cells):
    two = cells[cells.obs["cell_type"].isin(["type 1", "type 2"]).to_numpy()].copy()
    (done,) = leave_one_out(two, EXPERIMENT, ["type 2"])  # delta from one type has no spread over types
    assert {row.method for row in done.rows} >= {"scgen", "mean_shift"}
    assert not any(row.metric.startswith("coverage") for row in done.rows)


def test_score_context_leaves_the_model_as_it_was(trained):
    model, split = trained
    before = model.params.flat.copy()
    first, second = (score_context(model, split, EXPERIMENT, "type 2", 0)[1] for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(before, model.params.flat)
