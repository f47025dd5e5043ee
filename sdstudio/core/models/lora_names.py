"""What the names in a LoRA file mean: which layer of which network a tensor is for, and which part of a change it is.

Every trainer spells the names in its own way. A layer is known by its name with every "." as "_", in which kohya's,
diffusers', PEFT's, LyCORIS' and ComfyUI's spellings agree once what stands before it is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

UNET: Final = "unet"
NETWORKS: Final = (UNET, "text_encoder", "text_encoder_2")

BUNDLE: Final = "bundle_emb."
"""Before the embeddings that a LoRA brings along: ``bundle_emb.NAME.KEY``, as A1111 reads and OneTrainer writes it."""

# First match wins. What version 0.1 of the studio knew:
_FIRST_PREFIXES: Final = (
    ("lora_unet_", UNET), ("lora_te1_", "text_encoder"), ("lora_te2_", "text_encoder_2"),
    ("lora_te_", "text_encoder"), ("unet_", UNET), ("text_encoder_2_", "text_encoder_2"),
    ("text_encoder_", "text_encoder"),
)  # fmt: skip
# ComfyUI's own names (its LoraSave), OneTrainer's, the original code's, LyCORIS' without kohya, kohya's OFT.
_PREFIXES: Final = (
    *_FIRST_PREFIXES,
    ("diffusion_model_", UNET), ("model_diffusion_model_", UNET), ("oft_unet_", UNET),
    ("text_encoders_clip_l_transformer_", "text_encoder"), ("text_encoders_clip_h_transformer_", "text_encoder"),
    ("text_encoders_clip_g_transformer_", "text_encoder_2"),
    ("clip_l_transformer_", "text_encoder"), ("clip_h_transformer_", "text_encoder"),
    ("clip_g_transformer_", "text_encoder_2"),
    ("text_encoders_clip_l_", "text_encoder"), ("text_encoders_clip_h_", "text_encoder"),
    ("text_encoders_clip_g_", "text_encoder_2"),
    ("clip_l_", "text_encoder"), ("clip_h_", "text_encoder"), ("clip_g_", "text_encoder_2"),
    ("cond_stage_model_transformer_", "text_encoder"), ("conditioner_embedders_0_transformer_", "text_encoder"),
    ("lycoris_unet_", UNET), ("lycoris_te1_", "text_encoder"), ("lycoris_te2_", "text_encoder_2"),
    ("lycoris_te_", "text_encoder"), ("lycoris_text_model_", "text_encoder"), ("lycoris_", UNET),
)  # fmt: skip
_BARE_TEXT: Final = ("text_model_", "encoder_layers_")
"""How layers of a text encoder begin where nothing names their network."""

_HALF: Final = r"[._]lora(?:_linear_layer)?[._](?P<half>down|up|mid|A|B)(?:\.default(?:_\d+)?)?(?:\.weight)?"
_VECTOR: Final = r"lora_magnitude_vector(?:\.default)?(?:\.weight)?"
_DENSE: Final = r"hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2)"
_FIRST_SUFFIX: Final = re.compile(
    rf"(?:{_HALF}|\.(?P<other>alpha|diff|diff_b|[wb]_norm|dora_scale|{_VECTOR}|{_DENSE}))$"
)
_SUFFIX: Final = re.compile(
    rf"(?:{_HALF}|\.(?P<other>alpha|scale|scalar|diff|diff_b|[wb]_norm|dora_scale|{_VECTOR}|{_DENSE}"
    r"|oft_blocks|rescale|on_input|ia3_l|(?:[ab][12]|bm)\.weight))$"
)
_PARTS: Final = {"A": "down", "B": "up"}
DORA: Final = frozenset({"dora_scale", "lora_magnitude_vector"})
ON_INPUT: Final = ".on_input"
"""Beside it LyCORIS' (IA)3 has its numbers under the mere name ``weight``."""

# A piece of a name that nothing here computes -> of what it is.
_UNDRAWN: Final = (
    (".oft_R", "PEFT's OFT"), (".boft_", "PEFT's BOFT"), (".lora_E", "AdaLoRA"), (".lora_embedding_", "an embedding"),
    (".vera_", "VeRA"), (".modules_to_save", "whole weights"), (".lambda_layer", "T-LoRA"), (".q_layer", "T-LoRA"),
    (".p_layer", "T-LoRA"), (".lora_B.bias", "a bias of LoRA"), (".set_weight", "whole weights"),
    (".reshape_weight", "a change of shape"), (".lora_mid", "another form of LoRA"),
)  # fmt: skip
_UNKNOWN: Final = "a kind that is not known here"

# What a file's parts make it; the first that is there names it.
_ALGORITHMS: Final = (
    (".lokr_w", "LoKr"), (".hada_w", "LoHa"), (".oft_blocks", "OFT"), (".a1.weight", "GLoRA"), (ON_INPUT, "(IA)³"),
    (".ia3_l", "(IA)³"), (".diff", "Full difference"),
)  # fmt: skip

