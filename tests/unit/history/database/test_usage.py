"""How often models and what was attached to them were used, and when last."""

from __future__ import annotations

from PIL import Image

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest


def _save(history, model: str, adapters: list[dict[str, object]] | None = None):
    request = GenerationRequest(prompt="heart", model=model, width=64, height=64, seed=1)
    made_with = {"adapters": adapters} if adapters is not None else {}
    return history.save(Image.new("RGB", (64, 64)), Recipe(app="test", request=request, made_with=made_with))


def test_pictures_are_counted_by_what_drew_them(history):
    style = {"kind": "lora", "name": "style", "hash": "", "text_weight": 1.0, "unet_weight": 0.5}
    entries = [
        _save(history, "starter", []),
        _save(history, "starter", [style, {"kind": "vae", "name": "kl"}]),
        _save(history, "/models/other", [style, style]),
        _save(history, "gone"),
    ]
    history.delete([entries[3].id])
    found = history.uses()
    assert {key: use.pictures for key, use in found.items()} == {
        ("checkpoint", "starter"): 2, ("checkpoint", "/models/other"): 1, ("lora", "style"): 2, ("vae", "kl"): 1,
    }  # fmt: skip
    assert found["lora", "style"].last == entries[2].created
    assert found["checkpoint", "starter"].last == entries[1].created


def test_a_fresh_history_has_used_nothing(history):
    assert history.uses() == {}


def test_the_newest_picture_of_each_model_is_known(history):
    entries = [_save(history, "starter"), _save(history, "starter"), _save(history, "other"), _save(history, "gone")]
    history.delete([entries[3].id])
    found = history.newest_by_model()
    assert {key: (one.thumbnail, one.made) for key, one in found.items()} == {
        "starter": (entries[1].thumbnail, entries[1].created), "other": (entries[2].thumbnail, entries[2].created),
    }  # fmt: skip
