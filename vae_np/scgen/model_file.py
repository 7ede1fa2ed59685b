"""A trained model, and the file it is kept in: a `vae_np.data.archive` of plain arrays and a JSON header."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vae_np.data.archive import DAMAGE, Kind, read_archive, write_archive
from vae_np.errors import InputError
from vae_np.model.params import Params, Sizes, Stats
from vae_np.scgen.arithmetic import Reference
from vae_np.scgen.settings import Settings

MODEL_FILE = Kind("model file", "vae_np.ScGen", 1)
HISTORY, CONTEXT = "history_", "context_"  # before the names of the epochs' losses, and of further labels


class Fitted(NamedTuple):
    """All that `ScGen.fit` learns: enough to predict cells that are handed in, no expression values.

    Attributes
    ----------
    params, stats, history
        From `vae_np.train.fit`.
    residual_variance
        Variance of each gene that the decoder leaves unexplained, (d,).
    genes
        Names, in the order of the weights.
    layer, condition_key, cell_type_key
        Where values and labels were found.
    reference
        Latent means and labels of the training cells.
    """

    params: Params
    stats: Stats
    history: dict[str, np.ndarray]
    residual_variance: np.ndarray
    genes: list[str]
    layer: str | None
    condition_key: str
    cell_type_key: str
    reference: Reference


def write_model(path: str | Path, settings: Settings, fitted: Fitted) -> None:
    """Write a model file, whole or not at all, at exactly this path.

    Parameters
    ----------
    path
        The file; no suffix is added.
    settings, fitted
        The model.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    header: dict[str, Any] = {
        "settings": asdict(settings),
        "genes": fitted.genes,
        "layer": fitted.layer,
        "condition_key": fitted.condition_key,
        "cell_type_key": fitted.cell_type_key,
    }
    arrays: dict[str, Any] = {
        "params": np.concatenate([weights.ravel() for _, weights in fitted.params.named()]),
        "stats": fitted.stats.flat,
        "residual_variance": fitted.residual_variance,
        "z": fitted.reference.z,
        **{HISTORY + name: values for name, values in fitted.history.items()},
    }
    reference = fitted.reference
    header["context_keys"] = list(reference.context)
    of_context = {CONTEXT + key: column for key, column in reference.context.items()}
    for name, column in {
        "condition": reference.condition,
        "cell_type": reference.cell_type,
        **of_context,
    }.items():
        names, codes = np.unique(column, return_inverse=True)
        header[f"{name}_names"], arrays[f"{name}_codes"] = names.tolist(), codes
    write_archive(path, MODEL_FILE, header, arrays)


def read_model(path: str | Path) -> tuple[Settings, Fitted]:
    """Read a model file.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    tuple
        The settings and what was learned.

    Raises
    ------
    InputError
        If the file does not exist, is not a model file, is damaged, or is of a newer version.
    """
    header, arrays = read_archive(path, MODEL_FILE)
    try:
        return Settings(**header["settings"]), _fitted(header, arrays)
    except DAMAGE as error:
        raise InputError(f"{path} is a damaged model file: its parts do not fit together") from error


def _labels(header: dict[str, Any], arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    names, codes = np.array(header[f"{name}_names"], np.str_), arrays[f"{name}_codes"]
    if codes.ndim != 1 or codes.dtype.kind not in "iu" or codes.min(initial=0) < 0:
        raise ValueError(f"the codes of {name} are no indices")
    return names[codes]


def _params(sizes: Sizes, saved: np.ndarray) -> Params:
    """Give the saved weights, each W row by row as (n_in, n_out), the order that they have in memory."""
    params, start = Params(sizes, np.empty_like(saved)), 0
    for _, view in params.named():
        view[:] = saved[start : start + view.size].reshape(view.shape)
        start += view.size
    return params


def _fitted(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    settings, genes = header["settings"], header["genes"]
    if not isinstance(genes, list) or not all(isinstance(gene, str) for gene in genes):
        raise ValueError("gene names are not strings")
    if len(set(genes)) < len(genes):
        raise ValueError("gene names stand more than once")
    sizes = Sizes(len(genes), settings["n_hidden"], settings["n_latent"], settings["n_layers"])
    condition, cell_type = (_labels(header, arrays, name) for name in ("condition", "cell_type"))
    context = {key: _labels(header, arrays, CONTEXT + key) for key in header.get("context_keys", [])}
    z, variance = arrays["z"], arrays["residual_variance"]
    columns = [condition, cell_type, *context.values()]
    if z.ndim != 2 or z.shape[1] != sizes.n_latent or any(len(column) != len(z) for column in columns):
        raise ValueError("latent means and labels differ in number")
    if variance.shape != (sizes.n_genes,) or not (np.isfinite(variance) & (variance >= 0)).all():
        raise ValueError("residual variances are not one number of at least 0 a gene")
    for name in ("params", "stats", "z"):
        if arrays[name].dtype != settings["dtype"] or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} does not hold finite numbers of the model's dtype")
    stats = Stats(sizes, arrays["stats"])
    if any((layer.var < 0).any() for layer in (*stats.encoder, *stats.decoder)):
        raise ValueError("a running variance is negative")
    return Fitted(
        _params(sizes, arrays["params"]),
        stats,
        {name[len(HISTORY) :]: a for name, a in arrays.items() if name.startswith(HISTORY)},
        variance,
        genes,
        header["layer"],
        header["condition_key"],
        header["cell_type_key"],
        Reference(z, condition, cell_type, context),
    )
