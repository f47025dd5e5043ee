"""What a ComfyUI graph records of a picture: the sampler that began it, and what its inputs lead to.

What acts on the pixels is taken over, or reported, never neither: a node that no row of the tables beside this module
reads, on the way from a sampler to words, model or latents, or from there to the picture, is reported by the name of
its class.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import LATENT, MODEL, STEP, VAE, Graph, Link, Node
from sdstudio.history.picture_text.foreign.comfy.latent_nodes import INPUT_PICTURE, follow_latents
from sdstudio.history.picture_text.foreign.comfy.model_nodes import ModelNodes, denoises, is_sampler
from sdstudio.history.picture_text.foreign.comfy.prompt_nodes import (
    COMFYUI,
    ENCODERS,
    NEGATIVE,
    POSITIVE,
    PromptNodes,
    Side,
)
from sdstudio.history.picture_text.foreign.comfy.sampling_nodes import SamplingNodes
from sdstudio.history.picture_text.foreign.comfy.text_nodes import VALUE_NODES
from sdstudio.history.picture_text.foreign.comfy.values import Values

_SETTINGS: Final = ("steps", "cfg", "sampler_name", "scheduler", "denoise")
_SAMPLERS: Final = frozenset({
    "KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced", "KSampler (Efficient)",
    "KSampler Adv. (Efficient)", "KSampler SDXL (Eff.)", "easy preSampling", "easy preSamplingAdvanced",
    "easy kSampler", "easy fullkSampler", "ImpactKSamplerBasicPipe", "ImpactKSamplerAdvancedBasicPipe",
    "ttN pipeKSampler",
})  # fmt: skip
_READ_INPUTS: Final = frozenset({
    *_SETTINGS, "seed", "noise_seed", "model", "positive", "negative", "latent_image", "noise", "guider", "sampler",
    "sigmas", "conditioning", "base_steps", "seed_num",
})  # fmt: skip
_IDLE: Final[Mapping[str, tuple[object, ...]]] = {
    "add_noise": (True, "enable"), "start_at_step": (0,), "return_with_leftover_noise": ("disable",),
    "refine_at_step": (-1,), "denoise": (1, 1.0),
}  # fmt: skip
"""Further inputs of samplers -> values with which they change nothing."""
_NEUTRAL: Final = frozenset({
    "VAEDecode", "SaveImage", "PreviewImage", "Note", "MarkdownNote", "Image Comparer (rgthree)", "Image Save",
    "easy kSampler", "SaveImageWebsocket", "Fast Groups Bypasser (rgthree)", "Fast Groups Muter (rgthree)",
    "PreviewAny", "Display Any (rgthree)", "ShowText|pysssss", "easy showAnything", "Bookmark (rgthree)",
    "Label (rgthree)", "Save Image w/Metadata", "SaveImageExtended", "SaveAnimatedWEBP", "PrimitiveNode",
})  # fmt: skip
"""Nodes that decode, show and save, and notes."""


@dataclass
class ComfyPicture:
    """What the graph records.

    Attributes:
        values: ComfyUI's own names -> value: seed, steps, cfg, sampler_name, scheduler, denoise, width, height,
            ckpt_name, vae_name, clip_skip; and A1111's keys for what it has no name for: Prediction, CFG rescale, Eta.
        positive: The prompt.
        negative: The negative prompt.
        loras: (name, weight on the text encoders, weight on the UNet) in the order they are applied.
        syntax: Prompt syntax and emphasis, by the titles of the request's fields.
        levels: Which noise levels the schedule stands for, where they are not the same; "" when they are.
        has_own_levels: The noise levels came from a node of their own, not from the sampler's.
        unmapped: What else acts on the picture: name -> text.
        work: How many visits to nodes the reading took.
    """

    values: dict[str, Any] = field(default_factory=dict)
    positive: str = ""
    negative: str = ""
    loras: list[tuple[str, float, float]] = field(default_factory=list)
    syntax: tuple[str, str] = COMFYUI
    levels: str = ""
    has_own_levels: bool = False
    unmapped: dict[str, str] = field(default_factory=dict)
    work: int = 0


def read_graph(raw: Mapping[str, Any]) -> ComfyPicture | None:
    """Return what a graph records, ``None`` when there is nothing in it that makes latents to decode."""
    graph = Graph(raw)
    samplers = [node for node in graph.having(denoises) if not node.passes] or _before_decoders(graph)
    if not samplers:
        return None
    return _Reading(graph, samplers).picture()


def _before_decoders(graph: Graph) -> list[Node]:
    """Return what makes the latents that are decoded: samplers that no input shows to be one."""
    decoders = graph.having(lambda inputs: "samples" in inputs and "vae" in inputs)
    nodes = [link[0] for node in decoders if (link := graph.linked(node.inputs["samples"])) is not None]
    return list({node.key: node for node in nodes if not node.passes}.values())


class _Reading:
    def __init__(self, graph: Graph, samplers: list[Node]) -> None:
        self._graph = graph
        self._samplers = samplers
        self._account = Account(graph)
        self._values = Values(graph, self._account)
        self._models = ModelNodes(graph, self._account, self._values)
        self._prompts = PromptNodes(graph, self._account, self._values, self._models)
        self._sampling = SamplingNodes(graph, self._account, self._values)

    def picture(self) -> ComfyPicture:
        first = self._begins()
        self._account.take(first)
        picture = ComfyPicture()
        settings = self._settings(first)
        picture.levels = settings.pop("levels", "")
        picture.has_own_levels = self._graph.linked(settings.get("sigmas")) is not None
        for name in (*_SETTINGS, "Eta"):
            if name in settings:
                picture.values[name] = self._values.plain(settings[name], name)
        picture.values["seed"] = self._values.plain(settings.get("seed", settings.get("noise_seed")), "seed")
        self._follow(first, settings, picture)
        self._report_sampler(first, picture)
        self._report_rest(first, picture)
        picture.values = {name: value for name, value in picture.values.items() if value is not None}
        if self._graph.is_exhausted:
            self._account.report("Graph", f"{len(self._graph):,} nodes: larger than is read to its end")
        picture.unmapped |= self._account.unmapped
        picture.work = self._graph.work
        return picture

    def _begins(self) -> Node:
        """Return the sampler that no other one comes before: the others refine its picture."""
        keys = {node.key for node in self._samplers}
        if len(keys) == 1:
            return self._samplers[0]
        for node in self._samplers:
            if not self._graph.visit(STEP):
                break
            before = self._latents_of(node)
            if before is None or not any(other.key in keys for other in self._graph.upstream([before])):
                return node
        return self._samplers[0]

    def _latents_of(self, sampler: Node) -> Link | None:
        return self._graph.source(sampler, LATENT)

    def _settings(self, sampler: Node) -> dict[str, Any]:
        """Return a sampler's inputs, those of its linked parts among them."""
        settings = dict(sampler.inputs)
        for part in (
            self._sampling.noise(settings.get("noise")),
            self._sampling.guider(settings.get("guider")),
            self._sampling.sampler(settings.get("sampler")),
            self._sampling.sigmas(settings.get("sigmas")),
        ):
            settings |= {name: value for name, value in part.items() if settings.get(name) is None or name == "levels"}
        return settings

    def _follow(self, first: Node, settings: Mapping[str, Any], picture: ComfyPicture) -> None:
        """Follow model, prompts and latents."""
        model = self._graph.linked(settings.get("model")) or self._graph.source(first, MODEL)
        picture.values |= self._models.follow_model(model)
        picture.values.pop("sampling", None)
        positive = self._side(first, settings, POSITIVE)
        guides = picture.values.get("cfg") not in (1, 1.0)
        negative = self._side(first, settings, NEGATIVE) if guides or settings.get("negative") else Side()
        picture.positive, picture.negative = positive.text, negative.text
        picture.syntax = positive.syntax or negative.syntax or COMFYUI
        if negative.syntax not in (None, picture.syntax):
            self._account.report("Negative prompt", "weights are read in another way than the prompt's")
        clip = positive.clip
        if clip is not None and clip.skip is not None:
            picture.values["clip_skip"] = clip.skip
        if clip and negative.clip and (clip.skip, clip.loras) != (negative.clip.skip, negative.clip.loras):
            self._account.report("CLIP", f"not the same for the negative prompt: clip skip {negative.clip.skip or 1}")
        picture.loras = self._models.loras(clip)
        latents = follow_latents(self._graph, self._account, self._values, self._latents_of(first))
        if latents.size is not None:
            picture.values["width"], picture.values["height"] = latents.size
        if latents.from_picture or picture.values.get("denoise", 1) not in (1, 1.0):
            self._report_input(picture)
        if latents.batch > 1:
            picture.unmapped["Batch"] = f"{latents.batch} pictures from one seed; which of them this is, is not told"
        if latents.size is not None:
            self._prompts.report_sizes(latents.size)

    def _side(self, first: Node, settings: Mapping[str, Any], name: str) -> Side:
        """Return one side of the guidance, from the sampler, its guider or up its pipe."""
        given = settings.get(name)
        if isinstance(given, str):
            return Side({given: None} if given.strip() else {})
        link = self._graph.linked(given)
        if link is None:
            piped = self._graph.in_pipe(first, (name,))
            if piped is None:
                return Side()
            link = self._graph.linked(piped[0].inputs[name]) if piped[0].kind not in ENCODERS else (piped[0], 0)
        return self._prompts.follow(link, name)

    def _report_sampler(self, first: Node, picture: ComfyPicture) -> None:
        """Report what else a sampler is set to; of one that is not known, its name too."""
        parts = []
        for name, value in first.inputs.items():
            link = self._graph.linked(value)
            if link is not None and name == "script" and link[0].kind not in VALUE_NODES:
                self._account.report_node(link[0])
            if name in _READ_INPUTS or (link is not None and link[0].kind not in VALUE_NODES):
                continue
            value = self._values.plain(value, name)
            steps = picture.values.get("steps")
            if name == "end_at_step" and isinstance(value, int) and isinstance(steps, int) and value >= steps:
                continue
            if value is not None and value not in _IDLE.get(name, ()):
                parts.append(f"{name} {str(value)[:80]}")
        acting = [text for text in parts if text.split(" ")[0] in (*_IDLE, "end_at_step")]
        if first.kind not in _SAMPLERS or acting:
            shown = acting if first.kind in _SAMPLERS else parts
            self._account.report(first.kind or "Sampler node", ", ".join(shown)[:400])

    def _report_input(self, picture: ComfyPicture) -> None:
        """Report that another picture was begun from, and that all steps were run over it."""
        denoise, steps = picture.values.get("denoise"), picture.values.get("steps")
        text = INPUT_PICTURE
        if isinstance(denoise, float) and isinstance(steps, int) and 0 < denoise < 1 and 0 < steps < 10_000:
            text += f"; all {steps} steps were run, the last of {int(steps / denoise)}"
        picture.unmapped["Input picture"] = text

    def _report_rest(self, first: Node, picture: ComfyPicture) -> None:
        """Report what comes after the first sampler, and every node that was not read."""
        after = list(self._graph.downstream(first))
        self._take_vae(first, after, picture)
        later = [node for node in self._samplers if node is not first]
        following = {node.key for node in after}
        for number, node in enumerate(later[:100], start=2):
            values = {
                name: self._values.plain(node.inputs[name], name)
                for name in ("steps", "cfg", "denoise", "sampler_name") if name in node.inputs
            }  # fmt: skip
            shown = ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
            name = "Pass" if node.key in following else "Another sampler"
            picture.unmapped[f"{name} {number}"] = (shown if node.kind in _SAMPLERS else f"{node.kind}: {shown}")[:400]
            if node.kind in _SAMPLERS:
                self._account.take(node)
            else:
                self._account.report_node(node)
        if len(later) > 100:
            picture.unmapped["Passes"] = f"{len(later) + 1:,}"
        ends = [node for node in self._graph.all() if node.kind.startswith(("Save", "Preview"))]
        acting = self._graph.upstream([(node, 0) for node in (first, *after, *later, *ends)])
        rest = [node for node in acting if not self._account.has(node)]
        other_words = [
            text for node in rest[:1000] if node.kind in ENCODERS
            for key in ENCODERS[node.kind].texts if (text := self._values.text(node.inputs.get(key)))
        ]  # fmt: skip
        if other_words:
            picture.unmapped["Other prompts"] = "; ".join(dict.fromkeys(other_words))[:400]
        left = [node for node in rest if node.kind not in _NEUTRAL and node.kind not in VALUE_NODES]
        if left:
            picture.unmapped["Other nodes"] = ", ".join(sorted({self._named(node) for node in left}))

    def _named(self, node: Node) -> str:
        """Return the name of a node's class, and of the files that it loads."""
        values = [value for name, value in node.inputs.items() if name.endswith("_name")]
        files = [value[:80] for value in values if isinstance(value, str) and value not in ("", "None")]
        files += [lora.name[:80] for lora in self._models.loras_of(node)] if "lora_name" not in node.inputs else []
        return " ".join([node.kind or f"Node {node.key}", *(["of"] if files else []), " and ".join(files[:20])]).strip()

    def _take_vae(self, first: Node, after: list[Node], picture: ComfyPicture) -> None:
        """Take over the VAE that decodes what the first sampler made."""
        decoders = [node for node in after if self._graph.brings(node, VAE) and not is_sampler(node)]
        for node in [*decoders[:1], first]:
            name = self._models.follow_vae(self._graph.source(node, VAE))
            if name and "vae_name" not in picture.values:
                picture.values["vae_name"] = name
