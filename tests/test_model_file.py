"""The model file: what it says, how older ones are read, and that no file can do harm."""

import io
import json
import os
import re
import time
from dataclasses import asdict

import numpy as np
import pytest
from archives import archive, packed, parts_of, signed

from vae_np import ScGen, __version__, simulate
from vae_np.cli import main
from vae_np.data.archive import Kind, read_archive, write_archive
from vae_np.errors import InputError
from vae_np.scgen import autoencoder
from vae_np.scgen.migrations import from_1_to_2
from vae_np.scgen.model_file import MODEL_FILE
from vae_np.verify.where import derivations

# A small model of few cells and epochs has no direction that its types could agree on.
pytestmark = pytest.mark.filterwarnings("ignore:the cell types respond in different directions")

N_CELLS, N_GENES = 60, 12
TRAINING = {"max_epochs": 3, "batch_size": 16, "lr": 0.002, "patience": 2, "min_delta": 0.5}
TRAINING |= {"epsilon": 0.02, "weight_decay": 1e-5, "kl_warmup_epochs": 1, "early_stopping": True}
DAMAGED = "is not a vae_np model file, or it is damaged$"
MISFIT = "is a damaged model file: its parts do not fit together$"


@pytest.fixture(scope="module")
def cells():
    adata = simulate(N_CELLS, N_GENES, 3, seed=1)
    adata.obs["donor"] = ["d1", "d2"] * (N_CELLS // 2)
    adata.layers["log"] = adata.X
    return adata


@pytest.fixture(scope="module")
def model(cells):
    keys = {"condition_key": "condition", "cell_type_key": "cell_type", "context_keys": ["donor"]}
    return ScGen(n_hidden=4, n_latent=2, n_layers=1, seed=5, n_threads=1).fit(
        cells, **keys, layer="log", train_size=0.8, progress=False, **TRAINING
    )


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model"
    model.save(path)
    return path


@pytest.fixture
def load(tmp_path):
    """Load these bytes as a model."""

    def load(content):
        (tmp_path / "other").write_bytes(content)
        return ScGen.load(tmp_path / "other")

    return load


def assert_same_model(one, other):
    """Equal in every bit that a model holds."""
    assert one.settings == other.settings
    for name, value in one.fitted._asdict().items():
        found = getattr(other.fitted, name)
        if name in ("params", "stats"):
            np.testing.assert_array_equal(value.flat.view(np.uint32), found.flat.view(np.uint32))
        elif name == "history":
            assert {key: losses.tobytes() for key, losses in value.items()} == {
                key: losses.tobytes() for key, losses in found.items()
            }
        elif name == "reference":
            np.testing.assert_array_equal(value.z, found.z)
            for key in ("condition", "cell_type"):
                np.testing.assert_array_equal(getattr(value, key), getattr(found, key))
            assert {k: v.tolist() for k, v in value.context.items()} == {
                k: v.tolist() for k, v in found.context.items()
            }
        else:
            assert np.array_equal(value, found), name


# -------------------------------------------------------------------------- what the file says


def test_everything_comes_back_to_the_bit_and_a_second_file_is_the_same(model, saved, tmp_path):
    again = ScGen.load(saved)
    assert_same_model(again, model)
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_the_header_says_how_the_values_were_prepared_and_the_model_was_trained(model, saved, cells):
    header, _ = parts_of(saved)
    assert (header["format"], header["version"]) == ("vae_np.ScGen", 2)
    assert header["written_by"] == f"vae_np {__version__}"
    assert header["preprocessing"] == {"values": "log-normalized", "layer": "log"}
    assert header["genes"] == cells.var_names.tolist()
    of_the_model = {"kl_weight": 2.5e-5, "dropout_rate": 0.2, "n_draws": 1}
    of_the_model |= {"block_size": 512, "buffer_size": 16_384}  # not given: those of `fit`
    assert header["training"] == {**TRAINING, **of_the_model, "n_validation": 12}
    assert asdict(ScGen.load(saved).fitted.training) == TRAINING | of_the_model


def test_the_header_states_each_array_and_a_checksum_of_all(saved):
    with np.load(saved, allow_pickle=False) as file:
        text = file["header"].tobytes()
        stated = {n: (np.dtype(t["dtype"]), tuple(t["shape"])) for n, t in json.loads(text)["arrays"].items()}
        assert stated == {n: (file[n].dtype, file[n].shape) for n in file.files if n != "header"}
    header, arrays = parts_of(saved)
    assert signed(header, arrays) == text  # computed anew by the words of the page


def test_a_changed_header_or_number_is_found_though_the_archive_is_whole(saved, load):
    header, arrays = parts_of(saved)
    text = signed(header, arrays)
    assert_same_model(load(packed(text, arrays)), ScGen.load(saved))
    more = arrays["params"].copy()
    more[0] = np.nextafter(more[0], 1, dtype=np.float32)
    for content in (
        packed(text.replace(b"gene3", b"gene9"), arrays),
        packed(text.replace(b'"seed": 5', b'"seed": 6'), arrays),
        packed(text.replace(b'"seed": 5', b'"seed":  5'), arrays),
        packed(text + b" ", arrays),
        packed(text.replace(b"sha256", b"sha255"), arrays),
        packed(text[:-90] + b"}", arrays),
        packed(text, arrays | {"params": more}),
        packed(text, dict(reversed(arrays.items()))),
        packed(text, {name: array for name, array in arrays.items() if name != "z"}),
        packed(text, arrays | {"more": more}),
    ):
        with pytest.raises(InputError, match=DAMAGED):
            load(content)


@pytest.mark.parametrize(
    "claim",
    [
        {"dtype": "<f4", "shape": [10**12]},
        {"dtype": "<f8", "shape": [N_GENES * 4]},
        {"dtype": "<f4"},
        {},
        None,
    ],
)
def test_a_table_that_is_not_that_of_the_arrays_is_refused(saved, load, claim):
    header, arrays = parts_of(saved)
    table = {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()}
    content = packed(signed(header, arrays, arrays=table | {"params": claim}), arrays)
    with pytest.raises(InputError, match=DAMAGED):
        load(content)


# -------------------------------------------------------------------------------------- the page

PAGE = (derivations() / "model_file.md").read_text(encoding="utf-8")


def test_the_lines_on_the_page_read_a_model_with_numpy_alone(model, saved, tmp_path, monkeypatch):
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    model.save("model.npz")
    names = {}
    exec(lines, names)
    weights = names["arrays"]["params"][: N_GENES * 4].reshape(N_GENES, 4)
    np.testing.assert_array_equal(weights, model.params.encoder[0].W)
    assert names["header"]["genes"] == model.genes

    header, arrays = parts_of(saved)
    changed = signed(header, arrays).replace(b"gene0", b"gene!")
    (tmp_path / "model.npz").write_bytes(packed(changed, arrays))
    with pytest.raises(AssertionError):
        exec(lines, {})


def test_the_page_names_every_field_and_every_array(saved):
    with np.load(saved) as file:
        header = json.loads(file["header"].tobytes())
    nested = [
        *header["settings"],
        *header["training"],
        *(f"preprocessing.{n}" for n in header["preprocessing"]),
    ]
    names = {*header, *header["arrays"], *nested} - {"preprocessing"}
    general = [name.replace("context_donor", "context_KEY") for name in names]
    general = [re.sub("^history_.*", "history_NAME", name) for name in general]
    assert {name for name in general if f"`{name}`" not in PAGE} == set()
    for kept in range(1, MODEL_FILE.version + 1):
        assert f"\n| {kept} | " in PAGE


def test_the_weights_stand_in_the_order_of_the_page(model, saved):
    """W, b, gamma, beta of the encoder; two heads; the decoder; the output."""
    _, arrays = parts_of(saved)
    heads, normalized = [(4, 2), (2,)] * 2, [(4,)] * 3
    sizes = [(N_GENES, 4), *normalized, *heads, (2, 4), *normalized, (4, N_GENES), (N_GENES,)]
    pieces = np.split(arrays["params"], np.cumsum([np.prod(shape) for shape in sizes]))
    assert len(pieces.pop()) == 0
    p = model.params
    expected = [*p.encoder[0], *p.mu, *p.log_var, *p.decoder[0], *p.output]
    for piece, shape, array in zip(pieces, sizes, expected, strict=True):
        np.testing.assert_array_equal(piece.reshape(shape), array)
    stats = model.stats
    np.testing.assert_array_equal(arrays["stats"].reshape(4, 4), [*stats.encoder[0], *stats.decoder[0]])


# ---------------------------------------------------------------------------------- older files


def version_1(model):
    """What version 1 wrote, with NumPy's means alone."""
    fitted, settings = model.fitted, asdict(model.settings)
    header = {"format": "vae_np.ScGen", "version": 1, "settings": settings, "genes": fitted.genes}
    header |= {"layer": "log", "condition_key": "condition", "cell_type_key": "cell_type"}
    header |= {"context_keys": ["donor"]}
    arrays = {
        "params": np.concatenate([weights.ravel() for _, weights in fitted.params.named()]),
        "stats": fitted.stats.flat,
        "residual_variance": fitted.residual_variance,
        "z": fitted.reference.z,
        **{f"history_{name}": losses for name, losses in fitted.history.items()},
    }
    labels = fitted.reference
    columns = {"condition": labels.condition, "cell_type": labels.cell_type}
    for name, column in {**columns, "context_donor": labels.context["donor"]}.items():
        names, codes = np.unique(column, return_inverse=True)
        header[f"{name}_names"], arrays[f"{name}_codes"] = names.tolist(), codes
    return header, arrays


def as_version_1(header, arrays):
    return packed(json.dumps(header).encode(), arrays)


def test_a_file_of_version_1_predicts_the_same_and_is_saved_as_version_2(model, cells, load, tmp_path):
    old = load(as_version_1(*version_1(model)))
    control = cells[cells.obs["condition"] == "control"]
    for method in ("shared", "scgen", "pooled"):
        given = {"adata_to_predict": control, "delta_method": method}
        found, expected = old.predict(**given), model.predict(**given)
        np.testing.assert_array_equal(found[0].X, expected[0].X)
        np.testing.assert_array_equal(found[1], expected[1])
    assert (old.fitted.training, old.fitted.n_validation) == (None, None)  # it did not say
    expected = model.fitted._replace(training=None, n_validation=None)
    before, model._fitted = model._fitted, expected
    try:
        assert_same_model(old, model)
        old.save(tmp_path / "new")
        model.save(tmp_path / "expected")
    finally:
        model._fitted = before
    assert (tmp_path / "new").read_bytes() == (tmp_path / "expected").read_bytes()


def test_the_first_files_of_version_1_knew_no_further_labels(model, load):
    header, arrays = version_1(model)
    del header["context_keys"], header["context_donor_names"], arrays["context_donor_codes"]
    assert dict(load(as_version_1(header, arrays)).fitted.reference.context) == {}


def test_a_damaged_file_of_version_1_is_refused(model, load):
    header, arrays = version_1(model)
    content = bytearray(as_version_1(header, arrays))
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError, match=DAMAGED):
        load(bytes(content))
    del header["layer"]
    with pytest.raises(InputError, match=DAMAGED):
        load(as_version_1(header, arrays))


