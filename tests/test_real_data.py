"""Real cells (Kang et al. 2018, PBMC, interferon-beta): what must hold of a held-out prediction.

The bounds are not figures that this code printed: they are 'better than no change', and half of the
true change for genes whose response to interferon is known.
"""

import numpy as np
import pytest

from vae_np import ScGen, read_h5ad
from vae_np.data import log_normalize, select_genes
from vae_np.evaluate import hold_out, score_held_out

pytestmark = pytest.mark.slow
INTERFERON_GENES = ["ISG15", "IFI6", "IFIT3", "CXCL10"]
KEYS = ("condition", "cell_type")
NAMES = ("control", "stimulated")


def held_out_prediction(file, target, n_genes, max_epochs):
    """Train without the target's stimulated cells; score both modes; print what was seen."""
    adata = log_normalize(read_h5ad(file))
    split = hold_out(adata, *KEYS, NAMES[1], target)
    if n_genes is not None:
        genes = select_genes(split.train, n_genes)
        split = split._replace(train=split.train[:, genes].copy(), held_out=split.held_out[:, genes].copy())
    model = ScGen().fit(split.train, condition_key=KEYS[0], cell_type_key=KEYS[1], max_epochs=max_epochs)
    scores, cells = {}, {}
    for mode in ("change", "decode"):
        unclipped, _ = model.predict(*NAMES, target, mode=mode, clip=False)
        rows = score_held_out(unclipped, split, *KEYS, *NAMES, target, seed=0)
        scores |= {(mode if row.method == "scgen" else row.method, row.metric): row.value for row in rows}
        cells[mode], _ = model.predict(*NAMES, target, mode=mode)
    metrics = ("r2_mean", "r2_mean_deg100", "pearson_delta")
    print(f"\n{file.name}, {target}: {len(model.history['train_total'])} epochs")
    for method in ("change", "decode", "mean_shift", "no_change"):
        for suffix in ("", "_unclipped"):
            values = [scores.get((method, m + suffix), np.nan) for m in metrics]
            print(f"  {method + suffix:22}", *(f"{value:.3f}" for value in values))
    return split, cells, scores


def assert_better_than_no_change(split, cells, scores, target):
    is_control = (split.train.obs[KEYS[0]] == NAMES[0]) & (split.train.obs[KEYS[1]] == target)
    control = split.train[is_control.to_numpy()]
    for mode in ("change", "decode"):
        for metric in ("r2_mean", "r2_mean_deg100"):
            assert scores[mode, metric] > scores["no_change", metric]
        assert scores[mode, "pearson_delta"] > 0.5
    for gene in INTERFERON_GENES:
        low, true, change, decode = (
            float(x[:, gene].X.mean()) for x in (control, split.held_out, cells["change"], cells["decode"])
        )
        print(f"  {gene}: control {low:.2f}, true {true:.2f}, change {change:.2f}, decode {decode:.2f}")
        assert true > low
        assert change - low >= (true - low) / 2
        assert decode - low >= (true - low) / 2


def test_kang_small_cd4_t(real_data):
    target = "CD4 T cells"
    result = held_out_prediction(real_data / "kang_pbmc_small.h5ad", target, None, max_epochs=100)
    assert_better_than_no_change(*result, target)


@pytest.mark.parametrize("target", ["CD4 Naive T", "B"])
def test_kang_3000_genes(real_data, target):
    result = held_out_prediction(real_data / "kang_pbmc.h5ad", target, 3000, max_epochs=30)
    assert_better_than_no_change(*result, target)


@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")  # effects are weak
@pytest.mark.filterwarnings("ignore:.*conditions have too few cells for a delta")
def test_many_conditions_on_log_values_with_empty_genes(real_data):
    """34 conditions, log-normalized input, genes without any count: everything stays finite."""
    adata = read_h5ad(real_data / "crispr_many_conditions.h5ad")
    assert (np.asarray(adata.X.sum(axis=0)) == 0).any()
    model = ScGen(n_hidden=64, n_latent=10).fit(
        adata, condition_key="condition", cell_type_key="cell_type", max_epochs=3, batch_size=128
    )
    shared = "control", adata.obs["condition"].astype(str).value_counts().index[1]
    predicted, delta = model.predict(*shared, adata_to_predict=adata[adata.obs["condition"] == "control"])
    assert np.isfinite(predicted.X).all()
    assert np.isfinite(delta).all()
    some = adata[adata.obs["condition"] == "control"][::50]  # of several lines, hence all enter delta
    everything, deltas = model.predict_all(adata_to_predict=some)
    assert everything.n_obs == some.n_obs * len(deltas)
    assert np.isfinite(everything.X).all()
    np.testing.assert_array_equal(deltas[shared[1]], delta)
