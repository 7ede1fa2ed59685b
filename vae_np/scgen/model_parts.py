"""From the parts of a model file to a model; whoever made the file, the parts have to fit together.

Each part is checked for what it will be used for, and takes no more memory than a small multiple of its
bytes.
"""

from typing import Any

import numpy as np

from vae_np.data.archive import Arrays, Header
from vae_np.errors import whole_number
from vae_np.model.params import Params, Sizes, Stats
from vae_np.scgen.arithmetic import Reference
from vae_np.scgen.fitted import Fitted
from vae_np.scgen.settings import Settings
from vae_np.train.settings import TrainSettings

LOG_NORMALIZED = "log-normalized"  # what `fit` requires of values, as `vae_np.data.log_matrix` decides it
HISTORY, CONTEXT, CODES = "history_", "context_", "_codes"  # parts of the names of arrays
NUMBERS = ("params", "stats", "residual_variance", "z")


def _names(names: Any) -> list[str]:  # noqa: ANN401 - what a JSON text may have in that place
    """Require a list of different strings that can be printed."""
    if not isinstance(names, list):
        raise ValueError("names are no list")
    "".join(names).encode()  # raises for what is no string, and for half a surrogate pair
    if len(set(names)) < len(names):
        raise ValueError("a name stands twice")
    return names


def _labels(header: Header, arrays: Arrays, name: str) -> np.ndarray:
    """Label of each cell, one string object for all cells that carry it.

    In an array of fixed width every cell would take the room of the longest name.
    """
    names, codes = np.array(_names(header[f"{name}_names"]), object), arrays[name + CODES]
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(f"the codes of {name} are no indices")
    if codes.min(initial=0) < 0 or (len(codes) and codes.max() >= len(names)):  # unsigned ones may wrap
        raise ValueError(f"a code of {name} counts no name")
    return names[codes]


def _params(sizes: Sizes, saved: np.ndarray) -> Params:
    """Give the saved weights, each W row by row as (n_in, n_out), the order that they have in memory."""
    params, start = Params(sizes, np.empty_like(saved)), 0
    for _, view in params.named():
        view[:] = saved[start : start + view.size].reshape(view.shape)
        start += view.size
    return params


def _reference(header: Header, arrays: Arrays, n_latent: int) -> Reference:
    condition, cell_type = (_labels(header, arrays, name) for name in ("condition", "cell_type"))
    context = {key: _labels(header, arrays, CONTEXT + key) for key in _names(header["context_keys"])}
    z, columns = arrays["z"], [condition, cell_type, *context.values()]
    if z.ndim != 2 or z.shape[1] != n_latent or any(len(column) != len(z) for column in columns):
        raise ValueError("latent means and labels differ in number")
    return Reference(z, condition, cell_type, context)


def _history(arrays: Arrays) -> Arrays:
    history = {name[len(HISTORY) :]: a for name, a in arrays.items() if name.startswith(HISTORY)}
    if any(a.ndim != 1 or a.dtype != np.float64 for a in history.values()):
        raise ValueError("the history is not one number an epoch")
    if len({len(losses) for losses in history.values()}) > 1:
        raise ValueError("the losses are of different numbers of epochs")
    return history


def _training(described: Header | None, n_cells: int) -> tuple[TrainSettings | None, int | None]:
    if described is None:
        return None, None
    n_validation = whole_number("n_validation", described["n_validation"], least=0, most=n_cells)
    settings = {name: value for name, value in described.items() if name != "n_validation"}
    return TrainSettings(**settings), n_validation


def fitted_of(settings: Settings, header: Header, arrays: Arrays) -> Fitted:
    """Make a model of the parts that were read.

    Parameters
    ----------
    settings
        Of the model.
    header, arrays
        As the newest version of the file has them.

    Returns
    -------
    Fitted
        Whose parts fit together.

    Raises
    ------
    one of DAMAGE
        If they do not.
    """
    genes, values = _names(header["genes"]), header["preprocessing"]
    condition_key, cell_type_key, layer = header["condition_key"], header["cell_type_key"], values["layer"]
    for name in (condition_key, cell_type_key, *([] if layer is None else [layer])):
        _names([name])
    if values["values"] != LOG_NORMALIZED:
        raise ValueError("the values were something else than log-normalized")
    sizes = Sizes(len(genes), settings.n_hidden, settings.n_latent, settings.n_layers)
    reference, history = _reference(header, arrays, sizes.n_latent), _history(arrays)
    training, n_validation = _training(header["training"], len(reference.z))
    labels = ["condition", "cell_type", *(CONTEXT + key for key in reference.context)]
    expected = {*NUMBERS, *(HISTORY + name for name in history), *(name + CODES for name in labels)}
    if {*arrays} != expected:
        raise ValueError("there are arrays that no model has")
    variance = arrays["residual_variance"]
    if (variance.shape, variance.dtype) != ((sizes.n_genes,), np.float64):
        raise ValueError("residual variances are not one number a gene")
    for name in NUMBERS:
        if name != "residual_variance" and arrays[name].dtype != settings.dtype:
            raise ValueError(f"{name} is not of the model's dtype")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} does not hold finite numbers")
    stats = Stats(sizes, arrays["stats"])
    if (variance < 0).any() or any((layer.var < 0).any() for layer in (*stats.encoder, *stats.decoder)):
        raise ValueError("a variance is negative")
    params = _params(sizes, arrays["params"])
    of_cells = condition_key, cell_type_key, reference
    return Fitted(params, stats, history, variance, genes, layer, *of_cells, training, n_validation)
