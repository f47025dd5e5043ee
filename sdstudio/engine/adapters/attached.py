"""What is attached to a loaded model besides its own parts, and how it changes from one job to the next.

What two jobs in a row both use stays in memory; what the next one does not use is let go of before it begins.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from sdstudio.catalog.kinds import KIND_BY_KEY, LORA, PICKLES
from sdstudio.core.errors import ModelPickled
from sdstudio.core.events import EventSink, ModelLoading, Notice
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.settings import PICKLES_HINT
from sdstudio.engine.adapters.attached_file import Stamp, stamp_of, wrong_family
from sdstudio.engine.adapters.attached_lora import AttachedLoras
from sdstudio.engine.adapters.embeddings import Embeddings, read_embedding
from sdstudio.engine.adapters.vae_file import load_vae


class Attached:
    """LoRA, embeddings and VAE of one pipeline.

    Args:
        pipe: The pipeline.
        lora_networks: Its parts that a LoRA can change.

    Attributes:
        embeddings: What prompts may name.
    """

    def __init__(self, pipe: Any, lora_networks: Sequence[str]) -> None:
        self._pipe = pipe
        self._own_vae = getattr(pipe, "vae", None)
        self._vae: Stamp | None = None
        self._loras = AttachedLoras(pipe, lora_networks)
        self._files: dict[Stamp, tuple[torch.Tensor, ...]] = {}
        self.embeddings = Embeddings()

    def attach(
        self, resolved: ResolvedRequest, with_pickles: bool, device: torch.device, on_event: EventSink,
        cancel: threading.Event,
    ) -> bool:  # fmt: skip
        """Attach what a job comes with, and take everything else off.

        Args:
            resolved: Its adapters are attached.
            with_pickles: Whether embeddings and VAEs that are pickles may be used.
            device: Where LoRA are kept.
            on_event: Gets what is read.
            cancel: Set by anyone to stop.

        Returns:
            Whether something, another VAE for example, does not yet lie where the memory plan wants it.

        Raises:
            InvalidRequest: Something was made for another family.
            ModelError: A file cannot be read, or is not what it should be.
            Cancelled: ``cancel`` was set.
        """
        if not with_pickles:
            refuse_pickles(resolved.adapters)
        for sentence in (sentence for adapter in resolved.adapters for sentence in adapter.remarks):
            on_event(Notice(f"{sentence}.", "Name the file with its folder to choose another."))
        model = resolved.model
        moved = self._loras.attach(model, resolved.loras, device, on_event, cancel)
        brought = self._loras.embeddings(resolved.loras)
        self._attach_embeddings(model, resolved.embeddings, brought, on_event)
        return self._attach_vae(model, resolved.vae, on_event, cancel) or moved

    def begin_pass(self, second: bool) -> None:
        """Let LoRA act as they do in a job's first or second pass."""
        self._loras.begin_pass(second)

    @property
    def new_networks(self) -> tuple[nn.Module, ...]:
        """The VAE that stands in for the model's own, if one does."""
        return (self._pipe.vae,) if self._vae is not None else ()

    def _attach_embeddings(
        self, model: ModelInfo, wanted: Sequence[Adapter], brought: Mapping[str, Sequence[torch.Tensor]],
        on_event: EventSink,
    ) -> None:  # fmt: skip
        """Attach the library's embeddings, and those that LoRA bring along under other names."""
        stamped = [(stamp_of(adapter, "Embedding"), adapter) for adapter in wanted]
        self._files = {
            stamp: self._files[stamp] if stamp in self._files else read_embedding(adapter.path)
            for stamp, adapter in stamped
        }
        widths = self._encoder_widths()
        for stamp, adapter in stamped:
            there = {tensor.shape[1] for tensor in self._files[stamp]}
            of_one = there < widths and adapter.family in ("", model.family)
            if there != widths and not of_one:
                raise wrong_family("prompt", "Embedding", adapter, model, max(there), max(widths))
            if of_one:
                encoders = f"one of the {len(widths)} text encoders of {model.name}"
                message = f"Embedding {adapter.name}: it is made for {encoders}."
                on_event(Notice(message, "The other reads nothing in its place, as in ComfyUI."))
        own = {adapter.name: self._files[stamp] for stamp, adapter in stamped}
        taken = {name.casefold() for name in own}
        for name in (name for name in brought if name.casefold() in taken):
            message = f"Embedding {name}: the library's own is used, and not the one that a LoRA brings along."
            on_event(Notice(message, "Rename the library's file to use the other."))
        self.embeddings = Embeddings({name: row for name, row in brought.items() if name.casefold() not in taken} | own)

    def _encoder_widths(self) -> set[int]:
        encoders = [getattr(self._pipe, name, None) for name in ("text_encoder", "text_encoder_2")]
        return {encoder.get_input_embeddings().weight.shape[1] for encoder in encoders if encoder is not None}

    def _attach_vae(
        self, model: ModelInfo, adapter: Adapter | None, on_event: EventSink, cancel: threading.Event
    ) -> bool:
        wanted = stamp_of(adapter, "VAE") if adapter is not None else None
        if wanted == self._vae:
            return False
        self._pipe.remove_all_hooks()  # what is hooked away on "meta" comes back, and the chain of hooks is undone
        self._pipe.vae, self._vae = self._own_vae, None
        if adapter is not None:
            on_event(ModelLoading(model.name, 0.0, f"VAE {adapter.name}"))
            self._pipe.vae = load_vae(adapter, self._own_vae, cancel)
            self._vae = wanted
        return True


def refuse_pickles(adapters: Sequence[Adapter]) -> None:
    """Raise `ModelPickled` for one that is only read where the settings allow it; `read_lora` reads none at all."""
    for adapter in adapters:
        if adapter.kind != LORA and adapter.path.suffix.lower() in PICKLES:
            what = KIND_BY_KEY[adapter.kind].title
            message = f"{what} = {adapter.name}: {adapter.path.name} is a pickle, a format that can hold programs."
            raise ModelPickled(message, PICKLES_HINT)
