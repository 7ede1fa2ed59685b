"""`vae-np evaluate` as a user meets it: its files, its words, its exit status; nothing finished is lost."""

import csv
import json
import re

import anndata
import numpy as np
import pytest
from test_cli import CONDITIONS, DISAGREE, KEYS, SHORT, vae_np

from vae_np import simulate
from vae_np.cli import main
from vae_np.errors import InputError
from vae_np.evaluate import BASELINES, baselines, hold_out, paired_differences, runs
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.train import NonFiniteLossError

pytestmark = pytest.mark.filterwarnings(f"ignore:{DISAGREE}")

NAMES = ("condition", "cell_type", "control", "stimulated")
WORDS = [*KEYS, *CONDITIONS, *SHORT, "--min-cells", "20", "--threads", "1"]
FILES = ["report.html", "scores.csv", "summary.json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    adata = simulate(180, 30, 3, seed=1)
    adata.write_h5ad(folder / "log.h5ad")
    counts = anndata.AnnData(adata.layers["counts"], obs=adata.obs, var=adata.var)
    counts.write_h5ad(folder / "counts.h5ad")
    hold_out(adata, "condition", "cell_type", "stimulated", "type 2").train.write_h5ad(folder / "no.h5ad")
    one = adata[(adata.obs["cell_type"] == "type 1").to_numpy()]
    one.copy().write_h5ad(folder / "one.h5ad")
    return folder


def read_scores(path):
    with path.open(newline="") as file:
        return [
            (r["context"], int(r["seed"]), r["method"], r["metric"], float(r["value"]))
            for r in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def evaluated(folder):
    out = folder / "out"
    result = vae_np("evaluate", folder / "log.h5ad", *WORDS, "--seeds", 2, "--out", out, "--json")
    assert result.returncode == 0, result.stderr
    return out, result


def test_evaluate_writes_what_the_python_functions_compute(folder, evaluated):
    out, result = evaluated
    assert sorted(path.name for path in out.iterdir()) == FILES
    training = {"max_epochs": 2, "progress": False}
    experiment = Experiment(*NAMES, model={"n_threads": 1}, training=training)
    finished = leave_one_out(
        anndata.read_h5ad(folder / "log.h5ad"), experiment, ["type 1", "type 2", "type 3"], [4, 5]
    )
    rows = [row for done in finished for row in done.rows]
    assert read_scores(out / "scores.csv") == [tuple(row) for row in rows]
    methods = {row.method for row in rows}
    assert methods == {"scgen", *BASELINES} - {"regression"}  # a line takes three other types

    summary = json.loads((out / "summary.json").read_text())
    printed = json.loads(result.stdout)
    assert [tuple(row.values()) for row in printed.pop("scores")] == [tuple(row) for row in rows]
    assert printed.pop("out") == str(out)
    assert printed == summary
    assert summary["seeds"] == [4, 5]
    assert summary["contexts"] == [
        {"context": f"type {i}", "n_control": 30, "n_stimulated": 30} for i in (1, 2, 3)
    ]
    assert summary["settings"]["training"] == {"max_epochs": 2}
    mean = np.mean([r.value for r in rows if (r.method, r.metric) == ("scgen", "r2_mean")])
    np.testing.assert_allclose(summary["mean"]["scgen"]["r2_mean"], mean, rtol=1e-12)
    pairs = paired_differences(rows, np.random.default_rng(4))
    assert summary["differences"] == [pair._asdict() for pair in pairs]


def test_progress_goes_to_stderr_and_the_page_holds_every_context(evaluated):
    out, result = evaluated
    for context in ("type 1", "type 2", "type 3"):
        for seed in (4, 5):
            assert f"{context}, seed {seed}: 30 stimulated cells are hidden" in result.stderr
    assert result.stderr.count("training on 150 cells x 30 genes") == 6
    page = (out / "report.html").read_text(encoding="utf-8")
    for title in ("All contexts", "type 1", "type 2", "type 3"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<img") == 3 + 3 * 4  # heat maps; figures of the first seed of each context
    assert not re.search(r"https?:|src=\"(?!data:)", page)


def test_one_context_is_evaluated_and_said_in_words(folder, tmp_path, capsys):
    words = ["evaluate", str(folder / "counts.h5ad"), *WORDS, "--normalize", "--genes", "20"]
    out = tmp_path / "one"
    assert main([*words, "--predict", "type 3", "--conditional-vae", "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "training on 150 cells x 20 genes" in said.err
    rows = read_scores(out / "scores.csv")
    assert {row[0] for row in rows} == {"type 3"}
    assert "conditional_vae" in {row[2] for row in rows}
    for text in ("scGen", "mean shift", "conditional VAE", "Fewer than 6 contexts"):
        assert text in said.out
    scores = {row[2]: row[4] for row in rows if row[3] == "r2_mean"}
    (sentence,) = [line for line in said.out.splitlines() if line.startswith("R² means: ")]
    lost, won = sentence.partition("scGen is ahead of")[::2]
    for method, name in (("mean_shift", "mean shift"), ("no_change", "no change")):
        part = won if scores["scgen"] > scores[method] else lost
        assert f"{name} ({scores['scgen'] - scores[method]:+.3f}; " in part
    assert f"written: {out / 'scores.csv'}" in said.out


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "vae-np: interrupted"),
        (NonFiniteLossError("training stopped in epoch 1", None), 2, "vae-np: training stopped in epoch 1"),
    ],
)
def test_what_was_finished_is_kept(folder, evaluated, tmp_path, capsys, monkeypatch, error, status, message):
    train, calls = runs.train, []

    def stops_in_the_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise error
        return train(*arguments)

    monkeypatch.setattr(runs, "train", stops_in_the_third)
    for name in FILES:
        (tmp_path / name).write_text("of an older run")
    words = ["evaluate", str(folder / "log.h5ad"), *WORDS, "--seeds", "2", "--out", str(tmp_path)]
    assert main(words) == status
    errors = [line for line in capsys.readouterr().err.splitlines() if line]
    where = f"the scores of what was finished are in {tmp_path / 'scores.csv'}"
    assert errors[-2] == f"{where}; the same command with --resume goes on"
    assert errors[-1] == message
    whole = read_scores(evaluated[0] / "scores.csv")
    assert read_scores(tmp_path / "scores.csv") == [row for row in whole if row[0] == "type 1"]
    # what would not belong to these scores is gone, and no temporary file is left
    assert sorted(path.name for path in tmp_path.iterdir()) == ["finished", "scores.csv"]


CALL = {
    "--condition-key": "condition",
    "--cell-type-key": "cell_type",
    "--control": "control",
    "--stimulated": "stimulated",
    "--max-epochs": "1",
    "--min-cells": "20",
}


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("none.h5ad", {}, "none.h5ad does not exist"),
        ("log.h5ad", {"--condition-key": "x"}, "no column 'x': the columns are 'cell_type', 'condition'"),
        ("log.h5ad", {"--cell-type-key": "x"}, "no column 'x'"),
        ("log.h5ad", {"--control": "x"}, "condition 'x' does not exist: the names are 'control'"),
        ("log.h5ad", {"--control": None, "--stimulated": None}, "missing --control, --stimulated: needed to"),
        ("log.h5ad", {"--control": "stimulated"}, "both 'stimulated'"),
        ("log.h5ad", {"--predict": "x"}, "cell type 'x' does not exist: the names are 'type 1', 'type 2'"),
        ("no.h5ad", {"--predict": "type 2"}, "cell type 'type 2' has 30 control and 0 stimulated cells"),
        ("log.h5ad", {"--min-cells": None}, "no cell type has 50 control and stimulated cells each"),
        ("one.h5ad", {}, "no cell type is left with 10 cells in both 'control' and 'stimulated'"),
        ("log.h5ad", {"--genes": "31"}, "31 genes are asked for: the data have 30"),
        ("log.h5ad", {"--normalize": ""}, "they look log-normalized already"),
        ("counts.h5ad", {}, "raw counts (all values are integers) where log-normalized values belong"),
        ("log.h5ad", {"--layer": "x"}, "layer 'x' does not exist"),
        ("log.h5ad", {"--seeds": "0"}, "'--seeds': 0 is not in the range x>=1"),
        (
            "log.h5ad",
            {"--seeds": "2", "--seed": str(2**63 - 1)},
            "the last seed is 9223372036854775808",
        ),
        ("log.h5ad", {"--out": "log.h5ad"}, "output folder log.h5ad is a file: give a folder"),
        ("log.h5ad", {"--out": "no/folder"}, "does not exist: create it first"),
        ("log.h5ad", {"--out": "/proc/folder"}, "output folder /proc is not writable"),
        ("log.h5ad", {"--out": None}, "Missing option '--out'"),
    ],
)
def test_bad_calls_get_one_sentence(folder, evaluated, monkeypatch, capsys, file, changes, message):
    monkeypatch.chdir(folder)
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    flags = CALL | {"--out": "bad"} | changes
    words = [word for flag, value in flags.items() if value is not None for word in (flag, value) if word]
    assert main(["evaluate", file, *words]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert message in errors[-1]
    assert errors[-1].startswith("vae-np: ")
    assert len([line for line in errors if line.startswith("vae-np: ")]) == 1
    assert not any(line.startswith("training on") for line in errors)  # found before the work
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_names_with_line_breaks_stay_in_one_line(folder, tmp_path, capsys):
    adata = anndata.read_h5ad(folder / "log.h5ad")
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(str).str.replace(" ", "\n")
    adata.write_h5ad(tmp_path / "odd.h5ad")
    words = [str(tmp_path / "odd.h5ad"), *WORDS, "--min-cells", "1000", "--out", str(tmp_path / "out")]
    assert main(["evaluate", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "there are type 1 (30 and 30)" in line


@pytest.mark.parametrize(("name", "flags"), [("log.h5ad", []), ("counts.h5ad", ["--normalize"])])
def test_cells_that_stay_in_their_file_get_the_same_scores(folder, tmp_path, name, flags):
    words = ["evaluate", str(folder / name), *WORDS, *flags, "--predict", "type 2"]
    for out, more in (("memory", []), ("backed", ["--backed"])):
        assert main([*words, *more, "--out", str(tmp_path / out)]) == 0
    ours, theirs = (read_scores(tmp_path / out / "scores.csv") for out in ("backed", "memory"))
    assert [row[:4] for row in ours] == [row[:4] for row in theirs]
    values = [[row[4] for row in rows] for rows in (ours, theirs)]
    np.testing.assert_allclose(*values, rtol=1e-9)  # sums over chunks, or over all cells at once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backed", "memory"]


def test_a_baseline_that_would_take_too_much_memory_is_left_out_and_said(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(baselines, "LARGEST_GRAM", 29)
    words = ["evaluate", str(folder / "log.h5ad"), *WORDS, "--predict", "type 2", "--seeds", "2"]
    for out, more in (("memory", []), ("backed", ["--backed"])):
        assert main([*words, *more, "--out", str(tmp_path / out)]) == 0
        said = [line for line in capsys.readouterr().err.splitlines() if "PCA" in line]
        methods = {row[2] for row in read_scores(tmp_path / out / "scores.csv")}
        assert ("pca_shift" in methods, len(said)) == ((False, 1) if more else (True, 0))
    reason = "the principal components of 150 cells x 30 genes in a file would take too much memory"
    assert said == [f"type 2: no shift in PCA space, as {reason}"]


def test_cells_in_a_file_are_not_sent_around(folder, tmp_path, capsys):
    words = ["evaluate", str(folder / "log.h5ad"), *WORDS, "--backed", "--out", str(tmp_path / "out")]
    assert main([*words, "--jobs", "2"]) == 2
    assert "--backed goes with one training at a time" in capsys.readouterr().err
    backed = anndata.read_h5ad(folder / "log.h5ad", backed="r")
    with pytest.raises(InputError, match="cannot be sent to other processes"):
        list(leave_one_out(backed, Experiment(*NAMES), ["type 2"], n_jobs=2))
