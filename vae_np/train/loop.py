"""The training loop: minibatches through the loss, its gradient and Adam; the best epoch is kept."""

import numpy as np

from vae_np.data.matrix import (
    Matrix,
    checked_matrix,
    chunks,
    dense_rows,
    smaller_form,
    some_rows,
    stored_values,
)
from vae_np.elbo.likelihood import Likelihood
from vae_np.errors import InputError
from vae_np.kernels.threads import threads
from vae_np.model.conditional import conditional_loss
from vae_np.model.params import Params, Stats
from vae_np.model.vae import loss
from vae_np.train.adam import AdamState
from vae_np.train.batches import draw_masks, minibatches, split_cells
from vae_np.train.diagnosis import NonFiniteLossError, bad_tensor, bad_weight
from vae_np.train.progress import progress_bar
from vae_np.train.settings import TrainSettings
from vae_np.train.step import train_step
from vae_np.train.stopping import EarlyStopping
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
        Dense or CSR matrix (n, d).
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
    for rows in chunks(len(cells)):
        batch = some_rows(x, cells[rows], params.flat.dtype)
        no_noise = np.zeros((1, batch.shape[0], params.sizes.n_latent), params.flat.dtype)
        settings = no_noise, None, likelihood, kl_weight, False
        if c is None:
            value, cache, _ = loss(params, stats, batch, *settings)
        else:
            value, cache, _ = conditional_loss(params, stats, batch, c[cells[rows]], *settings)
        if not np.isfinite(value.total).all():
            on_the_way = {name: getattr(cache, name) for name in ("x", "mu", "log_var", "z", "x_hat")}
            losses = {name: getattr(value, name) for name in ("kl", "reconstruction", "total")}
            raise FloatingPointError(f"in validation, {bad_tensor(**on_the_way, **losses)}")
        sums += [quantity.sum(dtype=float) for quantity in value]
    return sums / len(cells)


def train_epoch(
    params: Params,
    stats: Stats,
    state: AdamState,
    x: Matrix,
    batches: list[np.ndarray],
    likelihood: Likelihood,
    settings: TrainSettings,
    kl_weight: float,
    eps_rng: np.random.Generator,
    mask_rng: np.random.Generator,
    c: np.ndarray | None = None,
) -> tuple[np.ndarray, Stats]:
    """Take one Adam step a batch; `params` and `state` change in place.

    Parameters
    ----------
    params, stats, state
        The model and its optimizer.
    x, batches
        The matrix, and the indices of the cells of each step.
    likelihood, settings
        As in `fit`.
    kl_weight
        Factor on the KL in this epoch.
    eps_rng, mask_rng
        Sources of the noise and of the masks.
    c
        As in `fit`.

    Returns
    -------
    tuple
        Mean total, reconstruction and KL, (3,), nats per cell; the new running statistics.

    Raises
    ------
    FloatingPointError
        If a loss or a weight is not finite; the message names the first quantity that went wrong.
    """
    sizes, dtype = params.sizes, params.flat.dtype
    sums = np.zeros(3)
    for cells in batches:
        batch = some_rows(x, cells, dtype)
        eps = eps_rng.standard_normal((settings.n_draws, len(cells), sizes.n_latent)).astype(dtype)
        masks = draw_masks(sizes, len(cells), settings.n_draws, settings.dropout_rate, mask_rng, dtype)
        known = None if c is None else c[cells]
        value, stats = train_step(
            params, stats, state, batch, eps, masks, likelihood, kl_weight, c=known, **settings.adam
        )
        sums += [quantity.sum(dtype=float) for quantity in value]
    if bad := bad_weight(params, stats):
        raise FloatingPointError(bad)
    return sums / sum(map(len, batches)), stats


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
    progress: bool = False,
) -> Trained:
    """Train by minibatch Adam on the loss [objective] and return the weights of the best epoch.

    The same seed and number of threads give the same bits. Splitting, shuffling, noise and masks
    each have a child generator of `rng`, so changing one setting leaves the other draws as they are.

    Parameters
    ----------
    params, stats
        Where to start; not modified. Their dtype is the dtype of training.
    x
        Dense or CSR matrix (n, d).
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
    progress
        Whether to show a progress bar.

    Returns
    -------
    Trained
        Weights of the epoch with the lowest validation loss (without validation cells: of the last
        epoch), running statistics, history.

    Raises
    ------
    InputError
        If a setting or `x` cannot be used.
    NonFiniteLossError
        If a loss is not finite, in training or in validation; it names the first quantity that went
        wrong and carries the weights of the best epoch so far (the initial ones if the first fails).
    """
    settings = TrainSettings(
        kl_weight,
        kl_warmup_epochs,
        n_draws,
        dropout_rate,
        max_epochs,
        batch_size,
        patience,
        min_delta,
        lr,
        epsilon,
        weight_decay,
    )
    if settings.batch_size == 1 and params.encoder:
        raise InputError("batch_size is 1: give at least 2 (batch norm has no variance of one cell)")
    x = checked_matrix(x)
    if x.shape[1] != params.sizes.n_genes:
        raise InputError(f"x has shape {x.shape}: the model takes (n, {params.sizes.n_genes})")
    c = _conditions(c, x.shape[0], params)
    likelihood.require_support(stored_values(x))
    x = smaller_form(x)
    split_rng, shuffle_rng, eps_rng, mask_rng = rng.spawn(4)
    train_cells, validation_cells = split_cells(x.shape[0], train_size, split_rng, validation_cells)
    if early_stopping and len(validation_cells) == 0:
        raise InputError("early stopping needs validation cells: lower train_size or switch it off")

    params, state = params.copy(), AdamState.zeros_like(params)
    stopping = EarlyStopping(settings.patience, settings.min_delta)
    best = (params.copy(), stats.copy())
    records: list[dict[str, float]] = []
    with (
        threads(),
        progress_bar(settings.max_epochs, progress) as advance,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        for epoch in range(settings.max_epochs):
            weight = settings.kl_weight_in(epoch)
            batches = minibatches(train_cells, settings.batch_size, shuffle_rng)
            try:
                means, stats = train_epoch(
                    params, stats, state, x, batches, likelihood, settings, weight, eps_rng, mask_rng, c
                )
                record = {"kl_weight": weight, **named("train", means)}
                if len(validation_cells):
                    means = mean_loss(params, stats, x, validation_cells, likelihood, settings.kl_weight, c)
                    record |= named("validation", means)
            except FloatingPointError as error:
                message = f"training stopped in epoch {epoch + 1}: {error}; try a smaller lr"
                raise NonFiniteLossError(message, Trained(*best, as_history(records))) from None
            records.append(record)
            advance(means[0])
            if stopping.is_best(means[0], epoch) or len(validation_cells) == 0:
                best = (params.copy(), stats.copy())
            if early_stopping and stopping.exhausted(epoch):
                break
    return Trained(*best, as_history(records))
