"""Whatever AnnData comes in: the result of plain float64, or one sentence; and it is left as it was."""

import io
import os
from contextlib import redirect_stderr, redirect_stdout

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse
from strategies import DTYPES, FIXED, FORMS, KEYS, NAMES, STRANGE, anndatas, content, holds, stored, values

from vae_np import ScGen, simulate
from vae_np.cli import main
from vae_np.data import log_normalize, select_genes
from vae_np.data.expression import expression_matrix, log_matrix, scale_of
from vae_np.data.matrix import gene_mean, gene_variance
from vae_np.elbo.gaussian_likelihood import gaussian
from vae_np.errors import InputError
from vae_np.model import Sizes, initialize
from vae_np.scgen.cells import labels, match_genes, matched_matrix
from vae_np.train import fit

pytestmark = [
    # anndata itself warns of doubled names, to people as well
    pytest.mark.filterwarnings("ignore:(Observation|Variable) names are not unique"),
    pytest.mark.filterwarnings("ignore:the cell types respond in different directions"),
    pytest.mark.filterwarnings("ignore:the model was trained on"),
]


def dense(x):
    return x if isinstance(x, np.ndarray) else x.toarray()


def outcome(function, *arguments):
    """The result as plain values, or the sentence."""
    try:
        result = function(*arguments)
    except InputError as error:
        sentence = str(error)
        assert sentence.isprintable(), "a sentence is one line without control characters"
        assert len(sentence) < 3000
        return sentence
    if isinstance(result, anndata.AnnData):
        result = result.X
    if isinstance(result, list):
        return result
    result = dense(result)
    if result.dtype.kind != "U":
        assert np.isfinite(result).all()
        result = result.astype(float)
    return result.tolist()


def cells(x, **parts):
    return anndata.AnnData(x, **parts)


# ------------------------------------------------------------------------------------ data functions

FUNCTIONS = {
    "expression_matrix": expression_matrix,
    "log_matrix": log_matrix,
    "log_normalize": log_normalize,
    "select_genes": lambda adata, layer=None: select_genes(adata, 2, layer),
}


@given(data=st.data())
@FIXED
def test_the_result_depends_on_the_values_alone_not_on_how_they_are_stored(data):
    x = data.draw(values())
    matrix, form = data.draw(stored(x))
    plain, same = cells(x.copy()), cells(matrix)
    for name, function in FUNCTIONS.items():
        assert outcome(function, same) == outcome(function, plain), f"{name} of {form}"


