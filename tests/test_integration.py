"""The silhouette against its definition, cell by cell, and scikit-learn."""

import math

import numpy as np
import pytest

from vae_np.errors import InputError
from vae_np.evaluate import batch_scores
from vae_np.evaluate.integration import silhouette


def by_definition(z, label):
    values = []
    for i, own in enumerate(label):
        mean = {}
        for other in set(label):
            cells = [math.dist(z[i], z[j]) for j in range(len(z)) if label[j] == other and j != i]
            if cells:
                mean[other] = sum(cells) / len(cells)
        a, b = mean.pop(own, None), min(mean.values())
        values.append(0 if a is None or max(a, b) == 0 else (b - a) / max(a, b))
    return np.mean(values)


def test_silhouette_is_its_definition(rng):
    z = rng.normal(size=(30, 3))
    label = np.array(list("a" * 12 + "b" * 10 + "c" * 7 + "d"))  # d is alone
    z[label == "b"] += 1.5
    order = rng.permutation(30)
    z, label = z[order], label[order]
    np.testing.assert_allclose(silhouette(z, label), by_definition(z, label), rtol=1e-12)


def test_the_example_in_the_documentation():
    z, label = np.array([[0.0], [1], [4], [6]]), np.array(list("ppqq"))
    # each b and a by hand: 5 and 1, 4 and 1, 3.5 and 2, 5.5 and 2
    expected = (4 / 5 + 3 / 4 + 1.5 / 3.5 + 3.5 / 5.5) / 4
    np.testing.assert_allclose(silhouette(z, label), expected, rtol=1e-12)


def test_cells_in_more_than_one_chunk(rng):
    z = rng.normal(size=(1030, 2))
    label = np.tile(["a", "b"], 515)
    np.testing.assert_allclose(silhouette(z, label), by_definition(z, label), rtol=1e-9)


def test_cells_in_one_place_have_silhouette_zero():
    assert silhouette(np.zeros((6, 2)), np.array(list("aaabbb"))) == 0


def test_labels_far_apart_have_silhouette_near_one_and_mixed_ones_none(rng):
    """Batch means nothing here: 40 random labelings have mean 0 within 4.892 standard errors.

    And within a bias of order 1/n, as a is a mean over one cell fewer than b.
    """
    cell_type = np.repeat(["p", "q"], 50)
    z = rng.normal(size=(100, 2)) + 1000.0 * (cell_type == "p")[:, None]
    scores = batch_scores(z, rng.permutation(np.tile(["1", "2"], 50)), cell_type)
    assert scores.keys() == {"silhouette_batch", "silhouette_type"}
    assert scores["silhouette_type"] > 0.99
    mixed = [silhouette(z[:50], rng.permutation(np.tile(["1", "2"], 25))) for _ in range(40)]
    assert abs(np.mean(mixed)) < 4.892 * np.std(mixed, ddof=1) / math.sqrt(40) + 1 / 50


def test_what_has_no_silhouette_is_an_error(rng):
    z = rng.normal(size=(5, 2))
    with pytest.raises(InputError, match="1 label among 5 cells"):
        silhouette(z, np.array(["a"] * 5))
    with pytest.raises(InputError, match="5 cells and 4 labels"):
        silhouette(z, np.array(list("abab")))
    z[3, 1] = np.nan
    with pytest.raises(InputError, match="z holds NaN or infinite values"):
        silhouette(z, np.array(list("ababa")))


@pytest.mark.slow  # with scanpy, which brings it
def test_silhouette_is_scikit_learns(rng, scanpy):
    metrics = pytest.importorskip("sklearn.metrics")
    z, label = rng.normal(size=(200, 8)), rng.choice(list("abcd"), 200)
    z[label == "a"] += 2
    np.testing.assert_allclose(silhouette(z, label), metrics.silhouette_score(z, label), rtol=1e-9)
