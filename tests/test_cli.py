"""The command line as a user meets it: a child process, its files, its words, its exit status."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys

import anndata
import numpy as np
import pytest

from vae_np import ScGen, simulate
from vae_np.cli import main
from vae_np.data import select_genes
from vae_np.data.writing_cells import ForgivingFile
from vae_np.evaluate import BASELINES, hold_out
from vae_np.scgen import autoencoder

KEYS = ["--condition-key", "condition", "--cell-type-key", "cell_type"]
CONDITIONS = ["--control", "control", "--stimulated", "stimulated"]
TARGET = ["--predict", "type 2"]
DISAGREE = "the cell types respond in different directions"  # models trained for two epochs
pytestmark = pytest.mark.filterwarnings(f"ignore:{DISAGREE}")
DEPRECATED_IN_PANDAS = ["future.infer_string", "mode.chained_assignment"]  # and set by anndata 0.13
SHORT = ["--max-epochs", "2", "--seed", "4"]


def vae_np(*arguments, warnings="error"):
    filters = [
        warnings,
        f"ignore:{DISAGREE}",
        *(f"ignore:The '{option}' option" for option in DEPRECATED_IN_PANDAS),
    ]
    switches = [word for one in filters for word in ("-W", one)]
    command = [sys.executable, *switches, "-m", "vae_np", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of all kinds: log values, counts (also as a layer), one without the stimulated target."""
    folder = tmp_path_factory.mktemp("cells")
    adata = simulate(180, 30, 3, seed=1)
    adata.write_h5ad(folder / "log.h5ad")
    hold_out(adata, "condition", "cell_type", "stimulated", "type 2").train.write_h5ad(folder / "no.h5ad")
    counts = anndata.AnnData(adata.layers["counts"], obs=adata.obs, var=adata.var, layers={"log": adata.X})
    counts.write_h5ad(folder / "counts.h5ad")
    (folder / "text").write_text("no model")
    return folder


@pytest.fixture(scope="module")
def model_file(folder):
    arguments = ["train", folder / "log.h5ad", *KEYS, *SHORT, *TARGET, "--stimulated", "stimulated"]
    result = vae_np(*arguments, "--out", folder / "model.npz", "--json")
    assert result.returncode == 0, result.stderr
    return folder / "model.npz", result


