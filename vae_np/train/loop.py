"""The training loop: minibatches through the loss, its gradient and Adam; the best epoch is kept."""

from contextlib import closing
from typing import Any

import numpy as np

from vae_np.data.matrix import (
    CHUNK,
    Matrix,
    checked_matrix,
    chunks,
    dense_rows,
    in_chunks,
    some_rows,
    stored_values,
)
from vae_np.data.stored import Stored, smaller_form
from vae_np.elbo.likelihood import Likelihood
from vae_np.errors import InputError
from vae_np.kernels.threads import threads
from vae_np.model.conditional import conditional_loss
from vae_np.model.params import Params, Stats
from vae_np.model.vae import loss
from vae_np.train.batches import draw_masks, minibatches, shuffled_buffers, split_cells
from vae_np.train.diagnosis import (
    DivergedError,
    NonFiniteLossError,
    bad_moment,
    bad_tensor,
    bad_weight,
    runaway,
)
from vae_np.train.epoch import Plan, rows_of_batches
from vae_np.train.fingerprint import fingerprint
from vae_np.train.keeping import Checkpoints, keeping
from vae_np.train.progress import progress_bar
from vae_np.train.settings import TrainSettings
from vae_np.train.state import Sources, State, first_state
from vae_np.train.step import train_step
from vae_np.train.trained import Trained, as_history, named


def _conditions(c: Matrix | None, n_cells: int, params: Params) -> np.ndarray | None:
    """The conditions as an array of the model's dtype; None for a model that takes none."""
    expected = n_cells, params.sizes.n_conditions
    if c is None and expected[1]:
        raise InputError(f"c is missing: the model takes conditions of shape {expected}")
    if c is None:
        return None
    c = checked_matrix(c, "c")
    if c.shape != expected:
        raise InputError(f"c has shape {c.shape}: the model takes {expected}")
    return dense_rows(c, slice(None), params.flat.dtype)


def mean_loss(
    params: Params,
    stats: Stats,
    x: Matrix,
    cells: np.ndarray,
    likelihood: Likelihood,
    kl_weight: float,
    c: np.ndarray | None = None,
) -> np.ndarray:
    """Mean total, reconstruction and KL over some cells in evaluation mode with z = mean.

    Parameters
    ----------
    params, stats
        The model.
    x
        Matrix (n, d), in memory or in its file.
    cells
        Indices of the cells.
    likelihood, kl_weight
        As in `loss`.
    c
        As in `fit`.

    Returns
    -------
    np.ndarray
        Shape (3,), nats per cell. Without the noise of z this is no bound on -log p(x).

    Raises
    ------
    FloatingPointError
        If a loss is not finite; the message names the first quantity that went wrong.
    """
    sums = np.zeros(3)
    with closing(in_chunks(x, cells)) as parts:
        for rows, part in zip(chunks(len(cells)), parts, strict=True):
            batch = some_rows(part, slice(None), params.flat.dtype)
            no_noise = np.zeros((1, batch.shape[0], params.sizes.n_latent), params.flat.dtype)
            settings = no_noise, None, likelihood, kl_weight, False
            if c is None:
                value, cache, _ = loss(params, stats, batch, *settings)
            else:
                value, cache, _ = conditional_loss(params, stats, batch, c[cells[rows]], *settings)
            if not np.isfinite(value.total).all():
                on_the_way = {name: getattr(cache, name) for name in ("x", "mu", "log_var", "z", "x_hat")}
                losses = {name: getattr(value, name) for name in ("kl", "reconstruction", "total")}
                bad = bad_weight(params, stats) or f"in validation, {bad_tensor(**on_the_way, **losses)}"
                raise FloatingPointError(bad)
            sums += [quantity.sum(dtype=float) for quantity in value]
    return sums / len(cells)


