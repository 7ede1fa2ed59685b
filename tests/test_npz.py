"""Hostile archives: whatever a file claims, it is refused at once and in memory that its own size bounds."""

import io
import json
import struct
import time
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from archives import archive, packed, parts_of

from vae_np import ScGen, simulate
from vae_np.data.npz import UNREADABLE, read_npz
from vae_np.errors import InputError

# Peak of the memory that loading takes, in bytes, and the time of the processor. The factor is that of JSON:
# a text of three bytes, [], or {}, becomes an object of 64. Arrays alone take twice their bytes, see below.
FACTOR, ADDEND = 40, 2_500_000
SECONDS = 10


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model"
    keys = {"condition_key": "condition", "cell_type_key": "cell_type"}
    model = ScGen(n_hidden=4, n_latent=2, n_layers=1, n_threads=1)
    model.fit(simulate(60, 12, 3, seed=1), **keys, max_epochs=1, progress=False).save(path)
    return path


@pytest.fixture
def load(tmp_path):
    """Load these bytes as a model within the bounds."""

    def load(content, factor=FACTOR, addend=ADDEND):
        path = tmp_path / "other"
        path.write_bytes(content)
        before = time.process_time()
        tracemalloc.start()
        try:
            return ScGen.load(path)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak <= factor * len(content) + addend
            assert time.process_time() - before < SECONDS

    return load


def assert_refused(load, content, **bounds):
    with pytest.raises(InputError) as caught:
        load(content, **bounds)
    assert "is not a vae_np model file, or it is damaged" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


# ------------------------------------------------------------------------- the words of an entry


def entry(words, numbers=b"", version=b"\x01\x00", length=None):
    """An entry in NumPy's format, whatever its words."""
    words = words.encode() if isinstance(words, str) else words
    size = struct.pack("<H", (len(words) if length is None else length) % 2**16)
    return b"\x93NUMPY" + version + size + words + numbers


def words(descr="'<f4'", order="False", shape="(4,)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def zipped(entries, compression=zipfile.ZIP_STORED, level=None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in entries:
            file.writestr(zipfile.ZipInfo(name), content, compression, level)
    return buffer.getvalue()


def test_numpys_own_words_are_read(rng):
    arrays = {
        "vector": rng.normal(size=7),
        "codes": rng.integers(0, 9, 5),
        "bytes": np.arange(3, dtype=np.uint8),
    }
    arrays |= {
        "matrix": rng.normal(size=(3, 4)).astype(np.float32),
        "empty": np.zeros(0),
        "none": np.zeros((0, 3)),
    }
    arrays |= {"columns": np.asfortranarray(rng.normal(size=(5, 2))), "large": rng.normal(size=(400, 333))}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    found = read_npz(buffer)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable
        assert found[name].flags.f_contiguous == array.flags.f_contiguous


@pytest.mark.parametrize(
    "content",
    [
        entry(words(shape="(1000000000000,)"), bytes(16)),
        entry(words(shape=f"({2**62}, 4)"), bytes(16)),  # 2^64 numbers: 0 in 64 bits
        entry(words(shape=f"({2**62},)"), bytes(16)),  # 2^64 bytes
        entry(words(shape=f"({'9' * 5000},)"), bytes(16)),
        entry(words(shape="(-4,)"), bytes(16)),
        entry(words(shape="(-2, -2)"), bytes(16)),
        entry(words(shape="(3,)"), bytes(16)),
        entry(words(shape="(5,)"), bytes(16)),
        entry(words(shape="()"), bytes(4)),
        entry(words(shape="(1, 2, 2)"), bytes(16)),
        entry(words(shape="(4.0,)"), bytes(16)),
        entry(words(shape="(True,)"), bytes(4)),
        entry(words(shape="[4]"), bytes(16)),
        entry(words(shape="(\u0664,)"), bytes(16)),  # an Arabic four is a digit, too
        entry(words("'|O'"), bytes(32)),
        entry(words("'O'"), bytes(32)),
        entry(words("[('a', '<f4')]"), bytes(16)),
        entry(words("[('a', '|O')]"), bytes(32)),
        entry(words("'<f4, <f4'"), bytes(32)),
        entry(words("('<f4', (4,))"), bytes(64)),
        entry(words("'|S4'"), bytes(16)),
        entry(words("'<U1'"), bytes(16)),
        entry(words("'<M8[ns]'"), bytes(32)),
        entry(words("'<c8'"), bytes(32)),
        entry(words("'|V4'"), bytes(16)),
        entry(words("'<f16'"), bytes(64)),
        entry(words("'<f1'"), bytes(4)),
        entry(words("'|f4'", shape="(9,)"), bytes(16)),
        entry(words(order="None"), bytes(16)),
        entry("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'more': 1, }\n", bytes(16)),
        entry("{'shape': (4,), 'fortran_order': False, 'descr': '<f4', }\n", bytes(16)),
        entry("__import__('os').abort()\n", bytes(16)),
        entry("(" * 60_000, bytes(16)),
        entry("", bytes(16)),
        entry(words(), bytes(16), version=b"\x02\x00"),
        entry(words(), bytes(16), version=b"\x03\x00"),
        entry(words(), bytes(16), length=2**16 - 1),
        entry(words(), bytes(16), length=0),
        b"\x93NUMPY",
        b"",
        b"no array at all",
    ],
)
def test_other_words_are_refused(load, content):
    parts = [("params.npy", content)]
    with pytest.raises(UNREADABLE):
        read_npz(io.BytesIO(zipped(parts)))
    assert_refused(load, zipped(parts), factor=1, addend=1_500_000)


# ----------------------------------------------------------------------------------- the archive


def with_directory(content, entries):
    """An archive that claims what it wants: name, size, place and CRC-32 of each entry."""
    records = []
    for name, size, at, crc in entries:
        numbers = (20, 3, 20, 0, 0, 0, 0, 33, crc, size, size, len(name), 0, 0, 0, 0, 0, at)
        records.append(struct.pack("<4s4B4H3L5H2L", b"PK\1\2", *numbers) + name)
    count, length = min(len(entries), 2**16 - 1), sum(map(len, records))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, length, len(content), 0)
    return content + b"".join(records) + end


