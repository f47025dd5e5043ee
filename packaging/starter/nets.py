"""The three networks of the starter model. Their shapes are fixed: later sessions continue the same weights."""

from __future__ import annotations

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

VOCABULARY_SIZE = 4096
CONTEXT_LENGTH = 77
# Stable Diffusion 1's latent scale; the mean and the whitening of our latents are folded into the quant convolutions.
SCALING_FACTOR = 0.18215


def make_vae() -> AutoencoderKL:
    """AutoencoderKL of 2.59 M parameters: 128 px pictures to 16 x 16 x 4 latents."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 128),
        layers_per_block=1,
        norm_num_groups=2,
        sample_size=128,
        mid_block_add_attention=False,
    )


def make_text_encoder() -> CLIPTextModel:
    """CLIP text model, 192 wide, 3 layers, 6 heads of 32, over the own vocabulary."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=VOCABULARY_SIZE,
            hidden_size=192,
            intermediate_size=768,
            num_hidden_layers=3,
            num_attention_heads=6,
            max_position_embeddings=CONTEXT_LENGTH,
            projection_dim=192,
            bos_token_id=VOCABULARY_SIZE - 2,
            eos_token_id=VOCABULARY_SIZE - 1,
            pad_token_id=VOCABULARY_SIZE - 1,
        )
    )


def make_unet() -> UNet2DConditionModel:
    """UNet of 11 M parameters: convolutions at 16 x 16, cross attention at 8 x 8 and 4 x 4.

    In diffusers `attention_head_dim` is the NUMBER of heads while `num_attention_heads` is not given.
    """
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(64, 128, 192),
        cross_attention_dim=192,
        attention_head_dim=4,
        norm_num_groups=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    )
