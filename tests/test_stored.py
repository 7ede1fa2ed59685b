"""Matrices that stay in their file: what is read is what memory has, in any form, choice and order."""

import shutil
import threading

import anndata
import h5py
import numpy as np
import pytest
import zarr
from anndata.io import sparse_dataset, write_elem
from scipy import sparse

from vae_np import simulate
from vae_np.data import log_normalize, read_cells, read_h5ad, select_genes, write_cells
from vae_np.data.cells_file import part_of, view_of
from vae_np.data.expression import expression_matrix, log_matrix, scale_of
from vae_np.data.matrix import gene_mean, gene_variance, in_chunks
from vae_np.data.read_ahead import read_ahead
from vae_np.data.stored import CSR_RANGE, DENSE_RANGE, Stored
from vae_np.errors import InputError

FORMS = ["h5ad", "zarr"]
pytestmark = [
    pytest.mark.filterwarnings("ignore:Writing zarr v2 data will no longer be the default"),
    pytest.mark.filterwarnings("ignore:zarr v3 autosharding will be the default"),
]


def dense(x):
    return x if isinstance(x, np.ndarray) else x.toarray()


def open_file(path):
    return zarr.open_group(path, mode="a") if path.suffix == ".zarr" else h5py.File(path, "a")


@pytest.fixture(params=[(form, kind) for form in FORMS for kind in ("csr", "dense")], ids="-".join)
def stored(request, tmp_path, rng):
    """More rows than are read in one go, some of them empty, and the same in memory."""
    form, kind = request.param
    x = rng.poisson(0.3, size=(2 * CSR_RANGE + 500, 9)).astype(np.float32) * 0.5
    for border in (DENSE_RANGE, CSR_RANGE):
        x[border - 3 : border + 3] = 0
    file = open_file(tmp_path / f"x.{form}")
    write_elem(file, "X", sparse.csr_matrix(x) if kind == "csr" else x)
    return Stored.whole(sparse_dataset(file["X"]) if kind == "csr" else file["X"]), x


@pytest.mark.parametrize("dtype", [None, np.float32, np.float64])
def test_any_choice_of_rows_and_columns_is_what_numpy_takes(stored, rng, dtype):
    on_disk, x = stored
    n, d = x.shape
    choices = [
        slice(None),
        slice(DENSE_RANGE - 1, DENSE_RANGE + 1),
        slice(CSR_RANGE - 1, CSR_RANGE + 1),
        slice(5, 5),
        np.arange(n) % 7 == 2,
        rng.permutation(n),
        rng.integers(n, size=40),
        np.array([3, 3, 5]),
        np.zeros(0, int),
    ]
    for rows in choices:
        for columns in (slice(None), np.array([7, 0, 3]), np.arange(d) > 4):
            chosen, expected = on_disk[rows, columns], x[rows][:, columns]
            assert chosen.shape == expected.shape
            taken = chosen.read(dtype)
            assert taken.dtype == (dtype or np.float32)
            np.testing.assert_array_equal(dense(taken), expected)
    half = on_disk[100:2000][np.arange(1900) % 2 == 0][:, ::-1]
    np.testing.assert_array_equal(half.toarray(), x[100:2000:2, ::-1])


def test_the_form_depends_on_the_values_alone(tmp_path, rng):
    file = open_file(tmp_path / "x.h5ad")
    for name, share in (("rare", 0.2), ("frequent", 0.8)):
        x = rng.random((30, 8)) * (rng.random((30, 8)) < share)
        write_elem(file, f"{name}_dense", x)
        write_elem(file, f"{name}_csr", sparse.csr_matrix(x))
        for source in (file[f"{name}_dense"], sparse_dataset(file[f"{name}_csr"])):
            assert sparse.issparse(Stored.whole(source).read()) == (name == "rare")


