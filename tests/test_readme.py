"""The README can be followed to the letter: its snippets run, its set-up commands are the ones CI runs."""

import re
from functools import partialmethod
from pathlib import Path

import anndata
import numpy as np
import pytest

from vae_np import ScGen, simulate

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_there_are_two_set_up_commands():
    commands = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [command.split(" && ")[-1] for command in commands] == ["vae-np demo", "pytest"]


def test_the_vae_snippet_runs(capsys):
    exec(SNIPPETS[2], {})
    # 64 fair coins: no model has less than their entropy on average over new data
    assert float(capsys.readouterr().out.split()[0]) > 0.9 * 64 * np.log(2)


@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")  # after one epoch
def test_the_scgen_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(ScGen, "fit", partialmethod(ScGen.fit, max_epochs=1))
    adata = simulate(120, 3200, 3)
    adata.obs["cell_type"] = adata.obs["cell_type"].cat.rename_categories({"type 1": "CD4 T cells"})
    counts = anndata.AnnData(adata.layers["counts"], obs=adata.obs, var=adata.var)
    counts.write_h5ad(tmp_path / "pbmc.h5ad")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(SNIPPETS[0], names)
    assert names["predicted"].shape == (20, 3000)
    assert (tmp_path / "model.npz").is_file()


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data will no longer be the default")
@pytest.mark.filterwarnings("ignore:the model was trained on 30 stimulated cells")
@pytest.mark.filterwarnings("ignore:the cell types respond in different directions")
def test_the_snippet_of_large_data_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(ScGen, "fit", partialmethod(ScGen.fit, max_epochs=1))
    adata = simulate(180, 60, 3)
    adata.obs["cell_type"] = adata.obs["cell_type"].cat.rename_categories({"type 1": "CD4 T cells"})
    counts = anndata.AnnData(adata.layers["counts"], obs=adata.obs, var=adata.var)
    counts.write_zarr(tmp_path / "atlas.zarr")
    monkeypatch.chdir(tmp_path)
    exec(SNIPPETS[1], {})
    assert anndata.read_h5ad(tmp_path / "predicted.h5ad").X.shape == (30, 60)