def local(name, content):
    """An entry as it stands in an archive."""
    numbers = (20, 0, 0, 0, 33, zlib.crc32(content), len(content), len(content), len(name), 0)
    return struct.pack("<4s5H3L2H", b"PK\3\4", *numbers) + name + content


def test_a_small_file_that_claims_a_trillion_weights_is_refused_in_little_memory(saved, load):
    header, arrays = parts_of(saved)
    trillion = {"n_hidden": 10**6, "n_layers": 2, "n_latent": 10}
    honest = archive(header | {"settings": header["settings"] | trillion}, arrays)
    with pytest.raises(InputError, match="its parts do not fit together"):
        load(honest, factor=10, addend=500_000)
    claimed = zipped([("header.npy", entry(words(shape="(1000000000000,)"), bytes(900)))])
    assert len(claimed) < 1200
    assert_refused(load, claimed, factor=10, addend=500_000)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(load):
    zeros = entry(words(shape="(5000000,)"), bytes(20_000_000))
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        bomb = zipped([("header.npy", zeros)], compression)
        assert len(bomb) < 30_000
        assert_refused(load, bomb, factor=10, addend=500_000)


def test_compression_is_refused_though_the_content_is_right(saved, load):
    with zipfile.ZipFile(saved) as file:
        entries = [(name, file.read(name)) for name in file.namelist()]
    load(zipped(entries))
    assert_refused(load, zipped(entries, zipfile.ZIP_DEFLATED))
    assert_refused(load, zipped(entries, zipfile.ZIP_DEFLATED, level=0))  # no smaller than it was


def test_entries_that_are_one_piece_of_the_file_are_refused(load):
    """Each entry is an honest array, and all that follows it, too: together they are 200 times the file."""
    content, entries = bytes(50_000), []
    for i in range(300):
        name, array = b"%03d.npy" % i, entry(words("'|u1'", shape=f"({len(content)},)"), content)
        content = local(name, array)
        entries.append((name, len(array), len(content), zlib.crc32(array)))
    entries = [(name, size, len(content) - distance, crc) for name, size, distance, crc in reversed(entries)]
    assert sum(size for _, size, _, _ in entries) > 200 * len(content)
    assert_refused(load, with_directory(content, entries), factor=2, addend=1_000_000)


@pytest.mark.parametrize("size", [2**31, 2**32 - 2, 2**32 - 1])
def test_an_entry_larger_than_the_file_is_refused(load, size):
    content = local(b"header.npy", entry(words(), bytes(16)))
    assert_refused(load, with_directory(content, [(b"header.npy", size, 0, 0)]), factor=1)


def test_a_directory_without_end_takes_memory_and_time_in_proportion(load):
    assert_refused(load, with_directory(b"", [(b"%07x" % i, 0, 0, 0) for i in range(20_000)]), factor=20)
    assert_refused(load, zipped([(str(i), b"") for i in range(3000)]), factor=20)


