"""The model: parameters, encoder and decoder, the loss and its gradient."""

from vae_np.elbo.bernoulli_likelihood import bernoulli
from vae_np.elbo.gaussian_likelihood import gaussian
from vae_np.model.conditional import conditional_loss, conditional_loss_backward
from vae_np.model.params import Head, Params, Sizes, Stats, initialize
from vae_np.model.vae import (
    Loss,
    decode,
    decode_backward,
    encode,
    encode_backward,
    loss,
    loss_backward,
)

__all__ = [
    "Head",
    "Loss",
    "Params",
    "Sizes",
    "Stats",
    "bernoulli",
    "conditional_loss",
    "conditional_loss_backward",
    "decode",
    "decode_backward",
    "encode",
    "encode_backward",
    "gaussian",
    "initialize",
    "loss",
    "loss_backward",
]
