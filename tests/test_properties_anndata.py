"""Whatever AnnData comes in: the result of plain float64, or one sentence; and it is left as it was."""

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DTYPES, FIXED, FORMS, KEYS, anndatas, content, holds, stored, values

from vae_np import ScGen
from vae_np.data import log_normalize, select_genes
from vae_np.data.expression import expression_matrix, log_matrix, scale_of
from vae_np.errors import InputError
from vae_np.scgen.cells import labels, match_genes, matched_matrix

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
    for form in FORMS:
        same_training(dtype, form, tmp_path)