ONE = np.array([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
FIXED_VALUES = {"ones": ONE, "counts": ONE * [[3, 1, 7, 2]], "logs": ONE * [[2.25, 0.125, 0.5, 1.0]]}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", FIXED_VALUES)
def test_every_storage_form_gives_numpys_values_and_is_left_as_it_was(form, kind):
    x = FIXED_VALUES[kind]
    logs = np.log1p(10_000 * x / x.sum(axis=1, keepdims=True)).astype(np.float32)
    varying = np.sort(np.argsort(-x.var(axis=0), kind="stable")[:2]).astype(str)
    for dtype in [dtype for dtype in DTYPES if holds(dtype, form, x)]:
        adata = cells(FORMS[form](x.astype(dtype)))
        before = content(adata)
        taken = expression_matrix(adata)
        assert dense(taken).tolist() == x.tolist()
        np.testing.assert_allclose(gene_mean(taken), x.mean(axis=0), rtol=1e-15)
        np.testing.assert_allclose(gene_variance(taken), x.var(axis=0), rtol=1e-14, atol=1e-16)
        if kind == "logs":
            assert dense(log_matrix(adata)).tolist() == x.tolist()
            assert select_genes(adata, 2) == varying.tolist()
        else:
            np.testing.assert_allclose(dense(log_normalize(adata).X), logs, rtol=2e-7)
        assert content(adata) == before, f"{dtype} was changed"


@given(data=st.data())
@FIXED
def test_a_layer_and_a_view_are_read_as_x_is(data):
    x = data.draw(values(least=1))
    matrix, form = data.draw(stored(x))
    rows = np.array(data.draw(st.lists(st.integers(0, len(x) - 1), max_size=9)), int)
    view = cells(matrix, layers={"other": matrix})[rows]
    plain = cells(x[rows])
    for name, function in FUNCTIONS.items():
        expected = outcome(function, plain)
        assert outcome(function, view) == expected, f"{name} of {form}"
        in_layer = outcome(function, view, "other")
        if isinstance(expected, str):
            assert isinstance(in_layer, str)
        else:
            assert in_layer == expected, f"{name} of a layer, {form}"


@given(anndatas(), st.sampled_from([None, "logs", "none", ""]))
@FIXED
def test_whatever_comes_is_answered_or_refused_in_one_sentence_and_left_as_it_was(adata, layer):
    before = content(adata)
    for function in FUNCTIONS.values():
        outcome(function, adata, layer)
    for key in (*KEYS, "none", "", 3, None):
        outcome(labels, adata, key)
    genes = adata.var_names.tolist()
    outcome(match_genes, adata, genes[::-1])
    outcome(match_genes, adata, [*genes, "none of them", "a\nb\x1b[31m"])
    outcome(matched_matrix, adata, genes[::-1][:3], layer)
    assert content(adata) == before


def test_masked_values_are_not_taken_for_measured_ones():
    x = np.ma.masked_array([[1.0, 0.5], [0.0, 2.0]], mask=[[True, False], [False, False]])
    with pytest.raises(InputError, match="X holds 1 masked values: fill them or remove them"):
        expression_matrix(cells(x))


def test_integers_that_are_no_counts_are_refused():
    assert scale_of(np.array([[2.0**53]])) == "counts"
    with pytest.raises(InputError, match="the values reach 1e\\+308: too large for counts"):
        log_normalize(cells(np.full((2, 3), 1e308)))  # their sum is infinite


def test_names_of_layers_and_numbers_of_genes_are_checked():
    adata = cells(np.array([[1.0, 0.5], [0.0, 2.0]]))
    with pytest.raises(InputError, match=r"layer \['a'\] does not exist"):
        expression_matrix(adata, ["a"])
    with pytest.raises(InputError, match="n_genes is '1': give a whole number"):
        select_genes(adata, "1")
    adata.raw = adata.copy()
    with pytest.raises(InputError, match="an AnnData is needed, got Raw"):
        log_normalize(adata.raw)


@given(names=st.lists(NAMES, min_size=1, max_size=5), as_category=st.booleans())
@example(names=["a", "a\0"], as_category=False)
@example(names=["a\0", "b"], as_category=True)
@FIXED
def test_labels_are_the_words_of_the_column(names, as_category):
    obs = pd.DataFrame({"key": pd.Categorical(names) if as_category else np.array(names, object)})
    adata = anndata.AnnData(obs=obs.set_index(obs.index.astype(str)))
    if any(name.endswith("\0") for name in names):  # NumPy's strings would lose it: two types become one
        with pytest.raises(InputError, match="ends in a NUL character: rename it"):
            labels(adata, "key")
    else:
        assert labels(adata, "key").tolist() == names


# -------------------------------------------------------------------------------------- command line


def predicted_by_the_program(adata, target, folder):
    """Exit status, the words on both streams, and the cells in the file that was written, or None."""
    adata.write_h5ad(folder / "cells.h5ad")
    words = [
        "--condition-key=condition",
        "--cell-type-key=cell_type",
        "--max-epochs=1",
        f"--predict={target}",
    ]
    words += ["--control=control", "--stimulated=stimulated", f"--out={folder / 'out.h5ad'}"]
    said, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(errors):
        status = main(["predict", str(folder / "cells.h5ad"), *words])
    out = folder / "out.h5ad"
    cells = anndata.read_h5ad(out) if out.exists() else None
    out.unlink(missing_ok=True)
    return status, said.getvalue(), errors.getvalue(), cells


@pytest.mark.slow
def test_names_go_through_the_program_unchanged_or_are_refused_in_one_line(tmp_path):
    plain = simulate(48, 6, 3, seed=1)
    names = [name for name in STRANGE if "\0" not in name]  # HDF5 holds none
    for i in range(0, len(names) - 5, 5):
        adata = plain.copy()
        some = names[i : i + 6]
        adata.obs["cell_type"] = adata.obs["cell_type"].cat.rename_categories(some[:3])
        adata.var_names, target = some, some[1]
        status, said, errors, cells = predicted_by_the_program(adata, target, tmp_path)
        assert all(line.isprintable() for line in (said + errors).split("\n")), some
        if status:
            assert status == 2
            assert sum(line.startswith("vae-np: ") for line in errors.split("\n")) == 1
            assert cells is None
            continue
        control = (adata.obs["cell_type"] == target) & (adata.obs["condition"] == "control")
        assert cells.var_names.tolist() == some
        assert cells.obs_names.tolist() == adata.obs_names[control].tolist()
        assert set(cells.obs["cell_type"]) == {target}
        assert cells.uns["vae_np"]["cell_types"].tolist() == sorted({*some[:3]} - {target})


def test_a_pipe_is_no_file(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")  # opened, it would wait for ever
    assert main(["train", str(tmp_path / "pipe"), "--condition-key=a", "--cell-type-key=b", "--out=m"]) == 2
    assert "pipe is a device or a pipe: give an .h5ad file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["train", "a\0b", "--out=m"], ["where", "--out=\0"], ["check", "\0", "a.py:f"]]
)
def test_a_nul_character_in_an_argument_gets_one_line(words, capsys):
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()


# --------------------------------------------------------------------------------------------- model

RNG = np.random.default_rng(8)
N, D = 24, 5
DENSE_LOGS = RNG.integers(1, 80, (N, D)) / 8
LOGS = {"few zeros": DENSE_LOGS, "many zeros": DENSE_LOGS * (RNG.random((N, D)) < 0.3)}
SMALL = {"n_hidden": 4, "n_latent": 2, "n_layers": 1}


def study(matrix):
    """Cells of three types in two conditions, with any matrix."""
    obs = pd.DataFrame(
        {"condition": [f"c{i % 2}" for i in range(N)], "cell_type": [f"t{i // 2 % 3}" for i in range(N)]},
        index=[f"cell {i}" for i in range(N)],
    )
    return anndata.AnnData(matrix, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(D)]))


