"""Thousands of damaged and made-up files: a result, or one clear sentence, and nothing else.

The inputs are the same in every run. Those with a right checksum are the ones that matter: they get past it
and have to be stopped, or used, by what each part is checked for.
"""

import copy
import io
import json
import zipfile
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from archives import archive, packed, parts_of, signed
from test_model_file import assert_same_model

from vae_np import ScGen, simulate
from vae_np.errors import InputError
from vae_np.kernels.threads import threads
from vae_np.model import Sizes, gaussian, initialize
from vae_np.train import Checkpoints, NonFiniteLossError, fit

pytestmark = pytest.mark.slow

N_GENES = 6
FLIPS, CUTS = 3000, 1000
INPUTS, CHECKPOINTS = 20_000, 4000
X = np.random.default_rng(3).gamma(1.0, size=(3, N_GENES))


@pytest.fixture(scope="module")
def model():
    keys = {"condition_key": "condition", "cell_type_key": "cell_type"}
    small = ScGen(n_hidden=4, n_latent=2, n_layers=1)
    return small.fit(simulate(30, N_GENES, 3, seed=1), **keys, max_epochs=2, progress=False)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model"
    model.save(path)
    return path


@pytest.fixture
def outcome(tmp_path):
    """What comes of loading these bytes and using the result: a model, or None if it was refused."""
    path, counts = tmp_path / "other", Counter()

    def outcome(content):
        path.write_bytes(content)
        try:
            model = ScGen.load(path)
        except InputError as error:
            assert_one_sentence(str(error), path)
            counts["refused"] += 1
            return None
        try:
            z = model.encode(X[:, :1].repeat(len(model.genes), axis=1))
            assert z.shape == (3, model.settings.n_latent)
            assert np.isfinite(z).all()
            assert model.decode(z).shape == (3, len(model.genes))
        except InputError as error:
            assert "not finite" in str(error)  # noqa: PT017 - weights may be huge
        counts["loaded"] += 1
        return model

    with threads(1):  # once, which takes longer than loading
        yield SimpleNamespace(of=outcome, counts=counts)


def assert_one_sentence(message, path, most=200):
    assert str(path) in message
    assert len(message.splitlines()) == 1
    assert len(message) < most + len(str(path))


# ------------------------------------------------------------------------------------ damaged


def test_no_flipped_bit_goes_unseen_that_matters(model, saved, outcome, rng):
    """Each file is refused, or what was flipped says nothing: the model is the same in every bit."""
    whole = saved.read_bytes()
    for bit in rng.choice(8 * len(whole), FLIPS, replace=False):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        found = outcome.of(bytes(flipped))
        if found is not None:
            assert_same_model(found, model)
    print(f"{FLIPS} flipped bits: {dict(outcome.counts)}")
    assert outcome.counts["refused"] > 0.7 * FLIPS


def test_no_truncated_file_is_a_model(saved, outcome, rng):
    whole = saved.read_bytes()
    for length in rng.choice(len(whole), CUTS, replace=False):
        assert outcome.of(whole[:length]) is None
    print(f"{CUTS} truncated files: {dict(outcome.counts)}")


