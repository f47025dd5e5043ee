"""Detectors of the stock classes, read without torchvision: their boxes are transformers' own.

Their weights are random, so what they find says nothing.
"""

from __future__ import annotations

import json
import shutil
import threading
from importlib import import_module

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from sdstudio.catalog.detectors import DETECTORS
from sdstudio.core.errors import Cancelled, ModelDamaged, ModelUnsupported
from sdstudio.core.models.adapter import Adapter
from sdstudio.engine.pictures.detector import TextDetector
from tests.tiny_detectors import tiny_grounding_dino, tiny_owl

BUILDERS = {
    "GroundingDinoForObjectDetection": tiny_grounding_dino,
    "Owlv2ForObjectDetection": tiny_owl,
    "OwlViTForObjectDetection": lambda path: tiny_owl(path, "vit"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("detectors")
    return {row.architecture: BUILDERS[row.architecture](root / row.architecture) for row in DETECTORS}


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8))


def detector(folder, cancel=None):
    adapter = Adapter("detector", "tiny", folder / "model.safetensors")
    return TextDetector(adapter, lambda event: None, cancel or threading.Event())


@pytest.mark.parametrize("row", DETECTORS, ids=lambda row: row.architecture)
def test_boxes_and_scores_are_those_of_the_stock_processor(folders, picture, row):
    folder, phrases = str(folders[row.architecture]), ["a face", "a frog"]
    model = getattr(transformers, row.architecture).from_pretrained(folder, local_files_only=True).eval()
    module, name = row.processor
    processor = getattr(import_module(f"transformers.models.{module}"), name).from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if row.is_one_text:
        tokens = tokenizer("a face. a frog.", return_tensors="pt")
    else:
        tokens = tokenizer(["a face", "a frog"], return_tensors="pt", padding="max_length", max_length=16)
    with torch.inference_mode():
        output = model(**processor(picture, return_tensors="pt"), **tokens)
    (stock,) = processor.post_process_object_detection(output, threshold=0.0, target_sizes=[(50, 80)])
    scores, boxes, labels = (stock[name].numpy() for name in ("scores", "boxes", "labels"))
    finds = detector(folders[row.architecture]).find(picture, "A face. a frog, a face.")
    assert 3 <= len(finds) <= len(scores)
    assert [one.score for one in finds] == sorted((one.score for one in finds), reverse=True)
    for one in finds:
        at = int(np.abs(boxes - one.box).sum(1).argmin())
        assert np.abs(boxes[at] - one.box).max() < 0.01
        assert row.is_one_text or (abs(scores[at] - one.score) < 1e-4 and labels[at] == phrases.index(one.label))
        assert one.score <= scores[at] + 1e-4
        assert one.label in phrases


def test_a_query_without_words_finds_nothing_and_a_set_cancel_ends_it(folders, picture):
    folder = folders["OwlViTForObjectDetection"]
    for query in ("  ", " . , "):
        assert detector(folder).find(picture, query) == []
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        detector(folder, cancel).find(picture, "a face")


def changed_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), ModelDamaged, "lacks its config.json"),
        (lambda folder: (folder / "config.json").write_text("[" * 9999), ModelDamaged, "config.json is damaged"),
        (lambda folder: changed_config(folder, architectures=["BertModel"]), ModelUnsupported, "holds no detector"),
        (lambda folder: changed_config(folder, use_timm_backbone=True), ModelUnsupported, "lies elsewhere"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), ModelDamaged, "model.safetensors"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), ModelDamaged, "cannot be read"),
        (lambda folder: changed_config(folder, projection_dim=24), ModelDamaged, "the detector"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), ModelDamaged, "cannot be read"),
    ],
    ids=["no config", "nested config", "other", "timm", "weights", "tokenizer", "shapes", "no processor"],
)
def test_a_damaged_folder_is_named_in_one_line(folders, picture, tmp_path, damage, error, words):
    folder = shutil.copytree(folders["OwlViTForObjectDetection"], tmp_path / "owl")
    damage(folder)
    with pytest.raises(error, match=words) as caught:
        detector(folder).find(picture, "a face")
    assert "\n" not in str(caught.value)
    assert "owl" in str(caught.value)
