from __future__ import annotations

import pytest
from accelerate import init_empty_weights
from diffusers import UNet2DConditionModel

from sdstudio.core.models.unet_shape import KNOWN, unet_changes, unet_shape
from sdstudio.engine.model_files.original_layout import original_unet
from sdstudio.engine.model_files.own_parts import resources

SHIPPED = ("sd1", "sd1-inpaint", "sd2", "sd2-base", "sd2-inpaint", "sdxl", "sdxl-inpaint")
CUT = {
    "ssd-1b": (
        "sdxl", {"mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [1, [2, 2], [4, 4]],
                 "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1]},
    ),
    "vega": ("sdxl", {"mid_block_type": "UNetMidBlock2D", "transformer_layers_per_block": [1, 1, 2]}),
    "koala": ("sdxl", {"layers_per_block": 1, "transformer_layers_per_block": [1, 2, 6]}),
    "koala without a middle": (
        "sdxl", {"layers_per_block": 1, "transformer_layers_per_block": [1, 2, 5], "mid_block_type": None},
    ),
    "bk-sdm-base": ("sd1", {"layers_per_block": 1}),
    "bk-sdm-small": ("sd1", {"layers_per_block": 1, "mid_block_type": None}),
}  # fmt: skip


def names_of(key, **changes):
    """Return the names that the UNet of a configuration has in the original layout."""
    config = {**UNet2DConditionModel.load_config(resources() / "configs" / key / "unet"), **changes}
    with init_empty_weights():
        unet = UNet2DConditionModel.from_config(config)
    shapes = {name: tuple(value.shape) for name, value in unet.state_dict().items()}
    return {row.name: row.shape for row in original_unet(shapes, dict(unet.config))}, shapes


@pytest.mark.parametrize("key", SHIPPED)
def test_a_whole_network_is_the_shipped_one(key):
    assert unet_changes(key, names_of(key)[0]) == {}


@pytest.mark.parametrize("name", CUT)
def test_a_network_that_was_cut_is_described_so_that_it_has_the_same_weights(name):
    key, changes = CUT[name]
    names, shapes = names_of(key, **changes)
    told = unet_changes(key, names)
    assert told
    assert names_of(key, **told)[1] == shapes
    if name.startswith("koala"):
        name = "koala"
    if key == "sdxl":
        assert KNOWN["sdxl", unet_shape(names).down] == name


def test_what_no_configuration_describes_is_none_and_a_part_tells_nothing():
    names = names_of("sdxl")[0]
    gap = [name for name in names if ".input_blocks.5.0." not in name]
    assert unet_changes("sdxl", gap) is None
    short = [name for name in names if ".output_blocks.8." not in name]
    assert unet_changes("sdxl", short) is None
    assert unet_shape([name for name in names if "output_blocks" not in name]) is None
