"""The scripts of `benchmarks/` run from end to end on tiny problems; bounds and sums are what they say."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from scipy import sparse

from vae_np import simulate
from vae_np.bench.steps import NAMES
from vae_np.data import read_cells
from vae_np.model import Params, Sizes, initialize

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
OURS = "vae_np-numba"


@pytest.fixture
def script(monkeypatch):
    """Import a module of `benchmarks/`, which is no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return import_module


@pytest.fixture
def run(script, monkeypatch, tmp_path):
    """Run a script, without PyTorch, and return its table and its JSON after a look at its figure."""

    def run_one(name, options):
        module = script(name)
        if hasattr(module, "left_out"):
            monkeypatch.setattr(module, "left_out", lambda: dict.fromkeys(set(NAMES) - {OURS}, "slow"))
        done = CliRunner().invoke(
            module.main, [*options.split(), "--out", str(tmp_path)], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        figure = tmp_path / f"{name}.png"
        assert figure.stat().st_size < 60_000
        assert np.ptp(imread(figure)) > 0.5
        results = json.loads((tmp_path / f"{name}.json").read_text())
        assert results["machine"]["cpu"]
        return done.stdout, results

    return run_one


@pytest.mark.slow
def test_train_step(run):
    text, results = run("train_step", "--genes 30 --batch-size 4 --threads 1 --rounds 2 --steps 1")
    (row,) = results["rows"]
    assert (row["name"], row["n_genes"], row["batch_size"], row["threads"]) == (OURS, 30, 4, 1)
    assert len(row["wall_ms_all"]) == 6  # two rounds of three turns
    assert row["wall_ms_per_step"] == np.median(row["wall_ms_all"])
    lines = text.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| vae_np-numba | 30 | 4 | 1 |")
    assert lines[2].endswith(" 1.00 |")


def test_the_published_tools_take_turns_with_ours(script, monkeypatch):
    train_step, calls = script("train_step"), []

    def row(name, wall):
        calls.append(name)
        return train_step.Row(
            name, 1, 4, 30, cpu_ms_per_step=2 * wall, wall_ms_per_step=wall, wall_ms_all=(wall,)
        )

    monkeypatch.setattr(train_step, "our_rows", lambda *_, **__: ([row(OURS, 2.0 + len(calls))], {}))
    monkeypatch.setattr(train_step, "peer_rows", lambda name, *_, **__: [row(name, 10.0)])
    rows = train_step.measure_setting({"pertpy": "p", "scgen": "s"}, 30, 4, 1, n_rounds=3, n_steps=1)
    assert calls == [OURS, "pertpy", "scgen"] * 3
    assert [row["wall_ms_per_step"] for row in rows] == [5.0, 10.0, 10.0]  # the median of 2, 5, 8
    assert "| pertpy | 30 | 4 | 1 | 10.0 | 10.0..10.0 | 20.0 | 2.00 |" in train_step.table(rows)


@pytest.mark.slow
def test_scaling(run):
    options = "--cells 20 --genes 50 --batch-size 8 --base 20 30 4 --threads 1 --rounds 1 --steps 1"
    text, results = run("scaling", options)
    changed = [(row["varied"], row["cells"], row["genes"], row["batch size"]) for row in results["rows"]]
    assert changed == [
        ("cells", 20, 30, 4),
        ("genes", 20, 50, 4),
        ("batch size", 20, 30, 8),
    ]
    assert len(text.splitlines()) == 2 + len(changed)


@pytest.mark.slow
def test_roofline(run):
    text, results = run("roofline", "--genes 200 --threads 1 --steps 2 --megabytes 1 --square 32")
    (report,) = results["reports"]
    assert all(rate > 0 for rate in report["rates"].values())
    assert report["step_bounds_ms"]["step"] == pytest.approx(sum(report["bound_ms"].values()))
    measured = report["measured_ms"]
    assert all(time > 0 for time in measured.values())  # a phase whose kernel is not found takes no time
    assert "| output layer |" in text


@pytest.mark.slow
def test_memory(run):
    _, results = run("memory", "--cells 20 --genes 30 --batch-size 8 --epochs 1 --threads 1 --repeats 1")
    assert list(results["peak_mb"]) == ["vae_np"]
    assert 20 < results["peak_mb"]["vae_np"][0] < 20_000  # megabytes, not kilobytes


def test_both_ways_to_train_run(script, tmp_path):
    trainings = script("trainings")
    x = np.random.default_rng(0).poisson(0.5, (12, 10)) * 0.5
    sparse.save_npz(tmp_path / "x.npz", sparse.csr_matrix(x.astype(np.float32)))
    for name in ("vae_np", OURS):
        trainings.main(tmp_path / "x.npz", 1, 4, 1, name)


@pytest.mark.slow
def test_startup(run):
    text, results = run("startup", "--genes 20 --batch-size 4 --repeats 1")
    cold, warm = (results["seconds"][f"first step, {which}"][0] for which in ("cold", "warm"))
    assert cold > warm > 0
    assert "| first step, cold |" in text


def test_needs_count_every_matrix_once(script):
    needs = script("needs")
    sizes = Sizes(n_genes=50, n_hidden=8, n_latent=3, n_layers=3)
    params, _ = initialize(sizes, np.random.default_rng(0))
    assert isinstance(params, Params)
    weights = {name: view.size for name, view in params.named() if name.endswith(".W")}
    todo = needs.needs(sizes, batch_size=4, n_values=20, n_expressed=15)
    assert sum(need.updates for need in todo.values()) == sum(weights.values())
    # three products of 4 rows with each matrix; the first layer has two, of the values that are not zero
    first = weights.pop("encoder[0].W")
    flops = 3 * 2 * 4 * sum(weights.values()) + 2 * 2 * 20 * sizes.n_hidden
    assert sum(need.flops for need in todo.values()) == flops
    assert todo["first layer, forward"].n_bytes == 4 * 15 * 8
    assert todo["first layer, update"].n_bytes == todo["output layer"].n_bytes == 24 * first


def test_a_bound_is_the_slower_of_memory_and_arithmetic(script):
    needs, rates = script("needs"), script("rates")
    machine = rates.Rates(read=5, triad=10, update=8, sgemm=100, sgemm_step=50, adam=20)
    assert needs.bound(needs.Need(n_bytes=40, flops=100, updates=20), machine) == 4  # 40 / 10 > 1 + 1
    assert needs.bound(needs.Need(n_bytes=10, flops=100, updates=20), machine) == 2
    both = {"a": needs.Need(40, 100, 20), "b": needs.Need(10, 700, 0)}
    assert needs.classical_bound(both, machine) == 8  # 800 / 100 > 50 / 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")
def test_quality(script, tmp_path):
    """What is kept as pertpy's prediction is scored like all others: here it is the control cells."""
    adata = simulate(240, 40, 3)
    log = adata.X.toarray()
    adata.X = adata.layers["counts"]
    adata.write_h5ad(tmp_path / "cells.h5ad")
    is_control = (adata.obs["condition"] == "control") & (adata.obs["cell_type"] == "type 1")
    np.save(tmp_path / "cells-type_1.0.npy", log[is_control.to_numpy()])
    sizes = json.dumps({"n_hidden": 8, "n_latent": 3, "n_layers": 1})
    options = "--seeds 1 --min-cells 10 --max-epochs 2 --genes 40"
    files = [str(tmp_path / "cells.h5ad"), "--predictions", str(tmp_path), "--out", str(tmp_path)]
    done = CliRunner().invoke(
        script("quality").main, [*files, *options.split(), "--model", sizes], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    scores = json.loads((tmp_path / "quality_cells.json").read_text())["scores"]
    assert set(scores) == {"type 1", "type 2", "type 3"}
    ours = {"scgen", "scgen_resampled", "scgen_decode", "scgen_published", "conditional_vae"}
    assert ours <= scores["type 2"].keys()
    assert "pertpy" not in scores["type 2"]
    for metric in ("r2_mean", "mse", "energy_distance"):
        np.testing.assert_allclose(
            scores["type 1"]["pertpy"][metric], scores["type 1"]["no_change"][metric], rtol=1e-3
        )
    assert "| pertpy | – |" in done.stdout
    assert f"| type 1: no_change | {scores['type 1']['no_change']['r2_mean'][0]:.3f} |" in done.stdout
    assert (tmp_path / "quality_cells.png").stat().st_size < 60_000


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")
def test_known_truth(run):
    text, results = run("known_truth", "--seeds 1 --max-epochs 2")
    assert np.shape(results["coverage"]) == (3, 6)
    assert np.shape(results["recovery"]) == (1, 4)
    assert np.min(results["coverage"]) >= 0
    assert np.max(results["coverage"]) <= 1
    mean = np.mean(results["coverage"], axis=0)
    assert f"| errors | {mean[0]:.2f} (" in text
    assert f"| across species | {results['recovery'][0][2]:.2f} (" in text


@pytest.mark.slow  # eleven processes
def test_out_of_core(run):
    options = "--cells 900 --genes 40 --hidden 8 --threads 1 "
    options += "--sorted-cells 300 --sorted-epochs 2 --sorted-hidden 8 --seeds 1"
    text, results = run("out_of_core", options)
    runs = [results["runs"][name][0] for name in ("in memory", ".h5ad", ".zarr")]
    for name in ("validation_total", "r2_mean", "pearson_delta"):  # one buffer: the same to the bit
        assert runs[0][name] == runs[1][name] == runs[2][name]
    for done in runs:
        resident = [sample[2] for sample in done["samples"]]
        assert 50 < max(resident) <= done["peak_mb"]
        assert list(done["seconds"]) == ["read", "fit", "encode", "predict", "score"]
    assert 0.01 < results["density"] < 0.99
    assert len(results["convergence"]) == 5
    assert len({str(losses) for losses in results["convergence"].values()}) == 1  # one buffer again
    assert text.count("| .h5ad |") == 1
    assert "| full shuffle |" in text


def test_cells_are_written_in_chunks_in_the_order_that_is_asked_for(script, tmp_path):
    on_disk = script("cells_on_disk")
    for is_sorted in (False, True):
        share = on_disk.write_simulated(str(tmp_path / "c.h5ad"), 2500, 30, is_sorted)
        cells = read_cells(tmp_path / "c.h5ad")
        assert cells.X.nnz == round(share * 2500 * 30)
        groups = cells.obs.groupby(["cell_type", "condition"], observed=True).size()
        assert len(groups) == 12
        assert groups.max() - groups.min() <= 1
        codes = 2 * cells.obs["cell_type"].cat.codes + cells.obs["condition"].cat.codes
        assert codes.is_monotonic_increasing == is_sorted
        control, stimulated = (cells[codes.to_numpy() % 2 == i].X.mean(axis=0) for i in (0, 1))
        assert np.abs(stimulated - control).max() > 0.3  # the labels are those of what was counted
