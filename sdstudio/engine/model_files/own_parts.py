"""What a folder's configuration has that its family's has not, and therefore has to travel inside its single file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from transformers import CLIPTextConfig

from sdstudio.catalog.checkpoints import CHECKPOINTS
from sdstudio.core.errors import ModelUnsupported
from sdstudio.core.models.checkpoint import PARTS_KEY, VOCABULARY_FILES, EmbeddedParts
from sdstudio.core.paths import resources
from sdstudio.engine.families.stable_diffusion import LEFT_OUT
from sdstudio.engine.model_files.folder import Component, ModelFiles
from sdstudio.engine.model_files.loading import component_class
from sdstudio.engine.model_files.single_file import CLIP_FOLDER
from sdstudio.engine.samplers.schedulers import TRAINED

NOTES_FILE: Final = "sdstudio.json"
_VERSION: Final = "#version"
# What decides a text encoder's numbers; the rest of its configuration is about training and token numbers.
_TEXT_FACTS: Final = (
    "hidden_act", "hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "layer_norm_eps",
    "max_position_embeddings", "vocab_size",
)  # fmt: skip
# Entries on how a network was made or is best used, and does not change what it computes.
_NO_FACTS: Final = frozenset({"sample_size", "dropout"})


def own_parts(files: ModelFiles) -> dict[str, str]:
    """Return the header's note with a folder's own configuration; empty when one of the shipped rows reads it too.

    Raises:
        ModelUnsupported: Its vocabulary is in a form that cannot travel.
    """
    raw = _json(files.folder / "model_index.json")
    index = {name: [None, None] if name in LEFT_OUT and name in raw else value for name, value in raw.items()}
    notes = _json(files.folder / NOTES_FILE)
    configs = {part.name: _json(_config_file(part)) for part in files.components}
    vocabularies = {part.name: _words(part) for part in files.components if "Tokenizer" in part.class_name}
    shipped = _parsed_clip()
    own_words = {name: words for name, words in vocabularies.items() if _parsed(words) != shipped}
    if (
        not notes
        and not own_words
        and any(_reads(row.key, files, configs) for row in CHECKPOINTS if row.pipeline == files.pipeline)
    ):
        return {}
    return {PARTS_KEY: EmbeddedParts(index, configs, own_words, notes).as_text()}


def _reads(key: str, files: ModelFiles, configs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a shipped row is the same as a folder."""
    shipped = resources() / "configs" / key
    for part in files.components:
        theirs = _json(shipped / part.name / _config_file(part).name)
        if not theirs or _facts(files, part, configs[part.name]) != _facts(files, part, theirs):
            return False
    return True


def _facts(files: ModelFiles, part: Component, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a part's configuration decides its numbers, defaults filled in."""
    if "Tokenizer" in part.class_name:
        pad = config.get("pad_token")
        return {"pad_token": pad.get("content") if isinstance(pad, dict) else pad}
    if part.library == "transformers":
        filled = CLIPTextConfig(**{name: value for name, value in config.items() if name in _TEXT_FACTS})
        return {name: getattr(filled, name) for name in _TEXT_FACTS}
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(component_class(files, part).__init__).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    named = {name: config[name] if config.get(name) is not None else value for name, value in defaults.items()}
    if "Scheduler" in part.class_name:
        return {name: named.get(name) for name in TRAINED}
    return {name: _plain(value) for name, value in named.items() if name not in _NO_FACTS}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _config_file(part: Component) -> Path:
    if "Tokenizer" in part.class_name:
        return part.folder / "tokenizer_config.json"
    return part.folder / ("scheduler_config.json" if "Scheduler" in part.class_name else "config.json")


def _words(part: Component) -> dict[str, str]:
    """Return a tokenizer's two files; made from ``tokenizer.json`` where they are not there."""
    files = {name: part.folder / name for name in VOCABULARY_FILES}
    if all(file.is_file() for file in files.values()):
        return {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    match _json(part.folder / "tokenizer.json").get("model"):
        case {"vocab": dict(vocabulary), "merges": list(merges)} if all(map(_is_merge, merges)):
            lines = (merge if isinstance(merge, str) else " ".join(merge) for merge in merges)
            return {"vocab.json": json.dumps(vocabulary, ensure_ascii=False), "merges.txt": "\n".join(lines) + "\n"}
    raise ModelUnsupported(f"{part.folder} holds no vocabulary of CLIP's kind.", "Keep the folder.")


def _is_merge(value: Any) -> bool:
    """Whether this is one of the merges of a ``tokenizer.json``, which older ones write as one text."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _parsed(words: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    lines = words["merges.txt"].splitlines()
    return json.loads(words["vocab.json"]), [line for line in lines if line and not line.startswith(_VERSION)]


def _parsed_clip() -> tuple[dict[str, int], list[str]]:
    return _parsed({name: (CLIP_FOLDER / name).read_text(encoding="utf-8") for name in VOCABULARY_FILES})


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
