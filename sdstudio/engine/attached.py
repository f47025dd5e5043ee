"""What is attached to a loaded model besides its own parts, and how it changes from one job to the next.

What two jobs in a row both use stays in memory; what the next one does not use is let go of before it begins.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.catalog.kinds import KIND_BY_KEY, PICKLES
from sdstudio.core.adapters import EMBEDDING, LORA, VAE, Adapter
from sdstudio.core.errors import InvalidRequest, ModelNotFound, ModelPickled
from sdstudio.core.events import EventSink, ModelLoading, Notice
from sdstudio.core.model import ModelInfo
from sdstudio.core.settings import PICKLES_HINT
from sdstudio.engine.embeddings import Embeddings, read_embedding
from sdstudio.engine.interrupt import interruptible
from sdstudio.engine.lora import LoraFile, Misfit, Term, layers_of, read_lora, term
from sdstudio.engine.own_vae import load_vae

WRONG_FAMILY_HINT: Final = "Take it out, or choose a model that it was made for."

_Stamp = tuple[Path, int, int]
"""Path, size and time of change: the same file as before."""


@dataclass(frozen=True, slots=True)
class _Lora:
    """A LoRA in memory: for each layer it changes, in which network it lies and what is added."""

    terms: tuple[tuple[nn.Module, str, Term], ...]


class Attached:
    """LoRA, embeddings and VAE of one pipeline.

    Attributes:
        embeddings: What prompts may name.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._own_vae = getattr(pipe, "vae", None)
        self._vae: _Stamp | None = None
        self._loras: dict[_Stamp, _Lora] = {}
        self._files: dict[_Stamp, tuple[torch.Tensor, ...]] = {}
        self._hooked: tuple[Any, ...] = ()
        self._handles: list[Any] = []
        self.embeddings = Embeddings()

    def attach(
        self, model: ModelInfo, with_pickles: bool, device: torch.device, on_event: EventSink, cancel: threading.Event
    ) -> bool:
        """Attach what a model comes with for this job, and take everything else off.

        Args:
            model: Its adapters are attached.
            with_pickles: Whether embeddings and VAEs that are pickles may be used.
            device: Where LoRA are kept.
            on_event: Hears what is read.
            cancel: Set by anyone to stop.

        Returns:
            Whether another VAE came in, which does not yet lie where the memory plan wants it.

        Raises:
            InvalidRequest: Something was made for another family.
            ModelError: A file cannot be read, or is not what it should be.
            Cancelled: ``cancel`` was set.
        """
        if not with_pickles:
            _refuse_pickles(model.adapters)
        loras = [adapter for adapter in model.adapters if adapter.kind == LORA]
        self._attach_loras(model, loras, device, on_event, cancel)
        self._attach_embeddings(model, [one for one in model.adapters if one.kind == EMBEDDING], on_event)
        return self._attach_vae(model, next((a for a in model.adapters if a.kind == VAE), None), on_event, cancel)

    @property
    def new_networks(self) -> tuple[nn.Module, ...]:
        """The VAE that stands in for the model's own, if one does."""
        return (self._pipe.vae,) if self._vae is not None else ()

    def _attach_loras(
        self, model: ModelInfo, loras: Sequence[Adapter], device: torch.device, on_event: EventSink,
        cancel: threading.Event,
    ) -> None:  # fmt: skip
        stamped = [(_stamp(adapter, "LoRA"), adapter) for adapter in loras]
        wanted = tuple((stamp, adapter.text_weight, adapter.unet_weight) for stamp, adapter in stamped)
        if wanted == self._hooked:
            return
        self._take_off()
        self._loras = {stamp: self._loras[stamp] for stamp, *_ in wanted if stamp in self._loras}
        missing = [(stamp, adapter) for stamp, adapter in stamped if stamp not in self._loras]
        layers = layers_of(self._pipe) if missing else {}
        for done, (stamp, adapter) in enumerate(missing):
            on_event(ModelLoading(model.name, done / len(missing), f"LoRA {adapter.name}"))
            read = functools.partial(self._read, model, adapter, layers, device, on_event)
            self._loras[stamp] = interruptible(cancel, read)
        for stamp, text_weight, unet_weight in wanted:
            for layer, network, added in self._loras[stamp].terms:
                weight = unet_weight if network == "unet" else text_weight
                if weight:
                    self._handles.append(layer.register_forward_hook(functools.partial(_add, added, weight)))
        self._hooked = wanted

    def _read(
        self, model: ModelInfo, adapter: Adapter, layers: dict[tuple[str, str], nn.Module], device: torch.device,
        on_event: EventSink,
    ) -> _Lora:  # fmt: skip
        file: LoraFile = read_lora(adapter.path)
        terms: list[tuple[nn.Module, str, Term]] = []
        for (network, name), parts in file.layers.items():
            layer = layers.get((network, name))
            if layer is None:
                continue
            here = {part: tensor.to(device) for part, tensor in parts.items()}
            try:
                added = term(layer, name, here, file.alphas.get(network))
            except Misfit as error:
                raise wrong_family("loras", "LoRA", adapter, model, error.theirs, error.ours) from error
            except (RuntimeError, KeyError) as error:
                said = f"LoRA = {adapter.name}: its layer {name} cannot be read ({error})."
                raise InvalidRequest("loras", said, "Take it out, or get the file again.") from error
            if added is not None:
                terms.append((layer, network, added))
        lost = len(file.layers) - len(terms)
        if not terms:
            raise wrong_family("loras", "LoRA", adapter, model)
        if lost:
            said = f"LoRA {adapter.name}: {lost} of its {len(file.layers)} layers are none of {model.name}'s."
            on_event(Notice(said, "It acts with the others."))
        return _Lora(tuple(terms))

    def _take_off(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._hooked = [], ()

    def _attach_embeddings(self, model: ModelInfo, wanted: Sequence[Adapter], on_event: EventSink) -> None:
        stamped = [(_stamp(adapter, "Embedding"), adapter) for adapter in wanted]
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
                said = f"Embedding {adapter.name}: it is made for {encoders}."
                on_event(Notice(said, "The other reads nothing in its place, as in ComfyUI."))
        self.embeddings = Embeddings({adapter.name: self._files[stamp] for stamp, adapter in stamped})

    def _encoder_widths(self) -> set[int]:
        encoders = [getattr(self._pipe, name, None) for name in ("text_encoder", "text_encoder_2")]
        return {encoder.get_input_embeddings().weight.shape[1] for encoder in encoders if encoder is not None}

    def _attach_vae(
        self, model: ModelInfo, adapter: Adapter | None, on_event: EventSink, cancel: threading.Event
    ) -> bool:
        wanted = _stamp(adapter, "VAE") if adapter is not None else None
        if wanted == self._vae:
            return False
        self._pipe.remove_all_hooks()  # what is hooked away on "meta" comes back, and the chain of hooks is undone
        self._pipe.vae, self._vae = self._own_vae, None
        if adapter is not None:
            on_event(ModelLoading(model.name, 0.0, f"VAE {adapter.name}"))
            self._pipe.vae = load_vae(adapter, self._own_vae, cancel)
            self._vae = wanted
        return True


def wrong_family(
    field: str, what: str, adapter: Adapter, model: ModelInfo, theirs: int = 0, ours: int = 0
) -> InvalidRequest:
    """Return the error about something that was made for another family; both are named.

    Args:
        field: Of the request.
        what: "LoRA" or "Embedding".
        adapter: Which one.
        model: The model it was to be attached to.
        theirs: A size of its layers, that tells its family where nothing else does; 0 when unknown.
        ours: What the model has in its place.
    """
    by_width = next((row for row in FAMILIES if theirs and row.text_width == theirs), None)
    made_for = FAMILY_BY_KEY.get(adapter.family) or by_width
    if made_for is None:
        why = f"it is made for another kind of model; {model.name} is {model.family_row.title}"
    elif made_for is not model.family_row:
        why = f"it is made for {made_for.title}; {model.name} is {model.family_row.title}"
    elif theirs:
        why = f"its layers are {theirs:,} wide, those of {model.name} {ours:,}, though both are {made_for.title}"
    else:
        why = f"none of its layers is one of {model.name}'s, though both are {made_for.title}"
    return InvalidRequest(field, f"{what} = {adapter.name}: {why}.", WRONG_FAMILY_HINT)


def _add(added: Term, weight: float, _layer: nn.Module, args: tuple[Any, ...], said: torch.Tensor) -> torch.Tensor:
    return said + weight * added(args[0].to(said.device)).to(said.dtype)


def _refuse_pickles(adapters: Sequence[Adapter]) -> None:
    """Raise `ModelPickled` for one that is only read where the settings allow it; `read_lora` reads none at all."""
    for adapter in adapters:
        if adapter.kind != LORA and adapter.path.suffix.lower() in PICKLES:
            what = KIND_BY_KEY[adapter.kind].title
            said = f"{what} = {adapter.name}: {adapter.path.name} is a pickle, a format that can hold programs."
            raise ModelPickled(said, PICKLES_HINT)


def _stamp(adapter: Adapter, what: str) -> _Stamp:
    try:
        status = adapter.path.stat()
    except OSError as error:
        said = f"{what} = {adapter.name}: {adapter.path} is gone."
        raise ModelNotFound(said, "Take it out, or put it back.") from error
    return adapter.path, status.st_size, status.st_mtime_ns