def test_chunks_means_and_variances_are_those_of_memory(stored):
    on_disk, x = stored
    np.testing.assert_array_equal(np.concatenate([dense(part) for part in in_chunks(on_disk)]), x)
    cells = np.arange(0, len(x), 3)[::-1]
    parts = [dense(part) for part in in_chunks(on_disk, cells, size=100)]
    assert [len(part) for part in parts[:-1]] == [100] * (len(parts) - 1)
    np.testing.assert_array_equal(np.concatenate(parts), x[cells])
    double = x.astype(float)
    np.testing.assert_allclose(gene_mean(on_disk), double.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(gene_variance(on_disk), double.var(axis=0), rtol=1e-12)
    assert scale_of(on_disk) == "log"
    assert scale_of(on_disk[np.all(x == np.floor(x), axis=1)]) == "counts"


def test_every_chunk_is_looked_through(stored):
    _, x = stored
    for value, message in ((-1, "X holds 1 negative values"), (21.5, r"the values reach 21\.5")):
        spoiled = x.copy()
        spoiled[-1, 0] = value
        with pytest.raises(InputError, match=message):
            log_matrix(anndata.AnnData(spoiled))
    with pytest.raises(InputError, match="raw counts"):
        log_matrix(anndata.AnnData(2 * x))
    half = 2 * x
    half[-1, 0] = 0.5
    assert log_matrix(anndata.AnnData(half)).shape == x.shape


def test_bad_values_and_types_in_a_file_are_named(tmp_path):
    file = open_file(tmp_path / "x.h5ad")
    x = np.ones((2 * DENSE_RANGE, 3))
    x[DENSE_RANGE + 1, 2] = np.inf
    file["x"], file["words"], file["vector"] = x, [[b"a"]], [1.0]
    on_disk = Stored.whole(file["x"], "X")
    on_disk[:DENSE_RANGE].read()
    with pytest.raises(InputError, match=f"X holds 1 NaN or infinite values in cells {DENSE_RANGE} to"):
        on_disk.read()
    with pytest.raises(InputError, match="holds values of type object: it must hold real numbers"):
        Stored.whole(file["words"])
    with pytest.raises(InputError, match="has 1 dimensions"):
        Stored.whole(file["vector"])


# -------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_changes_while_it_is_used_is_named(tmp_path, rng, form):
    path = tmp_path / f"x.{form}"
    file = open_file(path)
    write_elem(file, "X", sparse.random(600, 50, 0.2, format="csr", random_state=1))
    if form == "zarr":
        on_disk = Stored.whole(sparse_dataset(file["X"]), "X")
        shutil.rmtree(path / "X" / "indices" / "c")  # zarr gives zeros where a file is missing
    else:
        file.close()
        on_disk = Stored.whole(sparse_dataset(h5py.File(path, "r")["X"]), "X")
        with path.open("r+b") as raw:
            raw.truncate(8000)
    with pytest.raises(InputError, match=r"X cannot be read from its file \(.*damaged or was changed"):
        on_disk.read()
    if form == "zarr":
        shutil.rmtree(path)
        with pytest.raises(InputError, match=r"X cannot be read .*x\.zarr does not exist"):
            on_disk.read()


def test_indices_out_of_bounds_and_twice_are_refused_and_unsorted_ones_are_not(tmp_path):
    file = open_file(tmp_path / "x.h5ad")
    write_elem(file, "X", sparse.csr_matrix(np.arange(1.0, 13).reshape(3, 4)))
    on_disk = Stored.whole(sparse_dataset(file["X"]))
    file["X"]["indices"][4:8] = [1, 0, 2, 3]
    np.testing.assert_array_equal(on_disk.toarray()[1], [6, 5, 7, 8])
    for index, message in ((2, "an entry is stored twice"), (4, "indices|must be|<")):
        file["X"]["indices"][4] = index
        with pytest.raises(InputError, match=rf"cannot be read from its file \(.*({message})"):
            on_disk.read()


# ----------------------------------------------------------------------------- AnnData


@pytest.fixture(scope="module")
def cells():
    adata = simulate(300, 40, 3, seed=4)
    adata.layers["dense"] = 2 * adata.X.toarray()
    return adata


@pytest.fixture(params=[*FORMS, "anndata"])
def backed(cells, tmp_path, request):
    path = tmp_path / ("c.zarr" if request.param == "zarr" else "c.h5ad")
    (cells.write_zarr if request.param == "zarr" else cells.write_h5ad)(path)
    return read_h5ad(path, backed=True) if request.param == "anndata" else read_cells(path, backed=True)


def test_x_and_layers_stay_in_the_file_through_views_of_views(backed, cells):
    mask, genes = np.arange(300) % 3 > 0, ["gene30", "gene2", "gene3"]
    chosen = view_of(view_of(view_of(backed, mask), slice(10, 100)), (slice(None), genes))
    expected = cells[mask][10:100, genes]
    assert isinstance(expression_matrix(chosen), Stored)
    for layer in (None, "dense"):
        x = expression_matrix(chosen, layer)
        np.testing.assert_array_equal(
            dense(x), dense(expected.X if layer is None else expected.layers[layer])
        )
    part = part_of(backed, mask)
    assert part.is_view
    assert part.obs.equals(cells[mask].obs)
    assert not part_of(cells, mask).is_view
    np.testing.assert_array_equal(log_matrix(backed[mask]).toarray(), cells[mask].X.toarray())
    assert select_genes(backed, 7) == select_genes(cells, 7)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_read_whole_too(cells, tmp_path, form):
    path = tmp_path / f"c.{form}"
    (cells.write_zarr if form == "zarr" else cells.write_h5ad)(path)
    adata = read_cells(path)
    np.testing.assert_array_equal(adata.X.toarray(), cells.X.toarray())
    assert adata.obsm["z_true"].shape == (300, 8)


@pytest.mark.parametrize("backed", [True, False])
@pytest.mark.parametrize(
    "name", ["none.h5ad", "none.zarr", "text.h5ad", "empty.zarr", "other.h5ad", "folder"]
)
def test_what_is_no_file_of_cells_is_named(tmp_path, name, backed):
    (tmp_path / "text.h5ad").write_text("text")
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "folder").mkdir()
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(InputError, match=r"does not exist|is not a readable|is a folder"):
        read_cells(tmp_path / name, backed)


