"""Reading and writing: clear words for what cannot be read, whole files or none."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

from vae_np import read_h5ad, simulate
from vae_np.data import read_cells, write_cells, writing
from vae_np.data.archive import Kind, read_archive, write_archive
from vae_np.data.writing import remove_leftovers, require_writable, whole_file
from vae_np.data.writing_cells import ForgivingFile
from vae_np.errors import InputError


def test_an_h5ad_file_comes_back(tmp_path):
    adata = simulate(60, 20, 2)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    again = read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(again.X.toarray(), adata.X.toarray())
    assert again.obs.equals(adata.obs)
    assert not again.isbacked
    backed = read_h5ad(tmp_path / "cells.h5ad", backed=True)
    assert backed.isbacked
    backed.file.close()


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "text.h5ad").write_text("not hdf5")
    (tmp_path / "empty.h5ad").touch()
    for name, message in {
        "missing.h5ad": "does not exist",
        "": "is a folder",
        "text.h5ad": "is not a readable .h5ad file",
        "empty.h5ad": "is not a readable .h5ad file",
    }.items():
        with pytest.raises(InputError, match=message):
            read_h5ad(tmp_path / name)


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    def refuse(path, backed):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "cells.h5ad").touch()
    monkeypatch.setattr(anndata, "read_h5ad", refuse)  # root may read everything
    with pytest.raises(InputError, match=r"cells\.h5ad cannot be read: Permission denied"):
        read_h5ad(tmp_path / "cells.h5ad")


def test_an_hdf5_file_that_is_no_anndata_is_named(tmp_path):
    with h5py.File(tmp_path / "other.h5ad", "w") as file:
        file["numbers"] = np.arange(3)
    with pytest.raises(InputError, match="is not a readable"):
        read_h5ad(tmp_path / "other.h5ad")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")

    def cut_short():
        with whole_file(target) as temporary:
            temporary.write_text("half of the new")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power"):
        cut_short()
    assert target.read_text() == "old"
    with whole_file(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_a_new_file_is_on_the_disk_before_it_takes_the_name_and_the_name_before_we_return(
    tmp_path, monkeypatch
):
    done, fsync, replace = [], os.fsync, Path.replace

    def log_fsync(handle):
        where = Path(os.readlink(f"/proc/self/fd/{handle}"))
        done.append("folder" if where == tmp_path else where.read_text())
        fsync(handle)

    monkeypatch.setattr(writing.os, "fsync", log_fsync)
    monkeypatch.setattr(Path, "replace", lambda old, new: (done.append("rename"), replace(old, new)))
    with whole_file(tmp_path / "out") as temporary:
        temporary.write_text("new")
    assert done == ["new", "rename", "folder"]


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    writers = [whole_file(tmp_path / name) for name in ("mine", "another", "x" * 250)]
    _, others, long = (writer.__enter__() for writer in writers)  # and never left
    (tmp_path / "mine").write_text("old")
    remove_leftovers(tmp_path / "mine")
    assert set(tmp_path.iterdir()) == {tmp_path / "mine", others, long}
    remove_leftovers(tmp_path / ("x" * 250))
    assert set(tmp_path.iterdir()) == {tmp_path / "mine", others}


def test_a_full_disk_leaves_the_old_file_and_names_it(small_disk):
    target, kind = small_disk / "model", Kind("file", "test", 1)
    small, large = np.arange(1000.0), np.arange(40_000.0)  # 8 and 320 kB
    write_archive(target, kind, {"n": 1}, {"a": small})
    before = target.read_bytes()
    for _ in range(3):
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_archive(target, kind, {"n": 2}, {"a": large, "b": large})
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(target))
        assert target.read_bytes() == before
        assert [path.name for path in small_disk.iterdir()] == ["model"]
    write_archive(target, kind, {"n": 3}, {"a": small[::-1]})  # there is room again
    header, arrays = read_archive(target, kind)
    assert header["n"] == 3
    np.testing.assert_array_equal(arrays["a"], small[::-1])


FILLED = """
import sys, warnings
import anndata, numpy as np, pandas as pd
from vae_np.data import write_cells

cells = anndata.AnnData(obs=pd.DataFrame(index=range(2000)), var=pd.DataFrame(index=range(100)))
parts = (np.random.default_rng(i).random((100, 100)) for i in range(20))  # 1.6 MB, hard to compress
try:
    write_cells(sys.argv[1], cells, parts)
except OSError as error:
    print(f"{error.strerror}: {error.filename}")
