"""Trainings side by side, in processes and on a Dask cluster, killed and resumed, end as those in a row."""

import gc
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import time
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from test_cli import CONDITIONS, DISAGREE, KEYS

from vae_np import __version__, simulate
from vae_np.cli import main, workplace
from vae_np.errors import InputError
from vae_np.evaluate import engines, runs
from vae_np.evaluate.engines import by_cluster, by_processes
from vae_np.evaluate.experiment import Experiment
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.evaluate.sections import context_section

pytestmark = pytest.mark.filterwarnings(f"ignore:{DISAGREE}")

FILES = ["report.html", "scores.csv", "summary.json"]
CONTEXTS = ["--predict", "type 1", "--predict", "type 2"]
WORDS = [*KEYS, *CONDITIONS, *CONTEXTS, "--max-epochs", "2", "--seeds", "2", "--threads", "1"]
N_TASKS = 4


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    simulate(120, 20, 3, seed=1).write_h5ad(path)
    return path


def command(file, out, *words):
    return ["evaluate", str(file), *WORDS, "--out", str(out), *map(str, words)]


@pytest.fixture(scope="module")
def whole(file, tmp_path_factory):
    """What an evaluation leaves that is not interrupted, one training after the other."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert main(command(file, out)) == 0
    return out


def assert_same_files(out, whole):
    assert sorted(path.name for path in out.iterdir()) == FILES
    for name in FILES:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def start(*words, **settings):
    """Start the command as a child process."""
    child = [sys.executable, "-W", f"ignore:{DISAGREE}", "-m", "vae_np", *words]
    settings = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True} | settings
    return subprocess.Popen(child, **settings)


def wait_for(condition, seconds=300):
    """Wait until a condition holds, and return what it gives."""
    patience = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < patience
        time.sleep(0.005)
    return value


def lines_of(text):
    return [line for line in text.splitlines() if line]


def has_finished(out, n):
    return len(list(out.glob("finished/*.npz"))) >= n


# --------------------------------------------------------------------------------------- resume


@pytest.mark.slow
def test_finished_trainings_are_not_repeated(file, whole, tmp_path, capsys, monkeypatch):
    out, kept = tmp_path / "out", tmp_path / "out" / "finished"
    train, calls = runs.train, []

    def stops_in_the_third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(runs, "train", stops_in_the_third)
    assert main(command(file, out)) == 130
    said = lines_of(capsys.readouterr().err)
    assert any(line.startswith("1 of 4 trainings done (type 1, seed 0), about ") for line in said)
    assert said[-2].endswith("the same command with --resume goes on")
    assert len(list(kept.iterdir())) == 2
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for words, message in (
        ([], f"{kept} of an earlier evaluation is there: add --resume, or remove it"),
        (["--resume", "--kl-weight", "1"], "of another evaluation: kl_weight 2.5e-05 there and 1.0 here"),
        (["--resume", "--seed", "1"], "of another evaluation: first seed 0 there and 1 here"),
        (["--resume", "--genes", "9"], "of another evaluation: n_genes None there and 9 here"),
    ):
        assert main(command(file, out, *words)) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    # one is damaged: two of the four are to be done, and it
    next(kept.iterdir()).write_bytes(b"damaged")
    assert main(command(file, out, "--resume")) == 0
    assert len(calls) == 3 + 2 + 1
    said = capsys.readouterr().err
    assert f"resuming from {kept}" in said
    assert "its training is done again: " in said
    assert said.count("trainings done (") == 3
    assert "2 of 4 trainings done (" in said
    assert "4 of 4 trainings done (type 2, seed 1)" in said
    assert_same_files(out, whole)


@pytest.mark.slow
def test_a_report_that_was_not_written_needs_no_training(file, whole, tmp_path, capsys, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("vae_np.evaluate.report.write_report", lambda *a: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main(command(file, tmp_path))
    (tmp_path / "scores.csv").unlink()
    monkeypatch.setattr(runs, "train", None)
    assert main(command(file, tmp_path, "--resume")) == 0
    assert_same_files(tmp_path, whole)


@pytest.mark.slow
def test_more_seeds_go_on_from_fewer(file, whole, tmp_path, monkeypatch):
    """What a training gives does not depend on how many there are."""
    train, seeds = runs.train, []

    def stops_at_the_end(cells, experiment, seed, say):
        if len(seeds) == 1:
            raise KeyboardInterrupt
        seeds.append(seed)
        return train(cells, experiment, seed, say)

    with monkeypatch.context() as patched:
        patched.setattr(runs, "train", stops_at_the_end)
        assert main(command(file, tmp_path, "--seeds", "1")) == 130
    monkeypatch.setattr(runs, "train", lambda *a: seeds.append(a[2]) or train(*a))
    assert main(command(file, tmp_path, "--resume")) == 0
    assert seeds == [0, 1, 0, 1]
    assert_same_files(tmp_path, whole)


def test_without_anything_finished_resume_starts_anew(file, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(command(file, out, "--resume", "--genes", "99")) == 2
    assert f"no {out / 'finished'} to resume from: starting anew" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_a_grid_on_the_command_line(file, tmp_path, capsys):
    words = ["--grid", "kl_weight=2.5e-5,1", "--grid", "n-latent=3", "--seeds", "1"]
    assert main(command(file, tmp_path, *words)) == 0
    captured = capsys.readouterr()
    assert "scGen[kl_weight=1, n_latent=3]" in captured.out
    assert "4 of 4 trainings done (type 2, seed 0, scgen[kl_weight=1, n_latent=3])" in captured.err
    assert '"scgen[kl_weight=1, n_latent=3]"' in (tmp_path / "scores.csv").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "--jobs and --scheduler exclude each other"),
        (["--jobs", "0"], "'--jobs': 0 is not in the range x>=1"),
        (["--grid", "kl_weight"], "--grid is 'kl_weight': write numbers, as in kl_weight=2.5e-5,1"),
        (["--grid", "kl_weight=x"], "--grid is 'kl_weight=x': write numbers"),
        (["--grid", "seed=1"], "seed is no setting of a grid"),
        (["--grid", "kl_weight=1", "--grid", "kl_weight=2"], "--grid names kl_weight twice"),
        (["--kl-weight", "1", "--grid", "kl_weight=2.5e-5"], "--kl-weight and --grid kl_weight exclude each"),
        (["--grid", "max-epochs=3"], "--max-epochs and --grid max_epochs exclude each other: leave one out"),
        (["--batch-size", "8", "--grid", "batch_size=8"], "--batch-size and --grid batch_size exclude each"),
        (["--grid", "batch_size=32,1"], "batch_size is 1: give at least 2"),
    ],
)
def test_bad_calls_get_one_sentence(file, tmp_path, capsys, words, message):
    assert main(command(file, tmp_path / "out", *words)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vae-np: ")]
    assert message in line
    assert not (tmp_path / "out").exists()


def test_two_evaluations_do_not_share_a_folder(file, tmp_path, capsys, monkeypatch):
    """The second is refused while the first trains, before and after something is finished."""
    out, train, said = tmp_path / "out", runs.train, []

    def trains_beside_another(*arguments):
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        child = start(*command(file, out, "--resume"))
        said.append((lines_of(child.communicate(timeout=100)[1])[-1], child.returncode))
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
        return train(*arguments)

    monkeypatch.setattr(runs, "train", trains_beside_another)
    assert main(command(file, out, "--seeds", "1")) == 0
    sentence = f"vae-np: {out / 'finished'} is in use by another process: wait for it, or stop it"
    assert said == [(sentence, 2)] * 2
    assert sorted(path.name for path in out.iterdir()) == FILES


# ------------------------------------------------------------------------------------ processes


@pytest.fixture
def adata():
    """Cells with the values in a layer, and with matrices that nobody asks for."""
    adata = simulate(120, 20, 3, seed=1)
    adata.layers["log"], adata.X = adata.X, adata.X * np.nan
    return adata


EXPERIMENT = Experiment(
    *("condition", "cell_type", "control", "stimulated"),
    layer="log",
    model={"n_hidden": 8, "n_latent": 3},  # n_threads is not said: 1 side by side
    training={"max_epochs": 2},
)


@pytest.mark.slow
def test_processes_give_what_one_gives(adata):
    serial = Experiment(**vars(EXPERIMENT) | {"model": EXPERIMENT.model | {"n_threads": 1}})
    arguments = ["type 2", "type 1"], [3, 4], lambda text: None, lambda run: context_section(run, serial)
    expected = list(leave_one_out(adata, serial, *arguments))
    found = list(leave_one_out(adata, EXPERIMENT, *arguments, n_jobs=2))
    assert found == expected  # scores, tables, figures
    assert [one.task.seed for one in found] == [3, 4, 3, 4]


@pytest.mark.slow
def test_large_arrays_are_written_once_and_read_by_all_processes():
    cells = simulate(2000, 1000, 3, seed=1)
    assert cells.X.data.nbytes > 2**20

    def look(shared, item):
        return str(shared.X.data.filename), os.getpid(), float(shared.X.data.sum(dtype=float)) + item

    results = list(by_processes(look, cells, [0.0, 1.0, 2.0, 3.0], 2))
    assert len({place for place, _, _ in results}) == 1
    assert os.getpid() not in {pid for _, pid, _ in results}
    total = cells.X.data.sum(dtype=float)
    assert sorted(value for _, _, value in results) == [total + i for i in range(4)]


@pytest.mark.slow
def test_a_process_that_is_killed_now_and_then_costs_nothing(tmp_path):
    """Each item kills the process that is the first to do it: more deaths than there would be without end."""

    def die_once(shared, item):
        try:
            (tmp_path / str(item)).touch(exist_ok=False)
        except FileExistsError:
            return shared + item
        os.kill(os.getpid(), signal.SIGKILL)

    n = 3 * engines.SENT_AGAIN
    assert sorted(by_processes(die_once, 10, list(range(n)), 2)) == list(range(10, 10 + n))


@pytest.mark.slow
def test_a_process_that_is_killed_is_said_in_a_sentence():
    def die(shared, item):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(
        InputError, match=r"^a process that was training has been killed, perhaps for want of"
    ):
        list(by_processes(die, None, [1, 2], 2))


def children_of(pid):
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def are_gone(pids):
    return not any(place.exists() and place.read_bytes() for place in map(cmdline_of, pids))


def cmdline_of(pid):
    return Path(f"/proc/{pid}/cmdline")  # empty of a process that is dead


@pytest.mark.slow
def test_killed_again_and_again_with_two_processes_it_leaves_the_same_files(file, whole, tmp_path):
    """Kill -9 after one and three of the four trainings are finished; then to the end."""
    out = tmp_path / "out"
    for n in (1, 3):
        child = start(*command(file, out, "--jobs", 2, "--resume"), stderr=subprocess.DEVNULL)
        wait_for(partial(has_finished, out, n))
        workers = children_of(child.pid)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        wait_for(partial(are_gone, workers))  # nobody needs what they compute
        assert not (out / "report.html").exists()
        n_kept = len(list(out.glob("finished/*.npz")))
        assert n_kept >= n
    child = start(*command(file, out, "--jobs", 2, "--resume"))
    said = child.communicate(timeout=300)[1]
    assert child.returncode == 0, said
    assert said.count("trainings done (") == N_TASKS - n_kept
    assert_same_files(out, whole)


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_says_how_to_go_on(file, tmp_path):
    out = tmp_path / "out"
    words = command(file, out, "--jobs", 2, "--max-epochs", 20)
    child = start(*words, start_new_session=True)  # a terminal sends Ctrl-C to the whole group
    wait_for((out / "scores.csv").exists)
    workers = children_of(child.pid)
    os.killpg(child.pid, signal.SIGINT)
    said = lines_of(child.communicate(timeout=300)[1])
    assert child.returncode == 130
    assert said[-2].startswith("the scores of what was finished are in ")
    assert said[-1] == "vae-np: interrupted"
    assert "Traceback" not in "\n".join(said)
    wait_for(partial(are_gone, workers))


# -------------------------------------------------------------------------------------- cluster


@contextmanager
def cluster(folder, n_workers, environment=None):
    """A Dask scheduler and workers, each a process of its own, that talk over TCP; its address, and they."""
    from distributed import Client

    place, log = folder / "scheduler.json", (folder / "log").open("w")
    environment = os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "60"} | (environment or {})
    common = {"stdout": log, "stderr": log, "env": environment, "cwd": folder}
    module = [sys.executable, "-m"]
    words = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    processes = [subprocess.Popen([*module, *words, "--scheduler-file", str(place)], **common)]
    try:
        wait_for(lambda: place.exists() and place.read_text().endswith("}"))
        words = ["distributed.cli.dask_worker", "--scheduler-file", str(place), "--nthreads", "1"]
        words += ["--no-dashboard", "--no-nanny", "--local-directory", str(folder)]
        processes += [subprocess.Popen([*module, *words], **common) for _ in range(n_workers)]
        address = json.loads(place.read_text())["address"]
        with Client(address, set_as_default=False, timeout=60) as client:
            if n_workers:
                client.wait_for_workers(n_workers, timeout=120)
        yield address, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
        log.close()


@pytest.mark.slow
def test_data_go_to_each_worker_once(distributed, tmp_path):
    class Counted:
        """Writes down where it arrives."""

        def __reduce__(self):
            return (Counted.arrived, ())

        @staticmethod
        def arrived():
            with (tmp_path / "notes").open("a") as file:
                file.write(f"{os.getpid()}\n")
            return Counted()

    def work(shared, item):
        time.sleep(0.05)
        return type(shared).__name__, os.getpid(), item

    with (
        cluster(tmp_path, 2) as (address, (_, *workers)),
        distributed.Client(address, set_as_default=False) as client,
    ):
        results = list(by_cluster(work, Counted(), list(range(12)), client))
    pids = {worker.pid for worker in workers}
    assert sorted(item for _, _, item in results) == list(range(12))
    assert {pid for _, pid, _ in results} == pids
    notes = sorted((tmp_path / "notes").read_text().split())
    assert notes == sorted(str(pid) for pid in pids)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(distributed, file, whole, tmp_path):
    out = tmp_path / "out"
    with cluster(tmp_path, 2) as (address, (_, *workers)):
        child = start(*command(file, out, "--scheduler", address))
        wait_for((out / "scores.csv").exists)
        workers[0].kill()
        said = child.communicate(timeout=300)[1]
        assert child.returncode == 0, said
        assert workers[0].wait() == -signal.SIGKILL
        assert workers[1].poll() is None
    assert said.count("trainings done (") == N_TASKS
    ours = ("type ", "training on ", "2 epochs; ", "vae-np: warning: the cell types ", *"1234")
    assert [line for line in lines_of(said) if not line.startswith(ours)] == []  # nothing of Dask's
    assert_same_files(out, whole)


@pytest.mark.slow
def test_if_all_workers_die_the_data_are_sent_again(distributed, tmp_path):
    def work(shared, item):
        first = not (tmp_path / "died").exists()
        if item == 2 and first:
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return shared + item, os.getpid()

    with (
        cluster(tmp_path, 1) as (address, processes),
        distributed.Client(address, set_as_default=False) as client,
    ):
        words = f"{sys.executable} -m distributed.cli.dask_worker {address} --nthreads 1"
        after = f"while [ ! -e died ]; do sleep 0.1; done; exec {words} --no-dashboard --no-nanny"
        with (tmp_path / "log2").open("w") as log:
            processes.append(subprocess.Popen(["sh", "-c", after], stdout=log, stderr=log, cwd=tmp_path))
        found = list(by_cluster(work, 10, [1, 2, 3], client))
    assert sorted(value for value, _ in found) == [11, 12, 13]
    assert {pid for value, pid in found if value == 12} == {processes[-1].pid}


@pytest.mark.slow  # where Dask is
def test_a_cluster_may_lose_its_workers_as_often_as_something_is_finished(distributed, monkeypatch):
    class Lost(Future):
        def result(self):
            raise CancelledError

    class Cluster:
        """Does one item each time, and loses its worker."""

        status, loop = "running", None

        def wait_for_workers(self, n, timeout):
            self.works = True

        def scatter(self, shared, broadcast, hash):
            return shared

        def submit(self, work, shared, item, pure):
            future = Future() if self.works else Lost()
            future.set_result(work(shared, item))
            self.works = False
            return future

    monkeypatch.setattr(distributed, "as_completed", lambda futures, loop: list(futures))
    n = 3 * engines.SENT_AGAIN
    assert list(by_cluster(lambda shared, item: shared + item, 10, list(range(n)), Cluster())) == list(
        range(10, 10 + n)
    )
    monkeypatch.setattr(Cluster, "wait_for_workers", lambda self, n, timeout: setattr(self, "works", False))
    with pytest.raises(InputError, match=r"^all workers of the Dask cluster died again and again$"):
        list(by_cluster(lambda shared, item: item, 10, [1], Cluster()))


@pytest.mark.slow
def test_a_lost_scheduler_costs_what_was_not_finished(distributed, file, whole, tmp_path):
    out = tmp_path / "out"
    with cluster(tmp_path, 1) as (address, (scheduler, _)):
        child = start(*command(file, out, "--scheduler", address))
        wait_for((out / "scores.csv").exists)
        scheduler.kill()
        said = lines_of(child.communicate(timeout=300)[1])
    assert child.returncode == 2
    assert said[-2].startswith("the scores of what was finished are in ")
    assert said[-1] == "vae-np: the connection to the Dask scheduler is lost"
    n_kept = len(list(out.glob("finished/*.npz")))
    assert 1 <= n_kept < N_TASKS
    assert main(command(file, out, "--resume")) == 0
    assert_same_files(out, whole)


@pytest.mark.slow
def test_a_worker_without_this_package_is_named(distributed, file, tmp_path):
    blind = tmp_path / "blind"
    blind.mkdir()
    (blind / "sitecustomize.py").write_text("import sys\nsys.modules['vae_np'] = None\n")
    with cluster(tmp_path, 1, {"PYTHONPATH": str(blind)}) as (address, _):
        child = start(*command(file, tmp_path / "out", "--scheduler", address))
        said = lines_of(child.communicate(timeout=300)[1])
    assert child.returncode == 2
    found = rf"Dask worker tcp://127\.0\.0\.1:\d+ has no vae_np that fits: install vae_np {__version__} there"
    assert re.fullmatch(f"vae-np: {found}", said[-1])
    assert len(said) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_said_in_a_sentence(
    distributed, file, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr(workplace, "SECONDS_TO_CONNECT", 0.3)
    with server(b"") as silent, server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as loud:
        for address in (
            "tcp://127.0.0.1:1",
            silent,
            loud,
            "tcp://no.such.host.invalid:1",
            "tcp://[::1]:99999",
        ):
            begun = time.monotonic()
            assert main(command(file, tmp_path / "out", "--scheduler", address)) == 2
            assert time.monotonic() - begun < 30
            gc.collect()  # what is left of a client would speak now
            line = f"vae-np: no Dask scheduler answers at {address}: is the address right?"
            assert capfd.readouterr().err.splitlines() == [line]
            assert not (tmp_path / "out").exists()


@contextmanager
def server(words):
    """Something at an address that is no scheduler: it says these words to everybody, and waits."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            with suppress(OSError):  # who was called has gone
                self.request.sendall(words)
                while self.request.recv(2**20):
                    pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()


