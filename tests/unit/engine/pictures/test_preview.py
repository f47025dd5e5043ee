from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.catalog.previews import PREVIEW_BY_KEY, PREVIEWS, PreviewSpec
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SCHEDULERS
from sdstudio.core.events import ImageMade
from sdstudio.core.settings import Settings
from sdstudio.engine.pictures import preview
from sdstudio.engine.pictures.preview import Previewer
from sdstudio.engine.vae import Vae

ON = Settings(previews=True, preview_interval_ms=0)


def rendered(latents: torch.Tensor, spec: PreviewSpec = PREVIEWS[0]) -> np.ndarray:
    """The factors written out pixel by pixel, as the table's docstring says it."""
    channels = latents[0].permute(1, 2, 0).numpy()
    values = np.clip(channels @ np.array(spec.factors) + np.array(spec.bias), -1, 1)
    return np.round((values + 1) * 127.5)


def as_array(frame) -> np.ndarray:
    return np.frombuffer(frame.rgb, dtype=np.uint8).reshape(frame.height, frame.width, 3)


def kept_latents(monkeypatch) -> list[torch.Tensor]:
    """Return a list that fills with what is handed to the decoder."""
    final = []
    decode = Vae.decode

    def keeping(self, drawn):
        final.append(drawn.latents)
        return decode(self, drawn)

    monkeypatch.setattr(Vae, "decode", keeping)
    return final


@pytest.mark.parametrize("family", ["sd1", "sd2"])
@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_the_last_preview_shows_the_final_latents(studio, monkeypatch, spec, family):
    final = kept_latents(monkeypatch)
    here = studio(family)
    here.engine.configure(ON)
    here.make([5], scheduler=spec.key, steps=6, height=72)
    frames = [step.preview for step in here.steps]
    assert all(frames)
    last = as_array(frames[-1])
    assert last.shape == (9, 8, 3)
    # Multistep solvers mix the last prediction with earlier ones; DEIS, PNDM, DDIM and TCD end a hair above zero noise.
    assert np.abs(last - rendered(final[0])).mean() < 6


def test_the_preview_of_sdxl_uses_its_own_factors(studio, monkeypatch):
    final = []
    decode = Vae.decode
    monkeypatch.setattr(Vae, "decode", lambda self, drawn: final.append(drawn.latents) or decode(self, drawn))
    here = studio("sdxl")
    here.engine.configure(ON)
    here.make([5])
    ours, others = (rendered(final[0], spec) for spec in (PREVIEW_BY_KEY["sdxl"], PREVIEW_BY_KEY["sd1"]))
    last = as_array(here.steps[-1].preview)
    assert np.abs(last - ours).mean() < 2 < np.abs(last - others).mean()


@pytest.mark.parametrize("spec", [SCHEDULER_BY_KEY[key] for key in ("euler_a", "dpmpp_sde", "ddpm", "dpmpp_2m_sde")])
def test_previews_are_clean_from_the_first_step(studio, spec):
    """The step's own result carries the noise of its level: its spread is many times that of a picture's latents."""
    here = studio("sd1")
    here.engine.configure(ON)
    here.make([5], scheduler=spec.key, steps=8)
    first, last = (as_array(here.steps[i].preview).astype(float) for i in (0, -1))
    assert first.std() < last.std() * 3 + 20
    assert (first > 0).mean() > 0.02


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_previews_change_no_pixel(studio, spec):
    here = studio("sd1")
    (off,) = here.make([5], scheduler=spec.key)
    assert not any(step.preview for step in here.steps)
    here.engine.configure(ON)
    (on,) = here.make([5], scheduler=spec.key)
    assert any(step.preview for step in here.steps)
    assert np.array_equal(np.asarray(on.pixels), np.asarray(off.pixels))


@pytest.mark.parametrize(("interval_ms", "shown"), [(0, list(range(1, 21))), (100, [1, 5, 9, 13, 17]), (310, [1, 12])])
def test_the_interval_of_the_settings_holds(studio, monkeypatch, interval_ms, shown):
    now = [1000.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    here = studio("sd1")
    here.engine.configure(Settings(preview_interval_ms=interval_ms))

    def tick(event):
        now[0] += 0.03

    here.make([5], steps=20, on_event=tick)
    assert [step.step for step in here.steps if step.preview] == shown


def test_the_preview_of_a_batch_is_of_its_first_picture(studio):
    here = studio("sd1")
    here.engine.configure(ON)
    here.make([5, 6], batch_size=2)
    batch = here.steps[-1].preview
    here.make([5])
    assert np.abs(as_array(batch).astype(int) - as_array(here.steps[-1].preview)).max() <= 2


def test_without_previews_none_is_made_and_the_scheduler_is_afterwards_what_it_was(studio):
    here = studio("sd1")
    here.make([5])
    assert len(here.steps) == 3
    assert all(step.preview is None for step in here.steps)
    assert "step" not in vars(here.pipe.scheduler)
    assert isinstance(here.events[-1], ImageMade)


def test_factors_of_another_latent_space_give_no_preview():
    scheduler = type("Scheduler", (), {"step": lambda self, *args, **kwargs: None})()
    watcher = Previewer(PreviewSpec("16 channels", ((0.0, 0.0, 0.0),) * 16), torch.device("cpu"))
    watcher.watch(scheduler)
    assert watcher.rendered(torch.zeros(4, 8, 8)) is None
    assert watcher.take() is None


@pytest.mark.parametrize("spec", PREVIEWS, ids=lambda spec: spec.key)
def test_rendering_follows_the_table(spec):
    latents = torch.randn(1, 4, 5, 3, generator=torch.Generator().manual_seed(1))
    frame = Previewer(spec, torch.device("cpu")).rendered(latents[0])
    assert (frame.width, frame.height) == (3, 5)
    assert np.abs(as_array(frame) - rendered(latents, spec)).max() <= 1
