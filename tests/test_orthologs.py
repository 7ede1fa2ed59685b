"""Genes go over to another species' names one to one, and every gene that does not is counted."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from vae_np.data import map_orthologs, read_h5ad
from vae_np.errors import InputError

# Il1b and Tnf are one to one; Ccl4 has two human genes; Ifi204 and Ifi205 share one; Xist is not there
PAIRS = [
    ("Tnf", "TNF"),
    ("Il1b", "IL1B"),
    ("Il1b", "IL1B"),  # once more, as a BioMart export with a row for each transcript has it
    ("Ccl4", "CCL4"),
    ("Ccl4", "CCL4L2"),
    ("Ifi204", "IFI16"),
    ("Ifi205", "IFI16"),  # a gene that the data do not have makes its partner ambiguous all the same
    ("Gm1", None),
    (None, "ABC"),
    ("Nfkb1", "NFKB1"),  # not in the data
]
TABLE = pd.DataFrame(PAIRS, columns=["mouse", "human"])


@pytest.fixture
def mouse(rng):
    genes = ["Il1b", "Ccl4", "Xist", "Tnf", "Ifi204", "Gm1"]
    x = rng.poisson(2.0, size=(5, 6)).astype(np.float32)
    return anndata.AnnData(
        sparse.csr_matrix(x),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(5)]),
        var=pd.DataFrame({"n": range(6)}, index=genes),
        layers={"twice": 2 * x},
    )


def test_only_pairs_that_are_one_to_one_stay(mouse):
    before = mouse.copy()
    human = map_orthologs(mouse, TABLE, "mouse", "human")
    assert human.var_names.tolist() == ["IL1B", "TNF"]  # the order of the data, not of the table
    assert human.var["n"].tolist() == [0, 3]
    np.testing.assert_array_equal(human.X.toarray(), before.X.toarray()[:, [0, 3]])
    np.testing.assert_array_equal(human.layers["twice"], before.layers["twice"][:, [0, 3]])
    assert human.uns["orthologs"] == {
        "source": "mouse",
        "target": "human",
        "kept": 2,
        "missing": 2,  # Xist, and Gm1, whose row has no partner
        "ambiguous": 2,
    }
    human.X.data[:] = -1
    human.layers["twice"][:] = -1
    np.testing.assert_array_equal(mouse.X.toarray(), before.X.toarray())
    np.testing.assert_array_equal(mouse.layers["twice"], before.layers["twice"])
    assert mouse.var_names.equals(before.var_names)


def test_there_and_back_is_the_identity_on_what_stayed(mouse):
    human = map_orthologs(mouse, TABLE, "mouse", "human")
    again = map_orthologs(human, TABLE, "human", "mouse")
    assert again.var_names.tolist() == ["Il1b", "Tnf"]
    np.testing.assert_array_equal(again.X.toarray(), human.X.toarray())
    assert again.uns["orthologs"]["kept"] == human.n_vars


@pytest.mark.parametrize(("name", "separator"), [("t.csv", ","), ("t.tsv", "\t"), ("t.txt.gz", "\t")])
def test_a_file_is_as_good_as_a_table(mouse, tmp_path, name, separator):
    TABLE.to_csv(tmp_path / name, sep=separator, index=False)
    expected = map_orthologs(mouse, TABLE, "mouse", "human")
    for path in (tmp_path / name, str(tmp_path / name)):
        mapped = map_orthologs(mouse, path, "mouse", "human")
        assert mapped.var.equals(expected.var)
        assert mapped.uns["orthologs"] == expected.uns["orthologs"]


def test_views_and_backed_data_are_mapped(mouse, tmp_path):
    mouse.write_h5ad(tmp_path / "mouse.h5ad")
    backed = read_h5ad(tmp_path / "mouse.h5ad", backed=True)
    for adata in (mouse[1:4], backed, backed[1:4]):
        human = map_orthologs(adata, TABLE, "mouse", "human")
        cells = mouse[adata.obs_names]
        np.testing.assert_array_equal(human.X.toarray(), cells[:, ["Il1b", "Tnf"]].X.toarray())
    backed.file.close()


def test_what_cannot_be_mapped_is_named(mouse, tmp_path):
    with pytest.raises(InputError, match="the table has no column 'rat': it has mouse, human"):
        map_orthologs(mouse, TABLE, "mouse", "rat")
    with pytest.raises(InputError, match="source and target are both 'mouse'"):
        map_orthologs(mouse, TABLE, "mouse", "mouse")
    with pytest.raises(InputError, match=r"none of the 6 genes, such as 'Il1b', .* such as 'TNF'"):
        map_orthologs(mouse, TABLE, "human", "mouse")
    with pytest.raises(InputError, match="such as 'none'"):
        map_orthologs(mouse, TABLE[:0], "mouse", "human")
    with pytest.raises(InputError, match="stand more than once"):
        map_orthologs(mouse[:, [0, 0]], TABLE, "mouse", "human")
    with pytest.raises(InputError, match=r"missing\.csv cannot be read"):
        map_orthologs(mouse, tmp_path / "missing.csv", "mouse", "human")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match=r"empty\.csv cannot be read \(No columns to parse"):
        map_orthologs(mouse, tmp_path / "empty.csv", "mouse", "human")