def test_flipped_numbers_are_found_even_where_the_archive_is_made_whole_again(saved, outcome, rng):
    """Zip's own checksums are right in these files: it is ours that finds them."""
    with np.load(saved) as file:
        arrays = dict(file)
    text = arrays.pop("header").tobytes()
    for _ in range(1000):
        name = rng.choice(list(arrays))
        raw = bytearray(arrays[name].tobytes())
        bit = rng.integers(8 * len(raw))
        raw[bit // 8] ^= 1 << bit % 8
        changed = np.frombuffer(raw, arrays[name].dtype).reshape(arrays[name].shape)
        assert outcome.of(packed(text, arrays | {name: changed})) is None


# ------------------------------------------------------------------------------------ made up

VALUES = (None, True, False, 0, 1, -1, 2, 3, 4, 10**9, 2**31, 2**63, 2**64, 10**30, -(10**18), 0.0, 0.5, -0.5)
VALUES += (1e308, 1e-320, 5e-324, "", "a", "float64", "<f8", "\ud800", "\u202e\n", "x" * 3000)
VALUES += ([], {}, [[]], {"a": 1})
OTHER_WORDS = [(b"(", b"(1000000000000, "), (b",)", b")"), (b"False", b"True"), (b"<", b">"), (b"f", b"O")]
OTHER_WORDS += [
    (b"4", b"8"),
    (b"shape", b"shap"),
    (b"}", b"},"),
    (b"(", b"(-"),
    (b"'<", b"('<"),
    (b"1", b"0"),
]


def mutated_bytes(rng, content):
    """Flips, copies, cuts and insertions of pieces."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        start, length = int(rng.integers(len(content))), int(rng.geometric(0.02))
        piece = content[start : start + length]
        at = int(rng.integers(len(content)))
        match rng.integers(5):
            case 0:
                content[at] ^= 1 << int(rng.integers(8))
            case 1:
                content[at : at + len(piece)] = piece
            case 2:
                del content[start : start + length]
            case 3:
                content[at:at] = piece
            case 4:
                content[at : at + length] = rng.bytes(length)
        if not content:
            content = bytearray(b"P")
    return bytes(content)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


def mutated_header(rng, header):
    """Another value, none, or a new field at a few places of the header."""
    header = copy.deepcopy(header)
    for _ in range(rng.integers(1, 3)):
        where = list(places(header))
        *way, last = where[rng.integers(1, len(where))]
        inner = header
        for key in way:
            inner = inner[key]
        value = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
        match rng.integers(5):
            case 0:
                del inner[last]
            case 1 if isinstance(inner, list):
                inner.insert(last, value)
            case 1:
                inner[f"{last} more"] = value
            case 2 if isinstance(inner[last], int | float):
                inner[last] = inner[last] * int(rng.integers(-2, 3)) + int(rng.integers(-2, 3))
            case _:
                inner[last] = value
        if len(list(places(header))) < 2:
            break
    return header


def mutated_arrays(rng, arrays):
    """Other numbers, another shape, another dtype, another name, or none of an array."""
    arrays = dict(arrays)
    names = list(arrays)
    name = names[rng.integers(len(names))]
    array = arrays[name].copy()
    match rng.integers(9):
        case 0 | 1:
            special = rng.choice([np.nan, np.inf, -np.inf, -1, 0, 1e38, 2**62, 5])
            with np.errstate(invalid="ignore", over="ignore"):
                array.flat[rng.integers(array.size)] = np.array(special).astype(array.dtype)
        case 2:
            raw = bytearray(array.tobytes())
            raw[rng.integers(len(raw))] = int(rng.integers(256))
            array = np.frombuffer(bytes(raw), array.dtype).reshape(array.shape)
        case 3:
            array = array[: rng.integers(len(array))]
        case 4:
            array = np.concatenate([array, array[: rng.integers(1, len(array) + 1)]])
        case 5:
            array = array.reshape([(-1, 1), (1, -1), (-1,)][rng.integers(3)])
        case 6:
            dtype = rng.choice(["f4", "f8", "i8", "u1", "i4", "u8", "f2", "c8", "?", "S3"])
            with np.errstate(invalid="ignore", over="ignore"):
                array = np.nan_to_num(array).astype(dtype)
        case 7:
            arrays[names[rng.integers(len(names))] + rng.choice(["", "_codes", "x"])] = array
        case 8:
            del arrays[name]
            return arrays
    arrays[name] = array
    return arrays


def mutated_words(rng, whole):
    """A file whose zip part is right, and one entry has other words before its numbers."""
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    name = list(entries)[rng.integers(len(entries))]
    content = entries[name]
    start = 10 + int.from_bytes(content[8:10], "little")
    head = content[:start]
    if rng.integers(2):
        head = head.replace(*OTHER_WORDS[rng.integers(len(OTHER_WORDS))])
    else:
        head = mutated_bytes(rng, head)
    entries[name] = head + content[start:]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for other, content in entries.items():
            file.writestr(zipfile.ZipInfo(other), content)
    return buffer.getvalue()


def made_up(rng, header, arrays, whole):
    """One of the made-up files, with what was done to it."""
    match rng.integers(6):
        case 0:
            return "bytes", mutated_bytes(rng, whole)
        case 1:
            return "words", mutated_words(rng, whole)
        case 2:
            return "text", packed(mutated_bytes(rng, signed(header, arrays)), arrays)
        case 3:
            return "header", archive(mutated_header(rng, header), arrays)
        case 4:
            return "arrays", archive(header, mutated_arrays(rng, arrays))
        case _:
            old = {**mutated_header(rng, header), "version": 1, "layer": None}
            return "version 1", packed(json.dumps(old).encode(), mutated_arrays(rng, arrays))


def test_whatever_a_model_file_holds_a_model_or_one_sentence_comes_out(model, saved, outcome, rng):
    (header, arrays), whole = parts_of(saved), saved.read_bytes()
    kinds = Counter()
    for _ in range(INPUTS):
        kind, content = made_up(rng, header, arrays, whole)
        found = outcome.of(content)
        kinds[kind, "refused" if found is None else "loaded"] += 1
        if found is not None and kind in ("bytes", "words", "text"):  # the checksum is the old one
            assert_same_model(found, model)
    for (kind, result), count in sorted(kinds.items()):
        print(f"{kind:10} {result:8} {count}")
    assert sum(kinds.values()) == INPUTS
    for kind in ("header", "arrays", "version 1"):  # the checksum is right: some of them are other models
        assert kinds[kind, "loaded"] > 20
        assert kinds[kind, "refused"] > 20


# -------------------------------------------------------------------------------- checkpoints


def train(path):
    sizes = Sizes(n_genes=3, n_hidden=2, n_latent=1, n_layers=1)
    start = initialize(sizes, np.random.default_rng(1), np.float64)
    checkpoints = Checkpoints(path, resume=True, about={"genes": "sha256:12"})
    settings = {"max_epochs": 2, "batch_size": 8, "checkpoints": checkpoints}
    return fit(*start, np.eye(12, 3), gaussian(1.0), rng=np.random.default_rng(2), **settings)


def test_whatever_a_checkpoint_holds_training_goes_on_or_one_sentence_comes_out(tmp_path, rng):
    path, kinds = tmp_path / "c", Counter()
    with threads(1):
        train(path)
        (header, arrays), whole = parts_of(path), path.read_bytes()
        for _ in range(CHECKPOINTS):
            kind, content = made_up(rng, header, arrays, whole)
            path.write_bytes(content)
            try:
                trained = train(path)
            except InputError as error:
                assert_one_sentence(str(error), path, most=1000)  # it lists what differs
                kinds[kind, "refused"] += 1
            except NonFiniteLossError as error:
                assert_one_sentence(f"{path}: {error}", path)
                kinds[kind, "diverged"] += 1
            else:
                assert np.isfinite(trained.params.flat).all()
                kinds[kind, "went on"] += 1
    for (kind, result), count in sorted(kinds.items()):
        print(f"{kind:10} {result:8} {count}")
    assert kinds["header", "refused"] > 20
    assert kinds["arrays", "went on"] > 20
    assert kinds["version 1", "refused"] == sum(n for (kind, _), n in kinds.items() if kind == "version 1")
