"""How a ComfyUI graph tells what a picture was made with: the sampler that began it, and what its inputs lead to.

A picture holds the graph as JSON: node id -> ``class_type`` and ``inputs``; an input is a value or a link, ``[id,
output]``. Nothing in it can be trusted: links may lead nowhere or in circles, so every walk remembers where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NODES_MAXIMUM: Final = 5_000

_TEXT_KEYS: Final = ("text", "text_g", "text_l", "prompt", "string", "value", "clip_l", "clip_g", "t5xxl")
_NUMBER_KEYS: Final = ("value", "seed", "noise_seed", "int", "float", "number", "steps", "cfg", "width", "height")
_MODEL_KEYS: Final = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "model_path")
_NOT_WORDS: Final = frozenset({"clip", "model", "vae", "image", "control_net", "latent", "mask", "pixels"})
# Linked parts of the custom samplers, and what each brings.
_PARTS: Final = ("noise", "guider", "sampler", "sigmas")
_KNOWN_NODES: Final = frozenset({"VAEDecode", "VAEDecodeTiled", "SaveImage", "PreviewImage", "Note", "Reroute"})


@dataclass
class ComfyPicture:
    """What the graph tells.

    Attributes:
        values: ComfyUI's own names -> value: seed, steps, cfg, sampler_name, scheduler, denoise, width, height,
            ckpt_name, vae_name, clip_skip.
        positive: The prompt.
        negative: The negative prompt.
        loras: (name, weight) in the order they are applied.
        others: What else the graph does, for the list of what was not taken over: name -> text.
    """

    values: dict[str, Any] = field(default_factory=dict)
    positive: str = ""
    negative: str = ""
    loras: list[tuple[str, float]] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)


def read_graph(raw: Mapping[str, Any]) -> ComfyPicture | None:
    """Return what a graph tells, ``None`` when there is no sampler in it."""
    if len(raw) > NODES_MAXIMUM:
        return None
    nodes = {
        str(key): node
        for key, node in raw.items()
        if isinstance(node, Mapping) and isinstance(node.get("inputs"), Mapping)
    }
    return _Graph(nodes).picture()


class _Graph:
    def __init__(self, nodes: Mapping[str, Mapping[str, Any]]) -> None:
        self._nodes = nodes
        self._used: set[str] = set()

    def picture(self) -> ComfyPicture | None:
        samplers = self._samplers()
        if not samplers:
            return None
        first = self._begins(samplers)
        made = ComfyPicture()
        settings = self._settings(first)
        for name in ("steps", "cfg", "sampler_name", "scheduler", "denoise"):
            if name in settings:
                made.values[name] = self._plain(settings[name])
        seed = settings.get("seed", settings.get("noise_seed"))
        made.values["seed"] = self._plain(seed)
        made.positive = self._words(settings.get("positive", settings.get("conditioning")), "positive")
        made.negative = self._words(settings.get("negative"), "negative")
        self._follow_model(settings.get("model"), made)
        self._follow_latent(settings.get("latent_image"), made)
        self._note_rest(made, [other for other in samplers if other != first])
        made.values = {name: value for name, value in made.values.items() if isinstance(value, str | int | float)}
        return made

    def _samplers(self) -> list[str]:
        """Return the nodes that denoise: they have a latent to begin with, and steps of their own or sigmas."""
        found = []
        for key, node in self._nodes.items():
            inputs = node["inputs"]
            own = ("seed" in inputs or "noise_seed" in inputs or "noise" in inputs) and "latent_image" in inputs
            if own and ("steps" in inputs or "sigmas" in inputs):
                found.append(key)
        return found

    def _begins(self, samplers: list[str]) -> str:
        """Return the sampler that no other one comes before: the others refine its picture."""
        for key in samplers:
            before = set(self._upstream(self._nodes[key]["inputs"].get("latent_image")))
            if not before.intersection(samplers):
                return key
        return samplers[0]

    def _settings(self, sampler: str) -> dict[str, Any]:
        """Return a sampler's inputs, those of its linked parts among them."""
        self._used.add(sampler)
        found = dict(self._nodes[sampler]["inputs"])
        for name in _PARTS:
            part = self._linked(found.get(name))
            if part is not None:
                self._used.add(part)
                for key, value in self._nodes[part]["inputs"].items():
                    found.setdefault(key, value)
        return found

    def _linked(self, value: object) -> str | None:
        """Return the node a link leads to, ``None`` for a value or a link to nowhere."""
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int):
            key = str(value[0])
            return key if key in self._nodes else None
        return None

    def _plain(self, value: object) -> object:
        """Return a value, or the one that a chain of primitive nodes brings."""
        seen: set[str] = set()
        while (key := self._linked(value)) is not None and key not in seen:
            seen.add(key)
            self._used.add(key)
            inputs = self._nodes[key]["inputs"]
            value = next((inputs[name] for name in _NUMBER_KEYS if name in inputs), None)
        return value

    def _upstream(self, link: object, without: frozenset[str] = frozenset()) -> Iterator[str]:
        """Yield every node that a link leads to, nearest first; ``without`` names inputs that are not followed."""
        waiting, seen = [self._linked(link)], set[str]()
        while waiting:
            key = waiting.pop(0)
            if key is None or key in seen:
                continue
            seen.add(key)
            yield key
            waiting += [
                self._linked(value) for name, value in self._nodes[key]["inputs"].items() if name not in without
            ]

    def _words(self, link: object, side: str) -> str:
        """Return the text that conditions one side; several texts stand on lines of their own."""
        if isinstance(link, str):
            return link
        found: list[str] = []
        other = "negative" if side == "positive" else "positive"  # a ControlNet node takes both
        for key in self._upstream(link, _NOT_WORDS | {other}):
            node = self._nodes[key]
            if node.get("class_type") == "ConditioningZeroOut":
                return ""
            texts = [node["inputs"].get(name) for name in (side, *_TEXT_KEYS)]
            written = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
            self._used.add(key)
            found += [text for text in dict.fromkeys(written) if text not in found]
        return "\n".join(found)

    def _follow_model(self, link: object, made: ComfyPicture) -> None:
        for key in self._upstream(link, frozenset({"clip", "vae"})):
            inputs = self._nodes[key]["inputs"]
            self._used.add(key)
            if isinstance(inputs.get("lora_name"), str):
                weight = inputs.get("strength_model", inputs.get("strength", 1.0))
                made.loras.insert(0, (inputs["lora_name"], weight if isinstance(weight, int | float) else 1.0))
            name = next((inputs[name] for name in _MODEL_KEYS if isinstance(inputs.get(name), str)), None)
            if name is not None:
                made.values["ckpt_name"] = name
                return

    def _follow_latent(self, link: object, made: ComfyPicture) -> None:
        for key in self._upstream(link, frozenset({"model", "vae", "positive", "negative"})):
            inputs = self._nodes[key]["inputs"]
            self._used.add(key)
            for wide, high in (("width", "height"), ("empty_latent_width", "empty_latent_height")):
                if wide in inputs and high in inputs and "pixels" not in inputs:
                    made.values["width"], made.values["height"] = self._plain(inputs[wide]), self._plain(inputs[high])
                    batch = self._plain(inputs.get("batch_size", 1))
                    if isinstance(batch, int) and batch > 1:
                        made.others["Batch"] = f"{batch} pictures from one seed; which of them this is, is not told"
                    return
            if "pixels" in inputs or "image" in inputs:
                made.others["Input picture"] = "made from another picture, which is not inside"
                return

    def _note_rest(self, made: ComfyPicture, later: list[str]) -> None:
        for key, node in self._nodes.items():
            inputs = node["inputs"]
            layer = inputs.get("stop_at_clip_layer")
            if isinstance(layer, int) and not isinstance(layer, bool) and layer < 0:
                made.values["clip_skip"] = -layer
                self._used.add(key)
            if isinstance(inputs.get("vae_name"), str):
                made.values["vae_name"] = inputs["vae_name"]
                self._used.add(key)
        for number, key in enumerate(later, start=2):
            inputs = self._nodes[key]["inputs"]
            said = [f"{name} {inputs[name]}" for name in ("steps", "cfg", "denoise", "sampler_name") if name in inputs]
            made.others[f"Pass {number}"] = ", ".join(said)
            self._used.add(key)
        rest = {str(node.get("class_type")) for key, node in self._nodes.items() if key not in self._used}
        if rest - _KNOWN_NODES:
            made.others["Other nodes"] = ", ".join(sorted(rest - _KNOWN_NODES))