@pytest.mark.parametrize(
    "address",
    ["tls://127.0.0.1:1", "ucx://127.0.0.1:1", "http://localhost:8787", "tcp://", "nonsense://x", "",
     "host:8786", "tcp://host", "tcp://host:8786/status", "tcp://me@host:8786", "tcp://host:port", "inproc://1/2/3"],
)  # fmt: skip
def test_an_address_that_is_none_is_said_in_a_sentence(file, tmp_path, capfd, address):
    assert main(command(file, tmp_path / "out", "--scheduler", address)) == 2
    gc.collect()
    line = f"vae-np: --scheduler is {address!r}: write tcp://HOST:PORT, as the scheduler prints it"
    assert capfd.readouterr().err.splitlines() == [line]
    assert not (tmp_path / "out").exists()


def test_without_dask_the_command_says_what_to_install(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(command(file, tmp_path / "out", "--scheduler", "tcp://127.0.0.1:1")) == 2
    line = 'vae-np: --scheduler needs Dask: pip install "vae_np[distributed]"'
    assert capsys.readouterr().err.splitlines()[-1] == line


@pytest.mark.slow
def test_a_cluster_without_workers_is_said_in_a_sentence(distributed, tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "SECONDS_TO_WAIT", 0.1)
    with (
        cluster(tmp_path, 0) as (address, _),
        distributed.Client(address, set_as_default=False) as client,
        pytest.raises(InputError, match=r"^the Dask scheduler has no worker: start some, dask worker"),
    ):
        list(by_cluster(print, None, [1], client))
