"""AnnData go from scanpy to us and from us to scanpy; scanpy is also an oracle for the normalization."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from vae_np import ScGen, simulate
from vae_np.data import log_normalize
from vae_np.data.expression import log_matrix
from vae_np.errors import InputError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:the cell types respond"),  # so says a model of a few epochs
]

SMALL = {"n_hidden": 64, "n_latent": 10, "n_layers": 1}
KEYS = {"condition_key": "condition", "cell_type_key": "cell_type"}


@pytest.fixture
def counts():
    """Simulated counts in X."""
    adata = simulate(600, 200, 3)
    adata.X = adata.layers.pop("counts")
    return adata


@pytest.fixture
def pipeline(scanpy, counts):
    """What a usual scanpy pipeline leaves: counts in a layer, logarithms in X and raw, variable genes."""
    adata = counts.copy()
    adata.layers["counts"] = adata.X.copy()
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    adata.raw = adata
    scanpy.pp.highly_variable_genes(adata, n_top_genes=80)
    return adata


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, lambda x: x.toarray()])
def test_log_normalize_is_scanpys(scanpy, counts, kind):
    counts.X = kind(counts.X)
    theirs = counts.copy()
    scanpy.pp.normalize_total(theirs, target_sum=1e4)
    scanpy.pp.log1p(theirs)
    ours, theirs = (
        x if isinstance(x, np.ndarray) else x.toarray() for x in (log_normalize(counts).X, theirs.X)
    )
    np.testing.assert_allclose(
        ours, theirs, rtol=8 * np.finfo(np.float32).eps
    )  # a few float32 roundings each


def test_scaled_values_are_refused_and_raw_is_the_way_out(scanpy, pipeline):
    scaled = pipeline.copy()
    scaled.X = scaled.X.toarray()
    scanpy.pp.scale(scaled)
    with pytest.raises(InputError, match=r"use adata\.raw\.to_adata\(\)"):
        log_matrix(scaled)
    np.testing.assert_array_equal(log_matrix(scaled.raw.to_adata()).toarray(), pipeline.X.toarray())


def seen(adata, target="type 3"):
    """All but the stimulated cells of one type; a view, whose categories stay as they were."""
    return adata[~((adata.obs["cell_type"] == target) & (adata.obs["condition"] == "stimulated"))]


@pytest.mark.parametrize("form", ["view", "memory", "backed", "layer", "unused categories"])
def test_a_model_takes_the_variable_genes_of_a_pipeline(pipeline, tmp_path, form):
    cells = seen(pipeline)[:, pipeline.var["highly_variable"]]
    layer = None
    if form == "memory":
        cells = cells.copy()
    elif form == "backed":
        cells.copy().write_h5ad(tmp_path / "cells.h5ad")
        cells = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    elif form == "layer":
        cells = cells.copy()
        cells.layers["log"], cells.X, layer = cells.X, cells.layers["counts"], "log"
    elif form == "unused categories":
        cells = cells.copy()
        for column in KEYS.values():
            cells.obs[column] = cells.obs[column].cat.add_categories("never seen")
    reference = ScGen(**SMALL).fit(
        seen(pipeline)[:, pipeline.var["highly_variable"]].copy(), **KEYS, max_epochs=2
    )
    model = ScGen(**SMALL).fit(cells, **KEYS, layer=layer, max_epochs=2)
    np.testing.assert_array_equal(model.params.flat, reference.params.flat)
    predicted, _ = model.predict("control", "stimulated", celltype_to_predict="type 3")
    expected, _ = reference.predict("control", "stimulated", celltype_to_predict="type 3")
    np.testing.assert_array_equal(np.asarray(predicted.X), np.asarray(expected.X))
    if form == "backed":
        cells.file.close()


def test_predicted_cells_go_through_scanpy(scanpy, pipeline, tmp_path):
    model = ScGen(**SMALL | {"n_hidden": 200}).fit(seen(pipeline), **KEYS, max_epochs=40)
    predicted, _ = model.predict("control", "stimulated", celltype_to_predict="type 3")
    target = pipeline[pipeline.obs["cell_type"] == "type 3"].copy()
    del target.raw  # the model predicts no raw, and anndata warns if only some have one
    together = anndata.concat(
        {
            "control": target[target.obs["condition"] == "control"],
            "predicted": predicted,
            "stimulated": target[target.obs["condition"] == "stimulated"],
        },
        label="origin",
        index_unique="-",
    )
    together.write_h5ad(tmp_path / "together.h5ad")
    together = scanpy.read_h5ad(tmp_path / "together.h5ad")
    scanpy.pp.pca(together, n_comps=10)
    assert together.obsm["X_pca"].shape == (together.n_obs, 10)
    scanpy.tl.rank_genes_groups(together, "origin", reference="control", method="wilcoxon")
    names = pd.DataFrame(together.uns["rank_genes_groups"]["names"])
    scores = pd.DataFrame(together.uns["rank_genes_groups"]["scores"])
    assert names.columns.tolist() == ["predicted", "stimulated"]
    assert all(set(names[group]) == set(pipeline.var_names) for group in names)
    assert np.isfinite(scores.to_numpy(dtype=float)).all()
    assert pipeline.var.loc[names["stimulated"].head(10), "responds"].sum() >= 8
