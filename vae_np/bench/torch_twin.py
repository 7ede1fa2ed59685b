"""The published model once more, in PyTorch: the same numbers, written by other people's layers.

It has two uses. With noise and masks given it is an oracle: its losses, gradients and running
statistics must be ours. With its own noise it is what we are timed against: a step as a PyTorch user
writes it. Its layers, loss and optimizer are those of theislab/scgen 2.1 on scvi-tools, but for our
guard on log_var.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from vae_np.bench.published import ADAM, DROPOUT_RATE, KL_WEIGHT, VARIANCE
from vae_np.errors import InputError
from vae_np.layers.mlp import Block
from vae_np.model.params import Head, Params, Stats

if TYPE_CHECKING:
    import torch
    from torch.nn import Module


def require_torch() -> ModuleType:
    """Import PyTorch.

    Returns
    -------
    module
        `torch`.

    Raises
    ------
    InputError
        If it is not installed.
    """
    try:
        import torch
    except ImportError:
        raise InputError('PyTorch is not installed: pip install "vae_np[bench]"') from None
    return torch


class TorchTwin:
    """The published model in PyTorch modules, with our parameters and statistics to start from.

    Parameters
    ----------
    params, stats
        Copied; their dtype is the dtype of the twin.
    kl_weight, variance, dropout_rate
        As in `ScGen`, whose defaults these are.

    Attributes
    ----------
    net
        The modules, by the names of `Params`.

    Raises
    ------
    InputError
        If PyTorch is not installed.
    """

    def __init__(
        self,
        params: Params,
        stats: Stats,
        kl_weight: float = KL_WEIGHT,
        variance: float = VARIANCE,
        dropout_rate: float = DROPOUT_RATE,
    ) -> None:
        self.torch = torch = require_torch()
        self.sizes, self.kl_weight, self.variance = params.sizes, kl_weight, variance

        def linear(part: Block | Head) -> "Module":
            weight, bias = torch.tensor(part.W.T.copy()), torch.tensor(part.b)
            layer = torch.nn.Linear(*part.W.shape, dtype=weight.dtype)
            layer.weight.data, layer.bias.data = weight, bias
            return layer

        def block(part: Block, mean: np.ndarray, var: np.ndarray) -> "Module":
            norm = torch.nn.BatchNorm1d(len(part.b), eps=1e-3, momentum=0.01)
            norm.weight.data, norm.bias.data = torch.tensor(part.gamma), torch.tensor(part.beta)
            norm.running_mean, norm.running_var = torch.tensor(mean), torch.tensor(var)
            activation = torch.nn.LeakyReLU(0.01)
            return torch.nn.Sequential(linear(part), norm, activation, torch.nn.Dropout(dropout_rate))

        def stack(blocks: Sequence[Block], side: Sequence[tuple]) -> "Module":
            return torch.nn.ModuleList(block(b, *s) for b, s in zip(blocks, side, strict=True))

        self.net = torch.nn.ModuleDict(
            {
                "encoder": stack(params.encoder, stats.encoder),
                "mu": linear(params.mu),
                "log_var": linear(params.log_var),
                "decoder": stack(params.decoder, stats.decoder),
                "output": linear(params.output),
            }
        )

    def forward(
        self,
        x: "torch.Tensor",
        eps: "torch.Tensor | None" = None,
        masks: "Sequence[torch.Tensor] | None" = None,
    ) -> "torch.Tensor":
        """Mean over the cells of 1/2 sum_g (x - x_hat)^2 / variance + kl_weight KL(q(z|x) || p(z)).

        Parameters
        ----------
        x
            Shape (n, d).
        eps, masks
            The noise, (n, k), and a dropout mask a block; None draws them here.

        Returns
        -------
        torch.Tensor
            One number, in nats, without the constant d/2 log(2 pi variance).
        """
        torch, net, n_layers = self.torch, self.net, self.sizes.n_layers
        encoder_masks, decoder_masks = (None, None) if masks is None else (masks[:n_layers], masks[n_layers:])
        h = self._stack("encoder", x, encoder_masks)
        mu, log_var = net["mu"](h), 10 * torch.tanh(net["log_var"](h) / 10)
        sigma = torch.exp(log_var / 2)
        z = mu + sigma * (torch.randn_like(mu) if eps is None else eps)
        x_hat = net["output"](self._stack("decoder", z, decoder_masks))
        # torch.distributions.kl_divergence is this too, but torch.compile cannot see through it
        kl = (0.5 * (sigma**2 + mu**2 - 1) - log_var / 2).sum(dim=1)
        reconstruction = 0.5 * ((x - x_hat) ** 2).sum(dim=1) / self.variance
        return (reconstruction + self.kl_weight * kl).mean()

    def _stack(self, name: str, h: "torch.Tensor", masks: "Sequence[torch.Tensor] | None") -> "torch.Tensor":
        for i, block in enumerate(self.net[name]):
            h = block(h) if masks is None else block[:-1](h) * masks[i]
        return h

    def loss(self, x: np.ndarray, eps: np.ndarray, masks: Sequence[np.ndarray]) -> "torch.Tensor":
        """Return the loss of `forward` with our noise and masks; `.backward()` gives its gradient.

        Parameters
        ----------
        x
            Shape (n, d), dense.
        eps
            Shape (1, n, k): one draw, as published.
        masks
            As in `vae_np.model.loss`.

        Returns
        -------
        torch.Tensor
            One number.
        """
        tensor = self.torch.from_numpy
        return self.forward(tensor(x), tensor(eps[0]), [tensor(mask) for mask in masks])

    def optimizer(self, fused: bool | None = None) -> "torch.optim.Adam":
        """Adam with the published settings.

        Parameters
        ----------
        fused
            Whether one kernel updates all weights; None is PyTorch's default.

        Returns
        -------
        torch.optim.Adam
            For the parameters of `net`.
        """
        settings = {"lr": ADAM["lr"], "eps": ADAM["epsilon"], "weight_decay": ADAM["weight_decay"]}
        return self.torch.optim.Adam(self.net.parameters(), **settings, fused=fused)

    def params(self) -> Params:
        """Return a copy of the parameters in our layout."""
        return self._in_our_layout(lambda weights: weights.detach())

    def gradients(self) -> Params:
        """Return a copy of the gradients that the last `.backward()` left, in our layout."""
        return self._in_our_layout(lambda weights: weights.grad)

    def _in_our_layout(self, numbers: "Callable[[torch.Tensor], torch.Tensor]") -> Params:
        """Gather what belongs to each weight; a matrix is (n_out, n_in) there."""
        net = self.net
        blocks = [*net["encoder"], [net["mu"]], [net["log_var"]], *net["decoder"], [net["output"]]]
        layers = [layer for block in blocks for layer in block[:2]]
        weights = [part for layer in layers for part in (layer.weight, layer.bias)]
        return Params.join(self.sizes, [numbers(part).numpy().T for part in weights])

    def stats(self) -> Stats:
        """Return a copy of the running statistics in our layout."""
        norms = [block[1] for block in (*self.net["encoder"], *self.net["decoder"])]
        vectors = [vector.numpy() for norm in norms for vector in (norm.running_mean, norm.running_var)]
        return Stats(self.sizes, np.concatenate(vectors))
