"""Linear-codec initialisation of the VAE.

A freshly drawn VAE of this size learns a latent of rank 2 and loses a whole colour axis in the time we have. So it
starts as a linear codec: eight protected channels carry the pooled RGB through every convolution (identity taps, 2 x 2
means, a small blur on the way up), two constant channels give GroupNorm an absolute reference, and least squares fit
the readouts: encoder to [8 x 8 pooled RGB, local deviation of brightness], decoder to the picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as functional
from diffusers import AutoencoderKL
from torch import nn

PROTECTED = 8
CONSTANT = 2.0
FIT_ROWS = 60_000
RIDGE = 1e-3


def _carry(conv: nn.Conv2d, kernel: torch.Tensor | None = None, keep: float = 0.3) -> None:
    """Make the protected channels of `conv` copy themselves through `kernel` (a centre tap if None)."""
    weight = conv.weight.data
    weight *= keep
    channels = min(weight.shape[0], weight.shape[1], PROTECTED)
    weight[:PROTECTED] *= 0
    weight[:, :PROTECTED] *= 0.3
    for index in range(channels):
        if kernel is None:
            weight[index, index, weight.shape[2] // 2, weight.shape[3] // 2] = 1.0
        else:
            weight[index, index] = kernel
    if conv.bias is not None:
        conv.bias.data[:PROTECTED] = 0


def _protect_paths(vae: AutoencoderKL) -> None:
    """Give every block of encoder and decoder its protected channels."""
    mean = torch.zeros(3, 3)
    mean[:2, :2] = 0.25
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    blur = taps[:, None] * taps[None]
    for module in vae.modules():
        kind = type(module).__name__
        if kind == "ResnetBlock2D":
            module.conv2.weight.data *= 0.3
            module.conv2.weight.data[:PROTECTED] = 0
            module.conv2.bias.data.zero_()
            if module.conv_shortcut is not None:
                _carry(module.conv_shortcut, keep=1.0)
        elif kind == "Downsample2D":
            _carry(module.conv, mean, keep=0.7)
        elif kind == "Upsample2D":
            _carry(module.conv, blur, keep=0.7)


def _open_inputs(vae: AutoencoderKL) -> None:
    """First convolutions: copy the input, add the two constants; quant convolutions: identity."""
    for conv, channels in ((vae.encoder.conv_in, 3), (vae.decoder.conv_in, 4)):
        conv.weight.data[:PROTECTED] = 0
        conv.bias.data[:PROTECTED] = 0
        for index in range(channels):
            conv.weight.data[index, index, 1, 1] = 1.0
        conv.bias.data[channels] = CONSTANT
        conv.bias.data[channels + 1] = -CONSTANT
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.data.zero_()
        conv.bias.data.zero_()
        for index in range(4):
            conv.weight.data[index, index] = 1.0
    vae.quant_conv.bias.data[4:] = -5.0  # log variance of the latent


def _fit(features: list[torch.Tensor], targets: list[torch.Tensor], conv: nn.Conv2d, size: int) -> None:
    """Least squares: set `conv` (using its middle `size` x `size` taps) to map features to targets."""
    rows = torch.cat(
        [
            functional.unfold(f, size, padding=size // 2).permute(0, 2, 1).reshape(-1, f.shape[1] * size * size)
            for f in features
        ]
    )
    wanted = torch.cat([t.permute(0, 2, 3, 1).reshape(-1, t.shape[1]) for t in targets])
    if len(rows) > FIT_ROWS:
        chosen = torch.randperm(len(rows))[:FIT_ROWS]
        rows, wanted = rows[chosen], wanted[chosen]
    row_mean, wanted_mean = rows.mean(0), wanted.mean(0)
    centred = rows - row_mean
    gram = centred.T @ centred / len(rows)
    cross = centred.T @ (wanted - wanted_mean) / len(rows)
    weight = torch.linalg.solve(gram + RIDGE * torch.eye(len(gram)), cross).T
    outputs, edge = wanted.shape[1], (3 - size) // 2
    conv.weight.zero_()
    conv.weight[:outputs, :, edge : 3 - edge, edge : 3 - edge] = weight.reshape(outputs, -1, size, size)
    conv.bias.zero_()
    conv.bias[:outputs] = wanted_mean - weight @ row_mean


@torch.no_grad()
def initialise(vae: AutoencoderKL, batch: Callable[[int], torch.Tensor]) -> None:
    """Turn a fresh VAE into a linear codec.

    Args:
        vae: Straight from `make_vae`.
        batch: Gives n full pictures in -1..1.
    """
    _protect_paths(vae)
    _open_inputs(vae)
    captured: list[torch.Tensor] = []
    hook = vae.encoder.conv_out.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0].detach()))
    pictures, targets = [], []
    for _ in range(6):
        picture = batch(8)
        vae.encode(picture)
        pictures.append(picture)
        brightness = picture.mean(1, keepdim=True)
        variance = functional.avg_pool2d(brightness**2, 8) - functional.avg_pool2d(brightness, 8) ** 2
        targets.append(torch.cat([functional.avg_pool2d(picture, 8), variance.clamp(0).sqrt()], 1) * 2)
    hook.remove()
    _fit(captured, targets, vae.encoder.conv_out, 1)
    captured.clear()
    hook = vae.decoder.conv_out.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0].detach()))
    for picture in pictures[:3]:
        vae.decode(vae.encode(picture).latent_dist.mode())
    hook.remove()
    _fit(captured, pictures[:3], vae.decoder.conv_out, 3)