def test_predict_trains_scores_and_writes_the_cells(folder):
    out = folder / "predicted.h5ad"
    arguments = ["predict", folder / "log.h5ad", *KEYS, *CONDITIONS, *TARGET, *SHORT, "--out", out]
    result = vae_np(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert "removed before training: 30 stimulated cells of type 2" in result.stderr

    predicted = anndata.read_h5ad(out)
    full = anndata.read_h5ad(folder / "log.h5ad")
    control = full[(full.obs["cell_type"] == "type 2") & (full.obs["condition"] == "control")]
    assert list(predicted.obs_names) == list(control.obs_names)
    assert list(predicted.var_names) == list(control.var_names)
    assert predicted.X.min() >= 0
    assert answer["n_cells"] == 30
    assert [entry["cell_type"] for entry in answer["delta_from"]] == ["type 1", "type 3"]
    scores = {(s["method"], s["metric"]): s["value"] for s in answer["scores"]}
    assert predicted.uns["vae_np"]["scores"]["scgen"]["r2_mean"] == scores["scgen", "r2_mean"]

    # The same by hand, through the Python interface: no leak, same bits.
    split = hold_out(full, "condition", "cell_type", "stimulated", "type 2")
    model = ScGen(seed=4).fit(split.train, condition_key="condition", cell_type_key="cell_type", max_epochs=2)
    expected, _ = model.predict(celltype_to_predict="type 2")
    np.testing.assert_array_equal(predicted.X, expected.X)
    true = split.held_out.X.toarray().mean(axis=0)
    r2 = np.corrcoef(expected.X.mean(axis=0), true)[0, 1] ** 2
    np.testing.assert_allclose(scores["scgen", "r2_mean"], r2, rtol=1e-5)

    table = vae_np(*arguments)
    assert table.returncode == 0
    for words in ("scGen", "mean shift", "no change", f"{r2:.3f}", "written:"):
        assert words in table.stdout


def test_without_the_true_cells_the_prediction_is_the_same_and_unscored(folder, tmp_path, capsys):
    common = [*KEYS, *CONDITIONS, *TARGET, *SHORT, "--json", "--out"]
    cells = []
    for name in ("log", "no"):
        out = tmp_path / f"{name}.h5ad"
        assert main(["predict", str(folder / f"{name}.h5ad"), *common, str(out)]) == 0
        cells.append(anndata.read_h5ad(out).X)
    scored, unscored = (json.loads(line)["scores"] for line in capsys.readouterr().out.splitlines())
    np.testing.assert_array_equal(*cells)
    assert scored
    assert unscored == []


def test_train_then_predict_with_the_model_is_predict(folder, model_file):
    path, trained = model_file
    assert json.loads(trained.stdout)["out"] == str(path)
    assert json.loads(trained.stdout)["epochs"] == 2
    assert "left out: 30 stimulated cells of type 2" in trained.stderr
    outs = [folder / "a.h5ad", folder / "b.h5ad"]
    output = [["--out", str(out), "--json"] for out in outs]
    first = main(
        ["predict", str(folder / "log.h5ad"), "--model", str(path), *CONDITIONS, *TARGET, *output[0]]
    )
    second = main(["predict", str(folder / "log.h5ad"), *KEYS, *CONDITIONS, *TARGET, *SHORT, *output[1]])
    assert (first, second) == (0, 0)
    np.testing.assert_array_equal(*(anndata.read_h5ad(out).X for out in outs))


def test_a_model_that_saw_the_target_is_announced(folder, tmp_path):
    model, out = tmp_path / "leaky.npz", tmp_path / "out.h5ad"
    assert vae_np("train", folder / "log.h5ad", *KEYS, *SHORT, "--out", model).returncode == 0
    arguments = ["predict", folder / "log.h5ad", "--model", model, *CONDITIONS, *TARGET, "--out", out]
    result = vae_np(*arguments, warnings="default")
    assert result.returncode == 0
    words = "vae-np: warning: the model was trained on 30 stimulated cells of 'type 2'"
    assert result.stderr.count(words) == 1


def test_counts_layers_genes_and_modes(folder, tmp_path, capsys):
    common = [*KEYS, *CONDITIONS, *TARGET, *SHORT, "--genes", "12"]
    cells = {}
    for name, file, flags in (
        ("log", "log.h5ad", []),
        ("normalized", "counts.h5ad", ["--normalize"]),
        ("layer", "counts.h5ad", ["--layer", "log"]),
        ("normalized layer", "log.h5ad", ["--normalize", "--layer", "counts"]),
        ("decode", "log.h5ad", ["--mode", "decode", "--no-clip", "--delta-method", "scgen"]),
        ("sample", "log.h5ad", ["--mode", "sample", "--threads", "1", "--batch-size", "64"]),
    ):
        out = tmp_path / f"{name}.h5ad"
        assert main(["predict", str(folder / file), *common, *flags, "--out", str(out)]) == 0
        cells[name] = anndata.read_h5ad(out)
    capsys.readouterr()
    np.testing.assert_array_equal(cells["log"].X, cells["normalized"].X)
    np.testing.assert_array_equal(cells["log"].X, cells["layer"].X)
    np.testing.assert_array_equal(cells["log"].X, cells["normalized layer"].X)
    assert cells["log"].n_vars == 12
    assert cells["decode"].X.min() < 0 <= cells["sample"].X.min()
    assert cells["decode"].uns["vae_np"]["delta_method"] == "scgen"


def test_unclipped_scores_and_the_counts_behind_delta_are_printed(folder, tmp_path, capsys):
    adata = anndata.read_h5ad(folder / "log.h5ad")
    is_stimulated = (adata.obs["condition"] == "stimulated") & (adata.obs["cell_type"] == "type 1")
    adata = adata[(~is_stimulated | (is_stimulated.cumsum() > 8)).to_numpy()].copy()
    adata.write_h5ad(tmp_path / "fewer.h5ad")
    words = [*KEYS, *CONDITIONS, *TARGET, *SHORT, "--mode", "decode", "--json"]
    assert main(["predict", str(tmp_path / "fewer.h5ad"), *words, "--out", str(tmp_path / "out.h5ad")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [(d["n_control"], d["n_stimulated"]) for d in answer["delta_from"]] == [(30, 22), (30, 30)]

    split = hold_out(adata, "condition", "cell_type", "stimulated", "type 2")
    model = ScGen(seed=4).fit(split.train, condition_key="condition", cell_type_key="cell_type", max_epochs=2)
    plain, _ = model.predict(celltype_to_predict="type 2", mode="decode", clip=False)
    assert plain.X.min() < 0  # otherwise clipped and unclipped could not be told apart
    mse = ((plain.X.mean(axis=0) - split.held_out.X.toarray().mean(axis=0)) ** 2).mean()
    scores = {(s["method"], s["metric"]): s["value"] for s in answer["scores"]}
    np.testing.assert_allclose(scores["scgen", "mse_unclipped"], mse, rtol=1e-4)


def test_train_hands_its_options_on_and_names_the_best_epoch(folder, tmp_path, capsys, monkeypatch):
    given, asked = {}, []
    fit, limits = autoencoder.fit, autoencoder.threads

    def spy_on_fit(*arguments, **settings):
        given.update(settings)
        return fit(*arguments, **settings)._replace(history={"validation_total": np.array([3.0, 1.0, 2.0])})

    def spy_on_limits(n_threads):
        asked.append(n_threads)
        return limits(n_threads)

    monkeypatch.setattr(autoencoder, "fit", spy_on_fit)
    monkeypatch.setattr(autoencoder, "threads", spy_on_limits)
    words = [*KEYS, "--max-epochs", "3", "--batch-size", "17", "--threads", "1", "--json"]
    assert main(["train", str(folder / "log.h5ad"), *words, "--out", str(tmp_path / "model")]) == 0
    assert (given["max_epochs"], given["batch_size"], set(asked)) == (3, 17, {1})
    answer = json.loads(capsys.readouterr().out)
    assert (answer["epochs"], answer["best_epoch"], answer["validation_total"]) == (3, 2, 1.0)


def test_genes_are_chosen_on_the_training_cells_alone(folder, tmp_path):
    adata = anndata.read_h5ad(folder / "log.h5ad")
    held_out = ((adata.obs["condition"] == "stimulated") & (adata.obs["cell_type"] == "type 2")).to_numpy()
    names = select_genes(adata[~held_out], 12)
    adata.X = adata.X.toarray()
    dull = np.flatnonzero(~adata.var_names.isin(names))[:3]
    adata.X[np.ix_(np.flatnonzero(held_out)[::2], dull)] = 19.5  # would be chosen, were these cells seen
    adata.write_h5ad(tmp_path / "cells.h5ad")
    words = [*KEYS, *CONDITIONS, *TARGET, "--genes", "12", "--max-epochs", "1"]
    out = tmp_path / "out.h5ad"
    assert main(["predict", str(tmp_path / "cells.h5ad"), *words, "--out", str(out)]) == 0
    assert list(anndata.read_h5ad(out).var_names) == names


def test_the_seed_rules_the_samples_of_a_loaded_model(folder, model_file, tmp_path):
    words = ["--model", str(model_file[0]), *CONDITIONS, *TARGET, "--mode", "sample"]
    cells = []
    for seed in "12":
        out = tmp_path / f"{seed}.h5ad"
        assert main(["predict", str(folder / "log.h5ad"), *words, "--seed", seed, "--out", str(out)]) == 0
        cells.append(anndata.read_h5ad(out).X)
    assert not np.array_equal(*cells)


def test_demo_writes_its_layout(tmp_path):
    out = tmp_path / "demo"
    result = vae_np("demo", "--out", out, "--max-epochs", "2", "--json")
    assert result.returncode == 0, result.stderr
    assert sorted(p.name for p in out.iterdir()) == ["predicted.h5ad", "report.html", "scores.csv"]
    with (out / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    printed = json.loads(result.stdout)["scores"]
    assert [row["metric"] for row in rows] == [row["metric"] for row in printed]
    assert [float(row["value"]) for row in rows] == [row["value"] for row in printed]
    assert {row["method"] for row in rows} == {"scgen", *BASELINES}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<img") == 4
    assert "http" not in page
    assert anndata.read_h5ad(out / "predicted.h5ad").n_obs == 125


# ----------------------------------------------------------------------------------- bad input


def spoiled(folder, tmp_path, spoil):
    adata = anndata.read_h5ad(folder / "log.h5ad")
    changed = spoil(adata)
    (adata if changed is None else changed).write_h5ad(tmp_path / "spoiled.h5ad")
    return tmp_path / "spoiled.h5ad"


def set_value(value):
    def spoil(adata):
        adata.X = adata.X.toarray()
        adata.X[3, 4] = value

    return spoil


def double_a_name(adata):
    adata.var_names = ["gene0", "gene0", *adata.var_names[2:]]


def no_shared_type(adata):
    of_target = adata.obs["cell_type"] == "type 2"
    return adata[of_target | (adata.obs["condition"] == "control")].copy()


def no_control_of_the_target(adata):
    return adata[~((adata.obs["cell_type"] == "type 2") & (adata.obs["condition"] == "control"))].copy()


def first_cells(n):
    return lambda adata: adata[:n].copy()


# anndata itself warns of doubled names, to people as well
@pytest.mark.filterwarnings("ignore:Variable names are not unique")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (set_value(np.nan), "X holds 1 NaN or infinite values"),
        (set_value(np.inf), "X holds 1 NaN or infinite values"),
        (set_value(-1), "X holds 1 negative values"),
        (set_value(1000.5), "neither counts nor log-normalized"),
        (double_a_name, "such as 'gene0': run adata.var_names_make_unique()"),
        (no_shared_type, "no cell type is left with 10 cells in both 'control' and 'stimulated'"),
        (no_control_of_the_target, "'type 2' has no cell in condition 'control'"),
        (first_cells(0), "0 cells"),
        (first_cells(1), "does not exist"),
    ],
)
def test_bad_files_get_one_sentence_and_write_nothing(folder, tmp_path, capsys, spoil, message):
    file = spoiled(folder, tmp_path, spoil)
    out = tmp_path / "out.h5ad"
    arguments = ["predict", str(file), *KEYS, *CONDITIONS, *TARGET, *SHORT, "--out", str(out)]
    assert main(arguments) == 2
    errors = capsys.readouterr().err.splitlines()
    assert message in errors[-1]
    assert errors[-1].startswith("vae-np: ")
    assert not out.exists()


CALL = {
    "--condition-key": "condition",
    "--cell-type-key": "cell_type",
    "--control": "control",
    "--stimulated": "stimulated",
    "--predict": "type 2",
    "--max-epochs": "1",
}
MODEL = {"--model": "model.npz", "--max-epochs": None}


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("none.h5ad", {}, "none.h5ad does not exist"),
        (".", {}, "is a folder: give an .h5ad file"),
        ("model.npz", {}, "is not a readable .h5ad file"),
        ("log.h5ad", {"--condition-key": "x"}, "no column 'x': the columns are 'cell_type', 'condition'"),
        ("log.h5ad", {"--control": "x"}, "'type 2' has no cell in condition 'x'"),
        ("log.h5ad", {"--stimulated": "x"}, "condition 'x' does not exist"),
        ("log.h5ad", {"--stimulated": "control"}, "both 'control'"),
        ("log.h5ad", {"--predict": "x"}, "cell type 'x' does not exist: the names are 'type 1', 'type 2'"),
        ("log.h5ad", {"--predict": None}, "missing --predict: needed to predict"),
        ("log.h5ad", {"--condition-key": None}, "missing --condition-key: needed unless --model is given"),
        ("log.h5ad", {"--normalize": ""}, "not all integers, they look log-normalized already"),
        ("counts.h5ad", {}, "raw counts (all values are integers) where log-normalized values belong"),
        ("log.h5ad", {"--layer": "x"}, "layer 'x' does not exist: the layers are counts"),
        ("log.h5ad", {"--genes": "31"}, "31 genes are asked for: the data have 30"),
        ("log.h5ad", {"--genes": "0"}, "'--genes': 0 is not in the range x>=1"),
        ("log.h5ad", {"--batch-size": "1"}, "'--batch-size': 1 is not in the range x>=2"),
        ("log.h5ad", {"--max-epochs": "many"}, "'--max-epochs': 'many' is not a valid integer"),
        ("log.h5ad", {"--mode": "x"}, "'--mode': 'x' is not one of 'change', 'decode', 'sample'"),
        ("log.h5ad", {"--unknown": "x"}, "No such option"),
        ("log.h5ad", {"--model": "none.npz", "--max-epochs": None}, "model file none.npz does not exist"),
        ("log.h5ad", {"--model": "text", "--max-epochs": None}, "is not a vae_np model file"),
        ("log.h5ad", {"--model": "model.npz"}, "--max-epochs does not go with --model"),
        ("log.h5ad", {"--model": "model.npz", "--genes": "5"}, "--genes does not go with --model"),
        (
            "log.h5ad",
            MODEL | {"--condition-key": "y"},
            "--condition-key is y, but the model was trained with condition",
        ),
        (
            "log.h5ad",
            MODEL | {"--layer": "log"},
            "the model was trained on X, but the values are in layer 'log'",
        ),
        ("log.h5ad", {"--out": "log.h5ad"}, "--out is log.h5ad, which is also read"),
        ("log.h5ad", MODEL | {"--out": "model.npz"}, "--out is model.npz, which is also read"),
        ("log.h5ad", {"--out": "."}, "is a folder: give a file name"),
        ("log.h5ad", {"--out": "no/out.h5ad"}, "does not exist: create it first"),
        ("log.h5ad", {"--out": "/proc/out.h5ad"}, "output folder /proc is not writable"),
    ],
)
def test_bad_calls_get_one_sentence(folder, model_file, monkeypatch, capsys, file, changes, message):
    monkeypatch.chdir(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    flags = CALL | {"--out": "bad.h5ad"} | changes
    words = [word for flag, value in flags.items() if value is not None for word in (flag, value) if word]
    assert main(["predict", file, *words]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert message in errors[-1]
    assert errors[-1].startswith("vae-np: ")
    assert len([line for line in errors if line.startswith("vae-np: ")]) == 1
    assert not any(line.startswith("training on") for line in errors)  # found before the work
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_control_cells_alone_are_enough_for_a_trained_model(folder, model_file, tmp_path, capsys):
    adata = anndata.read_h5ad(folder / "log.h5ad")
    files = {"all": adata, "control": adata[adata.obs["condition"] == "control"]}
    files["target"] = adata[adata.obs["cell_type"] == "type 2"]
    cells = {}
    for name, part in files.items():
        part.copy().write_h5ad(tmp_path / f"{name}.h5ad")
        out = tmp_path / f"{name}-out.h5ad"
        arguments = ["predict", str(tmp_path / f"{name}.h5ad"), "--model", str(model_file[0]), *CONDITIONS]
        assert main([*arguments, *TARGET, "--out", str(out), "--json"]) == 0
        cells[name] = anndata.read_h5ad(out)
    np.testing.assert_array_equal(cells["all"].X, cells["control"].X)
    np.testing.assert_array_equal(cells["all"].X, cells["target"].X)
    answers = [json.loads(line)["scores"] for line in capsys.readouterr().out.splitlines()]
    # without stimulated cells no score; without other types no baseline that learns from them
    methods = [{row["method"] for row in scores} for scores in answers]
    line = {"regression"}  # takes three types, and there are two
    assert methods == [{"scgen", *BASELINES} - line, set(), {"scgen", "no_change"}]
    assert {row["seed"] for row in answers[0]} == {4}  # the model's


def test_a_layer_is_remembered_by_the_model(folder, tmp_path, capsys):
    model, out = str(tmp_path / "model"), str(tmp_path / "out.h5ad")
    file = str(folder / "counts.h5ad")
    assert main(["train", file, *KEYS, *SHORT, "--layer", "log", "--out", model]) == 0
    assert main(["predict", file, "--model", model, *CONDITIONS, *TARGET, "--out", out]) == 0
    assert main(["predict", file, "--model", model, "--normalize", *CONDITIONS, *TARGET, "--out", out]) == 2
    assert "the model was trained on layer 'log', but the values are in X" in capsys.readouterr().err


def test_output_that_is_closed_or_not_utf8_is_no_error(folder, tmp_path):
    words = [
        "predict",
        folder / "log.h5ad",
        *KEYS,
        *CONDITIONS,
        *TARGET,
        *SHORT,
        "--out",
        tmp_path / "o.h5ad",
    ]
    command = [sys.executable, "-m", "vae_np", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert "Error" not in errors
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "no change" in result.stdout


def test_an_interrupt_ends_with_one_line(folder, tmp_path):
    out = tmp_path / "model.npz"
    words = ["train", folder / "log.h5ad", *KEYS, "--max-epochs", 100000, "--out", out]
    command = [sys.executable, "-m", "vae_np", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "training on 180 cells" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "vae-np: interrupted"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_ends_with_one_line_and_no_file(folder, model_file, tmp_path, monkeypatch, capsys):
    def full(self, data):  # a real full disk is in test_files.py
        self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    monkeypatch.setattr(ForgivingFile, "write", full)
    words = ["predict", str(folder / "log.h5ad"), "--model", str(model_file[0]), *CONDITIONS, *TARGET]
    assert main([*words, "--out", str(tmp_path / "out.h5ad")]) == 2
    message = f"vae-np: {tmp_path / 'out.h5ad'} could not be used: No space left on device"
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_kl_weight_is_the_models(folder, model_file, tmp_path, capsys):
    out = tmp_path / "model.npz"
    assert (
        main(["train", str(folder / "log.h5ad"), *KEYS, *SHORT, "--kl-weight", "1", "--out", str(out)]) == 0
    )
    assert ScGen.load(out).settings.kl_weight == 1
    assert ScGen.load(model_file[0]).settings.kl_weight == 2.5e-5
    capsys.readouterr()
    call = ["predict", str(folder / "log.h5ad"), "--model", str(out), *CONDITIONS, *TARGET]
    assert main([*call, "--kl-weight", "1", "--out", str(tmp_path / "out.h5ad")]) == 2
    assert "--kl-weight does not go with --model" in capsys.readouterr().err
    call = ["train", str(folder / "log.h5ad"), *KEYS, *SHORT, "--kl-weight", "-1", "--out", str(out)]
    assert main(call) == 2
    assert "kl_weight is -1: give at least 0" in capsys.readouterr().err


def test_threads_go_with_a_model_too(folder, model_file, tmp_path, monkeypatch):
    asked, limits = [], autoencoder.threads
    monkeypatch.setattr(autoencoder, "threads", lambda n: asked.append(n) or limits(n))
    words = ["predict", str(folder / "log.h5ad"), "--model", str(model_file[0]), *CONDITIONS, *TARGET]
    assert main([*words, "--threads", "1", "--out", str(tmp_path / "out.h5ad")]) == 0
    assert set(asked) == {1}


def test_genes_missing_from_the_file_are_listed(folder, model_file, tmp_path, capsys):
    adata = anndata.read_h5ad(folder / "log.h5ad")
    adata[:, 2:].copy().write_h5ad(tmp_path / "fewer.h5ad")
    arguments = ["predict", str(tmp_path / "fewer.h5ad"), "--model", str(model_file[0]), *CONDITIONS]
    assert main([*arguments, *TARGET, "--out", str(tmp_path / "out.h5ad")]) == 2
    assert "2 of the model's 30 genes are missing from the data: gene0, gene1" in capsys.readouterr().err


def test_train_checks_its_hold_out_and_its_output(folder, capsys):
    file = str(folder / "log.h5ad")
    assert main(["train", file, *KEYS, *TARGET, "--out", str(folder / "m")]) == 2
    assert "missing --stimulated: needed to hold cells out" in capsys.readouterr().err
    assert main(["train", file, "--out", str(folder / "m")]) == 2
    assert "missing --condition-key, --cell-type-key: needed to label" in capsys.readouterr().err
    assert main(["train", file, *KEYS]) == 2
    assert "Missing option '--out'" in capsys.readouterr().err
    assert not (folder / "m").exists()


def test_demo_says_when_it_cannot_write(tmp_path, capsys):
    (tmp_path / "file").touch()
    for out, message in ((tmp_path / "file", "is a file"), (tmp_path / "no" / "folder", "does not exist")):
        assert main(["demo", "--out", str(out)]) == 2
        assert message in capsys.readouterr().err


def test_a_diverging_training_ends_with_one_line_and_no_file(folder, capsys, monkeypatch):
    fit = autoencoder.fit
    monkeypatch.setattr(autoencoder, "fit", lambda *a, **k: fit(*a, **(k | {"lr": 1e35, "epsilon": 1e-8})))
    out = folder / "diverged.npz"
    assert main(["train", str(folder / "log.h5ad"), *KEYS, "--out", str(out)]) == 2
    assert "vae-np: training stopped in epoch 1" in capsys.readouterr().err
    assert not out.exists()


def test_help_and_version(capsys):
    for command in ("demo", "train", "predict", "evaluate"):
        assert main([command, "--help"]) == 0
        assert "--out" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert "vae-np, version" in capsys.readouterr().out
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_the_program_starts_without_loading_what_only_commands_need():
    code = "import sys, vae_np.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "scipy", "pandas", "anndata", "numba", "matplotlib", "rich"}
    assert not set(result.stdout.split()) & heavy