def test_two_entries_of_one_name_are_refused(saved, load):
    with zipfile.ZipFile(saved) as file:
        entries = [(name, file.read(name)) for name in file.namelist()]
    z = dict(entries)["z.npy"]
    with pytest.warns(UserWarning, match="Duplicate name"):  # says zipfile, which writes it all the same
        twice = zipped([*entries, ("z.npy", z)])
    for content in (twice, zipped([*entries, ("z", z)])):
        assert_refused(load, content)


STRANGE = ["../../params.npy", "/etc/passwd", "a\\b", "pa\u0301rams", "", " ", "\u202e"]


@pytest.mark.parametrize("name", STRANGE)
def test_names_that_no_model_has_are_refused(saved, load, name):
    with zipfile.ZipFile(saved) as file:
        entries = [(other, file.read(other)) for other in file.namelist()]
    assert_refused(load, zipped([*entries, (name, dict(entries)["z.npy"])]))


def test_an_encrypted_entry_is_refused(saved, load):
    content = bytearray(saved.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    assert_refused(load, bytes(content))


def test_a_file_that_is_two_things_at_once_is_read_as_one(saved, load):
    """What stands before an archive, such as an array of a trillion numbers, or after it is not read."""
    whole = saved.read_bytes()
    claim = entry(words(shape="(1000000000000,)"))
    for content in (claim + whole, b"\x80\x04N." + whole, whole + b"more"):
        try:
            found = load(content, factor=10, addend=1_000_000)
        except InputError as error:
            assert "or it is damaged" in str(error)  # noqa: PT017 - either is fine
        else:
            np.testing.assert_array_equal(found.params.flat, ScGen.load(saved).params.flat)


# ------------------------------------------------------------------------------------ the memory


def with_more(saved, more):
    """The file with a further field in its header."""
    header, arrays = parts_of(saved)
    return packed(json.dumps(header)[:-1].encode() + b', "more": [' + more + b"0]}", arrays)


@pytest.mark.parametrize("more", [b"[],", b"{},", b'{"":{}},', b"0.1,", b'"abc",', b"12345678901,"])
def test_json_takes_memory_in_proportion(saved, load, more):
    assert_refused(load, with_more(saved, more * 100_000))


def test_one_long_name_does_not_lengthen_all_labels(saved, load):
    header, arrays = parts_of(saved)
    n_cells = 20_000
    long = {"condition_names": ["x" * 1_000_000], "cell_type_names": ["y" * 500_000, "b"]}
    codes = dict.fromkeys(("condition_codes", "cell_type_codes"), np.zeros(n_cells, np.uint8))
    model = load(archive(header | long, arrays, z=np.zeros((n_cells, 2), np.float32), **codes), factor=5)
    assert model.fitted.reference.condition[-1] == "x" * 1_000_000  # which as fixed width is 80 GB


def test_a_thousand_layers_are_the_most(saved, load):
    header, arrays = parts_of(saved)

    def deep(n_layers):
        n_params = 4 * (2 * n_layers - 2) + (12 + 3) + (2 + 3) + 2 * (1 + 1) * 2 + (1 + 1) * 12
        changes = {"params": np.ones(n_params, np.float32), "stats": np.ones(4 * n_layers, np.float32)}
        settings = header["settings"] | {"n_hidden": 1, "n_layers": n_layers}
        return archive(header | {"settings": settings}, arrays, **changes)

    assert len(load(deep(1000)).params.encoder) == 1000
    with pytest.raises(InputError, match="its parts do not fit together"):
        load(deep(1001))
    with pytest.raises(InputError, match="n_layers is 1001: give at most 1000"):
        ScGen(n_layers=1001)


def test_an_honest_model_takes_twice_its_size(saved, load):
    """Once what is read, once more the weights in the order of the memory."""
    header, arrays = parts_of(saved)
    d, h, k = 3000, 100, 2
    n_params = (d + 3) * h + 2 * (h + 1) * k + (k + 3) * h + (h + 1) * d
    numbers = {"params": np.ones(n_params, np.float32), "stats": np.ones(4 * h, np.float32)}
    header |= {"genes": [f"gene {i}" for i in range(d)], "settings": header["settings"] | {"n_hidden": h}}
    content = archive(header, arrays, residual_variance=np.ones(d), **numbers)
    assert load(content, factor=2, addend=1_500_000).params.sizes.n_genes == d
