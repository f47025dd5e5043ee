"""Which networks of a model OpenVINO can compute, how each is traced, and how a call of it becomes one of OpenVINO's.

Text encoders stay with torch: they take a hundredth of a picture's time, and prompts need what is inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from sdstudio.engine.model_files.loading import LoadedModel

Values = tuple[torch.Tensor, ...]
DENOISER: Final = "unet"

_EXAMPLE_TOKENS: Final = 77
_EXAMPLE_SIDE: Final = 16
_TIME_IDS: Final = 6
"""Size, crop and target size, two each: what Stable Diffusion XL is given beside the pooled text."""


class Arguments(Protocol):
    """Turns the arguments of a network's call into what was traced; ``None`` where torch has to compute the call."""

    def __call__(self, *args: Any, **kwargs: Any) -> Values | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Network:
    """One network that can be converted.

    Attributes:
        name: In file names and in recipes.
        module: Whose ``forward`` is stood in for.
        traced: Takes `example` and returns one tensor.
        example: Tensors of small sizes; all sizes but the channels may be others later.
        arguments: Of a call of ``module``.
        answer: Makes what ``module`` returns of the one tensor, for the arguments of the call.
    """

    name: str
    module: nn.Module
    traced: nn.Module
    example: Values
    arguments: Arguments
    answer: Callable[[torch.Tensor, dict[str, Any]], Any]


class _Unet(nn.Module):
    """A UNet with its inputs in a row; those of Stable Diffusion XL are text, pooled text, sizes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, sample: Any, timestep: Any, text: Any, pooled: Any = None, sizes: Any = None) -> Any:
        added = {} if pooled is None else {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
        return self.network(sample, timestep, encoder_hidden_states=text, return_dict=False, **added)[0]


def networks_of(loaded: LoadedModel) -> Sequence[Network]:
    """Return the networks of a model that OpenVINO can compute; none for a family that is not converted yet."""
    denoiser, vae = loaded.denoiser, getattr(loaded.pipe, "vae", None)
    if not isinstance(denoiser, UNet2DConditionModel) or not isinstance(vae, AutoencoderKL):
        return ()
    unet = _unet(denoiser)
    if unet is None:
        return ()
    latents = torch.zeros(1, vae.config.latent_channels, _EXAMPLE_SIDE, _EXAMPLE_SIDE)
    side = _EXAMPLE_SIDE * 2 ** (len(vae.config.block_out_channels) - 1)
    picture = torch.zeros(1, vae.config.in_channels, side, side)
    return (
        unet,
        Network("vae_decoder", vae.decoder, vae.decoder, (latents,), _alone, _tensor),
        Network("vae_encoder", vae.encoder, vae.encoder, (picture,), _alone, _tensor),
    )


def _unet(unet: UNet2DConditionModel) -> Network | None:
    config = unet.config
    is_xl = config.addition_embed_type == "text_time"
    others = (config.class_embed_type, config.encoder_hid_dim_type, config.time_cond_proj_dim)
    if (config.addition_embed_type is not None and not is_xl) or any(other is not None for other in others):
        return None
    cell = 2 ** (len(config.block_out_channels) - 1)
    side = 2 * cell
    width = config.cross_attention_dim
    width = width if isinstance(width, int) else width[0]
    sample, text = torch.zeros(2, config.in_channels, side, side), torch.zeros(2, _EXAMPLE_TOKENS, width)
    example = [sample, torch.tensor(1.0), text]
    if is_xl:
        sizes = config.addition_time_embed_dim * _TIME_IDS
        pooled = config.projection_class_embeddings_input_dim - sizes
        example += [torch.zeros(2, pooled), torch.zeros(2, _TIME_IDS)]
    return Network(DENOISER, unet, _Unet(unet), tuple(example), _UnetArguments(cell, is_xl), _output)


class _UnetArguments:
    """Those of a UNet whose sizes are multiples of `cell`: others were never traced."""

    def __init__(self, cell: int, is_xl: bool) -> None:
        self._cell = cell
        self._is_xl = is_xl

    def __call__(self, *args: Any, **kwargs: Any) -> Values | None:
        values = dict(zip(("sample", "timestep", "encoder_hidden_states"), args, strict=False)) | kwargs
        values.pop("return_dict", None)
        sample, timestep, text = (values.pop(name, None) for name in ("sample", "timestep", "encoder_hidden_states"))
        added = values.pop("added_cond_kwargs", None) or {}
        names = {"text_embeds", "time_ids"} if self._is_xl else set()
        if text is None or set(added) != names or any(value is not None for value in values.values()) or len(args) > 3:
            return None
        step = torch.as_tensor(timestep, dtype=torch.float32)
        if step.numel() != 1 or any(side % self._cell for side in sample.shape[-2:]):
            return None
        return (sample, step.reshape(()), text, *((added["text_embeds"], added["time_ids"]) if self._is_xl else ()))


def _alone(*args: Any, **kwargs: Any) -> Values | None:
    rest = [*args[1:], *kwargs.values()]
    return (args[0],) if args and all(value is None for value in rest) else None


def _tensor(result: torch.Tensor, kwargs: dict[str, Any]) -> Any:
    return result


def _output(result: torch.Tensor, kwargs: dict[str, Any]) -> Any:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput  # noqa: PLC0415 (only where it is asked)

    return (result,) if kwargs.get("return_dict") is False else UNet2DConditionOutput(sample=result)
