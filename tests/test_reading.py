"""Public data sets come from a file, a folder of count tables or the cache; no network."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from vae_np.data import download, haber2017, hagai2018, kang2018, reading, simulate
from vae_np.data.count_tables import GENES_AT_ONCE
from vae_np.errors import InputError

SETS = {"kang2018": kang2018, "haber2017": haber2017, "hagai2018": hagai2018}


@pytest.fixture(scope="module")
def cells():
    return simulate(60, 20, 2)


@pytest.mark.parametrize("name", SETS)
def test_a_users_file_is_read_as_it_is(name, cells, tmp_path):
    cells.write_h5ad(tmp_path / "mine.h5ad")
    again = SETS[name](tmp_path / "mine.h5ad")
    np.testing.assert_array_equal(again.X.toarray(), cells.X.toarray())
    assert again.obs.equals(cells.obs)
    with pytest.raises(InputError, match="does not exist"):
        SETS[name](tmp_path / "missing.h5ad")


@pytest.mark.parametrize("name", SETS)
def test_without_a_path_the_public_file_is_fetched_into_the_cache(name, cells, tmp_path, monkeypatch):
    transfers = []

    def transfer(url, part, progress):  # the transfer itself is held by test_download.py
        transfers.append((url, progress))
        cells.write_h5ad(part)

    monkeypatch.setattr(download, "transfer", transfer)
    monkeypatch.setenv("VAE_NP_CACHE", str(tmp_path / "cache"))
    read = SETS[name]
    for _ in range(2):
        assert read(progress=False).shape == (60, 20)
    assert transfers == [(reading.PUBLIC[name].url, False)]
    file = reading.PUBLIC[name].url.rpartition("/")[2]
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == [file, f"{file}.sha256"]
    with pytest.raises(InputError, match="is damaged or was changed"):
        read(sha256="0" * 64)


def test_the_sources_are_named_in_the_docstrings():
    assert set(reading.PUBLIC) == set(SETS)
    for name, source in reading.PUBLIC.items():
        assert source.doi in SETS[name].__doc__
        assert source.accession in SETS[name].__doc__


def test_one_species_of_the_public_file(cells, tmp_path):
    cells = cells.copy()
    cells.obs["species"] = pd.Categorical(np.where(np.arange(60) < 25, "mouse", "rat"))
    cells.write_h5ad(tmp_path / "cells.h5ad")
    assert hagai2018(tmp_path / "cells.h5ad").n_obs == 60
    assert (
        hagai2018(tmp_path / "cells.h5ad", species="mouse").obs_names.tolist()
        == cells.obs_names[:25].tolist()
    )
    with pytest.raises(InputError, match="no cells of species 'pig': there are mouse, rat"):
        hagai2018(tmp_path / "cells.h5ad", species="pig")
    del cells.obs["species"]
    cells.write_h5ad(tmp_path / "cells.h5ad")
    with pytest.raises(InputError, match="no column 'species'"):
        hagai2018(tmp_path / "cells.h5ad", species="mouse")


def write_table(path, counts, genes, barcodes):
    """Write genes x cells as R's write.table(quote = F) does: no name above the genes."""
    lines = [" ".join(barcodes)]
    lines += [" ".join([gene, *map(str, row)]) for gene, row in zip(genes, counts, strict=True)]
    (gzip.open if path.suffix == ".gz" else open)(path, "wb").write(("\n".join(lines) + "\n").encode())


def name_of(sample):
    return f"{sample}_filtered_by_cell_cluster0.txt.gz"


@pytest.fixture
def tables(rng, tmp_path):
    """Four tables of one species, with the same barcodes in each, and what stands in them."""
    n_genes = GENES_AT_ONCE + 300
    genes = [f"ENSMUSG{i:011d}" for i in range(n_genes)]
    barcodes = ["2-ACGT", "TTGA-1", "CCCA"]
    samples = ["mouse1_lps6", "mouse1_unst", "mouse2_lps6", "mouse2_pIC4"]
    counts = {sample: rng.poisson(0.7, size=(n_genes, 3)) for sample in samples}
    for sample, table in counts.items():
        write_table(tmp_path / name_of(sample), table, genes, barcodes)
    (tmp_path / "readme.txt").write_text("not a table")
    return tmp_path, counts, genes, barcodes


