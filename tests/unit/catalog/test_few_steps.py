from __future__ import annotations

import pytest

from sdstudio.catalog.few_steps import FEW_STEPS, few_steps_of, predicts_picture, starting_values
from sdstudio.core.request.request import GenerationRequest

EULER = {"scheduler": "euler", "schedule": "sgm_uniform"}
PLAIN = {"guidance_scale": 1.0}


@pytest.mark.parametrize(
    ("name", "key", "values"),
    [
        ("sdxl_lightning_4step", "lightning", {"steps": 4, **PLAIN, **EULER}),
        ("sdxl_lightning_8step", "lightning", {"steps": 8, **PLAIN, **EULER}),
        ("sdxl_lightning_2step_unet", "lightning", {"steps": 2, **PLAIN, **EULER}),
        ("juggernautXL_v9Rdphoto2Lightning", "lightning", {"steps": 4, **PLAIN, **EULER}),
        ("realvisxlV40_v40LightningBakedvae", "lightning", {"steps": 4, **PLAIN, **EULER}),
        ("Hyper-SDXL-8steps-lora", "hyper", {"steps": 8, **PLAIN, **EULER}),
        ("Hyper-SDXL-12steps-CFG-lora", "hyper", {"steps": 12, "guidance_scale": 5.0, **EULER}),
        ("Hyper-SDXL-1step-Unet", "hyper", {"steps": 1, **PLAIN, "scheduler": "lcm_any", "schedule": "from_800"}),
        ("Hyper-SDXL-1step-Unet-Comfyui.fp16", "hyper", {"steps": 1, "schedule": "from_800"}),
        ("Hyper-SDXL-1step-lora", "hyper", {"steps": 1, **PLAIN, "scheduler": "lcm", "schedule": "automatic"}),
        ("dreamshaperXL_hyper4step", "hyper", {"steps": 4, **PLAIN, **EULER}),
        ("epicrealismXL_Hyper", "hyper", {"steps": 8, **PLAIN, **EULER}),
        ("dreamshaper-8-lcm", "lcm", {"steps": 6, "guidance_scale": 1.5, "scheduler": "lcm"}),
        ("realcartoonLCM_v1", "lcm", {"steps": 6, "guidance_scale": 1.5, "scheduler": "lcm"}),
        ("dmd2_sdxl_4step", "dmd", {"steps": 4, **PLAIN, "scheduler": "lcm_any", "schedule": "turbo"}),
        ("anythingXL_DMD2", "dmd", {"steps": 4, **PLAIN, "scheduler": "lcm_any", "schedule": "turbo"}),
        ("TCD-SDXL", "tcd", {"steps": 4, **PLAIN, "scheduler": "tcd", "eta_ddim": 0.3}),
        ("pcm_sdxl_smallcfg_2step", "pcm", {"steps": 2, "guidance_scale": 1.5, **EULER}),
        ("pcm_sdxl_normalcfg_8step", "pcm", {"steps": 8, "guidance_scale": 3.0, **EULER}),
        ("pcm_sd15_lcmlike_lora", "pcm", {"steps": 4, "scheduler": "lcm"}),
        ("flash-sdxl", "flash", {"steps": 4, **PLAIN, "scheduler": "lcm"}),
        ("sd_xl_turbo_1.0_fp16", "turbo", {"steps": 4, "width": 512, "height": 512, "scheduler": "euler_a"}),
        ("sdxl-turbo", "turbo", {"width": 512, "height": 512, "schedule": "sgm_uniform"}),
        ("sd_turbo", "turbo", {"width": 512, "height": 512, **PLAIN}),
        ("DreamShaperXL_Turbo_v2", "turbo", {"steps": 4, **PLAIN}),
    ],
)
def test_a_name_tells_how_a_model_was_distilled_and_what_its_card_asks_for(name, key, values):
    assert few_steps_of(name).key == key
    found = starting_values(name)
    assert {field: found.get(field) for field in values} == values
    assert ("width" in found) == ("width" in values)
    GenerationRequest.checked({"scheduler": "euler", **found})


@pytest.mark.parametrize(
    "name",
    ["v1-5-pruned-emaonly", "HyperRealism_v2", "calcmaster", "hyperdetailed mix", "flashback", "sd_xl_base_1.0", ""],
)
def test_other_names_tell_nothing(name):
    assert few_steps_of(name) is None
    assert starting_values(name) == {}


def test_lightning_for_one_step_predicts_something_else():
    assert predicts_picture("sdxl_lightning_1step_x0")
    assert predicts_picture("sdxl_lightning_1step_unet_x0")
    assert not any(predicts_picture(name) for name in ("sdxl_lightning_4step", "Hyper-SDXL-1step-Unet", "x0"))


def test_every_kind_begins_with_values_that_a_request_may_have():
    for row in FEW_STEPS:
        for _pattern, more in ((" ", {}), *row.special):
            wanted = {**row.values, **more}
            request = GenerationRequest.checked(wanted)
            assert {name: getattr(request, name) for name in wanted} == wanted
