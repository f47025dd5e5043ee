"""What the header of a single file, its name and A1111's .yaml beside it say about how to read it."""

from __future__ import annotations

import json

import pytest

from sdstudio.core.errors import ModelDamaged
from sdstudio.core.models.checkpoint import PARTS_KEY, embedded_parts, has_zero_snr, prediction_of, spec_of
from sdstudio.core.models.safetensors_header import Header, TensorEntry

_CONV = "model.diffusion_model.input_blocks.0.0.weight"
_ATTENTION = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"


def header(width: int = 768, channels: int = 4, more: tuple[str, ...] = (), **notes: str) -> Header:
    shapes = {_CONV: (320, channels, 3, 3), _ATTENTION: (320, width), **dict.fromkeys(more, (0,))}
    return Header({name: TensorEntry("F16", shape, 0, 0) for name, shape in shapes.items()}, notes)


@pytest.mark.parametrize(
    ("width", "channels", "name", "key"),
    [
        (768, 4, "x", "sd1"),
        (768, 9, "x", "sd1-inpaint"),
        (1024, 9, "x", "sd2-inpaint"),
        (2048, 9, "x", "sdxl-inpaint"),
        (1024, 4, "x", "sd2"),
        (1024, 4, "v2-1_512-ema-pruned", "sd2-base"),
        (1024, 4, "v2-1_768-ema-pruned", "sd2"),
        (2048, 4, "x", "sdxl"),
    ],
)
def test_a_checkpoint_finds_its_row(tmp_path, width, channels, name, key):
    spec = spec_of(tmp_path / f"{name}.safetensors", header(width, channels))
    assert spec is not None
    assert spec.key == key


@pytest.mark.parametrize(("width", "channels"), [(999, 4), (2048, 8), (768, 8)])
def test_what_no_row_reads_has_none(tmp_path, width, channels):
    assert spec_of(tmp_path / "x.safetensors", header(width, channels)) is None
    assert spec_of(tmp_path / "x.safetensors", Header({}, {})) is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("noob-vpred-1.0", "v_prediction"),
        ("NoobAI_V-Pred", "v_prediction"),
        ("model v_prediction", "v_prediction"),
        ("768-v-ema", "v_prediction"),
        ("512-base-ema", "epsilon"),
        ("thing-eps", "epsilon"),
        ("database", ""),
        ("stepson", ""),
        ("dreamshaper_8", ""),
        ("v2-1_768-ema-pruned", ""),
    ],
)
def test_a_name_tells_the_prediction_only_in_words_of_its_own(tmp_path, name, told):
    assert prediction_of(tmp_path / f"{name}.safetensors", header()) == told


def test_a_tensor_goes_before_the_notes_and_these_before_the_yaml_and_this_before_the_name(tmp_path):
    path = tmp_path / "x-eps.safetensors"
    path.with_suffix(".yaml").write_text('model:\n  params:\n    parameterization: "v"\n')
    assert prediction_of(path, header()) == "v_prediction"
    noted = {"modelspec.prediction_type": "epsilon"}
    assert prediction_of(path, header(**noted)) == "epsilon"
    assert prediction_of(path, header(more=("v_pred",), **noted)) == "v_prediction"
    path.with_suffix(".yaml").write_text("model:\n  params:\n    unet_config: {}\n")
    assert prediction_of(path, header()) == "epsilon"


def test_zero_snr_is_told_by_a_tensor():
    assert has_zero_snr(header(more=("ztsnr",)))
    assert not has_zero_snr(header())


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({"index": {}, "configs": {"../unet": {}}, "vocabularies": {}, "notes": {}}),
        json.dumps({"index": {}, "configs": {"unet": []}, "vocabularies": {}, "notes": {}}),
        json.dumps(
            {"index": {}, "configs": {}, "vocabularies": {"a/b": {"vocab.json": "", "merges.txt": ""}}, "notes": {}}
        ),
        json.dumps({"index": {}, "configs": {}, "vocabularies": {"tokenizer": {"vocab.json": ""}}, "notes": {}}),
        "[" * 100_000,
    ],
)
def test_parts_that_nobody_wrote_are_refused(tmp_path, text):
    with pytest.raises(ModelDamaged, match=PARTS_KEY):
        embedded_parts(tmp_path / "x", Header({}, {PARTS_KEY: text}))
