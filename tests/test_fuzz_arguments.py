"""The command line under 20,000 lists of arguments: an exit status, one clear line, whole files or none.

The lists come from the program's own commands and options: a good call, and then words of it are left
out, doubled, exchanged, shortened, spoiled. What would take minutes is kept short from outside the parser:
one epoch on 24 cells, no browser, no book, no clock. What comes out must be a result or a sentence.
"""

import contextlib
import http.server
import io
import json
import os
import random
import shutil
import sys
from collections import Counter

import anndata
import click
import pytest

from vae_np import ScGen, simulate
from vae_np.cli import main, program

pytestmark = [
    pytest.mark.filterwarnings("ignore:the cell types respond in different directions"),
    pytest.mark.filterwarnings("ignore:the model was trained on"),
]

N_LISTS = 20_000
LABELS = ["kl-closed", "neg-entropy", "delta"]
REMARKS = (
    *("removed before training: ", "left out: ", "training on ", "resuming from ", "no ", "1 epochs; "),
    *(
        "delta from ",
        "simulated ",
        "not held out",
        "type ",
        "the scores of what was finished",
        "the symbolic ",
    ),
    *("in ", "timing ", "1 of ", "2 of "),
)

# What an option may plausibly be given, by the name of its parameter.
GOOD = {
    "file": ["cells.h5ad", "counts.h5ad"],
    "condition_key": ["condition"],
    "cell_type_key": ["cell_type"],
    "control": ["control"],
    "stimulated": ["stimulated"],
    "target": ["type 1", "type 2"],
    "only": ["type 1", "type 2"],
    "layer": ["counts"],
    "model": ["model"],
    "labels": LABELS,
    "label": LABELS,
    "chapter": ["gaussian_kl", "delta"],
    "out": ["new", "out/new", "out"],
    "gradescope": ["new.json"],
    "mode": ["change", "decode", "sample"],
    "delta_method": ["shared", "scgen", "pooled"],
    "layout": ["notebook", "nbgrader", "otter", "python"],
    "pertpy": [sys.executable],
    "scgen": [sys.executable],
    "kl_weight": ["1", "0", "2.5e-5", "1e300", "nan", "-inf", "1e-400"],
}
GOOD_TARGET = "mine.py:f"
WORDS = [
    *(
        "",
        " ",
        "x",
        "1",
        "0",
        "2",
        "-1",
        "1.5",
        "1e3",
        "99999999999999999999",
        "-0",
        "0x10",
        "1_0",
        "١",
        "nan",
    ),
    *(
        "inf",
        "--",
        "-",
        "-h",
        "--help",
        "--version",
        "--json",
        "-x",
        "--x",
        "--no",
        "---",
        "@file",
        "@cells.h5ad",
    ),
    *(
        "=",
        "--out=",
        "--seed=",
        "--seed=1",
        "--genes=3",
        "~",
        "*",
        "$HOME",
        "%s",
        "{}",
        "[red]",
        "'",
        '"',
        "\\",
    ),
    *(".", "..", "/", "out", "folder", "missing/new", "missing.h5ad", "/dev/null", "/dev/full", "/dev/zero"),
    *("/proc/self/mem", "/proc/new", "cells.h5ad", "model", "mine.py", "mine.py:", ":f", "mine.py:g", "pipe"),
    *(
        "mine.py:1f",
        "loop",
        "loop/new",
        "cells.h5ad/new",
        "日本語",
        "🧬",
        "שלום",
        "\u202ex",
        "e\u0301",
        "\x1b[31mx",
    ),
    *(
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x00b",
        "\x00",
        "\x07",
        "\udcff",
        "\udcff.h5ad",
        "x" * 300,
        "x" * 5000,
        "type 3",
    ),
    *("Type 1", "type 1 ", "CONDITION", "gaussian_kl", "../x", "kl", "kl-closed", "changes", "scgen"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    cells = simulate(48, 6, 2, seed=1)
    cells.write_h5ad(folder / "cells.h5ad")
    counts = cells.copy()
    counts.X = counts.layers["counts"]
    counts.write_h5ad(folder / "counts.h5ad")
    small = {"n_hidden": 4, "n_latent": 2, "n_layers": 1}
    keys = {"condition_key": "condition", "cell_type_key": "cell_type"}
    ScGen(**small).fit(cells, **keys, max_epochs=1).save(folder / "model")
    (folder / "mine.py").write_text("def f(*a):\n    return a[0]\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "file").touch()
    (folder / "out").mkdir()
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def short_work(folder, monkeypatch):
    """The workers behind the parser, each made small; what checks arguments stays as it is."""
    from vae_np.bench import run as bench
    from vae_np.book import build
    from vae_np.cli import workplace
    from vae_np.evaluate import runs, sections, tables, tasks
    from vae_np.evaluate.report import Section
    from vae_np.scgen import autoencoder
    from vae_np.train.settings import TrainSettings
    from vae_np.verify import run, sandbox

    monkeypatch.chdir(folder)
    monkeypatch.setattr(
        autoencoder.CellVae.__init__, "__defaults__", (4, 2, 1, 0.2, 2.5e-5, 1.0, 0, None, "float32")
    )
    fit, verify_all, one_run = autoencoder.fit, run.verify_all, runs.run
    known, known_runs = {}, {}

    def one_epoch(*arguments, **settings):
        TrainSettings(
            1,
            0,
            1,
            0,
            *(settings[name] for name in ("max_epochs", "batch_size")),
            True,
            1,
            0,
            1,
            1,
            0,
            512,
            16_384,
        )
        return fit(*arguments, **settings | {"max_epochs": 1})

    def verified(*labels, seed):
        labels = labels or LABELS[:1]
        for label in labels:
            known[label] = known.get(label) or verify_all(label, seed=seed)[0]
        return [known[label] for label in labels]

    def known_run(split, experiment, context, *more, **baselines):
        key = context, split.train.n_vars
        found = known_runs[key] = known_runs.get(key) or one_run(
            split, experiment, context, *more, **baselines
        )
        return found._replace(seed=more[0], rows=[row._replace(seed=more[0]) for row in found.rows])

    class Here:
        """A learner's function without the process around it."""

        ended = ""

        def __init__(self, *where):
            pass

        def wait_until_loaded(self):
            pass

        def __call__(self, *arguments):
            return arguments[0]

    few = simulate(48, 6, 2, seed=1)
    read_h5ad, read = anndata.read_h5ad, {}

    def known_cells(path, backed=None):
        path = str(path)
        read[path] = read.get(path) or read_h5ad(path, backed)
        return read[path].copy()

    monkeypatch.setattr(anndata, "read_h5ad", known_cells)
    monkeypatch.setattr(sys.modules["vae_np.data.simulate"], "simulate", lambda seed: few)
    monkeypatch.setattr(autoencoder, "fit", one_epoch)
    monkeypatch.setattr(run, "verify_all", verified)
    for module in (runs, tasks):
        monkeypatch.setattr(module, "run", known_run)
    monkeypatch.setattr(tasks, "is_serial", lambda n_jobs: True)
    monkeypatch.setattr(workplace, "SECONDS_TO_CONNECT", 0.01)
    monkeypatch.setattr(sections, "context_section", lambda run, experiment: Section(run.context))
    monkeypatch.setattr(sections, "overview", lambda *study: Section("All contexts"))
    monkeypatch.setattr(tables, "averages", lambda rows: {"scgen": {"mse": 1.0}})  # 200 items of HDF5
    monkeypatch.setattr(bench, "our_rows", lambda *setting: ([], {"packages": {}, "blas": []}))
    monkeypatch.setattr(bench, "peer_rows", lambda *setting: [])
    monkeypatch.setattr(bench, "description", lambda machine: ["a machine"])
    monkeypatch.setattr(build, "build", lambda out, execute, say: build.require_place(out) is not None)
    monkeypatch.setattr(http.server.ThreadingHTTPServer, "serve_forever", lambda self: self.server_close())
    monkeypatch.setattr(sandbox, "_warden", lambda order, folder: contextlib.nullcontext())
    monkeypatch.setattr(sandbox, "RemoteFunction", Here)


def value_for(chance, parameter):
    """A word for an argument or an option: most often one that it could be given."""
    if chance.random() < 0.25:
        return chance.choice(WORDS)
    if parameter.name == "target" and isinstance(parameter, click.Argument):
        return GOOD_TARGET
    if parameter.name in GOOD:
        return chance.choice(GOOD[parameter.name])
    return str(chance.choice([1, 2, 3, 5, 17]))


def a_call(chance):
    """A call that is nearly right: what the command needs, some of what it knows, in any order."""
    names = [name for name in program.commands if name != "demo"]
    name = chance.choice([*4 * names, "demo"])  # which does much for few options
    parts = []
    for parameter in program.commands[name].params:
        if isinstance(parameter, click.Argument):
            parts.append([value_for(chance, parameter)])
            continue
        needed = parameter.name in (
            "condition_key",
            "cell_type_key",
            "control",
            "stimulated",
            "target",
            "out",
        )
        if chance.random() > (0.9 if needed else 0.12):
            continue
        flag = chance.choice(parameter.opts)
        if parameter.is_flag:
            parts.append([flag])
        elif chance.random() < 0.2:
            parts.append([f"{flag}={value_for(chance, parameter)}"])
        else:
            parts.append([flag, value_for(chance, parameter)])
    if chance.random() < 0.5:
        chance.shuffle(parts)
    if chance.random() < 0.4:
        parts.insert(0, ["--json"])
    return [name, *(word for part in parts for word in part)]


def spoiled(chance, words):
    """The call with a word left out, doubled, moved, shortened, exchanged, or put in."""
    words = list(words)
    for _ in range(chance.choice([0, 0, 0, 1, 1, 1, 2, 3, 8])):
        at = chance.randrange(len(words) + 1)
        kind = chance.randrange(6)
        if kind == 0 or at == len(words):
            words.insert(at, chance.choice(WORDS))
        elif kind == 1:
            del words[at]
        elif kind == 2:
            words.insert(chance.randrange(len(words) + 1), words[at])
        elif kind == 3:
            words[at] = words[at][: chance.randrange(len(words[at]) + 1)]
        elif kind == 4:
            words[at] = chance.choice(WORDS)
        else:
            words[at] = words[at].swapcase()
    return words


def run_in_process(words):
    """Exit status, stdout and stderr of a call, on streams of bytes as a shell gives them."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return status, *texts


def contents(folder):
    """Names and stamps of all that is in the folder."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stamp = entry.stat(follow_symlinks=False)
            is_folder = entry.is_dir(follow_symlinks=False)
            found[entry.name] = None if is_folder else (stamp.st_size, stamp.st_mtime_ns)
            if is_folder:
                found |= {f"{entry.name}/{name}": stamp for name, stamp in contents(entry.path).items()}
    return found


def complaints(words, status, out, err):
    """What is wrong with an answer; nothing if it is a result or a sentence."""
    lines = err.split("\n")[:-1]
    own = [line for line in lines if line.startswith("vae-np: ") and not line.startswith("vae-np: warning: ")]
    others = [line for line in lines if line not in own and not line.startswith("vae-np: warning: ")]
    helped = out.startswith(("Usage: ", "vae-np, version "))
    if type(status) is not int or status not in (0, 1, 2):
        yield f"status {status!r}"
    if "Traceback" in err or "Traceback" in out:
        yield "a traceback"
    if status == 2:
        if err.startswith("Usage: vae-np") and not words:
            return
        if out:
            yield "a refusal with output"
        if len(own) != 1 or lines[-1] != own[0]:
            yield "not one sentence at the end"
        if len(err) > 5000:
            yield "a sentence that is too long to read"
    elif own and status == 0:
        yield "a sentence beside a result"
    if any(not line.startswith(REMARKS) for line in others):
        yield "words that are no remark"
    if not all(line.isprintable() for line in lines):
        yield "codes for the terminal"
    if (
        "--json" in words[1:2]
        and status in (0, 1)
        and not helped
        and "json" in {option.lstrip("-") for p in program.commands[words[0]].params for option in p.opts}
    ):
        try:
            json.loads(out)
        except ValueError:
            yield "no JSON"


@pytest.mark.slow
def test_20_000_lists_of_arguments_give_a_result_or_a_sentence(folder, short_work):
    chance, statuses, wrong = random.Random(8), Counter(), []
    before = contents(folder)
    originals = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for _ in range(N_LISTS):
        words = spoiled(chance, a_call(chance))
        try:
            status, out, err = run_in_process(words)
        except BaseException as error:
            wrong.append((words, repr(error)))
            continue
        statuses[status] += 1
        found = list(complaints(words, status, out, err))
        after = contents(folder)
        new = after.keys() - before
        for name in [name for name, stamp in before.items() if after.get(name) != stamp]:
            if status != 0 or not any(word in (name, f"--out={name}") for word in words):
                found.append(f"{name} was changed")
            (folder / name).write_bytes(originals[name])  # replaced by what was to be written there
        if status == 2 and new:
            found.append(f"files were left: {sorted(new)}")
        for name in sorted(new, reverse=True):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if after != before:
            before = contents(folder)
        if found:
            wrong.append((words, status, out[-200:], err[-300:], found))
    shown = "\n".join(repr(one)[:1500] for one in wrong[:40])
    assert not wrong, f"{len(wrong)} of {N_LISTS}:\n{shown}"
    assert min(statuses[status] for status in (0, 1, 2)) > N_LISTS / 100  # all ways to end were tried
