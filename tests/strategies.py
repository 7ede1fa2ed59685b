"""AnnData of every kind: the same values in any storage form, and names and labels as nobody wants them.

A *storage form* is a way to hold a matrix: a dtype and a layout. `FORMS` are the layouts; each one that
does not break the values (`holds`) must give the result of plain float64.
"""

import tempfile
import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from hypothesis import configuration, settings
from hypothesis import strategies as st
from scipy import sparse

# The same inputs in every run, and no folder left behind: its table of characters is kept elsewhere.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis")
FIXED = settings(derandomize=True, deadline=None, database=None)

DTYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "longdouble", ">i4", ">u2", ">f2", ">f4", ">f8"),
]
NO_NUMBERS = ["complex64", "complex128", "object", "U8", "S8", "datetime64[s]", "timedelta64[s]"]


def padded(x, step):
    """Every other value of a larger array, read forwards or backwards."""
    larger = np.full((2 * x.shape[0], 2 * x.shape[1]), np.ones((), x.dtype))
    view = larger[::step, ::step]
    view[:] = x
    return view


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def mapped(x):
    if not x.size:
        return x
    with tempfile.TemporaryFile() as file:
        view = np.memmap(file, x.dtype, shape=x.shape)
    view[:] = x
    return view


def with_zeros(x, kind):
    """Every value stored, zeros too."""
    rows, columns = np.indices(x.shape).reshape(2, -1)
    major = rows if "csr" in kind.__name__ else columns
    order = np.argsort(major, kind="stable")
    minor = (columns if major is rows else rows)[order]
    counts = np.bincount(major, minlength=x.shape[0 if major is rows else 1])
    return kind((x.ravel()[order], minor, np.r_[0, np.cumsum(counts)]), shape=x.shape)


def unsorted(x, kind):
    """The entries of each row (or column) in falling order of their indices."""
    matrix = with_zeros(x, kind)
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        matrix.indices[start:stop] = matrix.indices[start:stop][::-1].copy()
        matrix.data[start:stop] = matrix.data[start:stop][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def doubled(x, kind):
    """Every place stored twice, each time with a half of its value: duplicates count once summed."""
    one = with_zeros(x, kind)
    half = one.data // 2 if x.dtype.kind in "iu" else one.data / 2 if x.dtype.kind == "f" else one.data
    rest = one.data - half if x.dtype.kind in "iu" else half if x.dtype.kind == "f" else one.data & ~half
    both = [np.stack(pair, axis=1).ravel() for pair in ((half, rest), (one.indices, one.indices))]
    return kind((*both, 2 * one.indptr), shape=x.shape)


def long_indices(x, kind):
    matrix = with_zeros(x, kind)
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    return matrix


def read_only_parts(x, kind):
    matrix = unsorted(x, kind)
    for part in (matrix.data, matrix.indices, matrix.indptr):
        part.flags.writeable = False
    return matrix


DENSE = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "every other": lambda x: padded(x, 2),
    "backwards": lambda x: padded(x, -2),
    "read-only": read_only,
    "memory-mapped": mapped,
    "masked nowhere": np.ma.masked_array,
    "view of a row for all": lambda x: x if len(x) != 1 else np.broadcast_to(x, x.shape),
}
SPARSE = {
    f"{kind.__name__} {name}": lambda x, store=store, kind=kind: store(x, kind)
    for kind in (sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix, sparse.csc_array)
    for name, store in {
        "plain": lambda x, kind: kind(x),
        "zeros": with_zeros,
        "unsorted": unsorted,
        "doubled": doubled,
        "long indices": long_indices,
        "read-only": read_only_parts,
    }.items()
}
FORMS = DENSE | SPARSE


def holds(dtype, form, values):
    """Whether a storage form can hold exactly these values: SciPy knows no float16, no foreign bytes."""
    kind = np.dtype(dtype)
    if form in SPARSE and (kind == np.float16 or not kind.isnative):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array_equal(values.astype(kind).astype(float), values, equal_nan=True)


@st.composite
def values(draw, least=0):
    """Matrices of counts, logarithms, or something that is refused, which small dtypes hold exactly."""
    shape = draw(st.integers(least, 12)), draw(st.integers(least, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["counts", "logs", "logs", "zeros", "ones", "large", "spoiled"]))
    x = rng.integers(0, 100, shape) * (rng.random(shape) < draw(st.sampled_from([0.1, 0.5, 1])))
    if kind == "counts" or kind == "large":
        x = x * (1.0 if kind == "counts" else 2.0 ** draw(st.integers(5, 70)))
    elif kind == "ones":
        x = (x > 0).astype(float)
    else:
        x = x / 8.0 * (kind != "zeros")
    if kind == "spoiled" and x.size:
        x.flat[rng.integers(x.size)] = draw(st.sampled_from([np.nan, np.inf, -np.inf, -1, -0.0, 20.5, 1e300]))
    return x


@st.composite
def stored(draw, x):
    """The same values in a random storage form, and the name of the form."""
    dtype = draw(st.sampled_from([dtype for dtype in DTYPES if holds(dtype, "C order", x)]))
    form = draw(st.sampled_from([form for form in FORMS if holds(dtype, form, x)]))
    return FORMS[form](x.astype(dtype)), f"{dtype} {form}"


