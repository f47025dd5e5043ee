"""What a path holds: a diffusers folder, a single checkpoint or neither; whether it is whole, and of which family.

Nothing is loaded and no code of a model is run: JSON files and safetensors headers are all that is read. A model folder
is data from strangers, so the classes it names must come from the libraries on `_LIBRARIES`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sdstudio.catalog.checkpoints import CHECKPOINTS, V_PREDICTION
from sdstudio.catalog.families import FAMILY_BY_KEY, ModelFamily, family_of_pipeline
from sdstudio.catalog.kinds import CHECKPOINT, KIND_BY_KEY, PICKLES, VARIANT_BY_KEY
from sdstudio.core.checkpoint import embedded_parts
from sdstudio.core.errors import ModelDamaged, ModelError, ModelNotFound, ModelPickled, ModelUnsupported
from sdstudio.core.model import ModelInfo, ModelLayout
from sdstudio.core.safetensors_header import read_header
from sdstudio.library.facts import FileFacts, read_facts
from sdstudio.library.notes import NOTES_FILE, ModelNotes, believed, read_notes
from sdstudio.library.single_file import CHANNEL_VARIANTS, variant_of_name

INDEX_FILE: Final = "model_index.json"
WEIGHT_SUFFIXES: Final = (".safetensors", ".bin")

_LIBRARIES: Final = frozenset({"diffusers", "transformers", "stable_diffusion"})
_CONFIG_MAXIMUM_BYTES: Final = 64 * 2**20
# Filters that the engine can draw without.
_OPTIONAL: Final = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
_NOT_FROM_TEXT: Final = (
    "Img2Img", "Inpaint", "Upscale", "Video", "Audio", "Depth2Img", "Pix2Pix", "ControlNet", "ImageVariation", "Prior",
)  # fmt: skip
_SD2_BASE: Final = 512
"""Side in pixels of an SD 2 that predicts epsilon: 2-base, 2-1-base and sd-turbo."""

_NO_CODE: Final = "Models with code of their own are not run."
_FETCH_AGAIN: Final = "Get the model again from where it came from."


@dataclass(frozen=True, slots=True)
class Finding:
    """A model that was found, and the error to raise when somebody wants to draw with it; ``None`` when it can draw."""

    info: ModelInfo
    error: ModelError | None = None

    @classmethod
    def of(cls, info: ModelInfo, error: ModelError | None) -> Finding:
        """Join both, with the error's text as the model's problem."""
        return cls(replace(info, problem=str(error) if error else ""), error)


def examine(path: Path) -> Finding:
    """Tell what model ``path`` holds.

    Raises:
        ModelNotFound: There is nothing at ``path``.
        ModelUnsupported: What is there is no model.
    """
    if path.name == INDEX_FILE and path.is_file():
        path = path.parent
    if os.path.isdir(path):
        if (path / INDEX_FILE).is_file():
            return _folder(path)
        raise ModelUnsupported(f"{path} is no model: a model's folder holds {INDEX_FILE}.", _near(path))
    if not os.path.exists(path):  # False for a name that is too long, too
        hint = "See the Library page, or `sdstudio models list`."
        raise ModelNotFound(f"{path}: there is no such file or folder.", hint)
    if path.suffix.lower() in (".safetensors", ".ckpt"):
        return _single_file(path)
    if path.suffix.lower() in PICKLES:
        raise ModelUnsupported(
            f"{path} may hold Python objects and was not opened: a model is a diffusers folder or a .safetensors file.",
            "Convert it to .safetensors first.",
        )
    raise ModelUnsupported(
        f"{path} is no model: a model is a diffusers folder or a .safetensors file.", "Choose another file."
    )


def weight_files(model: ModelInfo) -> tuple[Path, ...]:
    """Return the files that hold the model's weights, sorted by their path inside the model."""
    if model.layout is ModelLayout.SINGLE_FILE:
        return (model.path,)
    found = (path for path in model.path.glob("*/*") if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    return tuple(sorted(found, key=lambda path: path.relative_to(model.path).as_posix()))


def _near(path: Path) -> str:
    if (path.parent / INDEX_FILE).is_file():
        return f"Choose the folder above it, {path.parent}."
    below = next((child.parent for child in sorted(path.glob(f"*/{INDEX_FILE}"))), None)
    return f"Choose the folder below it, {below}." if below else f"Choose the folder that holds {INDEX_FILE}."


def file_finding(path: Path, facts: FileFacts, size_bytes: int) -> Finding:
    """Return the model that a single file is, by what it says of itself."""
    file = facts.file
    info = ModelInfo(
        path.stem, path.stem, path, file.family or "other", ModelLayout.SINGLE_FILE, variant=file.variant,
        size_bytes=size_bytes, defaults=MappingProxyType(_variant_defaults(file.variant)),
    )  # fmt: skip
    error = facts.as_error()
    if error is None and file.kind != CHECKPOINT:
        title = KIND_BY_KEY[file.kind].title
        said = f"{path} is {'an' if title[0] in 'EU' else 'a'} {title}."
        error = ModelUnsupported(said, "Choose a text-to-image checkpoint.")
    try:
        info = _carried(info) if error is None and facts.carried else _sized(info)
    except ModelError as odd:
        error = odd
    return Finding.of(info, error)


def _sized(info: ModelInfo) -> ModelInfo:
    """Return a checkpoint with what its row says: its pipeline, and 512 pixels for an SD 2 that is no 768-v."""
    rows = [row for row in CHECKPOINTS if row.family == info.family and row.channels == 4]
    if not rows:
        return info
    info = replace(info, pipeline=rows[0].pipeline)
    if info.family != "sd2" or info.variant.startswith(V_PREDICTION):
        return info
    defaults = {"width": _SD2_BASE, "height": _SD2_BASE, **info.defaults}
    own = (_SD2_BASE, _SD2_BASE)
    sizes = (own, *_scaled(info.family_row, _SD2_BASE, own))
    return replace(info, defaults=MappingProxyType(defaults), sizes=sizes)


def _carried(info: ModelInfo) -> ModelInfo:
    """Return a checkpoint with what the configuration that it carries says. Raises: ModelError."""
    parts = embedded_parts(info.path, read_header(info.path))
    if parts is None:
        return info
    notes = believed(dict(parts.notes))
    pipeline = parts.index.get("_class_name")
    info = replace(
        info, pipeline=str(pipeline), examples=notes.examples, preview=notes.preview, warnings=tuple(notes.warnings)
    )  # fmt: skip
    unet, vae = dict(parts.configs.get("unet", {})), dict(parts.configs.get("vae", {}))
    if any(word in info.pipeline for word in _NOT_FROM_TEXT):
        raise ModelUnsupported(
            f"{info.path} is a {pipeline}: only text-to-image pipelines can be used.", "Choose another."
        )
    return _fitted(info, notes, unet, vae, info.variant)


def _single_file(path: Path) -> Finding:
    try:
        return file_finding(path, read_facts(path), path.stat().st_size)
    except OSError as error:
        raise ModelNotFound(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error


def _variant_defaults(variant: str) -> dict[str, Any]:
    return dict(VARIANT_BY_KEY[variant].defaults) if variant else {}


def _folder(path: Path) -> Finding:
    notes = read_notes(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    info = ModelInfo(
        key=path.name, name=notes.name or title_of(path), path=path, family=notes.family or "other", size_bytes=size,
        examples=notes.examples, preview=notes.preview, warnings=tuple(notes.warnings),
    )  # fmt: skip
    try:
        pipeline, parts = _index(path)
        info = replace(info, pipeline=pipeline)
        _check_parts(path, parts)
        info = _with_family(info, notes)
        _check_purpose(info)
        _check_pickles(path, parts)
    except ModelError as error:
        return Finding.of(info, error)
    return Finding.of(info, None)


def title_of(path: Path) -> str:
    """Name a model after its folder; a snapshot in Hugging Face's cache after its repository."""
    if path.parent.name == "snapshots" and path.parent.parent.name.startswith("models--"):
        return path.parent.parent.name.removeprefix("models--").replace("--", "/")
    return path.name


def _index(path: Path) -> tuple[str, dict[str, str]]:
    """Return the pipeline's class and its components (name -> class), all of them from known libraries."""
    raw = _json(path / INDEX_FILE)
    pipeline = raw.get("_class_name")
    if not isinstance(pipeline, str) or not pipeline.isidentifier():
        raise ModelUnsupported(
            f"{path / INDEX_FILE}: _class_name = {str(pipeline)[:60]!r}: allowed is the name of a diffusers pipeline.",
            _NO_CODE,
        )
    parts: dict[str, str] = {}
    for name, value in raw.items():
        match value:
            case [None, None] | [None, _] if not name.startswith("_"):
                continue
            case [str(library), str(class_name)] if not name.startswith("_"):
                if library not in _LIBRARIES or not class_name.isidentifier() or not name.isidentifier():
                    said = f"{path / INDEX_FILE}: {name[:40]} comes from {library[:40]!r}, class {class_name[:40]!r}: "
                    raise ModelUnsupported(f"{said}allowed are classes of {', '.join(sorted(_LIBRARIES))}.", _NO_CODE)
                parts[name] = class_name
    return pipeline, parts


def _check_parts(path: Path, parts: dict[str, str]) -> None:
    for name, class_name in parts.items():
        folder = path / name
        if not folder.is_dir():
            if name in _OPTIONAL:
                continue
            raise ModelDamaged(f"{path} lacks its {name} folder.", _FETCH_AGAIN)
        if "Tokenizer" in class_name:
            _check_tokenizer(folder)
        elif "Scheduler" in class_name:
            _json(folder / "scheduler_config.json")
        elif "Processor" in class_name or "Extractor" in class_name:
            _json(folder / "preprocessor_config.json")
        else:
            _json(folder / "config.json")
            _check_weights(folder)


def _check_tokenizer(folder: Path) -> None:
    """A tokenizer without its vocabulary loads all the same, with two tokens, and every prompt does nothing."""
    names = {file.name for file in folder.iterdir()}
    if "tokenizer.json" in names:
        _json(folder / "tokenizer.json")
    elif {"vocab.json", "merges.txt"} <= names:
        _json(folder / "vocab.json")
    elif not any(name.endswith(".model") for name in names):
        raise ModelDamaged(f"{folder} lacks its vocabulary, tokenizer.json or vocab.json + merges.txt.", _FETCH_AGAIN)


def _check_weights(folder: Path) -> None:
    for index in folder.glob("*.safetensors.index.json"):
        shards = _json(index).get("weight_map")
        for shard in set(shards.values()) if isinstance(shards, dict) else ():
            if not isinstance(shard, str) or "/" in shard or "\\" in shard or not (folder / shard).is_file():
                raise ModelDamaged(f"{folder} lacks {str(shard)[:80]!r}, a part of its weights.", _FETCH_AGAIN)
    checked = [read_header(file) for file in sorted(folder.glob("*.safetensors"))]
    if not checked and not any(folder.glob("*.bin")):
        raise ModelDamaged(f"{folder} holds no weights (.safetensors).", _FETCH_AGAIN)


def _check_pickles(path: Path, parts: dict[str, str]) -> None:
    """Weights without a .safetensors file are pickles, which only the settings open."""
    for name in parts:
        if name not in _OPTIONAL and any(path.glob(f"{name}/*.bin")) and not any(path.glob(f"{name}/*.safetensors")):
            raise ModelPickled.weights_of(path, name)


def _with_family(info: ModelInfo, notes: ModelNotes) -> ModelInfo:
    unet, vae = _config(info.path / "unet"), _config(info.path / "vae")
    family = FAMILY_BY_KEY.get(notes.family) or family_of_pipeline(info.pipeline, _width(unet))
    variant = CHANNEL_VARIANTS.get(_channels(unet, "in_channels"), "") or _variant(info, family.key)
    return _fitted(info, notes, unet, vae, variant)


def _fitted(info: ModelInfo, notes: ModelNotes, unet: dict[str, Any], vae: dict[str, Any], variant: str) -> ModelInfo:
    """Return a model with the sizes and values that its configuration and its notes ask for."""
    family = FAMILY_BY_KEY.get(notes.family) or family_of_pipeline(info.pipeline, _width(unet))
    if info.preview is not None and len(info.preview.factors) != _channels(vae, "latent_channels"):
        rows, wanted = len(info.preview.factors), _channels(vae, "latent_channels")
        said = f"{NOTES_FILE}: latent_rgb has {rows} rows and is not used: allowed are {wanted}, one for each channel."
        info = replace(info, preview=None, warnings=(*info.warnings, said))
    native = _native_size(unet, vae) or family.native_size
    defaults = _variant_defaults(variant)
    if native != family.native_size:
        defaults.update(width=native, height=native)
    defaults.update(notes.defaults)
    own = (defaults.get("width", family.native_size), defaults.get("height", family.native_size))
    sizes = () if native == family.native_size and own in family.sizes else (own, *_scaled(family, native, own))
    return replace(info, family=family.key, variant=variant, defaults=MappingProxyType(defaults), sizes=sizes)


def _variant(info: ModelInfo, family: str) -> str:
    """Return a folder's variant: by what its scheduler predicts, else by its name."""
    scheduler = info.path / "scheduler" / "scheduler_config.json"
    if scheduler.is_file() and _json(scheduler).get("prediction_type") == "v_prediction":
        return "v_prediction"
    return variant_of_name(title_of(info.path)) if family in ("sd1", "sd2", "sdxl") else ""


def _check_purpose(info: ModelInfo) -> None:
    unet, vae = _config(info.path / "unet"), _config(info.path / "vae")
    if _channels(unet, "in_channels") != _channels(vae, "latent_channels"):
        raise ModelUnsupported(
            f"{info.path} draws over a picture (its UNet takes {unet.get('in_channels')} channels): "
            "only text-to-image models can be used.",
            "Choose the text-to-image model it was made from.",
        )
    if any(word in info.pipeline for word in _NOT_FROM_TEXT):
        raise ModelUnsupported(
            f"{info.path} is a {info.pipeline}: only text-to-image pipelines can be used.", "Choose another model."
        )


def _scaled(family: ModelFamily, native: int, own: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the family's presets at the size this model was trained at, without ``own``."""
    seen = {own}
    for size in family.sizes:
        width, height = (max(64, round(side * native / family.native_size / 8) * 8) for side in size)
        if (width, height) not in seen:
            seen.add((width, height))
            yield width, height


def _native_size(unet: dict[str, Any], vae: dict[str, Any]) -> int:
    """Return the side in pixels that the UNet was trained at, 0 when its configuration does not say."""
    sample, blocks = unet.get("sample_size"), vae.get("block_out_channels")
    if type(sample) is not int or not isinstance(blocks, list) or not 1 <= len(blocks) <= 6:
        return 0
    return int(min(max(sample * 2 ** (len(blocks) - 1) // 8 * 8, 64), 2048))


def _width(unet: dict[str, Any]) -> int:
    match unet.get("cross_attention_dim"):
        case int(width) | [int(width), *_]:
            return width
    return 0


def _channels(config: dict[str, Any], name: str) -> int:
    value = config.get(name, 4)
    return value if type(value) is int else 4


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _CONFIG_MAXIMUM_BYTES:
            raise ModelDamaged(f"{path} is larger than {_CONFIG_MAXIMUM_BYTES:,} bytes.", _FETCH_AGAIN)
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelDamaged(f"{path.parent} lacks {path.name}.", _FETCH_AGAIN) from None
    except OSError as error:
        raise ModelNotFound(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error
    except (ValueError, RecursionError):
        raise ModelDamaged(f"{path} is damaged: it is not JSON.", _FETCH_AGAIN) from None
    if not isinstance(raw, dict):
        raise ModelDamaged(f"{path} is damaged: it holds no JSON object.", _FETCH_AGAIN)
    return raw
