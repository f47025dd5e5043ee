"""LoRA and VAE in the whole window: from the folder to the engine, refused where it is about, back from a picture."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtTest import QTest
from safetensors.numpy import save_file

from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.forms.asset_editors import LoraEditor
from tests.unit.background.fakes import ScriptedEngine, picture, recipe

WAIT_MS = 20_000
LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"


class Recording(ScriptedEngine):
    """Writes down what was attached to the model of each job."""

    def __init__(self, settings) -> None:
        super().__init__(settings)
        self.attached = []

    def generate(self, resolved, *rest) -> None:
        self.attached.append([(adapter.kind, adapter.name, adapter.unet_weight) for adapter in resolved.adapters])
        super().generate(resolved, *rest)


def write_lora(path, width):
    path.parent.mkdir(exist_ok=True)
    down, up = np.zeros((2, width), np.float32), np.zeros((320, 2), np.float32)
    notes = {"ss_tag_frequency": '{"10_ink": {"ink style": 40, "wash": 12}}'}
    save_file({f"{LAYER}.lora_down.weight": down, f"{LAYER}.lora_up.weight": up}, path, notes)


@pytest.fixture
def engines():
    return []


@pytest.fixture
def studio(build, home, engines):
    write_lora(home.models / "Lora" / "ink.safetensors", 768)
    write_lora(home.models / "Lora" / "cinema.safetensors", 2048)
    (home.models / "VAE").mkdir()
    vae = {"first_stage_model.decoder.conv_in.weight": np.zeros((2, 2), np.float32)}
    save_file(vae, home.models / "VAE" / "soft.safetensors")

    def make_engine(settings):
        engines.append(Recording(settings))
        return engines[-1]

    made = build(make_engine=make_engine)
    made.window.panel.set_model("tiny")
    return made


def loras(studio):
    editor = studio.window.panel.field("loras").editor
    assert isinstance(editor, LoraEditor)
    return editor


def generate(studio):
    studio.window.editor.generate_button.click()


def test_what_the_panel_and_the_prompt_name_reaches_the_engine(studio, engines, qtbot):
    loras(studio).add("ink", 0.5)
    studio.window.panel.field("vae").set_value("soft")
    studio.window.editor.set_prompt("red heart <lora:ink:0.25>")
    generate(studio)
    qtbot.waitUntil(lambda: studio.history.count() == 1, timeout=WAIT_MS)
    assert engines[0].attached == [[("lora", "ink", 0.75), ("vae", "soft", 1.0)]]
    assert studio.history.entries()[0].recipe.request.loras == (("ink", 0.5),)


def test_a_lora_of_another_family_is_refused_at_its_field_before_anything_is_queued(studio):
    loras(studio).set_value([("cinema", 1.0)])
    generate(studio)
    assert "made for Stable Diffusion XL" in studio.window.panel.field("loras").error
    assert studio.controller.jobs() == ()


def test_an_unknown_one_in_the_prompt_is_refused_with_what_was_meant(studio):
    studio.window.editor.set_prompt("red heart <lora:imk:1>")
    generate(studio)
    assert "Did you mean ink?" in studio.window.editor.message
    assert studio.controller.jobs() == ()


def test_a_picture_brings_its_lora_and_vae_back(studio):
    request = GenerationRequest(
        model="tiny", prompt="red heart", width=64, height=64, seed=1, loras=(("ink", 0.7),), vae="soft", rng="nvidia"
    )
    entry = studio.history.save(picture(request, 1), recipe(request, 1))
    studio.window.actions_on_entries.ask("restore", [entry])
    assert loras(studio).value() == (("ink", 0.7),)
    assert studio.window.panel.value("vae") == "soft"
    assert studio.window.panel.value("rng") == "nvidia"
    assert [row.problem for row in loras(studio).rows] == [""]


def test_trigger_words_go_into_the_prompt(studio):
    studio.window.editor.set_prompt("red heart")
    loras(studio).add("ink")
    loras(studio).rows[0].words_button.menu().actions()[0].trigger()
    assert studio.window.editor.prompt == "red heart, ink style"


def test_searching_the_history_finds_pictures_by_their_lora(studio):
    request = GenerationRequest(model="tiny", prompt="red heart", width=64, height=64, seed=1, loras=(("ink", 0.7),))
    kept = recipe(request, 1)
    adapters = [{"kind": "lora", "name": "ink-wash", "hash": "aa"}]
    studio.history.save(picture(request, 1), kept.model_copy(update={"made_with": {"adapters": adapters}}))
    assert studio.history.count("ink-wash") == 1
    assert studio.history.count("pencil") == 0


def test_a_lora_that_came_is_known_while_the_cursor_stays_in_the_prompt(studio, home, qtbot):
    edit, listed = studio.window.editor.prompt_edit, studio.window.editor.completions[0]
    edit.setFocus()
    qtbot.waitUntil(lambda: edit.hasFocus() and studio.tasks.is_idle, timeout=WAIT_MS)
    write_lora(home.models / "Lora" / "watercolour.safetensors", 768)
    studio.window.shell.rescan()
    qtbot.waitUntil(lambda: studio.tasks.is_idle, timeout=WAIT_MS)
    QTest.keyClicks(edit, "fox <lora:waterc")
    qtbot.waitUntil(lambda: not listed.isHidden(), timeout=WAIT_MS)
    assert [listed.item(row).text() for row in range(listed.count())] == ["watercolour"]