@pytest.mark.parametrize("form", FORMS)
def test_counts_are_normalized_from_file_to_file_as_in_memory(cells, tmp_path, form):
    counts = anndata.AnnData(cells.layers["counts"], obs=cells.obs, var=cells.var)
    (counts.write_zarr if form == "zarr" else counts.write_h5ad)(tmp_path / f"c.{form}")
    on_disk = log_normalize(read_cells(tmp_path / f"c.{form}", backed=True), out=tmp_path / "logs.h5ad")
    assert isinstance(log_matrix(on_disk), Stored)
    np.testing.assert_array_equal(log_matrix(on_disk).toarray(), cells.X.toarray())
    assert on_disk.obs.equals(cells.obs)
    assert on_disk.var.equals(cells.var)
    with pytest.raises(InputError, match="they look log-normalized already"):
        log_normalize(on_disk, out=tmp_path / "again.h5ad")
    assert not (tmp_path / "again.h5ad").exists()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_cells_are_written_in_chunks_and_come_back(cells, tmp_path, kind):
    x = cells.X.toarray()
    labels = anndata.AnnData(obs=cells.obs, var=cells.var, uns={"a": 1})
    write_cells(tmp_path / "c.h5ad", labels, (kind(x[start : start + 70]) for start in range(0, 300, 70)))
    adata = anndata.read_h5ad(tmp_path / "c.h5ad")
    np.testing.assert_array_equal(dense(adata.X), x)
    assert sparse.issparse(adata.X) == (kind is sparse.csr_matrix)
    assert adata.obs.equals(cells.obs)
    assert adata.uns["a"] == 1
    write_cells(tmp_path / "c.h5ad", adata[:7].copy())
    assert anndata.read_h5ad(tmp_path / "c.h5ad").n_obs == 7


# ------------------------------------------------------------------------- reading ahead


def test_one_piece_is_read_ahead_and_no_more():
    started = []

    def read(i):
        started.append(i)
        return i

    results = read_ahead(lambda i=i: read(i) for i in range(6))
    assert started == []
    for i, result in enumerate(results):
        assert result == i
        assert len(started) <= i + 2
    assert started == list(range(6))
    assert list(read_ahead([])) == []


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read_ahead")]


