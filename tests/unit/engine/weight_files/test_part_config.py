"""What a part's configuration may say: wrong values are named before anything is built of them."""

from __future__ import annotations

import json
import types

import diffusers
import pytest
import transformers
from transformers import AutoTokenizer

from sdstudio.core.errors import ModelDamaged, StudioError
from sdstudio.core.paths import resources
from sdstudio.core.settings import Settings
from sdstudio.engine.model_files.vocabulary import check_vocabulary
from sdstudio.engine.weight_files.part_config import check_config

WRONG = (
    ("vae", "AutoencoderKL", "scaling_factor", {"a": 1}),
    ("vae", "AutoencoderKL", "scaling_factor", float("nan")),
    ("vae", "AutoencoderKL", "block_out_channels", [None]),
    ("unet", "UNet2DConditionModel", "freq_shift", []),
    ("unet", "UNet2DConditionModel", "cross_attention_dim", "wide"),
    ("unet", "UNet2DConditionModel", "in_channels", 4.5),
    ("scheduler", "PNDMScheduler", "num_train_timesteps", 10**12),
    ("scheduler", "PNDMScheduler", "num_train_timesteps", None),
    ("unet", "UNet2DConditionModel", "transformer_layers_per_block", [1, [2, 10**6]]),
)
RIGHT = (
    ("scheduler", "DPMSolverMultistepScheduler", "lambda_min_clipped", float("-inf")),
    ("scheduler", "PNDMScheduler", "trained_betas", [0.1, 0.2]),
    ("unet", "UNet2DConditionModel", "transformer_layers_per_block", [1, [2, 3]]),
    ("unet", "UNet2DConditionModel", "attention_head_dim", 8.0),
    ("unet", "UNet2DConditionModel", "an_entry_of_tomorrow", {"a": None}),
)


def test_a_value_of_another_kind_is_named(tmp_path):
    missed = []
    for part, class_name, name, value in WRONG + RIGHT:
        cls = getattr(diffusers, class_name)
        (tmp_path / cls.config_name).write_text(json.dumps({name: value}))
        try:
            check_config(cls, tmp_path, f"Tiny: its {part}")
        except ModelDamaged as error:
            said = error.message.startswith(f"Tiny: its {part} says {name} = ") and "allowed " in error.message
        else:
            said = None
        if said is not (None if (part, class_name, name, value) in RIGHT else True):
            missed.append((class_name, name, value, said))
    assert missed == []


def test_the_token_that_ends_a_prompt_is_a_number(tmp_path):
    for value in ([], [2], None, "2", True):
        (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": value}))
        with pytest.raises(ModelDamaged, match=r"says eos_token_id = .*: allowed is a number"):
            check_config(transformers.CLIPTextModel, tmp_path, "Tiny: its text_encoder")
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 49407}))
    check_config(transformers.CLIPTextModel, tmp_path, "Tiny: its text_encoder")


def test_a_configuration_that_cannot_be_read_is_said(tmp_path):
    for text in ("{", "[" * 5000):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ModelDamaged, match=r"has no config\.json that can be read"):
            check_config(diffusers.AutoencoderKL, tmp_path, "Tiny: its vae")


def test_what_ships_with_the_studio_and_every_default_of_a_scheduler_passes(tmp_path):
    for file in resources().rglob("*config.json"):
        cls = getattr(diffusers, str(json.loads(file.read_text()).get("_class_name")), None)
        if cls is not None:
            check_config(cls, file.parent, str(file))
    names = [name for name in dir(diffusers) if name.endswith("Scheduler") and "Flax" not in name]
    checked = 0
    for name in names:
        cls = getattr(diffusers, name)
        try:
            cls().save_pretrained(tmp_path / name)
        except (ImportError, TypeError, NotImplementedError, AttributeError):  # one that needs more than defaults
            continue
        check_config(cls, tmp_path / name, name)
        checked += 1
    assert checked > 20


def test_a_tokenizer_belongs_to_its_encoder(tiny_models):
    def tokenizer(**changes):
        made = AutoTokenizer.from_pretrained(str(tiny_models["sd1"] / "tokenizer"))
        for name, value in changes.items():
            setattr(made, name, value)
        return made

    count = len(tokenizer())
    encoder = types.SimpleNamespace(config=types.SimpleNamespace(vocab_size=count, max_position_embeddings=77))
    silent = tokenizer(model_max_length=10**30)
    check_vocabulary("Tiny", silent, encoder, True)
    assert silent.model_max_length == 77
    wrong = [1.5, 2, -1, 78, "77", None, {}]
    for value in wrong:
        with pytest.raises(ModelDamaged, match=r"^Tiny says model_max_length = .*: allowed is 3 to 77\."):
            check_vocabulary("Tiny", tokenizer(model_max_length=value), encoder, True)
    with pytest.raises(ModelDamaged, match="has no pad_token"):
        check_vocabulary("Tiny", tokenizer(pad_token=None), encoder, True)
    more = tokenizer()
    more.add_special_tokens({"eos_token": "<end>"})
    with pytest.raises(ModelDamaged, match=f"has a token {count:,}; its text encoder knows {count:,}"):
        check_vocabulary("Tiny", more, encoder, True)
    check_vocabulary("Tiny", more, encoder, False)


def test_damaged_configurations_of_a_folder_are_answers(studio, own_copy):
    changes = (
        ("tokenizer/tokenizer_config.json", {"model_max_length": 1.5}, "model_max_length = '1.5'"),
        ("text_encoder/config.json", {"hidden_size": []}, "text_encoder would not load"),
        ("text_encoder/config.json", {"num_attention_heads": 0}, "text_encoder would not load"),
        ("text_encoder/config.json", {"num_hidden_layers": 10**6}, "text_encoder says num_hidden_layers = 1000000"),
        ("tokenizer/tokenizer.json", {"decoder": "x"}, "tokenizer would not load"),
        ("vae/config.json", {"scaling_factor": []}, "vae says scaling_factor"),
    )
    model = own_copy()
    here = studio("sd1", Settings(previews=False), model)
    missed = []
    for name, values, expected in changes:
        before = (model / name).read_text()
        (model / name).write_text(json.dumps(json.loads(before) | values))
        try:
            here.make()
        except StudioError as error:
            if expected not in str(error) or "\n" in str(error):
                missed.append((name, values, repr(error)[:200]))
        else:
            missed.append((name, values, "drawn"))
        (model / name).write_text(before)
    assert missed == []
    (model / "tokenizer" / "tokenizer_config.json").unlink()
    assert len(here.make()) == 1
