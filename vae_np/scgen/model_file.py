"""A trained model, and the file it is kept in: a `vae_np.data.archive` of plain arrays and a JSON header.

The page derivations/model_file.md describes it, field by field.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from vae_np.data.archive import Arrays, Header, Kind, read_archive, write_archive
from vae_np.data.npz import DAMAGE
from vae_np.errors import InputError
from vae_np.scgen.fitted import Fitted
from vae_np.scgen.migrations import MIGRATIONS
from vae_np.scgen.model_parts import CODES, CONTEXT, HISTORY, LOG_NORMALIZED, fitted_of
from vae_np.scgen.settings import Settings

MODEL_FILE = Kind("model file", "vae_np.ScGen", 2, MIGRATIONS, signed_since=2)


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
    reference, training = fitted.reference, None
    if fitted.training is not None:
        training = {**asdict(fitted.training), "n_validation": fitted.n_validation}
    header: Header = {
        "settings": asdict(settings),
        "preprocessing": {"values": LOG_NORMALIZED, "layer": fitted.layer},
        "training": training,
        "genes": fitted.genes,
        "condition_key": fitted.condition_key,
        "cell_type_key": fitted.cell_type_key,
        "context_keys": list(reference.context),
    }
    arrays: Arrays = {
        "params": np.concatenate([weights.ravel() for _, weights in fitted.params.named()]),
        "stats": fitted.stats.flat,
        "residual_variance": fitted.residual_variance,
        "z": np.ascontiguousarray(reference.z),
        **{HISTORY + name: values for name, values in fitted.history.items()},
    }
    of_context = {CONTEXT + key: column for key, column in reference.context.items()}
    for name, column in {
        "condition": reference.condition,
        "cell_type": reference.cell_type,
        **of_context,
    }.items():
        names, codes = np.unique(column, return_inverse=True)
        header[f"{name}_names"], arrays[name + CODES] = names.tolist(), codes
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
        settings = Settings(**header["settings"])
        return settings, fitted_of(settings, header, arrays)
    except DAMAGE as error:
        raise InputError(f"{path} is a damaged model file: its parts do not fit together") from error
