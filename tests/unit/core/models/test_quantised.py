from __future__ import annotations

import re

import pytest

from sdstudio.core.models.quantised import packed_as, scales_of
from sdstudio.core.models.safetensors_header import Header, TensorEntry

LAYER = "model.diffusion_model.input_blocks.1.1.proj_in"


def header(**rows):
    """Return a header: the ending of a name below one layer -> number format, shape."""
    entries = {f"{LAYER}.{name.replace('__', '.', 1)}": TensorEntry(*row, 0, 0) for name, row in rows.items()}
    return Header(entries, {})


WEIGHT = ("F8_E4M3", (8, 4))


@pytest.mark.parametrize("scale", [(), (1,), (8,), (8, 1)])
@pytest.mark.parametrize("name", ["scale_weight", "weight_scale"])
def test_a_weight_in_fp8_with_a_scale_is_known_by_both_spellings(name, scale):
    found = header(weight=WEIGHT, scale_input=("F32", ()), comfy_quant=("U8", (30,)), **{name: ("F32", scale)})
    assert scales_of(found) == {f"{LAYER}.weight": f"{LAYER}.{name}"}
    assert packed_as(found) == ""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"weight": ("U8", (64, 1)), "weight__absmax": ("F32", (4,))}, "bitsandbytes"),
        ({"weight": ("U8", (64, 1)), "weight__quant_state.bitsandbytes__nf4": ("U8", (80,))}, "bitsandbytes"),
        ({"weight": ("I8", (8, 4)), "SCB": ("F32", (8,))}, "int8 by bitsandbytes"),
        ({"weight": ("U8", (8, 2)), "weight_scale": ("F8_E4M3", (8, 1)), "weight_scale_2": ("F32", ())}, "NVFP4"),
        ({"weight": ("I8", (8, 4)), "weight_scale": ("F32", (8, 1)), "comfy_quant": ("U8", (9,))}, "I8 with scales"),
        ({"weight": WEIGHT, "weight_scale": ("F32", (2, 2))}, "F8_E4M3 with scales of 2 x 2"),
        ({"weight": ("U8", (8, 9))}, r"whole numbers \(U8\), as GGUF's"),
        ({"qweight": ("I32", (8, 9)), "qzeros": ("I32", (1,))}, "GPTQ or AWQ"),
        ({"qweight": ("I8", (8, 9)), "wscales": ("F16", (1,))}, "GPTQ or AWQ|SVDQuant"),
    ],
)
def test_what_nobody_here_unpacks_is_named(rows, said):
    assert re.search(said, packed_as(header(**rows)))


def test_plain_checkpoints_are_neither():
    plain = header(weight=("F16", (8, 4)), bias=("F32", (8,)), position_ids=("I64", (1, 77)))
    fp8 = header(weight=WEIGHT, bias=("F16", (8,)))
    for found in (plain, fp8):
        assert (dict(scales_of(found)), packed_as(found)) == ({}, "")
