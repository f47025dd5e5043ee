"""How to read a single-file checkpoint, by its header: its row, its prediction, its own parts.

A file that this program made from a folder whose configuration is not a family's (as the built-in model) carries that
configuration, its vocabulary and its notes in its header, under `PARTS_KEY`, and draws the same pictures anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sdstudio.catalog.checkpoints import CHECKPOINTS, EPSILON, V_PREDICTION, CheckpointSpec
from sdstudio.core.errors import ModelDamaged
from sdstudio.core.models.safetensors_header import Header

UNET_PREFIX: Final = "model.diffusion_model."
VAE_PREFIX: Final = "first_stage_model."
FIRST_CONV: Final = UNET_PREFIX + "input_blocks.0.0.weight"
PARTS_KEY: Final = "sdstudio.parts"
VOCABULARY_FILES: Final = ("vocab.json", "merges.txt")

# How a file records that it was trained at continuous noise levels: CosXL's spelling, which ComfyUI writes too, and
# Playground 2.5's, whose latents have a mean and a deviation for each channel.
EDM_SIGMA_MAX: Final = "edm_vpred.sigma_max"
EDM_SIGMA_MIN: Final = "edm_vpred.sigma_min"
EDM_MEAN: Final = "edm_mean"
EDM_DEVIATION: Final = "edm_std"

_PREDICTION_KEY: Final = "modelspec.prediction_type"
_CROSS_ATTENTION: Final = "attn2.to_k.weight"
_YAML_MAXIMUM_BYTES: Final = 2**16
# What people write into file names; letters and digits around it would make it part of another word.
_V_NAME: Final = re.compile(r"(?<![a-z0-9])(v[-_ ]?pred(iction)?|768[-_ ]?v|v[-_ ]?768)(?![a-z0-9])")
_EPSILON_NAME: Final = re.compile(
    r"(?<![a-z0-9])(eps(ilon)?([-_ ]?pred(iction)?)?|512([-_ ]?base)?|base|turbo)(?![a-z0-9])"
)


@dataclass(frozen=True, slots=True)
class EmbeddedParts:
    """What a file carries of the folder it was made from.

    Attributes:
        index: The folder's ``model_index.json``.
        configs: Component -> its configuration.
        vocabularies: Tokenizer -> `VOCABULARY_FILES` by name, where it is not CLIP's.
        notes: The folder's ``sdstudio.json``.
    """

    index: Mapping[str, Any]
    configs: Mapping[str, Mapping[str, Any]]
    vocabularies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the text that a header keeps."""
        row = {"index": self.index, "configs": self.configs, "vocabularies": self.vocabularies, "notes": self.notes}
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def embedded_parts(path: Path, header: Header) -> EmbeddedParts | None:
    """Return what the file carries of its folder, ``None`` when it carries nothing.

    Raises:
        ModelDamaged: What it carries is not what this program writes.
    """
    text = header.metadata.get(PARTS_KEY)
    if text is None:
        return None
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raw = None
    match raw:
        case {"index": dict(index), "configs": dict(configs), "vocabularies": dict(words), "notes": dict(notes)} if all(
            name.isidentifier() and isinstance(value, dict) for name, value in configs.items()
        ) and all(name.isidentifier() and _is_vocabulary(value) for name, value in words.items()):
            return EmbeddedParts(index, configs, words, notes)
    raise ModelDamaged(
        f"{path} is damaged: {PARTS_KEY} in its header is no set of configurations.", "Convert the model again."
    )


def _is_vocabulary(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in VOCABULARY_FILES)


def text_widths(header: Header) -> frozenset[int]:
    """Return the widths of text that the UNet attends to; one, in a file that is a checkpoint."""
    return frozenset(
        entry.shape[-1]
        for name, entry in header.tensors.items()
        if name.startswith(UNET_PREFIX) and name.endswith(_CROSS_ATTENTION) and entry.shape
    )


def unet_channels(header: Header) -> int:
    """Return the channels that the UNet takes, 0 when there is no UNet in the original layout."""
    first = header.tensors.get(FIRST_CONV)
    return first.shape[1] if first is not None and len(first.shape) == 4 else 0


def spec_of(path: Path, header: Header) -> CheckpointSpec | None:
    """Return the row to read a file by, ``None`` when it is of none of the kinds."""
    widths, channels = text_widths(header), unet_channels(header)
    rows = [row for row in CHECKPOINTS if row.text_width in widths and row.channels == channels]
    prediction = prediction_of(path, header)
    return next((row for row in rows if row.prediction == prediction), rows[0] if rows else None)


def has_zero_snr(header: Header) -> bool:
    """Whether the file records that it was trained to zero signal at the end (by a tensor of that name, as NoobAI)."""
    return "ztsnr" in header.tensors


def is_edm_v(header: Header) -> bool:
    """Whether the file records that it predicts v at continuous noise levels, as CosXL does."""
    return EDM_SIGMA_MAX in header.tensors


def is_edm(header: Header) -> bool:
    """Whether the file records that it was trained at continuous noise levels, as Playground 2.5 does."""
    return EDM_MEAN in header.tensors or EDM_DEVIATION in header.tensors


def lacks_edm_part(header: Header) -> str:
    """Return which of Playground 2.5's two tensors a file lacks that has the other, "" for none."""
    lacking = [name for name in (EDM_MEAN, EDM_DEVIATION) if name not in header.tensors]
    return lacking[0] if len(lacking) == 1 else ""


def prediction_of(path: Path, header: Header) -> str:
    """Return what a file records that its UNet predicts, "" when nothing does; the weights do not show it.

    Asked in this order: the header, A1111's .yaml beside the file, the file's name.
    """
    return prediction_in(header) or prediction_in_yaml(path.with_suffix(".yaml")) or prediction_in_name(path.stem)


def prediction_note(path: Path, header: Header) -> dict[str, str]:
    """Return the note that records in a copy of another name what a checkpoint predicts; none where its header does."""
    prediction = prediction_of(path, header)
    if not prediction or prediction_in(header) or not unet_channels(header):
        return {}
    return {_PREDICTION_KEY: "v" if prediction == V_PREDICTION else EPSILON}


def prediction_in(header: Header) -> str:
    """Return what a header records: an empty tensor of that name (NoobAI's), or the notes of modelspec.org."""
    if "v_pred" in header.tensors or is_edm_v(header):
        return V_PREDICTION
    noted = header.metadata.get(_PREDICTION_KEY, "").strip().lower()
    if noted in ("v", "v_prediction", EPSILON):
        return EPSILON if noted == EPSILON else V_PREDICTION
    architecture = header.metadata.get("modelspec.architecture", "")
    if "v2-768-v" in architecture:
        return V_PREDICTION
    return EPSILON if "v2-512" in architecture else ""


def prediction_in_name(name: str) -> str:
    """Return the prediction that the name of a file shows, "" for none."""
    if _V_NAME.search(name.lower()):
        return V_PREDICTION
    return EPSILON if _EPSILON_NAME.search(name.lower()) else ""


def prediction_in_yaml(path: Path) -> str:
    """Return the prediction in A1111's configuration beside a file, "" for none or no such file.

    Only the one line that counts is looked for: a whole YAML parser for a file of unknown origin would be more than is
    needed.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_YAML_MAXIMUM_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    match = re.search(r"^\s*parameterization:\s*[\"']?(\w+)", text, re.MULTILINE)
    if match:
        return V_PREDICTION if match[1] == "v" else EPSILON
    return EPSILON if "model:" in text and "unet_config" in text else ""
