"""How the model of a sampler came to be: checkpoint, LoRA, what changes how it samples, and its text encoders.

A node that changes the model and is none of those that are read here is reported by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import CLIP, MODEL, VAE, Graph, Link, Node
from sdstudio.history.picture_text.foreign.comfy.lora_nodes import LORA_NODES, LoraInNode, LoraReader
from sdstudio.history.picture_text.foreign.comfy.values import Values

_MODEL_KEYS: Final = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "model_path")
_CLIP_KEYS: Final = ("clip_name", "clip_name1", "text_encoder1")
_LOADERS: Final[Mapping[str, Mapping[str, tuple[object, ...]]]] = {
    "CheckpointLoaderSimple": {},
    "CheckpointLoader|pysssss": {},
    "Checkpoint Loader": {"config_name": ("v1-inference.yaml",)},
    "CheckpointLoader": {"config_name": ("v1-inference.yaml",)},
    "CR Load Checkpoint": {},
    "easy fullLoader": {"config_name": ("Default",)},
    "UNETLoader": {"weight_dtype": ("default",)},
    "DiffusersLoader": {},
    "ImageOnlyCheckpointLoader": {},
}
"""Loaders of a model -> inputs that act unless they have one of these values; loaders with more have their own rows."""
_PROMPTING: Final = frozenset({
    "Efficient Loader", "Eff. Loader SDXL", "easy fullLoader", "easy a1111Loader", "easy comfyLoader",
})  # fmt: skip
"""Loaders that hold prompts, clip skip, LoRA and size too."""
_OF_LORA: Final = ("lora_name", "strength_model", "strength_clip", "strength", "lora_stack")
"""Inputs of a node that loads one LoRA."""
_NO_NAME: Final = frozenset({"", "none", "baked vae", "automatic"})
PREDICTIONS: Final = {"eps": "Epsilon (noise)", "v_prediction": "V-prediction"}
"""``sampling`` of ModelSamplingDiscrete that the studio has -> what it is called in A1111's text."""


@dataclass
class Clip:
    """The text encoders behind one encoding node.

    Attributes:
        skip: Layers from the end, as A1111 counts; ``None`` where no node holds it.
        loras: (node id, place in the node) -> weight on the text encoders.
        loader: The node that loads them.
    """

    skip: object = None
    loras: dict[tuple[str, int], float] = field(default_factory=dict)
    loader: str = ""