def train_epoch(
    state: State,
    x: Matrix,
    plan: Plan,
    likelihood: Likelihood,
    settings: TrainSettings,
    kl_weight: float,
    c: np.ndarray | None = None,
) -> np.ndarray:
    """Take one Adam step a batch.

    Parameters
    ----------
    state
        The model, its optimizer and what is drawn from; changed in place.
    x, plan
        The matrix, and the cells of each step, as in `rows_of_batches`.
    likelihood, settings
        As in `fit`.
    kl_weight
        Factor on the KL in this epoch.
    c
        As in `fit`.

    Returns
    -------
    np.ndarray
        Mean total, reconstruction and KL, (3,), nats per cell.

    Raises
    ------
    FloatingPointError
        If a loss or a weight is not finite; the message names the first quantity that went wrong.
    """
    params, n_draws, adam = state.params, settings.n_draws, settings.adam
    sizes, dtype = params.sizes, params.flat.dtype
    sums, n_cells = np.zeros(3), 0
    with closing(rows_of_batches(x, plan, dtype)) as batches:  # whatever happens, its thread ends
        for cells, batch in batches:
            eps = state.sources.eps.standard_normal((n_draws, len(cells), sizes.n_latent)).astype(dtype)
            masks = draw_masks(sizes, len(cells), n_draws, settings.dropout_rate, state.sources.masks, dtype)
            known = None if c is None else c[cells]
            value, state.stats = train_step(
                params, state.stats, state.adam, batch, eps, masks, likelihood, kl_weight, c=known, **adam
            )
            sums += [quantity.sum(dtype=float) for quantity in value]
            n_cells += len(cells)
    if bad := bad_weight(params, state.stats) or bad_moment(state.adam):
        raise FloatingPointError(bad)
    return sums / n_cells


