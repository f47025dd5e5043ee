"""What a LoRA's header records: its algorithm, the embeddings that it brings along, and what is not drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdstudio.core.models.lora_config import read_config
from sdstudio.core.models.lora_names import algorithm, doubtful, read_names
from sdstudio.core.models.safetensors_header import Header
from sdstudio.core.models.work import listed


@dataclass(frozen=True, slots=True)
class LoraFacts:
    """What a header records.

    Attributes:
        network: Its algorithm, "" for a plain LoRA.
        bundled: Names of embeddings.
        not_drawn: What of it is not drawn with, a sentence each.
    """

    network: str
    bundled: tuple[str, ...]
    not_drawn: tuple[str, ...]


def lora_facts(path: Path, header: Header) -> LoraFacts:
    """Return what a LoRA's header records; what lies beside the file is not looked at."""
    odd = doubtful(header.tensors)
    # what such a tensor is depends on its neighbours
    whole = list(header.tensors) if any(".lora_E" in name for name in odd) else odd
    names = read_names(whole, path.parent.name)
    not_drawn = [
        f"{len(row.names)} of its {len(header.tensors)} tensors are not drawn with, {row.reason}: "
        f"{listed(list(row.names))}"
        for row in names.unread
    ]
    not_drawn += read_config(path.with_name("header"), header.metadata).remarks
    return LoraFacts(algorithm(header.tensors), tuple(names.bundled), tuple(not_drawn))