class ModelNodes:
    """Follows models, text encoders and VAE to their loaders."""

    def __init__(self, graph: Graph, account: Account, values: Values) -> None:
        self._graph = graph
        self._account = account
        self._values = values
        self._loras = LoraReader(graph, account, values)
        self._clips: dict[str, Clip] = {}
        self._found: dict[tuple[str, int], LoraInNode] = {}
        self._loader = ""

    def follow_model(self, link: Link | None) -> dict[str, Any]:
        """Return what a chain of model nodes means, by ComfyUI's names or A1111's keys; report the rest."""
        values: dict[str, Any] = {}
        for node, _ in self._graph.chain(link, MODEL):
            if self._reads_loras(node):
                self._take_loras(node)
            name = "" if self._graph.brings(node, MODEL) else self._name_in(node, _MODEL_KEYS)
            if name:
                values["ckpt_name"] = name
                self._loader = node.key
                self._take_loader(node)
                break
            if node.kind == "ModelSamplingDiscrete":
                self._take_sampling(node, values)
            elif node.kind == "RescaleCFG" and "CFG rescale" not in values:
                values["CFG rescale"] = self._values.plain(node.inputs.get("multiplier", 0.7), "multiplier")
                self._account.take(node)
            elif node.passes or is_sampler(node):
                self._account.take(node)
            else:
                self._account_for(node)
        return values

    def _account_for(self, node: Node) -> None:
        """Take a node that loads LoRA as one of the table does; report every other one, and what it has beyond."""
        more = [name for name in node.inputs if name not in _OF_LORA and self._graph.linked(node.inputs[name]) is None]
        if self._reads_loras(node) and (node.kind in LORA_NODES or not more):
            self._account.take(node)
        else:
            self._account.report_node(node, _OF_LORA if self._reads_loras(node) else ())

    def loras(self, clip: Clip | None) -> list[tuple[str, float, float]]:
        """Return (name, weight on the text encoders, weight on the UNet) of all that was met, in order of loading."""
        weights = clip.loras if clip is not None else {place: lora.text_weight for place, lora in self._found.items()}
        on_unet = {place: (lora.name, weights.get(place, 0.0), lora.unet_weight) for place, lora in self._found.items()}
        on_text = {
            place: (self._loras.known(*place).name, weight, 0.0)
            for place, weight in weights.items() if place not in on_unet
        }  # fmt: skip
        by_node: dict[str, list[tuple[str, float, float]]] = {}
        for place, lora in (on_unet | on_text).items():
            by_node.setdefault(place[0], []).append(lora)
        return [lora for loras in reversed(by_node.values()) for lora in loras if lora[1] or lora[2]]

    def loras_of(self, node: Node) -> tuple[LoraInNode, ...]:
        """Return the LoRA of a node that is on no way that was followed."""
        return self._loras.of(node) if self._reads_loras(node) else ()

    def follow_clip(self, encoder: Node, own_name: str = "clip") -> Clip:
        """Return what the text encoders of an encoding node are."""
        link = self._graph.linked(encoder.inputs.get(own_name)) or self._graph.source(encoder, CLIP)
        begins = (encoder, 0) if encoder.kind in LORA_NODES or encoder.kind in _PROMPTING else link
        if begins is None:
            return Clip()
        if begins[0].key not in self._clips:
            self._clips[begins[0].key] = self._clip_of(begins)
        return self._clips[begins[0].key]

    def _clip_of(self, begins: Link) -> Clip:
        clip = Clip()
        for node, _ in self._graph.chain(begins, CLIP):
            if self._reads_loras(node):
                for place, lora in enumerate(self._loras.of(node)):
                    clip.loras[node.key, place] = lora.text_weight
            skip = next((node.inputs[name] for name in _SKIPS if name in node.inputs), None)
            if skip is not None and clip.skip is None:
                layer = self._values.number(skip, "stop_at_clip_layer")
                clip.skip = -int(layer) if layer is not None and -1e6 < layer < 0 else None
            if not self._graph.brings(node, CLIP) and self._name_in(node, _MODEL_KEYS):
                clip.loader = node.key
                if self._loader not in ("", node.key):
                    self._account.report("CLIP", f"of {self._name_in(node, _MODEL_KEYS)}")
                    self._account.take(node)
                break
            if not self._graph.brings(node, CLIP) and self._name_in(node, _CLIP_KEYS):
                clip.loader = node.key
                self._account.report_node(node)
                break
            if node.kind == "CLIPSetLastLayer" or node.passes or is_sampler(node):
                self._account.take(node)
            else:
                self._account_for(node)
        return clip

    def follow_vae(self, link: Link | None) -> str:
        """Return the file of a VAE, "" for the model's own; another model's is reported."""
        for node, _ in self._graph.chain(link, VAE):
            name = self._name_in(node, ("vae_name",))
            if name:
                self._account.take(node)
                return name
            if not self._graph.brings(node, VAE) and self._name_in(node, _MODEL_KEYS):
                if self._loader not in ("", node.key):
                    self._account.report("VAE", f"of {self._name_in(node, _MODEL_KEYS)}")
                    self._account.take(node)
                return ""
            if not (node.passes or is_sampler(node)):
                self._account.report_node(node, ("vae",))
        return ""

    def _reads_loras(self, node: Node) -> bool:
        return node.kind in LORA_NODES or "lora_name" in node.inputs or "lora_stack" in node.inputs

    def _take_loras(self, node: Node) -> None:
        for place, lora in enumerate(self._loras.of(node)):
            self._found[node.key, place] = lora

    def _take_loader(self, node: Node) -> None:
        acting = _LOADERS.get(node.kind)
        if acting is None and node.kind not in _PROMPTING:
            self._account.report_node(node, (*_MODEL_KEYS, "vae_name"))
            return
        self._account.take(node)
        for name, idle in (acting or {}).items():
            value = self._values.plain(node.inputs.get(name))
            if value is not None and value not in idle:
                self._account.report(node.kind, f"{name} {str(value)[:80]}")
        if node.kind in _PROMPTING:
            refiner = self._name_in(node, ("refiner_ckpt_name",))
            if refiner:
                self._account.report(node.kind, f"refiner {refiner[:80]}")

    def _take_sampling(self, node: Node, values: dict[str, Any]) -> None:
        self._account.take(node)
        if "Prediction" in values or "sampling" in values:
            return  # the nearest to the sampler wins
        way = self._values.plain(node.inputs.get("sampling"), "sampling")
        values["sampling"] = way
        if isinstance(way, str) and way in PREDICTIONS:
            values["Prediction"] = PREDICTIONS[way]
        else:
            self._account.report(node.kind, f"sampling {str(way)[:80]}")
        if self._values.plain(node.inputs.get("zsnr"), "zsnr") is True:
            values["Zero terminal SNR"] = True

    def _name_in(self, node: Node, names: tuple[str, ...]) -> str:
        for name in names:
            if name in node.inputs:
                value = self._values.plain(node.inputs[name], name)
                if isinstance(value, str) and value.strip().casefold() not in _NO_NAME:
                    return value
        return ""


_OF_SAMPLERS: Final = (
    frozenset({"seed", "noise_seed", "noise"}),
    frozenset({"steps", "sigmas"}),
    frozenset({"latent_image", "latent", "samples", "positive", "pipe", "basic_pipe"}),
)
_SKIPS: Final = ("stop_at_clip_layer", "clip_skip", "base_clip_skip")


def is_sampler(node: Node) -> bool:
    """Whether a node denoises; one that only hands on may hold as much."""
    return not node.passes and denoises(node.inputs)


def denoises(inputs: Mapping[str, Any]) -> bool:
    """Whether these are a sampler's inputs: a seed or noise, steps or sigmas, and something to begin from."""
    return not any(names.isdisjoint(inputs) for names in _OF_SAMPLERS)
