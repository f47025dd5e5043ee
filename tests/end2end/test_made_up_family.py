"""A family that the product does not know, made of a row and a class that stand here: nothing else is needed to draw.

Its pipeline has none of the usual part names, so whoever takes a UNet or a text encoder for granted fails here.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline, UNet2DConditionModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY, ModelFamily, Override
from sdstudio.cli import main
from sdstudio.engine.families.any_pipeline import AnyPipeline
from sdstudio.engine.families.registry import CODE

ROW = ModelFamily(
    key="sketch",
    title="Sketch 1",
    pipelines=("SketchPipeline",),
    text_width=0,
    native_size=64,
    sizes=((64, 64),),
    parts=("reader", "words", "artist", "vae", "scheduler"),
    preview="sd1",
    overrides={"width": Override(default=64), "height": Override(default=64), "steps": Override(default=3)},
    about="Made up.",
)


class SketchPipeline(DiffusionPipeline):
    """Denoises with an ``artist`` what a ``reader`` made of the prompt, without guidance."""

    def __init__(self, reader, words, artist, vae, scheduler):
        super().__init__()
        self.register_modules(reader=reader, words=words, artist=artist, vae=vae, scheduler=scheduler)
        self.vae_scale_factor = 8
        self.image_processor = VaeImageProcessor(vae_scale_factor=8)

    @torch.no_grad()
    def __call__(
        self, prompt, width, height, num_inference_steps, num_images_per_prompt, generator, output_type,
        callback_on_step_end,
    ):  # fmt: skip
        device = self._execution_device
        ids = self.words(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
        vectors = self.reader(ids.to(device))[0].expand(num_images_per_prompt, -1, -1)
        self.scheduler.set_timesteps(num_inference_steps, device=device)
        shape = (num_images_per_prompt, 4, height // 8, width // 8)
        latents = randn_tensor(shape, generator=generator, device=device, dtype=vectors.dtype)
        latents = latents * self.scheduler.init_noise_sigma
        for index, timestep in enumerate(self.scheduler.timesteps):
            scaled = self.scheduler.scale_model_input(latents, timestep)
            output = self.artist(scaled, timestep, encoder_hidden_states=vectors).sample
            latents = self.scheduler.step(output, timestep, latents, return_dict=False)[0]
            callback_on_step_end(self, index, timestep, {"latents": latents})
        assert output_type == "latent"
        return ImagePipelineOutput(images=latents)


class Sketch(AnyPipeline):
    """The family's code."""

    gives_latents = True

    def pipeline_class(self, name):
        return SketchPipeline

    def denoiser(self, pipe):
        return pipe.artist

    def draw(self, pipe, kwargs, model_name):
        return pipe(**kwargs, output_type="latent").images


@pytest.fixture
def sketch(home, tiny_models, monkeypatch):
    """Make the family known, and put a model of it into the data folder; its parts are those of tiny SD 1."""
    FAMILIES.insert(-1, ROW)
    monkeypatch.setitem(FAMILY_BY_KEY, ROW.key, ROW)
    monkeypatch.setitem(CODE, ROW.key, Sketch())
    folder = tiny_models["sd1"]
    pipe = SketchPipeline(
        CLIPTextModel.from_pretrained(folder / "text_encoder", local_files_only=True),
        CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True),
        UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True),
        AutoencoderKL.from_pretrained(folder / "vae", local_files_only=True),
        DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True),
    )
    pipe.save_pretrained(home.models / "sketch", safe_serialization=True)
    yield home.models / "sketch"
    FAMILIES.remove(ROW)


@pytest.fixture
def studio(home, sketch, tmp_path, monkeypatch, capsys):
    """Run a command of the product in this process; returns its lines of JSON, or what it says when it fails."""
    monkeypatch.setenv("SDSTUDIO_HOME", str(home.home))
    monkeypatch.chdir(tmp_path)

    def call(*argv, code=0):
        capsys.readouterr()
        ended = main([*map(str, argv), *(["--json"] if not code else [])])
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return [json.loads(line) for line in printed.out.splitlines()] if not code else printed.err

    return call


def _pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_it_draws_through_library_history_and_rerun_with_no_file_of_the_product_touched(studio, tmp_path):
    [listed] = [row for row in studio("models", "list") if row["key"] == "sketch"]
    assert (listed["family"], listed["pipeline"], listed.get("problem", "")) == ("sketch", "SketchPipeline", "")
    drawn = studio("generate", "a red heart", "--model", "sketch", "--count", 2, "--batch-size", 2, "--seed", 5)
    made = [row for row in drawn if "path" in row]
    assert len(made) == 2
    [newest, _older] = studio("history", "list")
    [shown] = studio("history", "show", newest["id"])
    recipe = shown["recipe"]
    assert recipe["model_family"] == "sketch"
    assert (recipe["request"]["width"], recipe["request"]["steps"], recipe["request"]["seed"]) == (64, 3, 6)
    again = [row for row in studio("history", "rerun", newest["id"]) if "path" in row]
    assert np.abs(_pixels(again[0]["path"]).astype(int) - _pixels(made[1]["path"])).max() <= 2
    assert _pixels(made[0]["path"]).std() > 0
    assert (_pixels(made[0]["path"]) != _pixels(made[1]["path"])).any()

    picture = tmp_path / "in.png"
    Image.new("RGB", (64, 64), "red").save(picture)
    said = studio("generate", "a red heart", "--model", "sketch", "--init-image", picture, code=2)
    assert "cannot begin from one" in said
    assert "Stable Diffusion 1.x, Stable Diffusion 2.x or Stable Diffusion XL" in said
