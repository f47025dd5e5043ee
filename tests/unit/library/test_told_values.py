"""What the library tells of a checkpoint beyond its family: what it begins with, lacks, and predicts by its .yaml."""

from __future__ import annotations

import json
import struct

import pytest
from accelerate import init_empty_weights
from diffusers import UNet2DConditionModel

from sdstudio.catalog.built_in import STARTER
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.model import parameters_of
from sdstudio.core.paths import StudioPaths, resources
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.model_files.original_layout import original_unet
from sdstudio.library.library import Library
from sdstudio.library.resolving import RequestResolver

VAE = "first_stage_model.decoder.conv_in.weight"
TEXT = {"sd1": "cond_stage_model.transformer.x", "sd2": "cond_stage_model.model.x", "sdxl": "conditioner.embedders.1.x"}


def names_of(key):
    config = UNet2DConditionModel.load_config(resources() / "configs" / key / "unet")
    with init_empty_weights():
        unet = UNet2DConditionModel.from_config(config)
    shapes = {name: tuple(value.shape) for name, value in unet.state_dict().items()}
    return {row.name: row.shape for row in original_unet(shapes, dict(unet.config))}


@pytest.fixture(scope="module")
def networks():
    """Names and shapes of whole checkpoints by shipped configuration."""
    return {key: names_of(key) | {VAE: (512, 4, 3, 3), TEXT[key.split("-")[0]]: (1,)} for key in ("sd1", "sd2", "sdxl")}


@pytest.fixture
def library(tmp_path):
    paths = StudioPaths(tmp_path)
    paths.models.mkdir(parents=True)
    return Library(paths)


def write(library, name, shapes, **notes):
    """Write a checkpoint's header; its weights would be gigabytes, so that the file is sparse."""
    head, at = {"__metadata__": notes} if notes else {}, 0
    for key, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        head[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head).encode()
    path = library.paths.models / f"{name}.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    return path


def test_a_distilled_file_begins_with_its_own_values_which_a_title_in_its_header_tells_too(library, networks):
    write(library, "sdxl_lightning_8step", networks["sdxl"])
    write(library, "model_12345", networks["sdxl"], **{"modelspec.title": "SDXL Lightning 2step"})
    write(library, "sd_xl_turbo_1.0", networks["sdxl"])
    write(library, "noobai-vpred-lightning-4step", networks["sdxl"])
    write(library, "sdxl_lightning_1step_x0", networks["sdxl"])
    found = {model.key: model for model in library.models()}
    assert (found["sdxl_lightning_8step"].variant, found["sdxl_lightning_8step"].defaults["steps"]) == ("lightning", 8)
    assert (found["model_12345"].variant, found["model_12345"].defaults["steps"]) == ("lightning", 2)
    turbo = found["sd_xl_turbo_1.0"]
    assert (turbo.defaults["width"], turbo.size_presets[0]) == (512, (512, 512))
    both = found["noobai-vpred-lightning-4step"]
    assert (both.variant, both.defaults["steps"]) == ("v_prediction", 4)
    assert "predicts the picture itself" in found["sdxl_lightning_1step_x0"].problem
    limits = parameters_of(found["sdxl_lightning_8step"])
    assert (limits["steps"].default, limits["schedule"].default) == (8, "sgm_uniform")


def test_a_file_without_a_part_is_told_and_one_without_a_vae_may_be_chosen(library, networks):
    write(library, "novae", {name: shape for name, shape in networks["sd1"].items() if name != VAE})
    write(library, "noclip", {name: shape for name, shape in networks["sd1"].items() if name != TEXT["sd1"]})
    write(library, "unet", {name: shape for name, shape in networks["sd1"].items() if name not in (VAE, TEXT["sd1"])})
    write(library, "whole", networks["sd1"])
    found = {model.key: model for model in library.models()}
    assert "holds no VAE. Choose a VAE to draw with it" in found["novae"].problem
    assert "holds no text encoder: a part of a model" in found["noclip"].problem
    assert "holds no VAE and no text encoder" in found["unet"].problem
    usable = {key for key, model in found.items() if model.is_usable}
    assert usable == {"novae", "whole", "starter"}
    model = library.find("novae")
    with pytest.raises(InvalidRequest, match="VAE: novae holds none") as caught:
        RequestResolver(library).check(GenerationRequest(model="novae"), model)
    assert caught.value.field == "vae"


def test_the_yaml_beside_a_file_says_what_it_predicts_and_is_looked_at_anew_when_it_changes(library, networks):
    first = write(library, "anime-768", networks["sd2"])
    write(library, "plain", networks["sdxl"])

    def variants():
        return {model.key: model.variant for model in library.rescan() if model.key != STARTER}

    assert variants() == {"anime-768": "v_prediction", "plain": ""}
    (first.parent / "plain.yaml").write_text("model:\n  params:\n    parameterization: v\n    unet_config: {}\n")
    first.with_suffix(".yaml").write_text("model:\n  params:\n    unet_config: {}\n")
    assert variants() == {"anime-768": "", "plain": "v_prediction"}
    first.with_suffix(".yaml").unlink()
    assert variants()["anime-768"] == "v_prediction"