_ENDINGS: Final = tuple(
    f".{name}"
    for name in (
        "lora_down.weight", "lora_up.weight", "lora_mid.weight", "lora_A.weight", "lora_B.weight", "lora.down.weight",
        "lora.up.weight", "alpha", "lora_A.default.weight", "lora_B.default.weight", "scalar", "diff", "diff_b",
        "w_norm", "b_norm", "dora_scale", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2",
        "lokr_w1", "lokr_w2", "lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "oft_blocks",
    )
)  # fmt: skip
"""The most frequent endings, which are looked at all at once: a library has a million names."""


@dataclass(frozen=True, slots=True)
class LayerPart:
    """What one tensor is for.

    Attributes:
        network: Of `NETWORKS`.
        layer: The layer's flat name.
        part: "down", "up", "mid", "alpha", "hada_w1_a" ..
        stem: The layer's name as the file has it, without what names the network; PEFT's patterns are about it.
    """

    network: str
    layer: str
    part: str
    stem: str


@dataclass(frozen=True, slots=True)
class Unread:
    """Tensors that nothing is computed from, and what they are."""

    reason: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoraNames:
    """All names of a file, sorted by what becomes of them.

    Attributes:
        parts: Name -> what it is for.
        bundled: Name of an embedding -> (its key, the tensor's name).
        unread: The others.
    """

    parts: dict[str, LayerPart]
    bundled: dict[str, tuple[tuple[str, str], ...]]
    unread: tuple[Unread, ...]


def read_names(names: Iterable[str], folder: str = "", as_first: bool = False) -> LoraNames:
    """Return what each name of a file is for.

    Args:
        names: Of its tensors.
        folder: Name of the folder it lies in: PEFT writes each network's file without its name, into a folder of it.
        as_first: As version 0.1 read it: fewer spellings and parts, and the rest was not reported.
    """
    names = list(names)
    siblings = set(names)
    suffix = _FIRST_SUFFIX if as_first else _SUFFIX
    parts: dict[str, LayerPart] = {}
    bundled: dict[str, list[tuple[str, str]]] = {}
    unread: dict[str, list[str]] = {}
    for name in names:
        match = suffix.search(name)
        if name.startswith(BUNDLE) and name.count(".") > 1:
            _, embedding, key = name.split(".", 2)
            bundled.setdefault(embedding, []).append((key, name))
        elif match is not None and (as_first or f"{name[: match.start()]}.lora_E" not in siblings):
            part = match["other"] or _PARTS.get(match["half"], match["half"])
            parts[name] = _placed(name[: match.start()], part, folder, as_first)
        elif name.endswith(".weight") and name.removesuffix(".weight") + ON_INPUT in siblings and not as_first:
            parts[name] = _placed(name.removesuffix(".weight"), "ia3", folder, as_first)
        else:
            unread.setdefault("AdaLoRA" if match is not None else _reason(name), []).append(name)
    if as_first:
        return LoraNames(parts, {}, ())
    left_out = tuple(Unread(reason, tuple(those)) for reason, those in unread.items())
    return LoraNames(parts, {embedding: tuple(keys) for embedding, keys in bundled.items()}, left_out)


def _reason(name: str) -> str:
    return next((what for piece, what in _UNDRAWN if piece in name), _UNKNOWN)


def doubtful(names: Iterable[str]) -> list[str]:
    """Return the names that may be unread or bundled, by a quick look at a header; `read_names` is certain."""
    return [name for name in names if not name.endswith(_ENDINGS)]


def algorithm(names: Iterable[str]) -> str:
    """Return what a file is called by what it holds, "" for a plain LoRA."""
    joined = "\n".join((*names, ""))
    kind = next((what for piece, what in _ALGORITHMS if piece in joined), "")
    if any(piece in joined for piece in DORA):
        return f"{kind} with DoRA" if kind else "DoRA"
    return kind


def _placed(stem: str, part: str, folder: str, as_first: bool) -> LayerPart:
    stem = stem.removeprefix("base_model.model.")
    flat = stem.replace(".", "_").removeprefix("base_model_model_")
    prefixes = _FIRST_PREFIXES if as_first else _PREFIXES
    network, start = next(((net, start) for start, net in prefixes if flat.startswith(start)), ("", ""))
    if not network and not as_first:
        bare = folder if folder in NETWORKS else UNET
        network = "text_encoder" if bare == UNET and flat.startswith(_BARE_TEXT) else bare
    layer = flat[len(start) :].replace("_processor_", "_").removeprefix("text_model_")  # diffusers before 0.20
    return LayerPart(network or UNET, layer, "magnitude" if "magnitude" in part else part, stem[len(start) :])