def trained(adata, path):
    """All bits of a model and of what it says: weights, latents, a prediction, the same after loading."""
    model = ScGen(**SMALL).fit(adata, condition_key="condition", cell_type_key="cell_type", max_epochs=2)
    model.save(path)
    bits = [model.params.flat.tobytes(), model.residual_variance.tobytes()]
    for each in (model, ScGen.load(path, adata)):
        predicted, delta = each.predict("c0", "c1", "t1", min_cells=1)
        scale = each.predict("c0", "c1", "t1", min_cells=1, scale="measured")[1]
        parts = predicted.X, delta, scale, each.encode(adata), each.encode(adata.X), each.elbo(adata).value
        bits += [part.tobytes() for part in parts]
    return bits


def same_training(dtype, form, tmp_path):
    for name, x in LOGS.items():
        if not holds(dtype, form, x):
            x = np.ceil(x) + 0.5 * (np.indices(x.shape).sum(axis=0) == 0)
        if holds(dtype, form, x):
            expected = trained(study(x), tmp_path / "model")
            adata = study(FORMS[form](x.astype(dtype)))
            before = content(adata)
            assert trained(adata, tmp_path / "model") == expected, f"{dtype} {form}, {name}"
            assert content(adata) == before


@pytest.mark.parametrize("form", ["Fortran order", "backwards", "csc_array doubled", "csr_matrix unsorted"])
def test_a_model_depends_on_the_values_alone(tmp_path, form):
    same_training("float64", form, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if np.dtype(dtype).kind == "f"])
def test_a_model_depends_on_the_values_alone_in_every_form(tmp_path, dtype):
    for form in list(FORMS)[::3]:
        same_training(dtype, form, tmp_path)


# ----------------------------------------------------------------------------------- array interface


@pytest.mark.parametrize(
    "x",
    [
        *(
            "text",
            None,
            5,
            [],
            [[]],
            [[1.0], [1.0, 2.0]],
            [["a"] * D] * N,
            [[None] * D] * N,
            np.zeros((0, D)),
        ),
        *(
            np.zeros(D),
            np.zeros((N, D + 1)),
            np.zeros((N, D, 1)),
            np.full((N, D), np.nan),
            np.zeros((N, D), complex),
        ),
        *(np.ma.masked_all((N, D)), pd.DataFrame({"a": ["b"] * N}), {"a": 1}, sparse.csr_matrix((N, D + 1))),
    ],
    ids=str,
)
def test_what_is_no_matrix_of_the_model_is_refused_in_one_sentence(x):
    model = ScGen(**SMALL).fit(
        study(DENSE_LOGS), condition_key="condition", cell_type_key="cell_type", max_epochs=1
    )
    sizes = Sizes(D, 4, 2, 1)
    for use in (
        lambda: model.encode(x),
        lambda: fit(
            *initialize(sizes, np.random.default_rng(0)), x, gaussian(), rng=np.random.default_rng(0)
        ),
    ):
        result = outcome(use)
        assert isinstance(result, str) or np.shape(x) == (0, D), result
