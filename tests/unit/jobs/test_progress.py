"""Every event of the engine says the same about its job wherever it is shown."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from sdstudio.cli.console import Console
from sdstudio.cli.progress import ProgressBars
from sdstudio.core.events import (
    Decoding,
    Encoding,
    EngineEvent,
    Enlarging,
    GuidanceStep,
    ImageMade,
    ModelLoading,
    NotConverted,
    Notice,
    RegionStep,
    StepDone,
)
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.jobs.progress import Progress, progress_of

_PIXELS = np.zeros((1, 1, 3), np.float32)
SAMPLES = (
    ModelLoading("Starter", 0.4, "unet"),
    ModelLoading("Starter", 1.0, "vae"),
    Enlarging(3, 12, 0.5),
    StepDone(12, 20, 0, 1, 1, 0.1),
    StepDone(5, 20, 2, 2, 4, 2.0),
    StepDone(1, 20, 0, 1, 1, 0.0),
    Decoding(1, 4),
    Decoding(0, 1),
    RegionStep(2, 3, 5, 8, 0, 1, 0.5),
    RegionStep(1, 1, 8, 8, 1, 2, 0.0),
    StepDone(12, 20, 0, 1, 1, 2.0, tile=3, tiles=4, left=3.25, whole=13.0),
    Encoding(3, 12),
    Decoding(0, 1, 3, 12),
    ImageMade(0, Image.new("RGB", (8, 8)), Recipe(app="test", request=GenerationRequest(model="starter"))),
    Notice("A prompt was cut."),
    NotConverted(ModelInfo("tiny", "Tiny", Path("tiny"), "sd1")),
    GuidanceStep(1, 20, _PIXELS, None, _PIXELS, _PIXELS),
)
SILENT = (Notice, NotConverted, GuidanceStep)
"""Events that say something else than how far the job is."""


def test_every_class_of_events_has_its_words_or_is_none_of_progress():
    assert {type(sample) for sample in SAMPLES} == set(get_args(EngineEvent))
    for sample in SAMPLES:
        progress = progress_of(sample)
        assert (progress is None) == isinstance(sample, SILENT), sample
        if progress is not None:
            assert progress.text, sample
            assert progress.short, sample
            assert progress.verb.endswith("ing"), sample
            assert progress.fraction <= 1, sample


def test_the_words_are_those_of_each_place():
    assert [progress_of(sample) for sample in SAMPLES[:13]] == [
        Progress("loading Starter · UNet", "loading 40%", "loading", 0.4, "Starter: UNet", "loading 40%",
                 "Loading Starter  40% · UNet"),
        Progress("reading the prompt", "starting", "loading", 0.0, "Starter: VAE", "starting", "Reading the prompt…"),
        Progress("enlarging · tile 3 of 12 · 4 s left", "enlarging 25%", "enlarging", 0.25, "", "enlarging 25%",
                 "Enlarging  25%"),
        Progress("step 12 of 20 · 10.0 it/s · 1 s left", "60%", "drawing", 0.6, "1 of 1", "12 / 20", "Step 12 of 20"),
        Progress("picture 3–4 of 4 · step 5 of 20 · 2.0 s/it · 30 s left", "62%", "drawing", 0.625, "4 of 4",
                 "5 / 20 · 3 of 4", "Step 5 of 20"),
        Progress("step 1 of 20", "5%", "drawing", 0.05, "1 of 1", "1 / 20", "Step 1 of 20"),
        Progress("decoding picture 2 of 4", "decoding", "decoding", -1.0, "2 of 4", "decoding",
                 "Turning it into pixels…"),
        Progress("decoding", "decoding", "decoding", -1.0, "1 of 1", "decoding", "Turning it into pixels…"),
        Progress("region 2 of 3 · step 5 of 8 · 2.0 it/s · 6 s left", "region 2/3", "redrawing", 13 / 24,
                 "region 2 of 3", "region 2 of 3", "Region 2 of 3"),
        Progress("picture 2 of 2 · region 1 of 1 · step 8 of 8", "region 1/1", "redrawing", 1.0, "region 1 of 1",
                 "region 1 of 1", "Region 1 of 1"),
        Progress("step 13 of 20 · tile 3 of 4 · 2.0 s/it · 6 s left", "75%", "drawing", 0.75, "1 of 1 · tile 3 of 4",
                 "13 / 20", "Step 13 of 20 · tile 3 of 4"),
        Progress("encoding · tile 3 of 12", "encoding", "encoding", -1.0, "tile 3 of 12", "encoding",
                 "Reading it in tiles: 3 of 12"),
        Progress("decoding · tile 3 of 12", "decoding", "decoding", -1.0, "1 of 1 · tile 3 of 12", "decoding",
                 "Turning it into pixels…"),
    ]  # fmt: skip


def test_no_bar_goes_back_while_a_batch_is_decoded():
    events = [StepDone(step, 2, 0, 4, 4, 0.1) for step in (1, 2)] + [Decoding(image, 4) for image in range(4)]
    fractions = [progress.fraction for event in events if (progress := progress_of(event)) is not None]
    told = [fraction for fraction in fractions if fraction >= 0]
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_the_terminal_shows_the_same_words(sample, monkeypatch):
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    bars = ProgressBars(Console(), 1)
    bars.show(StepDone(1, 20, 0, 1, 1, 0.1))
    bars.show(sample)
    bars.close()
    progress = progress_of(sample)
    shown = progress.title if progress is not None and progress.card else "Drawing 1 of 1"
    assert shown in err.getvalue()
