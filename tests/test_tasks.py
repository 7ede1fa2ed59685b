"""Many trainings: independent tasks, a grid of settings, and what is kept of those that are finished."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from vae_np import simulate
from vae_np.cli.trainings import about, progress
from vae_np.errors import InputError
from vae_np.evaluate import BASELINES, Row
from vae_np.evaluate.experiment import Experiment, with_conditional_vae
from vae_np.evaluate.finished import (
    FINISHED,
    file_of,
    identify,
    read_finished,
    remove_finished,
    write_finished,
)
from vae_np.evaluate.grid import variant, with_grid
from vae_np.evaluate.leave_one_out import leave_one_out
from vae_np.evaluate.report import Section
from vae_np.evaluate.tables import name_of
from vae_np.evaluate.tasks import Finished, Study, Task, all_rows, list_tasks, perform, perform_apart

DISAGREE = "the cell types respond in different directions"
pytestmark = pytest.mark.filterwarnings(f"ignore:{DISAGREE}")

NAMES = ("condition", "cell_type", "control", "stimulated")
TINY = {"n_hidden": 8, "n_latent": 3, "n_layers": 1, "n_threads": 1}
SHORT = {"max_epochs": 2, "progress": False}
EXPERIMENT = Experiment(*NAMES, model=TINY, training=SHORT)


@pytest.fixture(scope="module")
def cells():
    return simulate(120, 30, 3, seed=3)


# ---------------------------------------------------------------------------------------- tasks


def test_tasks_are_contexts_times_seeds_times_settings():
    experiment = with_grid(EXPERIMENT, {"kl_weight": [0.5, 1]})
    tasks = list_tasks(experiment, ["a", "b"], [3, 4])
    other = "scgen[kl_weight=1]"
    assert [(task.context, task.seed, task.method) for task in tasks] == [
        ("a", 3, "scgen"), ("a", 3, other), ("a", 4, "scgen"), ("a", 4, other),
        ("b", 3, "scgen"), ("b", 3, other), ("b", 4, "scgen"), ("b", 4, other),
    ]  # fmt: skip
    assert {str(task) for task in tasks[:2]} == {"a, seed 3", "a, seed 3, scgen[kl_weight=1]"}
    assert {task.of_baselines for task in tasks} == {tasks[0], tasks[4]}


def test_tasks_need_nothing_of_each_other(cells):
    """In another order, each by itself, they give what they give in a row."""
    contexts, seeds = ["type 2", "type 1"], [7, 8]
    in_a_row = list(leave_one_out(cells, EXPERIMENT, contexts, seeds))
    tasks = list_tasks(EXPERIMENT, contexts, seeds)
    assert [one.task for one in in_a_row] == tasks
    study = Study(cells, EXPERIMENT)
    found = {task: perform(study, task) for task in reversed(tasks)}
    assert all_rows(tasks, found) == [row for one in in_a_row for row in one.rows]
    # the baselines were computed once a context
    assert [{row.method for row in found[task].rows} > {"scgen"} for task in tasks] == [True, False] * 2
    for one in in_a_row:
        methods = {row.method for row in one.rows}
        assert methods == {"scgen", *BASELINES} - {"regression"}  # a line takes three other types


def test_scores_that_are_there_come_in_the_order_of_the_tasks():
    def row(task, method="scgen"):
        return Row(task.context, task.seed, method, "mse", float(hash(task) % 97))

    tasks = list_tasks(with_grid(EXPERIMENT, {"kl_weight": [0.5, 1]}), ["a", "b"], [3, 4])
    found = {task: Finished(task, [row(task, task.method)]) for task in (tasks[6], tasks[3], tasks[2])}
    assert all_rows(tasks, found) == [row(tasks[i], tasks[i].method) for i in (2, 3, 6)]
    of_baselines = [row(tasks[0]), row(tasks[0], "no_change")]
    found[tasks[0]] = Finished(tasks[0], of_baselines)
    copied = of_baselines[1]._replace(seed=4)
    later = [row(tasks[2]), copied, row(tasks[3], tasks[3].method), row(tasks[6])]
    assert all_rows(tasks, found) == [*of_baselines, *later]


def test_a_look_sees_each_run_where_it_was_made(cells):
    experiment = with_grid(EXPERIMENT, {"kl_weight": [0.5, 1]})
    seen = [
        one.seen
        for one in leave_one_out(
            cells,
            experiment,
            ["type 2"],
            [7],
            look=lambda run: (run.method, run.seed, run.model.settings.kl_weight),
        )
    ]
    assert seen == [("scgen", 7, 0.5), ("scgen[kl_weight=1]", 7, 1)]


def test_a_worker_is_silent_and_tells_later(cells, capfd):
    study = Study(cells, EXPERIMENT, look=lambda run: warnings.warn("seen", stacklevel=2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finished, said, warned = perform_apart(study, Task("type 2", 7, 7))
    assert (UserWarning, "seen") in warned
    live = []
    with pytest.warns(UserWarning, match="seen"):
        assert finished == perform(study, Task("type 2", 7, 7), live.append)
    assert said == live
    assert said[0] == "type 2, seed 7: 20 stimulated cells are hidden"
    assert capfd.readouterr() == ("", "")


def test_a_loss_that_is_not_finite_names_its_task(cells):
    diverging = Experiment(*NAMES, model=TINY, training={**SHORT, "lr": 1e30})
    with pytest.raises(InputError, match=r"^type 2, seed 7: training stopped in epoch 1: ") as caught:
        perform_apart(Study(cells, diverging), Task("type 2", 7, 7))
    assert type(caught.value) is InputError  # it has to travel, without the weights


# ----------------------------------------------------------------------------------------- grid


def test_a_grid_is_every_combination_and_the_first_is_scgen():
    experiment = with_grid(EXPERIMENT, {"kl_weight": [0.5, 1.0], "n_latent": [2, 4], "lr": [0.01]})
    assert experiment.model == TINY | {"kl_weight": 0.5, "n_latent": 2}
    assert experiment.training == SHORT | {"lr": 0.01}
    assert list(experiment.variants) == [
        "scgen[kl_weight=0.5, n_latent=4, lr=0.01]",
        "scgen[kl_weight=1.0, n_latent=2, lr=0.01]",
        "scgen[kl_weight=1.0, n_latent=4, lr=0.01]",
    ]
    last = variant(experiment, "scgen[kl_weight=1.0, n_latent=4, lr=0.01]")
    assert last.model == TINY | {"kl_weight": 1.0, "n_latent": 4}
    assert last.training == SHORT | {"lr": 0.01}
    assert variant(experiment, "scgen") is experiment
    assert with_grid(EXPERIMENT, {}) == EXPERIMENT
    assert name_of("scgen[kl_weight=1.0, n_latent=4]") == "scGen[kl_weight=1.0, n_latent=4]"


def test_a_variant_is_an_experiment_of_its_own(cells):
    experiment = with_conditional_vae(
        with_grid(EXPERIMENT, {"kl_weight": [0.5, 1.0], "batch_size": [32, 16]})
    )
    finished = list(leave_one_out(cells, experiment, ["type 2"], [7]))
    rows = [row for one in finished for row in one.rows]
    for kl_weight, batch_size in ((0.5, 32), (0.5, 16), (1.0, 32), (1.0, 16)):
        alone = Experiment(
            *NAMES, model=TINY | {"kl_weight": kl_weight}, training=SHORT | {"batch_size": batch_size}
        )
        (done,) = leave_one_out(cells, alone, ["type 2"], [7])
        first = (kl_weight, batch_size) == (0.5, 32)
        method = "scgen" if first else f"scgen[kl_weight={kl_weight}, batch_size={batch_size}]"
        expected = [row._replace(method=method) for row in done.rows if row.method == "scgen"]
        assert [row for row in rows if row.method == method] == expected
    methods = [row.method for row in rows if row.metric == "mse"]
    assert len(methods) == len(set(methods)) == 1 + 3 + 1 + len(BASELINES) - 1  # no regression: two types


def test_a_variant_that_cannot_be_trained_has_no_scores(cells):
    experiment = with_grid(EXPERIMENT, {"lr": [1e-3, 1e30]})
    said = []
    good, bad = leave_one_out(cells, experiment, ["type 2"], [7], said.append)
    assert good.rows
    assert bad.rows == []
    (line,) = [line for line in said if "no scores" in line]
    assert line.startswith("type 2, seed 7, scgen[lr=1e+30]: no scores, as training stopped in epoch 1: ")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"seed": [1]}, "^seed is no setting of a grid: the names are n_hidden, n_latent, "),
        ({"colour": [1]}, "^colour is no setting of a grid"),
        ({"n_latent": []}, r"^the values of n_latent are \[\]: give some, each once"),
        ({"n_latent": [2, 3, 2.0]}, "^the values of n_latent are .*: give some, each once"),
        ({"n_latent": [2, 0]}, "^n_latent is 0: give at least 1"),
        ({"n_latent": [2, "x"]}, "^n_latent is 'x': give a whole number"),
        ({"lr": [1e-3, -1]}, "^lr is -1: give a number above 0"),
        ({"kl_weight": [float("nan")]}, "^kl_weight is nan"),
        ({"batch_size": [32, 1]}, "^batch_size is 1: give at least 2"),
        ({"n_layers": [0, 2], "batch_size": [1]}, "^batch_size is 1: give at least 2"),
        ({"lr": [1e-3, 1e-46]}, "^lr is 1e-46: float32 has numbers from "),
        ({"kl_weight": [1, 1e39]}, r"^kl_weight is 1e\+39: float32 has numbers from "),
        ({"early_stopping": [True, "no"]}, "^early_stopping is 'no': give true or false"),
        ({"early_stopping": [0]}, "^early_stopping is 0: give true or false"),
    ],
)
def test_a_bad_grid_is_found_before_any_training(grid, message):
    with pytest.raises(InputError, match=message):
        with_grid(EXPERIMENT, grid)


def test_what_a_grid_may_hold_depends_on_the_model():
    affine, double = (
        replace(EXPERIMENT, model=TINY | more) for more in ({"n_layers": 0}, {"dtype": "float64"})
    )
    assert with_grid(affine, {"batch_size": [1]}).training["batch_size"] == 1
    assert with_grid(double, {"lr": [1e-46]}).training["lr"] == 1e-46


# ------------------------------------------------------------------------------------- finished

SECTION = Section("a", ["text"], {"caption": [["x", "y"], ["1", "2"]]}, {"figure": "data:,"}, ["point"])


def finished_of(task, section=None):
    values = (0.1 + 0.2, 1e-300, 5e-324, -0.0)
    return Finished(
        task, [Row(task.context, task.seed, "scgen", f"m{i}", v) for i, v in enumerate(values)], section
    )


def test_what_is_finished_comes_back_to_the_bit(cells, tmp_path):
    study = identify(cells, with_grid(EXPERIMENT, {"lr": [0.01, 0.1]}), 0)
    tasks = [Task('odd, "name"\n/..', 0, 0), Task("a", 1, 0, "scgen[lr=0.1]"), Task("a", 11, 0)]
    kept = [finished_of(task, SECTION if task.seed == 0 else None) for task in tasks]
    for one in kept:
        write_finished(tmp_path, study, one)
    write_finished(tmp_path, study, kept[0])  # again: the same file
    assert len(list(tmp_path.iterdir())) == 3
    found = read_finished(tmp_path, study, pytest.fail)
    assert found.keys() == set(tasks)
    for one in kept:
        assert repr(found[one.task].rows) == repr(one.rows)
        if one.seen is None:
            assert found[one.task].seen is None
        else:
            assert (
                found[one.task].seen == json.loads(json.dumps(one.seen)) or found[one.task].seen == one.seen
            )
    np.savez(tmp_path / "of mine.npz", x=np.ones(3))
    file_of(tmp_path, tasks[1]).unlink()  # by somebody else
    file_of(tmp_path, tasks[2]).write_bytes(b"damaged")
    remove_finished(tmp_path, tasks[1:])  # the first is not named, and known by what it is
    assert [path.name for path in tmp_path.iterdir()] == ["of mine.npz"]
    (tmp_path / "of mine.npz").unlink()
    remove_finished(tmp_path, tasks)
    assert not tmp_path.exists()
    assert read_finished(tmp_path, study, pytest.fail) == {}


def test_a_damaged_file_costs_its_own_training_only(cells, tmp_path):
    study = identify(cells, EXPERIMENT, 0)
    tasks = [Task("a", seed, 0) for seed in range(3)]
    for task in tasks:
        write_finished(tmp_path, study, finished_of(task))
    first, second, third = sorted(tmp_path.iterdir())
    first.write_bytes(first.read_bytes()[:200])
    damaged = bytearray(second.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    second.write_bytes(damaged)
    said = []
    found = read_finished(tmp_path, study, said.append)
    assert len(found) == 1
    assert said == [
        f"its training is done again: {path} is not a vae_np {FINISHED.noun}, or it is damaged"
        for path in (first, second)
    ]
    assert third.exists()


def test_another_study_does_not_go_on_from_it(cells, tmp_path):
    write_finished(tmp_path, identify(cells, EXPERIMENT, 0), finished_of(Task("a", 0, 0)))
    values, genes, types = cells.copy(), cells.copy(), cells.copy()
    values.X = cells.X * 0.5
    genes.var_names = [f"other {name}" for name in cells.var_names]
    types.obs["cell_type"] = np.roll(cells.obs["cell_type"].to_numpy(), 1)
    other = Experiment(*NAMES, model=TINY | {"kl_weight": 1.0}, training=SHORT)
    for arguments, message in (
        ((values, EXPERIMENT, 0), ": other values of x$"),
        ((genes, EXPERIMENT, 0), ": other genes$"),
        ((types, EXPERIMENT, 0), ": other labels 'cell_type'$"),
        ((cells[:100].copy(), EXPERIMENT, 0), r": shape of x \[120, 30\] there and \[100, 30\] here, other "),
        ((cells, other, 0), ": kl_weight 2.5e-05 there and 1.0 here$"),
        ((cells, EXPERIMENT, 1), ": first seed 0 there and 1 here$"),
        ((cells, with_grid(EXPERIMENT, {"lr": [1e-2, 1]}), 0), ": lr 0.001 there and 0.01 here$"),
        (
            (cells, with_conditional_vae(EXPERIMENT), 0),
            r": others \[\] there and \['conditional_vae'\] here$",
        ),
    ):
        with pytest.raises(InputError, match=message):
            read_finished(tmp_path, identify(*arguments), pytest.fail)
    dense = cells.copy()
    dense.X = cells.X.toarray()
    assert read_finished(tmp_path, identify(dense, EXPERIMENT, 0), pytest.fail)  # the same values


def test_a_changed_grid_keeps_what_has_the_same_settings(cells, tmp_path):
    def grid(*values, **more):
        return with_grid(EXPERIMENT, {"kl_weight": list(values), **more})

    for experiment in (EXPERIMENT, grid(2.5e-5, 1.0, 7.0)):  # the default, given or not
        for task in list_tasks(experiment, ["a"], [0, 1]):
            write_finished(tmp_path, identify(cells, experiment, 0), finished_of(task))
    for experiment, kept in (
        (EXPERIMENT, ["scgen"]),
        (grid(2.5e-5, 1.0, 10.0), ["scgen", "scgen[kl_weight=1.0]"]),
        (grid(2.5e-5, 7.0, lr=[1e-3, 1.0]), ["scgen"]),
    ):
        found = read_finished(tmp_path, identify(cells, experiment, 0), pytest.fail)
        assert sorted((task.method, task.seed) for task in found) == [(m, s) for m in kept for s in (0, 1)]
    longer = replace(EXPERIMENT, training=SHORT | {"max_epochs": 3})
    for experiment, message in (
        (grid(1.0, 2.5e-5), ": kl_weight 2.5e-05 there and 1.0 here$"),
        (with_grid(longer, {"kl_weight": [2.5e-5, 1.0]}), ": max_epochs 2 there and 3 here$"),
    ):
        with pytest.raises(InputError, match=message):
            read_finished(tmp_path, identify(cells, experiment, 0), pytest.fail)


# ------------------------------------------------------------------------------------- progress


def test_progress_says_how_many_and_how_long(monkeypatch, capsys):
    clock = iter([0.0, 60.0, 100.0, 150.0])
    monkeypatch.setattr("vae_np.cli.trainings.monotonic", lambda: next(clock))
    say = progress(21, 24)  # 21 were done before
    for task in ("B, seed 1", "B, seed 2", "B, seed 3"):
        say(task)
    assert capsys.readouterr().err.splitlines() == [
        "22 of 24 trainings done (B, seed 1), about 2 min left",
        "23 of 24 trainings done (B, seed 2), about 50 s left",
        "24 of 24 trainings done (B, seed 3)",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "2 h"), (36000, "10 h")],
)
def test_a_time_in_words(seconds, words):
    assert about(seconds) == f"about {words}"