def test_a_newer_file_says_so_whatever_else_it_holds(saved, load):
    header, arrays = parts_of(saved)
    words = "has format version 3, newer than 2: update vae_np$"
    for content in (
        archive(header | {"version": 3}, arrays),
        packed(b'{"format": "vae_np.ScGen", "version": 3}', {}),
    ):
        with pytest.raises(InputError, match=words):
            load(content)


def test_every_older_version_has_a_migration():
    assert set(MODEL_FILE.migrations) == set(range(1, MODEL_FILE.version))
    assert MODEL_FILE.migrations[1] is from_1_to_2


def test_migrations_are_taken_one_after_the_other_and_a_gap_is_told(tmp_path):
    def step(old):
        return lambda header, arrays: ({**header, "way": [*header["way"], old]}, {**arrays, f"a{old}": old})

    write_archive(tmp_path / "file", Kind("file", "test", 2), {"way": []}, {"a": np.arange(3)})
    newest = Kind("file", "test", 5, {2: step(2), 3: step(3), 4: step(4)})
    header, arrays = read_archive(tmp_path / "file", newest)
    assert header["way"] == [2, 3, 4]
    assert list(arrays) == ["a", "a2", "a3", "a4"]
    with pytest.raises(InputError, match="version 2, older than this vae_np reads: make the file anew, or"):
        read_archive(tmp_path / "file", newest._replace(migrations={2: step(2), 4: step(4)}))


