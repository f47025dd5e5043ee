"""Tiny detectors with random weights: stock transformers classes at sizes that run in milliseconds. They find nothing.

Folders as the real ones are laid out; the weights come from a fixed seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.tiny_models import WORDS, clip_tokenizer


def tiny_grounding_dino(path: Path) -> Path:
    """Write a Grounding DINO folder: a Swin backbone, a BERT, and ten queries."""
    from transformers import BertTokenizer, GroundingDinoConfig, GroundingDinoForObjectDetection

    torch.manual_seed(1)
    swin = {
        "model_type": "swin", "image_size": 64, "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
        "window_size": 4, "out_indices": [2, 3, 4],
    }  # fmt: skip
    bert = {
        "model_type": "bert", "vocab_size": len(_words()), "hidden_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64,
    }  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=swin, text_config=bert, d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=10, max_text_len=64,
        fusion_droppath=0.0,
    )  # fmt: skip
    GroundingDinoForObjectDetection(config).eval().save_pretrained(path)
    size = {"shortest_edge": 128, "longest_edge": 192}
    _processor(path, "GroundingDino", {"size": size, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})
    BertTokenizer(vocab=_words()).save_pretrained(path)
    return path


def tiny_owl(path: Path, version: str = "v2") -> Path:
    """Write an OWL-ViT or OWLv2 folder."""
    import transformers

    torch.manual_seed(2)
    tokenizer = clip_tokenizer()
    prefix = "Owlv2" if version == "v2" else "OwlViT"
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 16,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
        "patch_size": 8,
    }  # fmt: skip
    config = getattr(transformers, f"{prefix}Config")(text_config=text, vision_config=vision, projection_dim=16)
    getattr(transformers, f"{prefix}ForObjectDetection")(config).eval().save_pretrained(path)
    _processor(path, prefix, {"size": {"height": 32, "width": 32}})
    tokenizer.save_pretrained(path)
    return path


def _processor(path: Path, prefix: str, more: dict[str, Any]) -> None:
    names = {"image_processor_type": f"{prefix}ImageProcessor", "processor_class": f"{prefix}Processor"}
    (path / "preprocessor_config.json").write_text(json.dumps({**names, **more}))


def _words() -> dict[str, int]:
    marks = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?")
    return {word: at for at, word in enumerate((*marks, *WORDS, "hand"))}
