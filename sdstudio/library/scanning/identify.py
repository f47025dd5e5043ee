"""What a path holds: a diffusers folder, a single checkpoint or neither; whether it is whole, and of which family.

Nothing is loaded and no code of a model is run: JSON files and safetensors headers are all that is read. A model folder
is data of unknown origin: `core.models.folder` checks what its index names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sdstudio.catalog.checkpoints import EPSILON, V_PREDICTION, inpainting_rows, text_to_image_rows
from sdstudio.catalog.families import FAMILY_BY_KEY, ModelFamily, family_of_pipeline
from sdstudio.catalog.few_steps import starting_values
from sdstudio.catalog.kinds import CHECKPOINT, INPAINT, KIND_BY_KEY, PICKLES, VARIANT_BY_KEY
from sdstudio.core.errors import ModelDamaged, ModelError, ModelNotFound, ModelPickled, ModelUnsupported
from sdstudio.core.models.checkpoint import embedded_parts
from sdstudio.core.models.folder import (
    INDEX_FILE,
    OPTIONAL,
    ModelIndex,
    check_drawable,
    check_pipeline,
    kind_of_part,
    read_index,
    weights_entry,
)
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.safetensors_header import bits_of, read_header
from sdstudio.library.scanning.facts import VAE_HINT, FileFacts, read_facts
from sdstudio.library.scanning.notes import NOTES_FILE, ModelNotes, believed, read_notes
from sdstudio.library.scanning.single_file import CHANNEL_VARIANTS, EDM_VARIANTS, variant_of_name

WEIGHT_SUFFIXES: Final = (".safetensors", ".bin")
_OTHER_WEIGHTS: Final = (".safetensors", ".gguf", ".bin", ".msgpack", ".onnx", ".h5", ".ckpt", ".pt", ".pth")

_CONFIG_MAXIMUM_BYTES: Final = 64 * 2**20
_FETCH_AGAIN: Final = "Get the model again from where it came from."


@dataclass(frozen=True, slots=True)
class Finding:
    """A model that was found, and the error to raise when somebody wants to draw with it; ``None`` when it can draw.

    Attributes:
        info: The model.
        error: Why it cannot draw.
        lacks_vae: It holds no VAE, which counts once the error does not: a pickle that the settings let be opened.
    """

    info: ModelInfo
    error: ModelError | None = None
    lacks_vae: bool = False

    @classmethod
    def of(cls, info: ModelInfo, error: ModelError | None) -> Finding:
        """Join both, with the error's text as the model's problem."""
        return cls(replace(info, problem=str(error) if error else ""), error)


def examine(path: Path) -> Finding:
    """Return what model ``path`` holds.

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
    files = (path for path in model.path.glob("*/[!.]*") if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    return tuple(sorted(files, key=lambda path: path.relative_to(model.path).as_posix()))


def _near(path: Path) -> str:
    if (path.parent / INDEX_FILE).is_file():
        return f"Choose the folder above it, {path.parent}."
    below = next((child.parent for child in sorted(path.glob(f"*/{INDEX_FILE}"))), None)
    return f"Choose the folder below it, {below}." if below else f"Choose the folder that holds {INDEX_FILE}."


def file_finding(path: Path, facts: FileFacts, size_bytes: int) -> Finding:
    """Return the model that a single file is, by what it records of itself."""
    file = facts.file
    info = ModelInfo(
        path.stem, path.stem, path, file.family or "other", ModelLayout.SINGLE_FILE, variant=file.variant,
        size_bytes=size_bytes, defaults=MappingProxyType(_variant_defaults(file.variant, file.distilled_as)),
        weights=size_bytes * 8 // facts.bits if facts.bits else 0,
    )  # fmt: skip
    error = facts.as_error()
    if error is None and file.kind != CHECKPOINT:
        title = KIND_BY_KEY[file.kind].title
        message = f"{path} is {'an' if title[0] in 'EU' else 'a'} {title}."
        error = ModelUnsupported(message, "Choose a text-to-image checkpoint.")
    try:
        info = _carried(info) if error is None and facts.carried else _sized(info)
    except ModelError as odd:
        error = odd
    lacks_vae = "vae" in file.lacks
    if error is None and lacks_vae:
        return without_vae(info)
    return replace(Finding.of(info, error), lacks_vae=lacks_vae)


def without_vae(info: ModelInfo) -> Finding:
    """Return a model that holds no VAE, and draws with one of the request only."""
    return Finding(replace(info, problem=f"{info.path} holds no VAE. {VAE_HINT}", lacks_vae=True), lacks_vae=True)


def _sized(info: ModelInfo) -> ModelInfo:
    """Return a checkpoint with what its row holds: its pipeline, and its size, which may be its variant's (Turbo)."""
    rows = (inpainting_rows if info.variant == INPAINT else text_to_image_rows)(info.family)
    if not rows:
        return info
    predicted = V_PREDICTION if info.variant.startswith(V_PREDICTION) else EPSILON
    row = next((row for row in rows if row.prediction == predicted), rows[0])
    info = replace(info, pipeline=row.pipeline)
    side = info.defaults.get("width", row.size)
    if not side:
        return info
    defaults = {"width": side, "height": side, **info.defaults}
    sizes = ((side, side), *_scaled(info.family_row, side, (side, side)))
    return replace(info, defaults=MappingProxyType(defaults), sizes=sizes)


def _carried(info: ModelInfo) -> ModelInfo:
    """Return a checkpoint with what the configuration that it carries holds. Raises: ModelError."""
    parts = embedded_parts(info.path, read_header(info.path))
    if parts is None:
        return info
    notes = believed(dict(parts.notes))
    pipeline = parts.index.get("_class_name")
    info = replace(
        info, pipeline=str(pipeline), examples=notes.examples, preview=notes.preview, warnings=tuple(notes.warnings)
    )  # fmt: skip
    unet, vae = dict(parts.configs.get("unet", {})), dict(parts.configs.get("vae", {}))
    check_pipeline(info.pipeline, str(info.path))
    return _fitted(info, notes, unet, vae, info.variant)


def _single_file(path: Path) -> Finding:
    try:
        return file_finding(path, read_facts(path), path.stat().st_size)
    except OSError as error:
        raise ModelNotFound(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error


def _variant_defaults(variant: str, distilled_as: str) -> dict[str, Any]:
    """Return what a model begins with by its variant, and by the words that show how it was distilled."""
    return {**(VARIANT_BY_KEY[variant].defaults if variant else {}), **starting_values(distilled_as)}


def _folder(path: Path) -> Finding:
    notes = read_notes(path)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    info = ModelInfo(
        key=title_of(path), name=notes.name or title_of(path), path=path, family=notes.family or "other",
        size_bytes=size, examples=notes.examples, preview=notes.preview, warnings=tuple(notes.warnings),
    )  # fmt: skip
    try:
        index = read_index(_json(path / INDEX_FILE), str(path))
        info = replace(info, pipeline=index.pipeline)
        check_drawable(index, str(path))
        info = replace(info, weights=_check_parts(path, index))
        info = _with_family(info, notes)
        _check_purpose(info)
        _check_pickles(path, index)
    except ModelError as error:
        return Finding.of(info, error)
    return Finding.of(info, None)


def title_of(path: Path) -> str:
    """Name a model after its folder; a snapshot in Hugging Face's cache after its repository."""
    repository = _repository_of(path)
    return repository.name.removeprefix("models--").replace("--", "/") if repository else path.name


def is_newest_snapshot(path: Path) -> bool:
    """Whether a folder is the snapshot of Hugging Face's cache that its repository's main branch stood at last."""
    repository = _repository_of(path)
    try:
        return repository is not None and (repository / "refs" / "main").read_text("ascii").strip() == path.name
    except (OSError, ValueError):
        return False


def _repository_of(path: Path) -> Path | None:
    """Return the folder of the repository that a snapshot of Hugging Face's cache belongs to."""
    above = path.parent
    return above.parent if above.name == "snapshots" and above.parent.name.startswith("models--") else None


def _check_parts(path: Path, index: ModelIndex) -> int:
    """Check that every part of a folder is whole; return how many numbers those that draw are made of."""
    count = 0
    for name, (_library, class_name) in index.parts.items():
        folder = path / name
        if not folder.is_dir():
            if name in OPTIONAL:
                continue
            raise ModelDamaged(f"{path} lacks its {name} folder.", _FETCH_AGAIN)
        match kind_of_part(class_name):
            case "tokenizer":
                _check_tokenizer(folder)
            case "scheduler":
                _json(folder / "scheduler_config.json")
            case "processor":
                _json(folder / "preprocessor_config.json")
            case "network":
                _json(folder / "config.json")
                weights = _check_weights(folder)
                count += weights if name not in OPTIONAL else 0
    return count


def _check_tokenizer(folder: Path) -> None:
    """A tokenizer without its vocabulary loads all the same, with two tokens, and every prompt does nothing."""
    names = _file_names(folder)
    if "tokenizer.json" in names:
        _json(folder / "tokenizer.json")
    elif {"vocab.json", "merges.txt"} <= names:
        _json(folder / "vocab.json")
    elif not any(name.endswith(".model") for name in names):
        raise ModelDamaged(f"{folder} lacks its vocabulary, tokenizer.json or vocab.json + merges.txt.", _FETCH_AGAIN)


def _check_weights(folder: Path) -> int:
    """Check that a part's weights are whole; return how many numbers they are, 0 for pickles, which are not opened."""
    entry = _weights_of(folder)
    if not entry:
        others = sorted(name for name in _file_names(folder) if name.endswith(_OTHER_WEIGHTS))
        only = f" that can be read, only {', '.join(others)[:120]}" if others else ""
        raise ModelDamaged(f"{folder} holds no weights (.safetensors){only}.", _FETCH_AGAIN)
    names = [entry]
    if entry.endswith(".json"):
        shards = _json(folder / entry).get("weight_map")
        names = sorted({str(shard) for shard in shards.values()}) if isinstance(shards, dict) else []
        if not names:
            raise ModelDamaged(f"{folder / entry} lists no weights.", _FETCH_AGAIN)
    count = 0
    for name in names:
        if "/" in name or "\\" in name or not (folder / name).is_file():
            raise ModelDamaged(f"{folder} lacks {name[:80]!r}, a part of its weights.", _FETCH_AGAIN)
        if name.endswith(".safetensors"):
            bits = bits_of(read_header(folder / name))
            count += (folder / name).stat().st_size * 8 // bits if bits else 0
    return count


def _check_pickles(path: Path, index: ModelIndex) -> None:
    """Weights without a .safetensors file are pickles, which only the settings open."""
    for name in index.parts:
        if name not in OPTIONAL and ".bin" in _weights_of(path / name):
            raise ModelPickled.weights_of(path, name)


def _weights_of(folder: Path) -> str:
    return weights_entry(_file_names(folder))


def _file_names(folder: Path) -> set[str]:
    """Return the names of what a folder holds, links that lead nowhere among them: these are reported when read."""
    return {entry.name for entry in folder.iterdir() if not entry.name.startswith(".")} if folder.is_dir() else set()


def _with_family(info: ModelInfo, notes: ModelNotes) -> ModelInfo:
    unet, vae = _config(info.path / "unet"), _config(info.path / "vae")
    family = FAMILY_BY_KEY.get(notes.family) or family_of_pipeline(info.pipeline, _width(unet))
    variant = CHANNEL_VARIANTS.get(_channels(unet, "in_channels"), "") or _variant(info, family)
    return _fitted(info, notes, unet, vae, variant)


def _fitted(info: ModelInfo, notes: ModelNotes, unet: dict[str, Any], vae: dict[str, Any], variant: str) -> ModelInfo:
    """Return a model with the sizes and values that its configuration and its notes ask for."""
    family = FAMILY_BY_KEY.get(notes.family) or family_of_pipeline(info.pipeline, _width(unet))
    if info.preview is not None and len(info.preview.factors) != _channels(vae, "latent_channels"):
        rows, wanted = len(info.preview.factors), _channels(vae, "latent_channels")
        rule = f"allowed are {wanted}, one for each channel"
        message = f"{NOTES_FILE}: latent_rgb has {rows} rows and is not used: {rule}."
        info = replace(info, preview=None, warnings=(*info.warnings, message))
    native = _native_size(unet, vae) or family.native_size
    distilled_as = title_of(info.path) if info.layout is ModelLayout.FOLDER and family.name_tells_variant else ""
    defaults = {**info.defaults, **_variant_defaults(variant, distilled_as)}
    if native != family.native_size:
        defaults.update(width=native, height=native)
    defaults.update(notes.defaults)
    own = (defaults.get("width", family.native_size), defaults.get("height", family.native_size))
    sizes = () if native == family.native_size and own in family.sizes else (own, *_scaled(family, native, own))
    return replace(info, family=family.key, variant=variant, defaults=MappingProxyType(defaults), sizes=sizes)


def _variant(info: ModelInfo, family: ModelFamily) -> str:
    """Return a folder's variant: by what its scheduler predicts, else by its name."""
    file = info.path / "scheduler" / "scheduler_config.json"
    scheduler = _json(file) if file.is_file() else {}
    predicts_v = scheduler.get("prediction_type") == V_PREDICTION
    if str(scheduler.get("_class_name")).startswith("EDM"):
        return EDM_VARIANTS[predicts_v]
    if predicts_v:
        return V_PREDICTION
    return variant_of_name(title_of(info.path)) if family.name_tells_variant else ""


def _check_purpose(info: ModelInfo) -> None:
    unet, vae = _config(info.path / "unet"), _config(info.path / "vae")
    if unet and info.variant != INPAINT and _channels(unet, "in_channels") != _channels(vae, "latent_channels"):
        raise ModelUnsupported(
            f"{info.path} draws over a picture (its UNet takes {unet.get('in_channels')} channels): "
            "only models for text to image and for inpainting can be used.",
            "Choose the text-to-image model it was made from.",
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
    """Return the side in pixels that the UNet was trained at, 0 when its configuration does not record it."""
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
