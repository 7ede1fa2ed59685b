"""scGen on AnnData: fit a VAE to all cells, predict how a cell type responds to a stimulus.

What differs from the published 2.x arithmetic (theislab/scgen 2.1), and why:

- delta is the exact mean over the cell types found in both conditions; the published arithmetic, a
  random resampling, is ``delta_method="scgen"``;
- the prediction adds the decoded *change* to the measured cell and is clipped at zero;
  ``mode="decode", clip=False`` is the published one.

How the VAE is trained, and what differs there, is in `vae_np.scgen.autoencoder`.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import anndata
import numpy as np
from anndata import AnnData

from vae_np.data.cells_file import view_of
from vae_np.data.matrix import Matrix, chunks, dense_rows, gene_mean, in_chunks
from vae_np.elbo.gaussian_likelihood import gaussian_sample
from vae_np.errors import InputError, real_number, whole_number
from vae_np.scgen.arithmetic import (
    DeltaMethod,
    NoDeltaError,
    Reference,
    TypeDeltas,
    chosen_latents,
    deltas_by_type,
    perturbation,
    require_known,
)
from vae_np.scgen.autoencoder import CellVae
from vae_np.scgen.batch_removal import remove_batch_shift
from vae_np.scgen.cells import control_cells, labels, match_genes
from vae_np.scgen.delta import decoded_change, delta_predict, two_factor
from vae_np.scgen.intervals import Move, Over, interval_from_errors, interval_over_cells, interval_over_types
from vae_np.scgen.uncertainty import bootstrap_deltas, shrinkage_factor

if TYPE_CHECKING:
    from pandas import DataFrame

Mode = Literal["change", "decode", "sample"]
Restriction: TypeAlias = str | Sequence[str] | Mapping[str, str | Sequence[str]] | None
POOR_AGREEMENT = 0.5  # median cosine of a type's delta with the others'


class Task(NamedTuple):
    """What is to be predicted, and from which training cells: the checked arguments of a prediction."""

    ctrl_key: str
    stim_key: str
    cells: AnnData
    target: str | None
    reference: Reference
    only_types: list[str] | None
    context: dict[str, list[str]]
    min_cells: int

    @property
    def selection(self) -> dict[str, Any]:
        """The arguments that choose the training cells of delta."""
        names = ("ctrl_key", "stim_key", "target", "only_types", "min_cells")
        return {name: getattr(self, name) for name in names}


class ScGen(CellVae):
    """scGen: a VAE of all cells and a shift in its latent space.

    Parameters
    ----------
    n_hidden, n_latent, n_layers
        Width of a hidden layer, number of latent dimensions, hidden layers in the encoder and in the
        decoder; ``n_layers=0`` is the affine model, heads only.
    dropout_rate
        Probability of dropping a hidden unit in training.
    kl_weight
        Factor on the KL. 2.5e-5 is the published loss: their argument 5e-5 is halved inside.
    variance
        Variance of the Gaussian likelihood in the loss; see `residual_variance` for the measured one.
    seed
        Seed of everything random.
    n_threads
        Threads to compute with; None takes as many as NumPy would, one a core.
    dtype
        ``"float32"`` or ``"float64"``.

    Raises
    ------
    InputError
        If a setting is out of range.
    """

    def predict(
        self,
        ctrl_key: str = "control",
        stim_key: str = "stimulated",
        celltype_to_predict: str | None = None,
        adata_to_predict: AnnData | None = None,
        restrict_arithmetic_to: Restriction = None,
        delta_method: DeltaMethod = "shared",
        min_cells: int = 10,
        mode: Mode = "change",
        clip: bool = True,
        scale: float | Literal["measured"] = 1.0,
        seed: int | None = None,
    ) -> tuple[AnnData, np.ndarray]:
        """Predict control cells as if stimulated [delta-predict] [decoded-change].

        Parameters
        ----------
        ctrl_key, stim_key
            The two conditions that delta is taken between.
        celltype_to_predict
            Predict the control cells of this type in the training data (or those given to `load`).
            Its stimulated cells, if there are any, do not enter delta.
        adata_to_predict
            Predict these cells instead; they need no labels, and may be of a type never seen. If they
            are labeled and all of one type, that type stays out of delta too; if they are of several
            types, all training types enter, unless `restrict_arithmetic_to` says which.
        restrict_arithmetic_to
            Training cells to take delta from: cell types by name, or ``{column: names}`` for the cell type
            and the `context_keys` of `fit`, of which all must hold; None is all.
        delta_method
            ``"shared"``: exact mean over the types with `min_cells` cells in both conditions.
            ``"scgen"``: the published random resampling. ``"pooled"``: no balancing.
        min_cells
            For ``"shared"``.
        mode
            ``"change"``: x + decode(z + delta) - decode(z). ``"decode"``: decode(z + delta), as
            published. ``"sample"``: decode(z + delta) plus noise of variance `residual_variance`.
        clip
            Whether to set negative values to zero.
        scale
            Factor on delta: 0.5 goes half of the way. ``"measured"`` takes the factor that brings the
            decoded change of the training types to the measured one, against the shrinkage
            [delta-scale]; it needs the training cells at hand.
        seed
            Of ``delta_method="scgen"`` and ``mode="sample"``; None is the model's.

        Returns
        -------
        tuple
            The predicted cells - obs and var as in the control cells, ``obsm["latent"]`` the shifted
            latent, ``uns["vae_np"]`` the settings, the types and the numbers of cells behind delta, and
            how well the types agree - and delta, (k,), with `scale` in it.

        Raises
        ------
        InputError
            If a name is unknown, the cells cannot be used, or no cells are left for delta.
        """
        how = (restrict_arithmetic_to, delta_method, min_cells, mode, clip, scale, seed)
        result, shift, parts = self._prediction(
            ctrl_key, stim_key, celltype_to_predict, adata_to_predict, *how
        )
        result.X = _stacked(parts, result.shape)
        return result, shift

    def predict_in_chunks(
        self,
        ctrl_key: str = "control",
        stim_key: str = "stimulated",
        celltype_to_predict: str | None = None,
        adata_to_predict: AnnData | None = None,
        restrict_arithmetic_to: Restriction = None,
        delta_method: DeltaMethod = "shared",
        min_cells: int = 10,
        mode: Mode = "change",
        clip: bool = True,
        scale: float | Literal["measured"] = 1.0,
        seed: int | None = None,
    ) -> tuple[AnnData, np.ndarray, Iterator[np.ndarray]]:
        """Predict as `predict` does, but more cells than fit in memory as a dense matrix.

        Parameters
        ----------
        ctrl_key, stim_key, celltype_to_predict, adata_to_predict, restrict_arithmetic_to, delta_method
            As in `predict`.
        min_cells, mode, clip, scale, seed
            As in `predict`.

        Returns
        -------
        tuple
            The AnnData that `predict` returns, without X; delta, (k,); and an iterator over the rows of X, a
            chunk at a time, for `vae_np.data.write_cells`.

        Raises
        ------
        InputError
            As in `predict`.
        """
        how = (restrict_arithmetic_to, delta_method, min_cells, mode, clip, scale, seed)
        return self._prediction(ctrl_key, stim_key, celltype_to_predict, adata_to_predict, *how)

    def _prediction(
        self,
        ctrl_key: str,
        stim_key: str,
        celltype_to_predict: str | None,
        adata_to_predict: AnnData | None,
        restrict_arithmetic_to: Restriction,
        delta_method: DeltaMethod,
        min_cells: int,
        mode: Mode,
        clip: bool,
        scale: float | Literal["measured"],
        seed: int | None,
    ) -> tuple[AnnData, np.ndarray, Iterator[np.ndarray]]:
        """Do all of `predict` but the values, which come as the iterator is asked for them."""
        task = self._task(
            ctrl_key, stim_key, celltype_to_predict, adata_to_predict, restrict_arithmetic_to, min_cells
        )
        seed = self._seed(seed)
        delta_rng, noise_rng = np.random.default_rng(seed).spawn(2)
        shift, counts = perturbation(task.reference, **task.selection, method=delta_method, rng=delta_rng)
        agreement = self._agreement(task) if delta_method == "shared" else None
        if task.target is not None:
            self._warn_of_a_leak(task.stim_key, task.target, stacklevel=4)
        factor = self._scale(scale, task)
        shift = factor * shift
        _require_mode(mode)
        x = self._matrix(task.cells)
        z = self.encode(x)
        shifted = delta_predict(z, shift)
        result, order = self._without_x(task.cells, shifted)
        result.uns["vae_np"] = {
            "model": {name: value for name, value in asdict(self.settings).items() if value is not None},
            "control": task.ctrl_key,
            "stimulated": task.stim_key,
            "delta_method": delta_method,
            "mode": mode,
            "clip": clip,
            "min_cells": task.min_cells,
            "restrict_arithmetic_to": {column: np.array(names) for column, names in task.context.items()},
            "scale": factor,
            "seed": seed,
            "cell_types": np.array(list(counts)),
            "n_control": np.array([n for n, _ in counts.values()]),
            "n_stimulated": np.array([n for _, n in counts.values()]),
            "delta": shift,
        }
        if agreement is not None:
            result.uns["vae_np"]["agreement"] = agreement
        parts = self._moved(x, z, shifted, mode, clip, noise_rng)
        return result, shift, (part[:, order] for part in parts)

    def predict_all(
        self,
        ctrl_key: str = "control",
        stim_keys: Sequence[str] | None = None,
        celltype_to_predict: str | None = None,
        adata_to_predict: AnnData | None = None,
        **settings: Any,  # noqa: ANN401 - those of `predict`
    ) -> tuple[AnnData, dict[str, np.ndarray]]:
        """Predict the same control cells under several conditions.

        Parameters
        ----------
        ctrl_key
            The control condition.
        stim_keys
            The conditions to predict; None is every other one that has cells for a delta.
        celltype_to_predict, adata_to_predict
            As in `predict`.
        settings
            Further arguments of `predict`.

        Returns
        -------
        tuple
            All predicted cells under each other - ``obs["predicted_condition"]``, the condition added
            to the names of the cells, ``uns["vae_np"]["delta_from"]`` the types behind each delta - and
            condition -> delta.

        Raises
        ------
        InputError
            As in `predict`, or if no condition can be predicted.
        """
        import pandas as pd

        given = stim_keys is not None
        if isinstance(stim_keys, str):
            stim_keys = [stim_keys]
        if given and not isinstance(stim_keys, Sequence | np.ndarray):
            raise InputError(f"stim_keys is {stim_keys!r}: give a list of conditions, or None for all")
        known = np.unique(self.fitted.reference.condition).tolist()
        others = [name for name in known if name != str(ctrl_key)]
        names = list(dict.fromkeys(map(str, others if stim_keys is None else stim_keys)))
        parts, deltas, origins, left_out = [], {}, [], []
        for name in names:
            try:
                part, deltas[name] = self.predict(
                    ctrl_key, name, celltype_to_predict, adata_to_predict, **settings
                )
            except NoDeltaError:
                if given:
                    raise
                left_out.append(name)
                continue
            part.obs["predicted_condition"] = name
            part.obs_names = part.obs_names + f"-{name}"
            notes = part.uns.pop("vae_np")
            columns = ("cell_types", "n_control", "n_stimulated")
            origins.append(pd.DataFrame({"stimulated": name} | {column: notes[column] for column in columns}))
            parts.append(part)
        if not parts:
            raise InputError(f"no condition can be predicted from {ctrl_key!r}: the conditions are {known}")
        if left_out:
            warnings.warn(
                f"{len(left_out)} conditions have too few cells for a delta and are left out: "
                + ", ".join(left_out),
                UserWarning,
                stacklevel=2,
            )
        result = anndata.concat(parts, merge="same")
        result.obs["predicted_condition"] = pd.Categorical(result.obs["predicted_condition"], list(deltas))
        result.uns["vae_np"] = {
            "control": str(ctrl_key),
            "delta_from": pd.concat(origins, ignore_index=True),
            "delta": np.stack(list(deltas.values())),
        }
        return result, deltas

    def predict_cross(
        self,
        ctrl_key: str,
        stim_key: str,
        celltype_to_predict: str,
        source: str,
        min_cells: int = 10,
        mode: Mode = "change",
        clip: bool = True,
        seed: int | None = None,
    ) -> tuple[AnnData, np.ndarray]:
        """Predict a context's stimulated cells from another context's stimulated cells [delta-two-factor].

        They are moved by the difference of the two contexts among control cells: the second route of the
        two-factor arithmetic. The first, the target's control cells moved by the delta of the stimulus, is
        ``predict(..., restrict_arithmetic_to=source)``; in latent space both have the same mean.

        Parameters
        ----------
        ctrl_key, stim_key
            The two conditions.
        celltype_to_predict, source
            The context (cell type, species) to be predicted, and the one whose stimulated cells are moved.
        min_cells
            Smallest number of cells in each of the three groups.
        mode, clip, seed
            As in `predict`.

        Returns
        -------
        tuple
            The predicted cells, obs and var as in the source's stimulated cells, and the difference of the
            contexts, (k,).

        Raises
        ------
        InputError
            If a name is unknown, or a group has too few cells.
        """
        z, condition, context, _ = self.fitted.reference
        ctrl_key, stim_key, target, source = map(str, (ctrl_key, stim_key, celltype_to_predict, source))
        min_cells = whole_number("min_cells", min_cells, least=1)
        for name in (ctrl_key, stim_key):
            require_known(name, condition, "condition")
        for name in (target, source):
            require_known(name, context, "cell type")
        if ctrl_key == stim_key:
            raise InputError(f"control and stimulated are both {ctrl_key!r}: name two conditions")
        if target == source:
            raise InputError(f"source and target are both {source!r}: name another context to start from")
        cells = self._cells_of(stim_key, source)
        controls = [z[(condition == ctrl_key) & (context == name)] for name in (source, target)]
        groups = ((source, ctrl_key, len(controls[0])), (target, ctrl_key, len(controls[1])))
        for name, key, n in (*groups, (source, stim_key, cells.n_obs)):
            if n < min_cells:
                raise InputError(f"{name!r} has {n} cells in condition {key!r}: min_cells is {min_cells}")
        self._warn_of_a_leak(stim_key, target, stacklevel=3)
        seed = self._seed(seed)
        _require_mode(mode)
        x = self._matrix(cells)
        z_source = self.encode(x)
        moved = two_factor(z_source, *controls)
        result, order = self._without_x(cells, moved)
        parts = self._moved(x, z_source, moved, mode, clip, np.random.default_rng(seed))
        result.X = _stacked((part[:, order] for part in parts), result.shape)
        shift = controls[1].mean(axis=0) - controls[0].mean(axis=0)
        result.uns["vae_np"] = {
            "control": ctrl_key,
            "stimulated": stim_key,
            "source": source,
            "target": target,
            "mode": mode,
            "clip": clip,
            "seed": seed,
            "delta": shift,
        }
        return result, shift

    def predict_interval(
        self,
        ctrl_key: str = "control",
        stim_key: str = "stimulated",
        celltype_to_predict: str | None = None,
        adata_to_predict: AnnData | None = None,
        restrict_arithmetic_to: Restriction = None,
        min_cells: int = 10,
        mode: Mode = "change",
        clip: bool = True,
        level: float = 0.9,
        over: Over = "errors",
        n_samples: int = 200,
        seed: int | None = None,
    ) -> "DataFrame":
        """Interval for the mean of each gene in the predicted cells [delta-errors].

        Parameters
        ----------
        ctrl_key, stim_key, celltype_to_predict, adata_to_predict, restrict_arithmetic_to, min_cells, clip
            As in `predict` with ``delta_method="shared"`` and ``scale=1``.
        mode
            ``"change"`` or ``"decode"``.
        level
            Probability that the interval is to have.
        over
            ``"errors"``: from how far off the same prediction is for each training type, made from the
            others; needs two types and the training cells at hand. ``"types"``: from how much the training
            types differ [delta-interval], which takes the decoder for right. ``"cells"``: where the
            prediction would be, had other cells of the same types been measured [delta-bootstrap].
        n_samples
            Resamples, for ``"cells"``.
        seed
            Of the resampling; None is the model's.

        Returns
        -------
        DataFrame
            Columns mean, low and high; a row a gene.

        Raises
        ------
        InputError
            As in `predict`, or if a setting is out of range.
        """
        import pandas as pd

        level = real_number("level", level, above=0, below=1)
        n_samples = whole_number("n_samples", n_samples, least=1)
        if mode not in ("change", "decode"):
            raise InputError(f"mode {mode!r} has no interval of its mean: use 'change' or 'decode'")
        if over not in ("errors", "types", "cells"):
            raise InputError(f"over is {over!r}: use 'errors', 'types' or 'cells'")
        task = self._task(
            ctrl_key, stim_key, celltype_to_predict, adata_to_predict, restrict_arithmetic_to, min_cells
        )
        delta_rng, cell_rng = np.random.default_rng(self._seed(seed)).spawn(2)
        x = self._matrix(task.cells)
        z = self.encode(x)
        move = self._mover(x, z, mode, clip, cell_rng)
        by_type = deltas_by_type(task.reference, **task.selection)
        shift = by_type.deltas.mean(axis=0)
        if over == "errors":
            errors = self._errors(task, by_type, mode, clip)
            interval = interval_from_errors(move, z, shift, errors, level)
        elif over == "types":
            interval = interval_over_types(move, z, shift, by_type.deltas, level)
        else:
            groups, _ = chosen_latents(task.reference, **task.selection)
            deltas = bootstrap_deltas(*groups, n_samples, delta_rng, task.min_cells)
            interval = interval_over_cells(move, z, shift, deltas, level, cell_rng)
        columns = {name: np.maximum(ends, 0) if clip else ends for name, ends in interval._asdict().items()}
        return pd.DataFrame(columns, index=self.genes)

    def type_deltas(
        self,
        ctrl_key: str = "control",
        stim_key: str = "stimulated",
        restrict_arithmetic_to: Restriction = None,
        min_cells: int = 10,
    ) -> TypeDeltas:
        """Delta of each cell type by itself, and how well each agrees with the others [delta-agreement].

        Parameters
        ----------
        ctrl_key, stim_key, restrict_arithmetic_to, min_cells
            As in `predict`.

        Returns
        -------
        TypeDeltas
            Names, deltas (K, k), cosines (K,).

        Raises
        ------
        InputError
            If a name is unknown, or no type has enough cells.
        """
        reference, only_types, _ = self._restricted(restrict_arithmetic_to)
        return deltas_by_type(
            reference,
            str(ctrl_key),
            str(stim_key),
            target=None,
            only_types=only_types,
            min_cells=whole_number("min_cells", min_cells, least=1),
        )

    def batch_removal(
        self,
        adata: AnnData | None = None,
        batch_key: str | None = None,
        cell_type_key: str | None = None,
        mode: Mode = "change",
        clip: bool = True,
    ) -> AnnData:
        """Move every batch of a cell type onto the type's largest batch [batch-removal].

        Types found in one batch stay where they are.

        Parameters
        ----------
        adata
            The cells; None is those of the model.
        batch_key, cell_type_key
            Columns of `obs`; None is the condition and the cell type of `fit`.
        mode
            ``"change"``: x + decode(moved z) - decode(z). ``"decode"``: decode(moved z), as published.
        clip
            Whether to set negative values to zero.

        Returns
        -------
        AnnData
            Corrected expression in X, cells in their order, obs, var and raw as given;
            ``obsm["latent"]`` the moved latent, ``obsm["corrected_latent"]`` that of the corrected cells.

        Raises
        ------
        InputError
            If a column does not exist, or the cells cannot be used.
        """
        fitted = self.fitted
        cells = self._own_cells() if adata is None else adata
        if mode not in ("change", "decode"):
            raise InputError(f"mode {mode!r} does not go with batch_removal: use 'change' or 'decode'")
        x = self._matrix(cells)
        z = self.encode(x)
        batch = labels(cells, batch_key or fitted.condition_key)
        cell_type = labels(cells, cell_type_key or fitted.cell_type_key)
        if all(len(np.unique(batch[cell_type == name])) == 1 for name in np.unique(cell_type)):
            warnings.warn(
                "no cell type is found in more than one batch: nothing is moved", UserWarning, stacklevel=2
            )
        moved = remove_batch_shift(z, batch, cell_type)
        parts = self._moved(x, z, moved, mode, clip, np.random.default_rng(0))
        corrected = _stacked(parts, x.shape)
        result, order = self._without_x(cells, moved)
        result.X = corrected[:, order]
        result.obsm["corrected_latent"] = self.encode(corrected)
        if cells.raw is not None:
            result.raw = cells.raw.to_adata()
        return result

    def _seed(self, seed: int | None) -> int:
        return self.settings.seed if seed is None else whole_number("seed", seed, least=0)

    def _task(
        self,
        ctrl_key: str,
        stim_key: str,
        celltype_to_predict: str | None,
        adata_to_predict: AnnData | None,
        restriction: Restriction,
        min_cells: int,
    ) -> Task:
        """Check what is asked for; labels are compared as strings, numbers too."""
        reference, only_types, context = self._restricted(restriction)
        ctrl_key, stim_key = str(ctrl_key), str(stim_key)
        for name in (ctrl_key, stim_key):
            require_known(name, reference.condition, "condition")
        if (celltype_to_predict is None) == (adata_to_predict is None):
            raise InputError("give one of celltype_to_predict and adata_to_predict, not both or none")
        min_cells = whole_number("min_cells", min_cells, least=1)
        if adata_to_predict is not None:
            cells, target = adata_to_predict, self._only_type_of(adata_to_predict)
        else:
            target = str(celltype_to_predict)
            cells = self._cells_of(ctrl_key, target)
        return Task(ctrl_key, stim_key, cells, target, reference, only_types, context, min_cells)

    def _mover(self, x: Matrix, z: np.ndarray, mode: Mode, clip: bool, rng: np.random.Generator) -> Move:
        """Return the function from moved latents to predicted cells, for cells x that were encoded as z."""
        before = (dense_rows(x, slice(None), z.dtype), self.decode(z)) if mode == "change" else None

        def move(moved: np.ndarray) -> np.ndarray:
            predicted = self.decode(moved)
            if before is not None:
                predicted = decoded_change(*before, predicted)
            elif mode == "sample":
                noise = rng.standard_normal(predicted.shape).astype(predicted.dtype)
                predicted = gaussian_sample(predicted, self.residual_variance, noise)
            return np.maximum(predicted, 0) if clip else predicted

        return move

    def _moved(
        self, x: Matrix, z: np.ndarray, moved: np.ndarray, mode: Mode, clip: bool, rng: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """Predict a chunk of cells at a time."""
        for rows, part in zip(chunks(len(z)), in_chunks(x), strict=True):
            yield self._mover(part, z[rows], mode, clip, rng)(moved[rows])

    def _without_x(self, cells: AnnData, latent: np.ndarray) -> tuple[AnnData, np.ndarray]:
        """Labels and latents of predicted cells, and the model's genes in the order of `cells`."""
        columns = match_genes(cells, self.genes)
        result = anndata.AnnData(
            obs=cells.obs.copy(), var=cells.var.iloc[np.sort(columns)].copy(), obsm={"latent": latent}
        )
        return result, np.argsort(columns)

    def _agreement(self, task: Task) -> np.ndarray:
        """How well the types behind delta agree; warn if one shared delta is a bad summary of them."""
        agreement = deltas_by_type(task.reference, **task.selection).agreement
        if np.median(agreement) < POOR_AGREEMENT:
            warnings.warn(
                f"the cell types respond in different directions (median cosine {np.median(agreement):.2f}): "
                "one shared delta is a poor summary; see type_deltas, or use restrict_arithmetic_to",
                UserWarning,
                stacklevel=4,
            )
        return agreement

    def _scale(self, scale: float | Literal["measured"], task: Task) -> float:
        """Factor on delta: as given, or what the training types need to reach their measured change."""
        if not isinstance(scale, str) or scale != "measured":
            return real_number("scale", scale, least=-1e6, below=1e6)
        names, deltas, _ = deltas_by_type(task.reference, **task.selection)
        measured, decoded = [], []
        for delta, (control, stimulated) in zip(deltas, self._measured(names, task), strict=True):
            z = self.encode(control)
            measured.append(gene_mean(stimulated) - gene_mean(control))
            decoded.append(self._mean_decoded(delta_predict(z, delta)) - self._mean_decoded(z))
        return shrinkage_factor(np.stack(measured), np.stack(decoded))

    def _errors(self, task: Task, by_type: TypeDeltas, mode: Mode, clip: bool) -> np.ndarray:
        """True minus predicted mean of each training type, predicted from the others, (K, d)."""
        names, deltas, _ = by_type
        if len(names) < 2:
            raise InputError(f"an interval from errors needs at least two types: there is only {names[0]!r}")
        others = (deltas.sum(axis=0) - deltas) / (len(names) - 1)
        errors = []
        for shift, (control, stimulated) in zip(others, self._measured(names, task), strict=True):
            z = self.encode(control)
            parts = self._moved(control, z, delta_predict(z, shift), mode, clip, np.random.default_rng(0))
            errors.append(gene_mean(stimulated) - _mean(parts, len(z)))
        return np.stack(errors)

    def _mean_decoded(self, z: np.ndarray) -> np.ndarray:
        """Mean of each gene over decoded cells, in float64."""
        return _mean((self.decode(z[rows]) for rows in chunks(len(z))), len(z))

    def _measured(self, names: list[str], task: Task) -> Iterator[tuple[Matrix, Matrix]]:
        """Yield the measured control and stimulated cells of each of some training types."""
        cells = self._own_cells()
        x, condition = self._matrix(cells), labels(cells, self.fitted.condition_key)
        cell_type = labels(cells, self.fitted.cell_type_key)
        allowed = np.ones(cells.n_obs, bool)
        for key, chosen in task.context.items():
            allowed &= np.isin(labels(cells, key), chosen)
        for name in names:
            control, stimulated = (
                x[allowed & (condition == key) & (cell_type == name)]
                for key in (task.ctrl_key, task.stim_key)
            )
            if not control.shape[0] or not stimulated.shape[0]:
                raise InputError(f"cell type {name!r} has no cells at hand: give the training cells to load")
            yield control, stimulated

    def _restricted(
        self, restriction: Restriction
    ) -> tuple[Reference, list[str] | None, dict[str, list[str]]]:
        """Training cells for the arithmetic, the cell types among them (None is all), the other columns."""
        fitted = self.fitted
        if restriction is None:
            return fitted.reference, None, {}
        if not isinstance(restriction, Mapping):
            restriction = {fitted.cell_type_key: restriction}
        names = {str(column): _names(str(column), value) for column, value in restriction.items()}
        known = [fitted.cell_type_key, *fitted.reference.context]
        if unknown := [column for column in names if column not in known]:
            raise InputError(
                f"restrict_arithmetic_to names the column {unknown[0]!r}: this model knows "
                f"{', '.join(map(repr, known))}; name further ones as context_keys of fit"
            )
        only_types = names.pop(fitted.cell_type_key, None)
        return fitted.reference.among(names), only_types, names

    def _only_type_of(self, cells: AnnData) -> str | None:
        """Name the cell type of some cells, if they are labeled and all of one type."""
        if not isinstance(cells, AnnData):
            raise InputError(f"adata_to_predict is a {type(cells).__name__}: give an AnnData")
        if self.fitted.cell_type_key not in cells.obs:
            return None
        types = cells.obs[self.fitted.cell_type_key].dropna().astype(str).unique()
        return types[0] if len(types) == 1 else None

    def _cells_of(self, condition: str, cell_type: str) -> AnnData:
        """Cells of a type and condition in the AnnData that the model knows."""
        cells = self._own_cells()
        keys = self.fitted.condition_key, self.fitted.cell_type_key
        return view_of(cells, control_cells(cells, *keys, condition, cell_type))

    def _warn_of_a_leak(self, stim_key: str, cell_type: str, stacklevel: int) -> None:
        reference = self.fitted.reference
        n = int(np.sum((reference.condition == stim_key) & (reference.cell_type == cell_type)))
        if n:
            warnings.warn(
                f"the model was trained on {n} stimulated cells of {cell_type!r}, the cell type to "
                "predict: this is no held-out prediction (delta does not use them)",
                UserWarning,
                stacklevel=stacklevel,
            )


def _require_mode(mode: str) -> None:
    if mode not in ("change", "decode", "sample"):
        raise InputError(f"mode {mode!r} is unknown: use 'change', 'decode' or 'sample'")


def _stacked(parts: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Put rows below each other as they come, so that they are in memory once only."""
    parts = iter(parts)
    part = next(parts)
    x, n = np.empty(shape, part.dtype), len(part)
    x[:n] = part
    for part in parts:
        x[n : n + len(part)] = part
        n += len(part)
    return x


def _mean(parts: Iterable[np.ndarray], n: int) -> np.ndarray:
    """Mean of n rows that come in parts, in float64."""
    return sum(part.sum(axis=0, dtype=float) for part in parts) / n


def _names(column: str, value: str | Sequence[str]) -> list[str]:
    """Names that a column is restricted to."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, bytes) or not isinstance(value, Sequence | np.ndarray) or not len(value):
        raise InputError(
            f"restrict_arithmetic_to gives {value!r} for {column!r}: give names, or None for all"
        )
    return [str(name) for name in value]
