"""A VAE of the cells of an AnnData: fit, encode, decode, how well it explains cells, save, load.

Everything in scGen that is not arithmetic with latent vectors; `vae_np.ScGen`, in `predictor`, adds that.
The defaults are the published 2.x model and settings (theislab/scgen 2.1). What differs, and why:

- early stopping watches the loss that is minimized, and the weights of the best epoch are kept; the
  published tool watches a loss with another KL weight and keeps the last weights;
- weights start with variance 1/n_in and biases at 0, as in pertpy 1.4; with a third of the variance and
  random biases, as in scgen, predictions vary more from seed to seed;
- log_var is bounded smoothly instead of adding 1e-4 to exp(log_var), so it cannot overflow;
- a last batch of one cell joins the batch before; validation uses the mean latent, not a sample.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np
from anndata import AnnData

from vae_np.data.expression import log_matrix
from vae_np.data.matrix import Matrix, checked_matrix
from vae_np.elbo.gaussian_likelihood import gaussian
from vae_np.elbo.reparameterize import reparameterize
from vae_np.errors import InputError
from vae_np.kernels.threads import threads
from vae_np.model import evidence
from vae_np.model.inference import expectation, posterior, posterior_mean, residual_variance
from vae_np.model.params import Params, Sizes, Stats, initialize
from vae_np.scgen.arithmetic import Reference
from vae_np.scgen.cells import further_labels, labels, match_genes, matched_matrix, require_storable
from vae_np.scgen.estimates import Estimate, Estimator, estimate
from vae_np.scgen.fitted import Fitted
from vae_np.scgen.model_file import read_model, write_model
from vae_np.scgen.settings import Settings
from vae_np.train.batches import split_cells
from vae_np.train.diagnosis import DivergedError
from vae_np.train.fingerprint import checksum_of_names
from vae_np.train.keeping import Checkpoints
from vae_np.train.loop import fit
from vae_np.train.settings import TrainSettings


def _require_finite(rows: np.ndarray, what: str, advice: str) -> None:
    """Raise `InputError` if some rows overflowed on their way through the network."""
    if bad := np.count_nonzero(~np.isfinite(rows).all(axis=1)):
        raise InputError(f"{what} of {bad} of {len(rows)} cells overflow {rows.dtype}: {advice}")


class CellVae:
    """A VAE of cells that carry a condition and a cell type (or another context).

    The settings, and what is wrong with them, are described at `vae_np.ScGen`.
    """

    def __init__(
        self,
        n_hidden: int = 800,
        n_latent: int = 100,
        n_layers: int = 2,
        dropout_rate: float = 0.2,
        kl_weight: float = 2.5e-5,
        variance: float = 1.0,
        seed: int = 0,
        n_threads: int | None = None,
        dtype: str = "float32",
    ) -> None:
        self.settings = Settings(
            n_hidden, n_latent, n_layers, dropout_rate, kl_weight, variance, seed, n_threads, dtype
        )
        self._likelihood = gaussian(self.settings.variance)
        self._fitted: Fitted | None = None
        self._adata: AnnData | None = None

    def __repr__(self) -> str:
        return str(self.settings).replace("Settings", type(self).__name__, 1)

    @property
    def fitted(self) -> Fitted:
        """All that `fit` learned; `InputError` before."""
        if self._fitted is None:
            raise InputError("this model is not trained: call fit first, or load a saved one")
        return self._fitted

    @property
    def params(self) -> Params:
        """Weights of the best epoch."""
        return self.fitted.params

    @property
    def stats(self) -> Stats:
        """Running statistics that belong to `params`."""
        return self.fitted.stats

    @property
    def history(self) -> dict[str, np.ndarray]:
        """Losses by epoch, nats per cell; the keys are those of `vae_np.train.Trained`."""
        return self.fitted.history

    @property
    def residual_variance(self) -> np.ndarray:
        """Variance of each gene that the decoder leaves unexplained in the validation cells, (d,)."""
        return self.fitted.residual_variance

    @property
    def genes(self) -> list[str]:
        """Names of the genes, in the order of the weights."""
        return self.fitted.genes

    def fit(
        self,
        adata: AnnData,
        *,
        condition_key: str,
        cell_type_key: str,
        layer: str | None = None,
        context_keys: Sequence[str] = (),
        max_epochs: int = 100,
        batch_size: int = 32,
        train_size: float = 0.9,
        validation_cells: np.ndarray | None = None,
        early_stopping: bool = True,
        patience: int = 25,
        min_delta: float = 0,
        lr: float = 1e-3,
        epsilon: float = 0.01,
        weight_decay: float = 1e-6,
        kl_warmup_epochs: int = 0,
        block_size: int = 512,
        buffer_size: int = 16_384,
        progress: bool = True,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
        resume: bool = False,
    ) -> Self:
        """Train on all cells of `adata`, from new weights; leave out what is to be predicted yourself.

        Parameters
        ----------
        adata
            Log-normalized cells, dense or sparse; a reference to it is kept for `predict`. Values in a file
            (`vae_np.data.read_cells` with `backed`, or anndata's backed mode) are read a buffer at a time.
        condition_key, cell_type_key
            Columns of `obs`. What is called cell type here can be any context: a patient, a species.
        layer
            A key of `adata.layers`; None is X.
        context_keys
            Further columns of `obs` that `restrict_arithmetic_to` may name later.
        max_epochs, batch_size, train_size, validation_cells, early_stopping, patience, min_delta
            As in `vae_np.train.fit`.
        kl_warmup_epochs, block_size, buffer_size
            As there.
        lr, epsilon, weight_decay
            Of Adam; the defaults are the published ones.
        progress
            Whether to show a progress bar.
        checkpoint
            A file to keep the training in; yours to remove once the model is saved. None keeps nothing.
        checkpoint_every
            Epochs from one checkpoint to the next. Ctrl-C keeps the last whole epoch in any case.
        resume
            Whether to go on from the checkpoint, with the same data and settings, to the result of a training
            that was never stopped; without such a file training starts from the beginning.

        Returns
        -------
        Self
            This model.

        Raises
        ------
        InputError
            If the data or a setting cannot be used, or the checkpoint is damaged or of another training.
        DivergedError
            If training diverges (`NonFiniteLossError` where something is not finite); the model then holds
            the weights of the best epoch so far.
        """
        x = log_matrix(adata, layer)
        condition, cell_type = labels(adata, condition_key), labels(adata, cell_type_key)
        context = further_labels(adata, context_keys, but=(condition_key, cell_type_key))
        require_storable([*adata.var_names, layer], "gene or layer")
        settings = self.settings
        checkpoints: Checkpoints | None = None
        if checkpoint is not None:
            about = {"seed": settings.seed, "layer": layer, "genes": checksum_of_names(adata.var_names)}
            about |= {"condition_key": condition_key, "cell_type_key": cell_type_key}
            columns = {condition_key: condition, cell_type_key: cell_type, **context}
            about |= {f"labels {key!r}": checksum_of_names(column) for key, column in columns.items()}
            checkpoints = Checkpoints(checkpoint, checkpoint_every, resume, about)
        elif resume:
            raise InputError("resume needs a checkpoint: name the file")
        training = TrainSettings(
            kl_weight=settings.kl_weight,
            kl_warmup_epochs=kl_warmup_epochs,
            n_draws=1,
            dropout_rate=settings.dropout_rate,
            max_epochs=max_epochs,
            batch_size=batch_size,
            early_stopping=early_stopping,
            patience=patience,
            min_delta=min_delta,
            lr=lr,
            epsilon=epsilon,
            weight_decay=weight_decay,
            block_size=block_size,
            buffer_size=buffer_size,
        )
        sizes = Sizes(x.shape[1], settings.n_hidden, settings.n_latent, settings.n_layers)
        init_rng, split_rng, fit_rng = np.random.default_rng(settings.seed).spawn(3)
        train_cells, validation_cells = split_cells(x.shape[0], train_size, split_rng, validation_cells)
        measured = validation_cells if len(validation_cells) else train_cells

        diverged: DivergedError | None = None
        with self._threads():
            try:
                trained = fit(
                    *initialize(sizes, init_rng, np.dtype(settings.dtype)),
                    x,
                    self._likelihood,
                    rng=fit_rng,
                    validation_cells=validation_cells,
                    progress=progress,
                    checkpoints=checkpoints,
                    **asdict(training),
                )
            except DivergedError as error:
                trained, diverged = error.trained, error
            params, stats, history = trained
            self._adata = adata
            self._fitted = Fitted(
                params,
                stats,
                history,
                residual_variance(params, stats, x, measured, self._likelihood),
                adata.var_names.astype(str).tolist(),
                layer,
                condition_key,
                cell_type_key,
                Reference(posterior_mean(params, stats, x), condition, cell_type, context),
                training,
                len(validation_cells),
            )
        if diverged is not None:
            raise diverged
        return self

    def encode(self, cells: AnnData | Matrix) -> np.ndarray:
        """Posterior mean of each cell; nothing is drawn.

        Parameters
        ----------
        cells
            An AnnData (genes are matched by name) or a matrix with the model's genes as columns.

        Returns
        -------
        np.ndarray
            Shape (n, k).

        Raises
        ------
        InputError
            If the model is not trained, the cells cannot be used, or the result is not finite.
        """
        x = self._matrix(cells)
        with self._threads(), np.errstate(over="ignore", invalid="ignore"):
            mu = posterior_mean(self.params, self.stats, x)
        _require_finite(mu, "the latents", "log-normalized values are at most 20")
        return mu

    def sample_latent(
        self, cells: AnnData | Matrix, rng: np.random.Generator, n_samples: int = 1
    ) -> np.ndarray:
        """Draw from q(z|x) of each cell [reparam-gaussian].

        Parameters
        ----------
        cells
            As in `encode`.
        rng
            Source of randomness.
        n_samples
            Draws a cell.

        Returns
        -------
        np.ndarray
            Shape (n_samples, n, k).

        Raises
        ------
        InputError
            As in `encode`.
        """
        x = self._matrix(cells)
        with self._threads(), np.errstate(over="ignore", invalid="ignore"):
            mu, log_var = posterior(self.params, self.stats, x)
        for latent in (mu, log_var):
            _require_finite(latent, "the latents", "log-normalized values are at most 20")
        eps = rng.standard_normal((n_samples, *mu.shape)).astype(mu.dtype)
        return reparameterize(mu, log_var, eps)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Expected log-normalized expression at latent points, E[x|z]; may be slightly negative.

        Parameters
        ----------
        z
            Shape (n, k).

        Returns
        -------
        np.ndarray
            Shape (n, d), genes in the order of `genes`.

        Raises
        ------
        InputError
            If the model is not trained, z has another number of latent dimensions, or decoding it overflows.
        """
        z = np.asarray(z, self.params.flat.dtype)
        if z.ndim != 2 or z.shape[1] != self.params.sizes.n_latent:
            raise InputError(f"z has shape {z.shape}: the model takes (n, {self.params.sizes.n_latent})")
        with self._threads(), np.errstate(over="ignore", invalid="ignore"):
            x_hat = expectation(self.params, self.stats, z, self._likelihood)
        _require_finite(x_hat, "the decoded values", "these latent points lie too far out")
        return x_hat

    def reconstruct(self, cells: AnnData | Matrix) -> np.ndarray:
        """Decode the posterior mean of each cell.

        Parameters
        ----------
        cells
            As in `encode`.

        Returns
        -------
        np.ndarray
            Shape (n, d), genes in the order of `genes`.

        Raises
        ------
        InputError
            As in `encode`.
        """
        return self.decode(self.encode(cells))

    def get_latent_representation(self, adata: AnnData | None = None) -> np.ndarray:
        """Call `encode` by its name in scvi-tools, on the model's own cells unless others are given."""
        return self.encode(self._own_cells() if adata is None else adata)

    def get_decoded_expression(self, adata: AnnData | None = None) -> np.ndarray:
        """Call `reconstruct` by its name in scgen, on the model's own cells unless others are given."""
        return self.reconstruct(self._own_cells() if adata is None else adata)

    def elbo(
        self,
        cells: AnnData | Matrix,
        n_samples: int = 10,
        variance: float | np.ndarray | None = None,
        seed: int | None = None,
    ) -> Estimate:
        """Estimate the ELBO of each cell [mc-elbo].

        The ELBO proper, with the whole KL: `kl_weight` belongs to training, as `variance` of the
        constructor does.

        Parameters
        ----------
        cells
            As in `encode`.
        n_samples
            Draws from q a cell.
        variance
            Of the decoder: a positive number, or one a gene, (d,), in the order of `genes`; None is
            `residual_variance`.
        seed
            Of the draws; None is the model's.

        Returns
        -------
        Estimate
            Nats for each cell; on average a lower bound of log p(x).

        Raises
        ------
        InputError
            As in `encode`, or if n_samples, variance or seed are out of range.
        """
        return self._estimate(evidence.elbo, cells, n_samples, variance, seed)

    def marginal_log_likelihood(
        self,
        cells: AnnData | Matrix,
        n_samples: int = 1000,
        variance: float | np.ndarray | None = None,
        seed: int | None = None,
    ) -> Estimate:
        """Estimate log p(x) of each cell by importance sampling [marginal-is].

        Parameters
        ----------
        cells, variance, seed
            As in `elbo`.
        n_samples
            Draws a cell, each decoded: 1,000 draws cost as much as reconstructing 1,000 times.

        Returns
        -------
        Estimate
            Nats for each cell. The standard error is infinite where one draw carries more than half of
            the weight: the value then is a lower bound, and too low by an unknown amount.

        Raises
        ------
        InputError
            As in `elbo`.
        """
        return self._estimate(evidence.marginal_log_likelihood, cells, n_samples, variance, seed)

    def reconstruction_error(
        self,
        cells: AnnData | Matrix,
        n_samples: int = 10,
        variance: float | np.ndarray | None = None,
        seed: int | None = None,
    ) -> Estimate:
        """Estimate -E_q log p(x|z) of each cell [mc-reconstruction].

        Parameters
        ----------
        cells, n_samples, variance, seed
            As in `elbo`.

        Returns
        -------
        Estimate
            Nats for each cell; the smaller the better.

        Raises
        ------
        InputError
            As in `elbo`.
        """
        return self._estimate(evidence.reconstruction_error, cells, n_samples, variance, seed)

    def save(self, path: str | Path) -> None:
        """Write the model, without expression values, to one file at exactly this path.

        The training cells' latent means and labels are stored too, so every ``delta_method`` works
        after loading.

        Parameters
        ----------
        path
            The file; no suffix is added.

        Raises
        ------
        InputError
            If the model is not trained or nothing can be written there.
        """
        write_model(path, self.settings, self.fitted)

    @classmethod
    def load(cls, path: str | Path, adata: AnnData | None = None) -> Self:
        """Read a model written by `save`.

        Parameters
        ----------
        path
            The file.
        adata
            Cells for ``predict(celltype_to_predict=...)``, the training cells or others; without
            them, use ``adata_to_predict``.

        Returns
        -------
        Self
            The model as it was saved.

        Raises
        ------
        InputError
            If the file is missing, foreign, damaged or newer, or a gene is missing from `adata`.
        """
        settings, fitted = read_model(path)
        model = cls(**asdict(settings))
        model._fitted = fitted
        if adata is not None:
            match_genes(adata, model.genes)
            model._adata = adata
        return model

    def _threads(self) -> AbstractContextManager[None]:
        """Compute with the chosen number of threads inside a `with` block."""
        return threads(self.settings.n_threads)

    def _own_cells(self) -> AnnData:
        """Return the cells given to `fit` or `load`; `InputError` without."""
        _ = self.fitted
        if self._adata is None:
            raise InputError(
                "a loaded model holds no expression values: give adata to load or to this method"
            )
        return self._adata

    def _matrix(self, cells: AnnData | Matrix) -> Matrix:
        """Expression of some cells with the model's genes as columns."""
        fitted = self.fitted
        if isinstance(cells, AnnData):
            x = matched_matrix(cells, fitted.genes, fitted.layer)
        else:
            x = checked_matrix(cells, "the matrix of cells")
        if x.shape[1] != len(self.genes):
            raise InputError(f"the cells have shape {x.shape}: the model takes (n, {len(self.genes)})")
        return x

    def _estimate(
        self,
        estimator: Estimator,
        cells: AnnData | Matrix,
        n_samples: int,
        variance: float | np.ndarray | None,
        seed: int | None,
    ) -> Estimate:
        x = self._matrix(cells)
        seed = self.settings.seed if seed is None else seed
        with self._threads():
            return estimate(estimator, self.fitted, x, n_samples, variance, seed)
