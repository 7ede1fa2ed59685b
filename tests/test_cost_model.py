"""The cost model predicts what it was made of, exactly; the scripts that use it run from end to end."""

import numpy as np
import pytest
from test_benchmarks import run, script  # noqa: F401 - fixtures

from vae_np.model import Sizes
from vae_np.train.batches import minibatches

SIZES = Sizes(n_genes=500, n_hidden=16, n_latent=4, n_layers=2)


@pytest.fixture
def model(script):  # noqa: F811
    return script("cost_model")


@pytest.fixture
def machine(model):
    phases = model.PHASES
    products = dict(zip(phases, (1e9, 2e9, 3e9, 4e9), strict=True))
    updates = dict(zip(phases, (np.inf, 5e8, 6e8, 7e8), strict=True))
    return model.Machine({1: 1e10, 2: 1.5e10}, products, updates, activation=2e-9, step=1e-3)


def job(model, batch_size=32, n_cells=1000, sizes=SIZES):
    return model.Job(n_cells, sizes, batch_size, 0.1, 300.0)


def test_the_rates_are_found_again_in_the_times_that_they_give(model, machine):
    def seconds(at):
        alone = {
            name: machine._replace(
                products={p: rate if p == name else np.inf for p, rate in machine.products.items()},
                updates={p: rate if p == name else np.inf for p, rate in machine.updates.items()},
                bandwidth={1: np.inf},
                activation=0,
                step=0,
            )
            for name in model.PHASES
        }
        memory = {name: need.n_bytes / machine.bandwidth[1] for name, need in at.needs().items()}
        phases = {name: model.step_seconds(at, each) + memory[name] for name, each in alone.items()}
        return phases | {"rest": machine.step + machine.activation * at.n_activations}

    runs = [(at, seconds(at)) for at in (job(model, 32), job(model, 256))]
    found = model.calibrated(machine.bandwidth, runs, "rest")
    for name in model.PHASES:
        assert found.products[name] == pytest.approx(machine.products[name], rel=1e-6)
        assert found.updates[name] == pytest.approx(machine.updates[name], rel=1e-6)
    assert found.activation == pytest.approx(machine.activation, rel=1e-9)
    assert found.step == pytest.approx(machine.step, rel=1e-9)
    for at, each in runs:
        assert model.step_seconds(at, found) == pytest.approx(sum(each.values()), rel=1e-6)


def test_threads_share_the_bandwidth_and_workers_too(model, machine):
    at = job(model)
    free = machine._replace(bandwidth={1: np.inf, 2: np.inf})
    rest = machine.step + machine.activation * at.n_activations
    one, two = model.step_seconds(at, free), model.step_seconds(at, free, n_threads=2)
    assert two - rest == pytest.approx((one - rest) / 2)
    assert model.step_seconds(at, free, n_workers=2) == pytest.approx(one)
    n_bytes = sum(need.n_bytes for need in at.needs().values())
    memory = {n: model.step_seconds(at, machine, n_workers=n) - one for n in (1, 2)}
    assert memory[1] == pytest.approx(n_bytes / 1e10)
    assert memory[2] == pytest.approx(n_bytes / 0.75e10)


def test_an_epoch_is_its_steps_and_a_pass_forward_for_the_cells_that_validate(model, machine):
    at = job(model, n_cells=1000)
    assert at.n_steps == len(minibatches(np.arange(900), 32, np.random.default_rng(0)))
    hidden, latent, genes = SIZES.n_hidden, SIZES.n_latent, SIZES.n_genes
    middle = hidden * hidden + 2 * hidden * latent + latent * hidden + hidden * hidden  # matrices between
    rates = [machine.products[phase] for phase in model.PHASES]
    one = 2 * hidden * 0.1 * genes / rates[0] + 2 * middle / rates[1] + 2 * hidden * genes / rates[2]
    expected = at.n_steps * model.step_seconds(at, machine) + 100 * one
    assert model.epoch_seconds(at, machine) == pytest.approx(expected)
    assert model.study_seconds(24, 5, 10.0) == 50  # five rounds, the last of four


def test_memory_is_the_sum_of_what_is_held(model):
    few, many = (model.memory_bytes(job(model, n_cells=n), base=7.0) for n in (2000, 3000))
    assert many - few == pytest.approx(8 * 0.1 * 1000 * 500 + (4 * 4 + 200) * 1000)
    streamed = [model.memory_bytes(job(model, n_cells=n), 7.0, buffered=512) for n in (2000, 3000)]
    assert streamed[1] - streamed[0] == pytest.approx((4 * 4 + 200) * 1000)  # latents and labels alone
    assert few - streamed[0] == pytest.approx(8 * 0.1 * (2000 - 3 * 512) * 500)
    wider = job(model, n_cells=2000, sizes=SIZES._replace(n_hidden=32))
    gained = model.memory_bytes(wider, 7.0) - few
    assert gained == pytest.approx(6 * 4 * (wider.sizes.n_params - SIZES.n_params))


def test_a_ring_sends_each_gradient_twice_but_for_ones_own_share(model):
    assert model.exchange_seconds(1000, 1, 4.0) == 0
    assert model.exchange_seconds(1000, 2, 4.0) == 1000
    assert model.exchange_seconds(1000, 4, 4.0) == 1500


@pytest.mark.slow  # eight processes
def test_cost(run):  # noqa: F811
    text, results = run("cost", "--steps 2 --megabytes 1 --genes 60 --points 1 --trainings 1 --rounds 1")
    kinds = [row["kind"] for row in results["comparisons"]]
    assert kinds == ["step, ms", "epoch, s", "peak, MB"]
    for row in results["comparisons"]:
        assert row["off"] == pytest.approx(row["predicted"] / row["measured"] - 1)
    assert "farthest off: " in text


def test_epochs_until_a_loss_lie_between_two_epochs(script):  # noqa: F811
    until = script("batch_size").epochs_until
    assert until([9.0, 5.0, 1.0], 9.0) == 1
    assert until([9.0, 5.0, 1.0], 4.0) == 2.25
    assert until([9.0, 5.0, 6.0], 4.0) is None


def test_fewest_steps_and_fewest_cells_are_found_again(script):  # noqa: F811
    sizes = [16, 64, 256]
    found = script("batch_size").fit_steps(sizes, [100 + 5000 / size for size in sizes])
    assert found == pytest.approx((100, 5000))


@pytest.mark.slow
def test_batch_size(run):  # noqa: F811
    options = "--cells 300 --genes 30 --epochs 3 --seeds 1 --batch-size 16 --batch-size 64"
    text, results = run("batch_size", options)
    assert [row["batch_size"] for row in results["rows"]] == [16, 64]
    for row in results["rows"]:
        assert 1 <= row["epochs"] <= 3
        n_steps = len(minibatches(np.arange(270), row["batch_size"], np.random.default_rng(0)))
        assert row["steps"] == pytest.approx(row["epochs"] * n_steps)
    assert "B_crit" in text