# --------------------------------------------------------------- parts that do not fit together


def settings_with(**changes):
    def change(header, arrays):
        return header | {"settings": header["settings"] | changes}, arrays

    return change


def header_with(**changes):
    return lambda header, arrays: (header | changes, arrays)


def training_with(**changes):
    return lambda header, arrays: (header | {"training": header["training"] | changes}, arrays)


def arrays_with(**changes):
    def change(header, arrays):
        return header, arrays | {name: make(arrays.get(name)) for name, make in changes.items()}

    return change


def without(name):
    return lambda header, arrays: (header, {n: a for n, a in arrays.items() if n != name})


def replaced(value, at=0):
    def change(array):
        array = array.copy()
        array.flat[at] = value
        return array

    return change


@pytest.mark.parametrize(
    "change",
    [
        settings_with(n_hidden=10**9, n_layers=10**9),
        settings_with(n_hidden=1, n_layers=10**15),
        settings_with(n_layers=1000),
        settings_with(n_hidden=10**12),
        settings_with(n_hidden=5),
        settings_with(n_hidden=-4),
        settings_with(n_hidden=4.0),
        settings_with(n_hidden=[4]),
        settings_with(n_latent=0),
        settings_with(dtype="float64"),
        settings_with(dtype="object"),
        settings_with(dtype=["float32"]),
        settings_with(variance=0),
        settings_with(kl_weight="1"),
        settings_with(kl_weight=10**400),
        settings_with(more=1),
        settings_with(seed=-1),
        settings_with(n_threads=10**6),
        header_with(settings=None),
        header_with(settings=[]),
        header_with(genes=["a", "b"]),
        header_with(genes=["a"] * N_GENES),
        header_with(genes=list(range(N_GENES))),
        header_with(genes=[["a"]] * N_GENES),
        header_with(genes="abcdefghijkl"),
        header_with(genes=[f"half \ud800 {i}" for i in range(N_GENES)]),
        header_with(condition_names=["a"]),
        header_with(condition_names=["a", "a"]),
        header_with(condition_names=[["a"], ["b"]]),
        header_with(cell_type_key=None),
        header_with(condition_key=["condition"]),
        header_with(context_keys=["another"]),
        header_with(context_keys=[]),
        header_with(context_keys=["donor", "donor"]),
        header_with(preprocessing={"values": "counts", "layer": None}),
        header_with(preprocessing={"values": "log-normalized", "layer": 3}),
        header_with(preprocessing={"values": "log-normalized"}),
        header_with(preprocessing=[]),
        header_with(training=[]),
        header_with(training={}),
        training_with(lr=-1),
        training_with(max_epochs="many"),
        training_with(more=1),
        training_with(n_validation=N_CELLS + 1),
        training_with(n_validation=None),
        without("params"),
        without("stats"),
        without("z"),
        without("residual_variance"),
        without("condition_codes"),
        arrays_with(more=lambda _: np.zeros(3)),
        arrays_with(params=lambda a: a[:-1]),
        arrays_with(params=lambda a: a[None]),
        arrays_with(params=lambda a: a.astype(float)),
        arrays_with(params=replaced(np.nan)),
        arrays_with(params=replaced(np.inf, -1)),
        arrays_with(params=lambda a: a.view(np.int32)),
        arrays_with(stats=lambda a: np.append(a, a)),
        arrays_with(stats=replaced(np.nan)),
        arrays_with(stats=replaced(-1, -1)),
        arrays_with(z=lambda a: a[:5]),
        arrays_with(z=lambda a: a[:, :1]),
        arrays_with(z=lambda a: a.ravel()),
        arrays_with(z=replaced(np.nan)),
        arrays_with(residual_variance=lambda a: -a),
        arrays_with(residual_variance=lambda a: a[:5]),
        arrays_with(residual_variance=lambda a: a[None]),
        arrays_with(residual_variance=lambda a: a.astype(np.float32)),
        arrays_with(residual_variance=replaced(np.inf)),
        arrays_with(condition_codes=replaced(-1)),
        arrays_with(condition_codes=replaced(2)),
        arrays_with(condition_codes=replaced(2**62)),
        arrays_with(condition_codes=lambda a: replaced(2**64 - 1)(a.astype(np.uint64))),  # which wraps to -1
        arrays_with(condition_codes=lambda a: a.astype(float)),
        arrays_with(condition_codes=lambda a: a[:, None]),
        arrays_with(cell_type_codes=lambda a: a[1:]),
        arrays_with(history_train_kl=lambda a: a[:1]),
        arrays_with(history_train_kl=lambda a: a[:, None]),
        arrays_with(history_train_kl=lambda a: a.astype(np.float32)),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(saved, load, change):
    header, arrays = change(*parts_of(saved))
    with pytest.raises(InputError, match=MISFIT):
        load(archive(header, arrays))


def test_names_are_looked_at_in_time_that_grows_with_their_number(saved, load):
    """Python finds equal ones by their hashes, and these numbers all have the hash 0."""
    header, arrays = parts_of(saved)
    header["genes"] = [k * (2**61 - 1) for k in range(20_000)]
    start = time.process_time()
    with pytest.raises(InputError, match=MISFIT):
        load(archive(header, arrays))
    assert time.process_time() - start < 1  # 20,000^2 / 2 comparisons take more than 5 seconds


def test_weights_that_overflow_give_a_sentence_and_no_nan(saved, load, cells):
    header, arrays = parts_of(saved)
    huge = load(archive(header, arrays, params=np.full_like(arrays["params"], 3e38)))
    for computed in (lambda: huge.encode(cells), lambda: huge.decode(np.ones((3, 2)))):
        with pytest.raises(InputError, match=r"of .* cells overflow float32: "):
            computed()


# ----------------------------------------------------------------------- what is no model file


def text_of(words):
    return packed(words if isinstance(words, bytes) else words.encode(), {})


FORMAT = '"format": "vae_np.ScGen"'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", DAMAGED),
        ("null", DAMAGED),
        ("[]", DAMAGED),
        ("7", DAMAGED),
        ("{}", DAMAGED),
        (f"{{{FORMAT}}}", DAMAGED),
        ('{"version": 2}', DAMAGED),
        ('{"format": "something else", "version": 2}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": 0}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": -1}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": true}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": "2"}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": 2.0}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": 1e999}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": {10**4000}}}', "is not a vae_np model file$"),
        (f'{{{FORMAT}, "version": {"1" * 5000}}}', DAMAGED),  # more digits than Python reads
        (f'{{{FORMAT}, "version": NaN}}', DAMAGED),
        (f'{{{FORMAT}, "version": 2}}', DAMAGED),  # neither table nor checksum
        (f'{{{FORMAT}, "version": 1}}', DAMAGED),
        ("[" * 100_000, DAMAGED),
        ("[" * 900 + "]" * 900, DAMAGED),
        ('{"a":' * 100_000, DAMAGED),
        (f'{{{FORMAT}, "version": 2, "settings": {"[" * 100_000}', DAMAGED),
        (b"\xff\xfe{\x00}\x00", DAMAGED),  # UTF-16
        (b'\xef\xbb\xbf{"version": 2}', DAMAGED),
        (b'{"format": "\xc3\x28"}', DAMAGED),  # not UTF-8
    ],
)
def test_a_header_that_is_none_is_refused(load, words, message):
    with pytest.raises(InputError, match=message) as caught:
        load(text_of(words))
    assert len(str(caught.value)) < 300


