"""What a LoRA was trained with, as PEFT and diffusers write it down beside the weights: alpha and rank, by layer.

PEFT's folder has ``adapter_config.json``; diffusers keeps the same fields in the header, under
``lora_adapter_metadata``, each behind the network it is about (``unet.lora_alpha``). PEFT (0.21, ``LoraConfig``)
computes alpha / rank, with ``use_rslora`` alpha / sqrt(rank); ``alpha_pattern`` and ``rank_pattern`` go before
``lora_alpha`` and ``r`` for the layers whose name ends in their key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sdstudio.core.errors import ModelDamaged
from sdstudio.core.models.lora_names import NETWORKS

HEADER_KEY: Final = "lora_adapter_metadata"
CONFIG_FILE: Final = "adapter_config.json"
ADAPTER_STEM: Final = "adapter_model"
"""Name of the file, without its ending, that PEFT puts beside `CONFIG_FILE`."""

_CONFIG_MAXIMUM_BYTES: Final = 4 * 2**20
_WILDCARDS_MAXIMUM: Final = 64
_EXPRESSION: Final = frozenset("[](){}+?|\\*^$")
_CHANGED_BASE: Final = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin a training (``init_lora_weights``) that change the model's own weights too."""
_KNOWN: Final = frozenset({"LORA", "LOHA", "LOKR", "IA3", ""})


@dataclass(frozen=True, slots=True)
class LayerScale:
    """Alpha and rank of one layer: ``None`` where nothing is noted."""

    alpha: float | None = None
    rank: int | None = None
    by_root: bool = False


class _Patterns:
    """Values for the layers whose name ends in a pattern; the first that fits counts, as in PEFT's `get_pattern_key`.

    PEFT takes them for regular expressions. Names and ``.*`` between them are understood here, and nothing else.
    """

    def __init__(self, rows: Any) -> None:
        self._literal: dict[str, tuple[int, float]] = {}
        self._wild: list[tuple[int, str, float]] = []
        self.unread: list[str] = []
        for place, (pattern, value) in enumerate(rows.items() if isinstance(rows, dict) else ()):
            number = _number(value)
            bare = pattern.replace("\\.", ".").removeprefix("^").removesuffix("$")
            is_wild = ".*" in bare or pattern.startswith("^")
            if number is None or _EXPRESSION & set(bare.replace(".*", "")) or (is_wild and self._is_full):
                self.unread.append(pattern)
            elif is_wild:
                self._wild.append((place, pattern.replace("\\.", ".").removesuffix("$"), number))
            else:
                self._literal.setdefault(_short(bare), (place, number))

    @property
    def _is_full(self) -> bool:
        return len(self._wild) >= _WILDCARDS_MAXIMUM

    def of(self, stem: str) -> float | None:
        """Return the value for a layer, ``None`` when none is noted."""
        name = _short(stem)
        ends = [name, *(name[place + 1 :] for place, letter in enumerate(name) if letter == ".")]
        values = [self._literal[end] for end in ends if end in self._literal]
        values += [
            (place, number) for place, pattern, number in self._wild
            if any(_matches(pattern.removeprefix("^").split(".*"), end)
                   for end in (ends[:1] if pattern.startswith("^") else ends))
        ]  # fmt: skip
        return min(values)[1] if values else None


@dataclass(frozen=True, slots=True)
class _NetworkConfig:
    alpha: float | None
    rank: int | None
    by_root: bool
    alphas: _Patterns
    ranks: _Patterns


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """What a file notes about the networks that it changes.

    Attributes:
        remarks: What of it is not followed, a sentence each.
    """

    networks: Mapping[str, _NetworkConfig] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def of(self, network: str, stem: str) -> LayerScale:
        """Return what is noted about a layer; ``stem`` is its name as the file has it."""
        config = self.networks.get(network)
        if config is None:
            return LayerScale()
        alpha, rank = config.alphas.of(stem), config.ranks.of(stem)
        whole = int(rank) if rank is not None and rank >= 1 else config.rank
        return LayerScale(config.alpha if alpha is None else alpha, whole, config.by_root)


def config_path(path: Path) -> Path | None:
    """Return where PEFT keeps the configuration of a LoRA file, ``None`` for a file that is not PEFT's."""
    return path.with_name(CONFIG_FILE) if path.stem == ADAPTER_STEM else None