"""


def test_cells_that_do_not_fit_on_the_disk_leave_the_old_file_and_a_program_that_lives(small_disk):
    """In a process of its own: HDF5 by itself crashes at the end of the program."""
    target = small_disk / "cells.h5ad"
    small = anndata.AnnData(np.ones((3, 2)))
    write_cells(target, small)
    before = target.read_bytes()
    command = [sys.executable, "-W", "ignore", "-c", FILLED, str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"No space left on device: {target}\n"
    assert target.read_bytes() == before
    assert [path.name for path in small_disk.iterdir()] == ["cells.h5ad"]
    write_cells(target, small[:2].copy())
    assert read_h5ad(target).n_obs == 2


def test_who_has_the_old_file_open_keeps_reading_it(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with target.open() as reader:
        with whole_file(target) as temporary:
            temporary.write_text("new")
        assert reader.read() == "old"
    assert target.read_text() == "new"


def test_new_files_have_the_usual_mode_and_the_umask_stays(tmp_path):
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "out") as temporary:
            temporary.touch()
        (tmp_path / "plain").touch()
    finally:
        after = os.umask(before)
    assert after == 0o027
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_stays_and_a_long_name_works(tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder" / "target")
    for path in (link, tmp_path / ("x" * 250)):
        with whole_file(path) as temporary:
            temporary.write_text("new")
        assert path.read_text() == "new"
    assert link.is_symlink()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["target"]


def test_links_are_checked_where_they_point(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "astray").symlink_to(tmp_path / "missing" / "file")
    with pytest.raises(InputError, match=r"cannot be resolved|does not exist"):
        require_writable(tmp_path / "loop" / "file")
    with pytest.raises(InputError, match="does not exist: create it first"):
        require_writable(tmp_path / "astray")


def test_an_existing_file_keeps_its_mode(tmp_path):
    path = tmp_path / "private"
    path.touch(mode=0o600)
    with whole_file(path) as temporary:
        temporary.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_unwritable_places_are_named_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a folder"):
        require_writable(tmp_path)
    with pytest.raises(InputError, match="does not exist: create it first"):
        require_writable(tmp_path / "no" / "out.h5ad")
    with pytest.raises(InputError, match="does not exist"):
        require_writable(tmp_path / "file" / "out.h5ad")
    with pytest.raises(InputError, match="is a device or a pipe"):
        require_writable("/dev/null")
    with pytest.raises(InputError, match="not writable"):
        require_writable("/proc/out.h5ad")
    assert require_writable(tmp_path / "out.h5ad") == tmp_path / "out.h5ad"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("is_full", "error"), [(True, OSError), (False, RuntimeError)])
def test_what_hdf5_says_when_it_misses_what_was_never_written_is_not_the_reason(
    is_full, error, tmp_path, monkeypatch
):
    def full(self, data):
        self.error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    def write_and_miss_it(file, *what, **how):
        file.attrs["a"] = 1
        file.flush()
        raise RuntimeError("unable to read back")

    if is_full:
        monkeypatch.setattr(ForgivingFile, "write", full)
    monkeypatch.setattr(anndata.io, "write_elem", write_and_miss_it)
    with pytest.raises(error, match="No space left" if is_full else "read back"):
        write_cells(tmp_path / "cells.h5ad", anndata.AnnData(np.ones((3, 2))))
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_missing_or_too_many_are_no_file(tmp_path):
    cells = anndata.AnnData(obs=pd.DataFrame(index=["a", "b", "c"]), var=pd.DataFrame(index=["g"]))
    for n_rows in (2, 4):
        with pytest.raises(ValueError, match=f"x has {n_rows} rows for 3 cells"):
            write_cells(tmp_path / "cells.h5ad", cells, (np.ones((1, 1)) for _ in range(n_rows)))
    with pytest.raises(InputError, match="has the name of a"):
        write_cells(tmp_path / "cells.zarr", cells, [np.ones((3, 1))])
    assert list(tmp_path.iterdir()) == []


POINTS_NOWHERE = {
    "csr indptr": ("csr", "indptr", 5, 10**8),
    "csr column": ("csr", "indices", 0, 10**8),
    "csr column below zero": ("csr", "indices", 0, -(10**8)),
    "csc row": ("csc", "indices", 0, 10**8),
}


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data will no longer be the default")
@pytest.mark.parametrize("place", ["X", "layers/a"])
@pytest.mark.parametrize("damage", POINTS_NOWHERE)
@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_indices_that_point_nowhere_are_refused_before_compiled_code_follows_them(
    suffix, damage, place, tmp_path
):
    form, part, position, value = POINTS_NOWHERE[damage]
    cells = simulate(60, 20, 2)
    cells.X = sparse.csr_matrix(cells.X).asformat(form)
    cells.layers["a"] = cells.X.copy()
    path = tmp_path / f"cells{suffix}"
    (cells.write_zarr if suffix == ".zarr" else cells.write_h5ad)(path)
    if suffix == ".zarr":
        zarr.open_group(path, mode="r+")[f"{place}/{part}"][position] = value
    else:
        with h5py.File(path, "r+") as file:
            file[f"{place}/{part}"][position] = value
    where = "X" if place == "X" else "layer 'a'"
    with pytest.raises(InputError, match=f"{where} is a damaged sparse matrix|is not a readable"):
        read_cells(path)


def test_a_read_only_file_is_replaced_and_stays_read_only(tmp_path, monkeypatch):
    target, modes = tmp_path / "f", []
    target.write_text("old")
    target.chmod(0o444)

    def remember_mode(handle):  # root could have opened what is read-only
        modes.append(os.fstat(handle).st_mode & 0o777)

    monkeypatch.setattr(writing.os, "fsync", remember_mode)
    with whole_file(target) as temporary:
        temporary.write_text("new")
    assert modes[0] == 0o600
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o444)