def test_a_deep_header_is_refused_however_deep_we_stand(saved, load):
    """What can just be read may be too deep to be compared or printed further down."""
    header, arrays = parts_of(saved)
    for depth in range(850, 1000, 7):
        deep = json.loads("[" * 800 + "]" * 800)
        for _ in range(depth - 800):
            deep = [deep]
        try:
            content = archive(header | {"settings": header["settings"] | {"n_hidden": deep}}, arrays)
        except RecursionError:
            break
        with pytest.raises(InputError, match="damaged"):
            load(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", DAMAGED),
        (b"not a model", DAMAGED),
        (b"PK\x03\x04", DAMAGED),
        (b"PK\x05\x06" + bytes(18), DAMAGED),  # an empty archive
        (b"\x80\x04\x95", DAMAGED),  # how a pickle begins
        (bytes(100_000), DAMAGED),
    ],
)
def test_a_foreign_file_is_refused(load, content, message):
    with pytest.raises(InputError, match=message):
        load(content)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "astray").symlink_to("missing")
    (tmp_path / "to the pipe").symlink_to("pipe")
    for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "missing", "/dev/zero", "x" * 5000):
        with pytest.raises(InputError, match=r"does not exist, or is no file$"):
            ScGen.load(path)


def test_a_link_to_a_model_is_followed(model, saved, tmp_path):
    (tmp_path / "link").symlink_to(saved)
    assert_same_model(ScGen.load(tmp_path / "link"), model)


