"""What an upscaler file is, told from names and shapes; whatever does not fit together is refused by name."""

from __future__ import annotations

import re

import pytest
import torch

from sdstudio.core.errors import ModelUnsupported
from sdstudio.core.models.upscaler_files import is_compact, layout_of
from tests.tiny_upscalers import as_bsrgan, as_esrgan, compact_weights, dense_weights


def shapes(weights):
    return {name: tuple(value.shape) for name, value in weights.items()}


def layout(weights):
    return layout_of(shapes(weights), "4x-sharp")


@pytest.mark.parametrize(
    ("weights", "about"),
    [
        (dense_weights(4), "Real-ESRGAN, 4x"),
        (dense_weights(2, unshuffle=2), "Real-ESRGAN, 2x"),
        (dense_weights(1, unshuffle=4), "Real-ESRGAN, 1x"),
        (as_esrgan(dense_weights(8)), "ESRGAN, 8x"),
        (as_esrgan(dense_weights(4)), "ESRGAN, 4x"),
        (as_esrgan(dense_weights(2)), "ESRGAN, 2x"),
        (as_esrgan(dense_weights(1)), "ESRGAN, 1x"),
        (as_bsrgan(dense_weights(4)), "ESRGAN, 4x"),
        (as_bsrgan(dense_weights(2)), "ESRGAN, 2x"),
        (compact_weights(4), "Compact Real-ESRGAN, 4x"),
        (compact_weights(2), "Compact Real-ESRGAN, 2x"),
        (compact_weights(1), "Compact Real-ESRGAN, 1x"),
    ],
)
def test_kind_and_scale_are_read_from_the_shapes(weights, about):
    assert layout(weights).about == about
    assert sorted(layout(weights).names.values()) == sorted(weights)


def test_the_files_that_people_have_are_told_with_their_sizes():
    # RealESRGAN_x4plus, its 6B for anime, x2plus; realesr-general-x4v3, realesr-animevideov3.
    for blocks, scale, unshuffle in ((23, 4, 1), (6, 4, 1), (23, 2, 2)):
        found = layout(dense_weights(scale, 64, 32, blocks, unshuffle))
        assert (found.scale, found.features, found.growth, found.blocks) == (scale, 64, 32, blocks)
        assert not found.compact
    for convolutions in (32, 16):
        found = layout(compact_weights(4, 64, convolutions))
        assert (found.compact, found.features, found.blocks, found.reach) == (True, 64, convolutions, convolutions + 2)


@pytest.mark.parametrize(
    "prefix", ["params_ema.", "params-ema.", "params.", "module.", "model.", "netG.", "generator.", "module.model."]
)
def test_what_training_code_puts_before_the_names_is_no_part_of_them(prefix):
    wrapped = {prefix + name: value for name, value in as_esrgan(dense_weights(4)).items()}
    found = layout(wrapped)
    assert found.about == "ESRGAN, 4x"
    assert set(found.names.values()) == set(wrapped)


def test_numbers_that_training_counts_are_no_layers():
    weights = dense_weights(4) | {"num_batches": torch.tensor(3), "params.step": torch.tensor(1)}
    assert layout(weights).about == "Real-ESRGAN, 4x"


def test_a_compact_network_is_known_by_its_first_slopes():
    assert is_compact(shapes(compact_weights()))
    assert not is_compact(shapes(dense_weights()))
    assert not is_compact({"body.0.weight": (64, 3, 3, 3), "body.1.weight": (64, 64, 3, 3)})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"conv_last.weight": None}, "without its layer last"),
        ({"conv_up1.bias": None}, "up.0.bias is not there"),
        ({"body.1.rdb2.conv3.weight": (4, 16, 1, 1)}, "4 x 16 x 1 x 1; allowed is 4 x 16 x 3 x 3"),
        ({"conv_first.weight": (8, 4, 3, 3)}, "4 channels to 3"),
        ({"conv_last.weight": (4, 8, 3, 3)}, "3 channels to 4"),
        ({"body.900.rdb1.conv1.weight": (4, 8, 3, 3)}, "block.2.0.0.bias is not there; allowed is 4 numbers"),
        ({"more.weight": (1,)}, "more.weight"),
        ({"body.0.rdb1.conv1x1.weight": (4, 8, 1, 1), "x.conv1x1.y": ()}, "ESRGAN+"),
    ],
)
def test_a_network_whose_parts_do_not_fit_together_is_refused_with_the_part(change, said):
    rows = shapes(dense_weights(4)) | {name: shape for name, shape in change.items() if shape is not None}
    rows = {name: shape for name, shape in rows.items() if change.get(name, ()) is not None}
    with pytest.raises(ModelUnsupported, match=re.escape(said)):
        layout_of(rows, "odd")


def test_a_network_beyond_all_measure_is_refused_before_anything_is_built():
    huge = {name: torch.empty(value.shape, device="meta") for name, value in dense_weights(4).items()}
    huge["conv_first.weight"] = torch.empty(4_000_000, 3, 3, 3, device="meta")
    with pytest.raises(ModelUnsupported, match="4,000,000 features; allowed is 1 to 256"):
        layout(huge)
    with pytest.raises(ModelUnsupported, match="32 times the size; allowed is 1 to 16"):
        layout(as_esrgan(dense_weights(32)))
    with pytest.raises(ModelUnsupported, match="ends in 47 channels"):
        layout(compact_weights(4) | {"body.8.weight": torch.zeros(47, 8, 3, 3)})
    with pytest.raises(ModelUnsupported, match=r"body\.4\.weight is 8 x 7 x 3 x 3; allowed is 8 x 8 x 3 x 3"):
        layout(compact_weights(4) | {"body.4.weight": torch.zeros(8, 7, 3, 3)})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"layers.0.residual_group.blocks.0.attn.qkv.weight": (540, 180)}, "a SwinIR, DAT or HAT network"),
        ({"a.weight": (3,)}, "another kind of network"),
        ({}, "another kind of network"),
        ({"body.0.rdb1.conv1.weight": (4, 8, 3, 3)}, "without its layer first"),
    ],
)
def test_another_network_is_refused_with_what_is_read(rows, said):
    with pytest.raises(ModelUnsupported, match=said) as refused:
        layout_of(rows, "other")
    assert refused.value.message.startswith("other: it is ")