def read_config(path: Path, metadata: Mapping[str, str], as_first: bool = False) -> LoraConfig:
    """Return what was noted about a LoRA file.

    Args:
        path: Of the file.
        metadata: Of its header.
        as_first: As version 0.1 read it: ``lora_alpha`` of the header, and nothing else.

    Raises:
        ModelDamaged: Its ``adapter_config.json`` cannot be read.
    """
    noted = _header_notes(metadata)
    if as_first:
        kept = {f"{network}.lora_alpha": noted.get(f"{network}.lora_alpha") for network in NETWORKS}
        return LoraConfig({network: _config(kept, network, [])[1] for network in NETWORKS})
    beside = config_path(path)
    remarks: list[str] = []
    if beside is not None and not noted:
        if not beside.is_file():
            return LoraConfig({}, (f"{CONFIG_FILE} is not beside it, so its alpha is taken for its rank",))
        noted = _file_notes(beside)
    configs = dict(_config(noted, network, remarks) for network in NETWORKS) if noted else {}
    return LoraConfig(configs, tuple(dict.fromkeys(remarks)))


def as_header(path: Path, networks: frozenset[str]) -> dict[str, str]:
    """Return a PEFT folder's configuration as diffusers keeps it in a header; nothing for other files.

    Args:
        path: Of the file beside which it lies.
        networks: Which networks the file changes.

    Raises:
        ModelDamaged: It cannot be read.
    """
    beside = config_path(path)
    if beside is None or not beside.is_file():
        return {}
    notes = _file_notes(beside)
    rows = {f"{network}.{name}": value for network in sorted(networks) for name, value in notes.items()}
    return {HEADER_KEY: json.dumps(rows, sort_keys=True)}


def _header_notes(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        notes = json.loads(metadata.get(HEADER_KEY) or "{}")
    except (ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _file_notes(path: Path) -> dict[str, Any]:
    hint = "Get it again from where the LoRA came from."
    try:
        if path.stat().st_size > _CONFIG_MAXIMUM_BYTES:
            raise ModelDamaged(f"{path} is larger than {_CONFIG_MAXIMUM_BYTES:,} bytes.", hint)
        notes = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelDamaged(f"{path} is damaged: it is no readable JSON.", hint) from error
    if not isinstance(notes, dict):
        raise ModelDamaged(f"{path} is damaged: it holds no JSON object.", hint)
    return notes


def _config(noted: Mapping[str, Any], network: str, remarks: list[str]) -> tuple[str, _NetworkConfig]:
    """Return what is noted for a network: behind its name, or, in a file for one network, behind none."""
    start = f"{network}."
    own = {name.removeprefix(start): value for name, value in noted.items() if name.startswith(start)}
    config = own if own or any(name.startswith(f"{other}.") for other in NETWORKS for name in noted) else dict(noted)
    alpha = _number(config.get("lora_alpha", config.get("alpha")))
    rank = _number(config.get("r"))
    alphas, ranks = _Patterns(config.get("alpha_pattern")), _Patterns(config.get("rank_pattern"))
    for pattern in (*alphas.unread, *ranks.unread):
        remarks.append(f"the pattern {pattern[:60]!r} of its configuration is not understood")
    kind = str(config.get("peft_type") or "").upper().rpartition(".")[2]
    if kind not in _KNOWN:
        remarks.append(f"it was trained as {kind[:40]}, which is drawn only as far as it is a LoRA")
    begun = str(config.get("init_lora_weights", "")).lower()
    if begun.startswith(_CHANGED_BASE):
        remarks.append(f"it was trained beside changed weights ({begun[:40]}), which are not in the file")
    whole = int(rank) if rank is not None and rank >= 1 else None
    return network, _NetworkConfig(alpha, whole, config.get("use_rslora") is True, alphas, ranks)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6
    return float(value) if is_number and math.isfinite(value) else None


def _short(name: str) -> str:
    return name.removeprefix("base_model.model.").removeprefix("text_model.")


def _matches(pieces: list[str], text: str) -> bool:
    """Whether a text is these pieces with anything between them."""
    first, *others = pieces
    if not text.startswith(first):
        return False
    if not others:
        return text == first
    place = len(first)
    for piece in others[:-1]:
        start = text.find(piece, place)
        if start < 0:
            return False
        place = start + len(piece)
    return text.endswith(others[-1]) and len(text) - len(others[-1]) >= place