def test_an_error_in_the_thread_comes_in_its_turn_and_the_thread_ends():
    def fail():
        raise InputError("the disk is gone")

    results = read_ahead([lambda: 1, fail, lambda: 3])
    assert next(results) == 1
    assert readers()
    with pytest.raises(InputError, match="the disk is gone"):
        next(results)
    assert not readers()


def test_who_stops_early_leaves_no_thread():
    results = read_ahead(lambda i=i: i for i in range(100))
    next(results)
    results.close()
    assert not readers()


def test_an_error_of_whoever_uses_the_results_ends_the_thread():
    def use():
        for _ in read_ahead(lambda i=i: i for i in range(100)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        use()
    del caught  # it holds the frame of the loop
    assert not readers()


@pytest.mark.parametrize("form", FORMS)
def test_pointers_that_point_nowhere_are_refused_before_anything_follows_them(tmp_path, form):
    file = open_file(tmp_path / f"x.{form}")
    write_elem(file, "X", sparse.csr_matrix(np.arange(1.0, 13).reshape(3, 4)))
    group = file["X"]
    sound = {name: group[name][...] for name in ("indptr", "indices", "data")}
    wrong = [
        ("indptr", values) for values in ([0, 10**6, 8, 12], [0, 8, 4, 12], [-4, 4, 8, 12], [0, 4, 8, 13])
    ]
    wrong += [("indptr", [0, 4, 12]), ("indptr", []), ("indices", [0, 1]), ("data", [1.0]), ("data", None)]
    for name, values in wrong:
        del group[name]
        if values is not None:
            write_elem(group, name, np.array(values, sound[name].dtype))
        with pytest.raises(InputError, match=r"X cannot be read from its file \(.*(indptr|data)"):
            Stored.whole(sparse_dataset(group), "X")
        if values is not None:
            del group[name]
        write_elem(group, name, sound[name])
    far = 2**62
    for name, values, message in (
        ("indptr", np.array([0, 8, 4, 12], np.uint64), "indptr does not fit"),
        ("indptr", np.array([0, 2**63 + 8, 4, 12], np.uint64), "indptr does not fit"),
        ("indptr", np.array([0, far + 10**7, -far, 12]), "indptr does not fit"),  # their difference overflows
        ("indptr", np.zeros(4, int), "indptr does not fit"),  # as of a folder that has lost a file
        ("indptr", sound["indptr"].astype(float), "no integers"),
        ("indices", sound["indices"] + 0.5, "no integers"),
    ):
        del group[name]
        write_elem(group, name, values)
        with pytest.raises(InputError, match=message):
            Stored.whole(sparse_dataset(group), "X")
        del group[name]
        write_elem(group, name, sound[name])
    del group["indptr"]
    write_elem(group, "indptr", sound["indptr"].astype(np.uint64))
    on_disk = Stored.whole(sparse_dataset(group), "X")
    np.testing.assert_array_equal(on_disk[[2, 0]].toarray(), [[9, 10, 11, 12], [1, 2, 3, 4]])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("share", [0.1, 1.0])
@pytest.mark.parametrize("dtype", [np.float16, np.int8, bool, ">f4", np.uint16])
def test_any_real_dtype_is_read_as_numbers(tmp_path, rng, form, kind, share, dtype):
    x = (4 * (rng.random((30, 6)) < share)).astype(dtype)
    file = open_file(tmp_path / f"x.{form}")
    write_elem(file, "X", sparse.csr_matrix(x.astype(np.float32)) if kind == "csr" else x)
    if kind == "csr":
        data = file["X"]["data"][...].astype(dtype)
        del file["X"]["data"]
        write_elem(file["X"], "data", data)
    on_disk = Stored.whole(sparse_dataset(file["X"]) if kind == "csr" else file["X"])
    for rows, columns in (
        (slice(None), slice(None)),
        (np.array([3, 1, 20]), slice(None)),
        (slice(5, 9), np.array([4, 0])),
    ):
        np.testing.assert_array_equal(dense(on_disk[rows, columns].read()), x[rows][:, columns])
