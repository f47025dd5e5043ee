"""The LoRA of a loaded model: read once, hooked to the layers that they change, taken off without a trace.

Nothing of the network is touched: one hook behind each changed layer adds what `engine.adapters.lora` makes of the
files. Taken off, or at weight 0, the network is bit for bit what it was.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import nn

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.events import EventSink, ModelLoading, Notice
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.models.work import listed
from sdstudio.engine.adapters.attached_file import Stamp, stamp_of, wrong_family
from sdstudio.engine.adapters.embeddings import vectors_of
from sdstudio.engine.adapters.lora import Misfit, Term, needs_weights, term
from sdstudio.engine.adapters.lora_file import LoraFile, LoraLayer, read_lora
from sdstudio.engine.adapters.lora_layers import NORMS, layers_of
from sdstudio.engine.device.aligned import aligned
from sdstudio.engine.device.interrupt import interruptible

_SCALED: Final = frozenset({"up", "hada_w1_a", "a1.weight", "lokr_w1_a", "lokr_w2_a"})
"""Parts that alpha acts on."""

Layers = Mapping[tuple[str, str], nn.Module]


@dataclass(frozen=True, slots=True)
class _Lora:
    """A LoRA in memory.

    Attributes:
        terms: For each layer it changes: the layer, its network, and what is added.
        embeddings: Name -> vectors for each encoder, of those it brings along.
        remarks: What of it is not drawn, a sentence each; shown as a notice with every job that uses it.
    """

    terms: tuple[tuple[nn.Module, str, Term], ...]
    embeddings: Mapping[str, tuple[torch.Tensor, ...]]
    remarks: tuple[str, ...]


class AttachedLoras:
    """The LoRA of one pipeline.

    Args:
        pipe: The pipeline.
        networks: Its parts that they can change.
    """

    def __init__(self, pipe: Any, networks: Sequence[str]) -> None:
        self._pipe = pipe
        self._networks = networks
        self._loras: dict[Stamp, _Lora] = {}
        self._hooked: tuple[Any, ...] = ()
        self._stamped: Sequence[tuple[Stamp, Adapter]] = ()
        self._handles: list[Any] = []

    def attach(
        self, model: ModelInfo, loras: Sequence[Adapter], device: torch.device, on_event: EventSink,
        cancel: threading.Event,
    ) -> bool:  # fmt: skip
        """Hook these and no others; returns whether the hooks that move weights about had to be undone for it.

        Raises:
            InvalidRequest: One was made for another family, or cannot be understood.
            ModelError: A file cannot be read.
            Cancelled: ``cancel`` was set.
        """
        stamped = [(stamp_of(adapter, "LoRA"), adapter) for adapter in loras]
        moved = False
        if _weighed(stamped, second=False) != self._hooked:
            moved = self._read(model, stamped, device, on_event, cancel)
            self._stamped = stamped
            self.begin_pass(second=False)
        for stamp, adapter in stamped:
            for remark in self._loras[stamp].remarks:
                on_event(Notice(f"LoRA {adapter.name}: {remark}.", "It acts with the rest of what it holds."))
        return moved

    def begin_pass(self, second: bool) -> None:
        """Let the attached ones act as strongly as they do in a job's first or second pass."""
        wanted = _weighed(self._stamped, second)
        if wanted == self._hooked:
            return
        self._take_off()
        added: dict[nn.Module, list[tuple[Term, float]]] = {}
        for stamp, adapter in self._stamped:
            text_weight, unet_weight = adapter.weights(second)
            for layer, network, more in self._loras[stamp].terms:
                weight = text_weight if network.startswith("text_encoder") else unet_weight
                if weight:
                    added.setdefault(layer, []).append((more, weight))
        for layer, terms in added.items():
            self._handles.append(layer.register_forward_hook(functools.partial(_add, tuple(terms))))
        self._hooked = wanted

    def embeddings(self, loras: Sequence[Adapter]) -> dict[str, tuple[torch.Tensor, ...]]:
        """Return the embeddings that the attached ones bring along, by name; the first of a name counts."""
        embeddings: dict[str, tuple[torch.Tensor, ...]] = {}
        for adapter in loras:
            for name, vectors in self._loras[stamp_of(adapter, "LoRA")].embeddings.items():
                embeddings.setdefault(name, vectors)
        return embeddings

    def _read(
        self, model: ModelInfo, stamped: Sequence[tuple[Stamp, Adapter]], device: torch.device, on_event: EventSink,
        cancel: threading.Event,
    ) -> bool:  # fmt: skip
        self._take_off()
        self._stamped = ()  # an error on the way leaves none attached
        stamps = [stamp for stamp, _ in stamped]
        self._loras = {stamp: self._loras[stamp] for stamp in stamps if stamp in self._loras}
        missing = [(stamp, adapter) for stamp, adapter in stamped if stamp not in self._loras]
        layers = layers_of(self._pipe, self._networks) if missing else {}
        moved = False
        for done, (stamp, adapter) in enumerate(missing):
            on_event(ModelLoading(model.name, done / len(missing), f"LoRA {adapter.name}"))
            files = interruptible(cancel, functools.partial(_readings, adapter))
            moved = self._bring_back(files, layers) or moved
            build = functools.partial(self._built, model, adapter, files, layers, device)
            self._loras[stamp] = interruptible(cancel, build)
        return moved

    def _bring_back(self, files: Sequence[LoraFile], layers: Layers) -> bool:
        """Undo the hooks that hold weights away on "meta", where a file's arithmetic needs them."""
        needed = any(needs_weights(row) for file in files for row in file.layers)
        if not needed or not any(parameter.is_meta for layer in layers.values() for parameter in layer.parameters()):
            return False
        self._pipe.remove_all_hooks()
        return True

    def _built(
        self, model: ModelInfo, adapter: Adapter, files: Sequence[LoraFile], layers: Layers, device: torch.device
    ) -> _Lora:
        for place, file in enumerate(files):
            terms, lost, odd = self._terms(model, adapter, file, layers, device, adapter.as_first and place == 0)
            if terms or place == len(files) - 1:
                break
        if not terms:
            raise wrong_family("loras", "LoRA", adapter, model)
        remarks = list(file.remarks)
        for names, why in ((lost, f"none of {model.name}'s"), (odd, "of a form that is not understood")):
            if names:
                are = "are" if len(names) > 1 else "is"
                remarks.append(f"{len(names)} of its {len(file.layers)} layers {are} {why}: {listed(names)}")
        silent = [row.name for row in file.layers if _is_silent(row)]
        if silent:
            remarks.append(
                f"{len(silent)} of its {len(file.layers)} layers have alpha 0 and do nothing: {listed(silent)}"
            )
        for row in file.unread:
            remarks.append(
                f"{len(row.names)} of its tensors are not drawn with, {row.reason}: {listed(list(row.names))}"
            )
        embeddings = {name: tuple(vectors_of(keys)) for name, keys in file.embeddings.items()}
        fitting = {name: vectors for name, vectors in embeddings.items() if self._fits(vectors)}
        if len(fitting) < len(embeddings):
            others = [name for name in embeddings if name not in fitting]
            remarks.append(f"its embeddings {listed(others)} are for other text encoders than {model.name}'s")
        return _Lora(tuple(terms), fitting, tuple(remarks))

    def _terms(
        self, model: ModelInfo, adapter: Adapter, file: LoraFile, layers: Layers, device: torch.device, as_first: bool
    ) -> tuple[list[tuple[nn.Module, str, Term]], list[str], list[str]]:
        """Return what is added where, the names of layers that the model lacks, and of those without a change."""
        terms: list[tuple[nn.Module, str, Term]] = []
        lost: list[str] = []
        odd: list[str] = []
        for row in file.layers:
            layer = layers.get((row.network, row.name))
            if layer is None or (as_first and _is_new(row, layer)):
                lost.append(row.name)
                continue
            term_of_layer = _term(model, adapter, layer, row, device)
            if term_of_layer is None:
                odd.append(row.name)
            else:
                terms.append((layer, row.network, term_of_layer))
        return terms, lost, odd

    def _fits(self, vectors: Sequence[torch.Tensor]) -> bool:
        encoders = [getattr(self._pipe, name, None) for name in ("text_encoder", "text_encoder_2")]
        widths = {encoder.get_input_embeddings().weight.shape[1] for encoder in encoders if encoder is not None}
        return bool(vectors) and {tensor.shape[1] for tensor in vectors} <= widths

    def _take_off(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._hooked = [], ()


def _weighed(stamped: Sequence[tuple[Stamp, Adapter]], second: bool) -> tuple[Any, ...]:
    return tuple((stamp, *adapter.weights(second)) for stamp, adapter in stamped)


def _readings(adapter: Adapter) -> tuple[LoraFile, ...]:
    """Return what a file means by the rules it is read by; behind 0.1's those of today, for what 0.1 refused."""
    if adapter.as_first:
        return read_lora(adapter.path, as_first=True), read_lora(adapter.path)
    return (read_lora(adapter.path),)


def _is_new(row: LoraLayer, layer: nn.Module) -> bool:
    """Whether version 0.1 did not apply what a file holds for a layer that it knew."""
    return row.name == "out_0" or (isinstance(layer, NORMS) and not {"w_norm", "b_norm"} <= row.parts.keys())


def _is_silent(row: LoraLayer) -> bool:
    """Whether its own alpha of 0 takes all of it away, as in A1111 and ComfyUI."""
    parts = row.parts
    is_scaled = "alpha" in parts and "scale" not in parts and bool(_SCALED & parts.keys())
    return is_scaled and float(parts["alpha"]) == 0


def _term(model: ModelInfo, adapter: Adapter, layer: nn.Module, row: LoraLayer, device: torch.device) -> Term | None:
    here = {part: aligned(tensor.to(device)) for part, tensor in row.parts.items()}
    try:
        return term(layer, row.name, here, row.scale)
    except Misfit as error:
        raise wrong_family("loras", "LoRA", adapter, model, error.theirs, error.ours) from error
    except (RuntimeError, KeyError) as error:
        message = f"LoRA = {adapter.name}: its layer {row.name} cannot be read ({str(error).splitlines()[0][:120]})."
        raise InvalidRequest("loras", message, "Take it out, or get the file again.") from error


def _add(
    terms: Sequence[tuple[Term, float]], _layer: nn.Module, args: tuple[Any, ...], output: torch.Tensor
) -> torch.Tensor:
    x, whole = args[0].to(output.device), output
    for added, weight in terms:
        whole = whole + added(x, output, weight)
    return whole