def fit(
    params: Params,
    stats: Stats,
    x: Matrix,
    likelihood: Likelihood,
    *,
    rng: np.random.Generator,
    c: Matrix | None = None,
    kl_weight: float = 1.0,
    kl_warmup_epochs: int = 0,
    n_draws: int = 1,
    dropout_rate: float = 0.0,
    max_epochs: int = 100,
    batch_size: int = 32,
    train_size: float = 0.9,
    validation_cells: np.ndarray | None = None,
    early_stopping: bool = True,
    patience: int = 25,
    min_delta: float = 0.0,
    lr: float = 1e-3,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    block_size: int = 512,
    buffer_size: int = 16_384,
    progress: bool = False,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train by minibatch Adam on the loss [objective] and return the weights of the best epoch.

    The same seed and number of threads give the same bits. Splitting, shuffling, noise and masks
    each have a child generator of `rng`, so changing one setting leaves the other draws as they are.

    Parameters
    ----------
    params, stats
        Where to start; not modified. Their dtype is the dtype of training.
    x
        Matrix (n, d): dense, CSR, or in a file, from where it is read a buffer at a time.
    likelihood
        `gaussian(variance)`, `bernoulli()`, or another `Likelihood`.
    rng
        Source of randomness.
    c
        Conditions of the cells, (n, C), one-hot as a rule: a conditional VAE is trained
        [conditional-objective], the loss being `conditional_loss`.
    kl_weight
        Factor on the KL; 1 is the ELBO.
    kl_warmup_epochs
        Epochs over which the factor rises linearly from 0.
    n_draws
        L, draws of z a cell and step.
    dropout_rate
        Probability of dropping a hidden unit, in [0, 1).
    max_epochs, batch_size
        Length of training, cells a step.
    train_size
        Share of the cells to train on; the others validate.
    validation_cells
        Indices, or a mask, of the cells to validate on, instead of a random share.
    early_stopping, patience, min_delta
        Whether, and after how many epochs without an improvement by more than `min_delta` nats in
        the validation loss, to stop.
    lr, epsilon, weight_decay
        As in `adam_update`.
    block_size, buffer_size
        Of a matrix in a file: so many cells that lie beside each other are read in one go; blocks of so many
        cells, chosen at random, are shuffled together. Three buffers have to fit in memory: the one in use,
        and the parts of the next while it is put together. More cells than a buffer holds are no longer
        shuffled as one.
    progress
        Whether to show a progress bar.
    checkpoints
        A file to keep the training in and to go on from; the result is the same to the bit as without an
        interruption.

    Returns
    -------
    Trained
        Weights of the epoch with the lowest validation loss (without validation cells: of the last
        epoch), running statistics, history.

    Raises
    ------
    InputError
        If a setting or `x` cannot be used, or a checkpoint is damaged or of another training.
    NonFiniteLossError
        If a loss is not finite, in training or in validation; it names the first quantity that went
        wrong and carries the weights of the best epoch so far (the initial ones if the first fails).
    DivergedError
        The same of a loss that is finite, but a million times that of the first weights.
    """
    settings = TrainSettings(
        kl_weight,
        kl_warmup_epochs,
        n_draws,
        dropout_rate,
        max_epochs,
        batch_size,
        early_stopping,
        patience,
        min_delta,
        lr,
        epsilon,
        weight_decay,
        block_size,
        buffer_size,
    )
    if settings.batch_size == 1 and params.encoder:
        raise InputError("batch_size is 1: give at least 2 (batch norm has no variance of one cell)")
    x = checked_matrix(x)
    if x.shape[1] != params.sizes.n_genes:
        raise InputError(f"x has shape {x.shape}: the model takes (n, {params.sizes.n_genes})")
    c = _conditions(c, x.shape[0], params)
    if isinstance(x, Stored):  # looked at before the first step, and whenever it is read
        for rows in in_chunks(x):
            likelihood.require_support(stored_values(rows))
    else:
        likelihood.require_support(stored_values(x))
        x = smaller_form(x)
    split_rng, *sources = rng.spawn(4)
    train_cells, validation_cells = split_cells(x.shape[0], train_size, split_rng, validation_cells)
    validates = len(validation_cells) > 0
    if settings.early_stopping and not validates:
        raise InputError("early stopping needs validation cells: lower train_size or switch it off")
    settings.require_range_of(params.flat.dtype)
    state = first_state(params, stats, Sources(*sources), settings)
    blocks = settings.block_size, settings.buffer_size if isinstance(x, Stored) else len(train_cells)

    def describe() -> dict[str, Any]:
        return fingerprint(x, c, (train_cells, validation_cells), likelihood, settings, state)

    def losses_of(model: tuple[Params, Stats], cells: np.ndarray) -> np.ndarray:
        return mean_loss(*model, x, cells, likelihood, settings.kl_weight, c)

    def stopped(why: object) -> str:
        advice = f"try a smaller lr than {settings.lr:g}, or float64"
        return f"training stopped in epoch {state.n_epochs + 1}: {why}; {advice}"

    def trained() -> Trained:
        return Trained(*state.best, as_history(state.records))

    with (
        threads(),
        keeping(state, settings, checkpoints, describe, validates) as keep,
        progress_bar(settings.max_epochs, progress, state.n_epochs) as advance,
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),
    ):
        try:
            some_cells = (validation_cells if validates else train_cells)[:CHUNK]
            untrained = losses_of((params, stats), some_cells)[0]
        except FloatingPointError as error:
            message = f"training cannot start: {error}; look at the size of the values, or train in float64"
            raise NonFiniteLossError(message, trained()) from None
        while not state.finished(settings):
            weight = settings.kl_weight_in(state.n_epochs)
            buffers = shuffled_buffers(train_cells, *blocks, state.sources.order)
            plan = [minibatches(part, settings.batch_size, state.sources.order) for part in buffers]
            try:
                means = train_epoch(state, x, plan, likelihood, settings, weight, c)
                record = {"kl_weight": weight, **named("train", means)}
                if validates:
                    means = losses_of((state.params, state.stats), validation_cells)
                    record |= named("validation", means)
            except FloatingPointError as error:
                raise NonFiniteLossError(stopped(error), trained()) from None
            if far := runaway(record, untrained):
                raise DivergedError(stopped(far), trained())
            if state.take_in(record):
                state.best = state.params.copy(), state.stats.copy()
            advance(means[0])
            keep()
    return trained()