def test_count_tables_become_cells_by_genes(tables):
    folder, counts, genes, barcodes = tables
    adata = hagai2018(folder)
    assert isinstance(adata.X, sparse.csr_matrix)
    assert adata.X.dtype == np.float32
    np.testing.assert_array_equal(adata.X.toarray(), np.hstack(list(counts.values())).T)
    assert adata.var_names.tolist() == genes
    assert adata.obs_names.tolist() == [f"{sample}_{barcode}" for sample in counts for barcode in barcodes]
    one_each = adata.obs.iloc[::3]
    assert one_each["species"].tolist() == ["mouse"] * 4
    assert one_each["individual"].tolist() == ["mouse1", "mouse1", "mouse2", "mouse2"]
    assert one_each["condition"].tolist() == ["lps6", "unst", "lps6", "pIC4"]
    assert one_each["stimulus"].tolist() == ["lps", "unst", "lps", "pIC"]
    assert one_each["hours"].tolist() == [6, 0, 6, 4]
    adata.write_h5ad(folder / "counts.h5ad")
    assert anndata.read_h5ad(folder / "counts.h5ad").obs.equals(adata.obs)


def test_several_species_are_read_one_at_a_time(tables):
    folder, _, genes, barcodes = tables
    write_table(folder / name_of("rat1_unst"), np.ones((2, 3), int), ["ENSRNOG1", "ENSRNOG2"], barcodes)
    with pytest.raises(InputError, match="holds mouse, rat, whose genes have different names: give species="):
        hagai2018(folder)
    with pytest.raises(InputError, match="no table of species 'pig': it has mouse, rat"):
        hagai2018(folder, species="pig")
    assert hagai2018(folder, species="rat").var_names.tolist() == ["ENSRNOG1", "ENSRNOG2"]
    assert hagai2018(folder, species="mouse").n_vars == len(genes)


def test_tables_meet_in_the_genes_that_all_have(tmp_path):
    write_table(tmp_path / name_of("pig1_unst"), [[1, 2], [3, 4], [5, 6]], ["a", "b", "c"], ["x", "y"])
    write_table(tmp_path / name_of("pig2_unst"), [[7], [8], [9]], ["c", "d", "a"], ["x"])
    adata = hagai2018(tmp_path)
    assert adata[:, ["a", "c"]].X.toarray().tolist() == [[1, 5], [2, 6], [9, 7]]
    assert adata.n_vars == 2
    write_table(tmp_path / name_of("pig3_unst"), [[7]], ["e"], ["x"])
    with pytest.raises(InputError, match="have no gene in common"):
        hagai2018(tmp_path)


def test_a_corner_name_and_unpacked_tables_are_read_too(tmp_path):
    (tmp_path / "rabbit3_lps2_filtered_by_cell_cluster0.txt").write_text("gene c1 c2\ng1 0 5\ng2 1 0\n")
    adata = hagai2018(tmp_path)
    assert adata.X.toarray().tolist() == [[0, 1], [5, 0]]
    assert adata.obs["hours"].tolist() == [2, 2]


def test_a_folder_without_tables_says_what_it_holds(tmp_path):
    with pytest.raises(InputError, match="it holds nothing: give the folder with the unpacked"):
        hagai2018(tmp_path)
    (tmp_path / "E-MTAB-6754.processed.2.zip").touch()
    with pytest.raises(InputError, match=r"it holds E-MTAB-6754\.processed\.2\.zip: give the folder"):
        hagai2018(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c1 c2\ng1 0 0.5\n", "values that are not counts"),
        ("c1 c2\ng1 0 -1\n", "values that are not counts"),
        ("c1 c2\ng1 0 NA\n", "values that are not counts"),
        ("c1 c2\ng1 0 one\n", "values that are not counts"),
        ("c1 c2\ng1 0 1\ng1 1 1\n", "holds a gene twice"),
        ("c1 c2\ng1 0 1\ng2 1 1 1 1\n", "is no readable count table"),
        ("c1 c2\n", "holds no counts"),
        ("", "is no readable count table"),
    ],
)
def test_what_is_no_count_table_is_named(tmp_path, text, message):
    (tmp_path / "mouse1_unst_filtered_by_cell_cluster0.txt").write_text(text)
    with pytest.raises(InputError, match=rf"mouse1_unst_.*{message}"):
        hagai2018(tmp_path)


def test_a_truncated_and_a_doubled_table_are_named(tables):
    folder = tables[0]
    packed = (folder / name_of("mouse1_unst")).read_bytes()
    (folder / name_of("mouse1_unst")).write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"mouse1_unst_.* is no readable count table"):
        hagai2018(folder)
    (folder / name_of("mouse1_unst")).write_bytes(b"no gzip")
    with pytest.raises(InputError, match=r"mouse1_unst_.* is no readable count table"):
        hagai2018(folder)
    (folder / name_of("mouse1_unst").removesuffix(".gz")).touch()
    with pytest.raises(InputError, match="twice, packed and unpacked: remove one"):
        hagai2018(folder)