STRANGE = [
    *("", " ", "a", "A", "a ", "1", "1.0", "nan", "None", "True", "-", "--out", "=1+1", "a,b", 'a"b', "a;b"),
    *("a\nb", "a\r\nb", "a\rb", "a\tb", "a\x00b", "\x00", "a\x1b[31mred\x1b[0m", "\x07", "\u2028", "\x85"),
    *("<b>", "</td><script>alert(1)</script>", "&amp;", "&", "' onload='x", '" onload="x', "<!--", "]]>"),
    *(
        "$x_1$",
        "$\\frac",
        "$\\frac$",
        "a_{",
        "$",
        "$$",
        "\\",
        "%s %d",
        "{0}",
        "{",
        "[red]x[/red]",
        "[/]",
        "[bold",
    ),
    *(
        "µ",
        "é",
        "e\u0301",
        "日本語",
        "שלום",
        "مرحبا",
        "🧬",
        "👩\u200d🔬",
        "\u202eabc",
        "\ufeff",
        "\uffff",
        "_a",
    ),
    *("/", "../a", "a/b", ".", "C:\\a", "x" * 300, "長" * 1000),
]
NAMES = st.one_of(
    st.sampled_from(STRANGE),
    st.text(max_size=6),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=4),
)


def unique_names(n):
    return st.lists(NAMES, min_size=n, max_size=n, unique=True)


def quietly(build, *arguments, **parts):
    """Build something whose maker has something to say about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build(*arguments, **parts)


@st.composite
def columns(draw, n):
    """A column of `obs` for n cells: words, categories, numbers, dates, gaps, all of these mixed."""
    few = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    words = draw(st.lists(st.sampled_from(few), min_size=n, max_size=n))
    kind = draw(
        st.sampled_from(
            ["words", "categories", "ordered", "gaps", "numbers", "bool", "dates", "mixed", "lists"]
        )
    )
    if kind == "words":
        return np.array(words, object)
    if kind in ("categories", "ordered"):
        return pd.Categorical(words, [*few, "nobody has this"], ordered=kind == "ordered")
    if kind == "gaps":
        gap = draw(st.sampled_from([None, np.nan, pd.NA, pd.NaT]))
        return np.array([gap if i % 3 == 1 else word for i, word in enumerate(words)], object)
    codes = [few.index(word) for word in words]
    if kind == "numbers":
        return np.array(codes, draw(st.sampled_from(["int8", "float32", "float64", "uint64"])))
    if kind == "bool":
        return np.array(codes, int) % 2 == 0
    if kind == "dates":
        return pd.to_datetime(pd.Series(codes, dtype="int64"), unit="D").to_numpy()
    if kind == "lists":
        return pd.Series([[code] for code in codes], dtype=object).to_numpy()
    kinds = ["text", 1, 1.5, True, b"bytes", None, (1, 2)]
    return pd.Series([kinds[i % len(kinds)] for i in range(n)], dtype=object).to_numpy()


KEYS = ["condition", "cell_type"]


@st.composite
def anndatas(draw):
    """An AnnData of any kind: few cells and genes, whatever values, names, labels, layers, raw, views."""
    x = draw(values())
    n, d = x.shape
    kind = draw(st.sampled_from(["stored", "stored", "stored", "no numbers", "none"]))
    if kind == "stored":
        matrix, _ = draw(stored(x))
    elif kind == "none":
        matrix = None
    else:
        matrix = (
            np.nan_to_num(x, posinf=9, neginf=-9).clip(-9, 99).astype(draw(st.sampled_from(NO_NUMBERS[:5])))
        )
    names = [
        draw(unique_names(size) if draw(st.booleans()) else st.lists(NAMES, min_size=size, max_size=size))
        for size in (n, d)
    ]
    obs = pd.DataFrame({key: draw(columns(n)) for key in KEYS}, index=pd.Index(names[0], dtype=object))
    twice = draw(st.integers(0, 5)) == 0
    if twice:
        obs.insert(1, "condition", obs["condition"], allow_duplicates=True)
    var = pd.DataFrame(index=pd.Index(names[1], dtype=object))
    adata = quietly(anndata.AnnData, matrix, obs=obs, var=var)
    if draw(st.booleans()):
        adata.layers["logs"] = draw(stored(x))[0]
    if draw(st.booleans()) and matrix is not None:
        adata.raw = quietly(adata.copy)
    if draw(st.booleans()) and n and not twice:  # anndata makes no view of a column that stands twice
        rows = draw(st.lists(st.integers(0, n - 1), max_size=n))
        return quietly(adata.__getitem__, np.array(rows, int))
    return adata


def content(adata):
    """All that an AnnData holds, in a form that can be compared: nothing of it may change."""
    matrices = {"X": adata.X, **dict(adata.layers)}
    if adata.raw is not None:
        matrices["raw"] = adata.raw.X
    frames = {"obs": adata.obs, "var": adata.var}
    return {name: matrix_content(x) for name, x in matrices.items()} | {
        name: (
            list(map(repr, frame.index)),
            [
                (repr(key), str(frame.dtypes.iloc[i]), list(map(repr, frame.iloc[:, i])))
                for i, key in enumerate(frame.columns)
            ],
        )
        for name, frame in frames.items()
    }


def matrix_content(x):
    if x is None:
        return None
    parts = (x.data, x.indices, x.indptr) if sparse.issparse(x) else (np.asarray(x),)
    return type(x), x.shape, [(part.dtype.str, part.tolist().__repr__()) for part in parts]