def test_a_file_without_permission_is_named(saved, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # root may read everything
    with pytest.raises(InputError, match=r"cannot be read: Permission denied$"):
        ScGen.load(saved)


@pytest.mark.parametrize(
    ("place", "name", "message"),
    [
        ("gene", "g\ud800", "gene or layer .* holds half a character"),
        ("label", "t\ud800", "label .* holds half a character"),
        ("context", "d\ud800", "label .* holds half a character"),
        ("context", "do\0nor", "has too long a name, or a NUL character in it"),
        ("context", "d" * 60_001, "has too long a name, or a NUL character in it"),
    ],
)
def test_names_that_a_file_cannot_hold_are_told_before_training(place, name, message, cells, monkeypatch):
    cells, keys = cells.copy(), {"condition_key": "condition", "cell_type_key": "cell_type"}
    if place == "gene":
        cells.var_names = [name, *cells.var_names[1:]]
    elif place == "label":
        cells.obs["cell_type"] = cells.obs["cell_type"].astype(str).replace("type 1", name)
    else:
        cells.obs[name], keys["context_keys"] = "one", [name]
    monkeypatch.setattr(autoencoder, "fit", None)
    with pytest.raises(InputError, match=message):
        ScGen(n_hidden=4, n_latent=2, n_threads=1).fit(cells, **keys, progress=False)


def test_the_longest_name_of_a_column_comes_back(cells, tmp_path):
    cells, name = cells.copy(), "d" * 60_000
    cells.obs[name] = "one"
    keys = {"condition_key": "condition", "cell_type_key": "cell_type", "context_keys": [name]}
    model = ScGen(n_hidden=4, n_latent=2, n_threads=1).fit(cells, **keys, max_epochs=1, progress=False)
    model.save(tmp_path / "m")
    assert_same_model(ScGen.load(tmp_path / "m"), model)


def test_nothing_is_written_where_there_is_no_folder(model, tmp_path):
    with pytest.raises(InputError, match="does not exist: create it first"):
        model.save(tmp_path / "no" / "model.npz")


def test_a_pickle_is_refused_and_not_run(load, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    buffer = io.BytesIO()
    np.savez(buffer, header=np.array([Harm()], dtype=object))
    with pytest.raises(InputError, match=DAMAGED):
        load(buffer.getvalue())
    alone = io.BytesIO()
    np.save(alone, np.array([Harm()], dtype=object))
    with pytest.raises(InputError, match=DAMAGED):
        load(alone.getvalue())
    assert not (tmp_path / "harm").exists()
    np.load(io.BytesIO(buffer.getvalue()), allow_pickle=True)["header"]
    assert (tmp_path / "harm").exists()  # it would have done something


def test_the_command_line_says_one_line_about_a_hostile_file(saved, tmp_path, capsys):
    path = tmp_path / "model"
    path.write_bytes(text_of("[" * 100_000))
    simulate(20, 5, 2).write_h5ad(tmp_path / "cells.h5ad")
    words = ["predict", tmp_path / "cells.h5ad", "--model", path, "--control", "control", "--stimulated"]
    words += ["stimulated", "--predict", "type 1", "--out", tmp_path / "out.h5ad"]
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"vae-np: {path} is not a vae_np model file, or it is damaged\n"
    assert not (tmp_path / "out.h5ad").exists()
