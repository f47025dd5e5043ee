"""What a diffusers folder must hold, by its ``model_index.json``, checked to the byte before anything is loaded.

diffusers itself raises "Unable to load weights" for a truncated file, loads a model without a tokenizer (and fails at
the first prompt), and ignores that an index names quite another pipeline; here each of these is one exact line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sdstudio.core.errors import ModelDamaged, ModelNotFound
from sdstudio.core.models.checkpoint import EmbeddedParts
from sdstudio.core.models.folder import (
    HINT,
    INDEX_FILE,
    WEIGHTS,
    kind_of_part,
    read_index,
    variant_of,
    weights_entry,
)
from sdstudio.core.models.safetensors_header import read_header

VOCABULARIES: Final = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",), ("tokenizer.model",))


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a model as its index names it, found whole on disk.

    Attributes:
        name: "unet".
        library: Key of `core.models.folder.LIBRARIES`.
        class_name: "UNet2DConditionModel".
        folder: Where its files are.
        size_bytes: Of its weights; 0 for what has none.
        variant: Of its weights, "" for the plain ones.
        pickled: Its weights are there only as pickled Python objects.
    """

    name: str
    library: str
    class_name: str
    folder: Path
    size_bytes: int = 0
    variant: str = ""
    pickled: bool = False


@dataclass(frozen=True, slots=True)
class FileParts:
    """What a single file is read by.

    Attributes:
        configs: The shipped folder of its configurations, ``None`` when it carries its own.
        embedded: What it carries.
        prediction: What it records that its UNet predicts, "" for nothing.
        zero_snr: It was trained to zero signal at the end.
        pickled: It is a ``.ckpt``.
        scaled: Weights of it are fp8 that is multiplied by scales.
        lacks_vae: It holds no VAE and draws with one of the request only.
        changes: Part -> what its configuration has otherwise than the shipped one (`engine.model_files.variations`).
    """

    configs: Path | None
    embedded: EmbeddedParts | None
    prediction: str = ""
    zero_snr: bool = False
    pickled: bool = False
    scaled: bool = False
    lacks_vae: bool = False
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder, or a single file, that is whole.

    Attributes:
        folder: The folder, or the file.
        pipeline: Name of the diffusers class it wants.
        components: In the order of the index, without what is ``null`` there.
        absent: Components that the index names as ``null``: parts that a pipeline may do without.
        without: Components that were left out.
        stamp: Changes when a file of it does.
        single: How a single file is read, ``None`` for a folder.
    """

    folder: Path
    pipeline: str
    components: tuple[Component, ...]
    absent: tuple[str, ...]
    without: tuple[str, ...]
    stamp: int
    single: FileParts | None = None

    @property
    def pickled(self) -> bool:
        """Whether it is a ``.ckpt``, or a part of it is a pickle."""
        return (self.single is not None and self.single.pickled) or any(part.pickled for part in self.components)

    def component(self, name: str) -> Component | None:
        """Return the component of that name, ``None`` when the model has none."""
        return next((part for part in self.components if part.name == name), None)


def stamp_of(folder: Path) -> int:
    """Return a number that changes when a file of the model does. Raises: OSError."""
    if folder.is_file():
        files = [folder, folder.with_suffix(".yaml")]  # A1111's, which may record what the model predicts
    else:
        files = [folder / INDEX_FILE, *sorted(folder.glob("*/*"))]
    stats = [file.stat() for file in files if file.is_file()]
    return hash(tuple((stat.st_size, stat.st_mtime_ns) for stat in stats))


def check_files(folder: Path, without: tuple[str, ...] = ()) -> ModelFiles:
    """Check that a folder is a diffusers model whose files are all there and whole.

    Args:
        folder: The folder.
        without: Components that nobody is going to use; neither checked nor listed.

    Raises:
        ModelNotFound: There is no such folder, or it is no model.
        ModelDamaged: A file is missing, truncated or something else than its name shows.
        ModelUnsupported: The index names code from outside diffusers and transformers.
    """
    if not folder.is_dir():
        raise ModelNotFound(f"{folder}: there is no such folder.", "Choose another model, or put it back there.")
    if not (folder / INDEX_FILE).is_file():
        raise ModelNotFound(
            f"{folder}: this folder is no diffusers model, it has no {INDEX_FILE}.",
            f"Choose the folder that holds {INDEX_FILE}, unet and vae.",
        )
    index = read_index(_json(folder, INDEX_FILE), folder.name)
    parts = tuple(
        _component(folder, Component(name, library, class_name, folder / name))
        for name, (library, class_name) in index.parts.items()
        if name not in without
    )
    return ModelFiles(folder, index.pipeline, parts, index.absent, without, stamp_of(folder))


def _component(folder: Path, part: Component) -> Component:
    name = part.name
    if not part.folder.is_dir():
        raise ModelDamaged(f"{folder.name} lacks its folder {name}.", HINT)
    match kind_of_part(part.class_name):
        case "tokenizer":
            _check_vocabulary(folder, name)
        case "scheduler":
            _json(folder, f"{name}/scheduler_config.json")
        case "processor":
            _json(folder, f"{name}/preprocessor_config.json")
        case "network":
            _json(folder, f"{name}/config.json")
            return _weighed(folder, part)
    return part


def _check_vocabulary(folder: Path, name: str) -> None:
    for files in VOCABULARIES:
        if all((folder / name / file).is_file() for file in files):
            for file in files:
                if file.endswith(".json"):
                    _json(folder, f"{name}/{file}")
            return
    raise ModelDamaged(f"{folder.name} lacks {name}/tokenizer.json: without a vocabulary no prompt can be read.", HINT)


def _weighed(folder: Path, part: Component) -> Component:
    """Return the component with the size of its weights, after a look at each file of them."""
    entry = _weights_entry(part)
    if not entry:
        raise ModelDamaged(f"{folder.name} lacks {part.name}/{weights_name(part)}.", HINT)
    size = 0
    for file in _weight_files(folder, f"{part.name}/{entry}"):
        if not (folder / file).is_file():
            raise ModelDamaged(f"{folder.name} lacks {file}.", HINT)
        if file.endswith(".safetensors"):
            read_header(folder / file)
        size += (folder / file).stat().st_size
    return replace(part, size_bytes=size, variant=variant_of(entry), pickled=".bin" in entry)


def weights_name(part: Component) -> str:
    """Return the name of the file that a part's weights are in when they are one file."""
    return WEIGHTS[0] if part.library == "diffusers" else WEIGHTS[1]


def weight_paths(files: ModelFiles, part: Component) -> list[Path]:
    """Return the files that a part's weights are read from. Raises: ModelDamaged."""
    entry = _weights_entry(part)
    return [files.folder / file for file in _weight_files(files.folder, f"{part.name}/{entry}")]


def _weights_entry(part: Component) -> str:
    return weights_entry({file.name for file in part.folder.iterdir() if file.is_file()})


def _weight_files(folder: Path, file: str) -> Iterator[str]:
    """Yield the file, or the shards that it lists when it is an index of shards."""
    if not file.endswith(".json"):
        yield file
        return
    shards = _json(folder, file).get("weight_map")
    names = set(shards.values()) if isinstance(shards, dict) else set()
    if not names or not all(isinstance(name, str) and name == Path(name).name for name in names):
        raise ModelDamaged(f"{folder.name}/{file} lists no weights.", HINT)
    yield from (f"{file.rpartition('/')[0]}/{shard}" for shard in sorted(names))


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelDamaged(f"{folder.name} lacks {name}.", HINT) from None
    except (OSError, ValueError, RecursionError):
        raise ModelDamaged(f"{folder.name}/{name} is damaged: it is no readable JSON.", HINT) from None
    if not isinstance(value, dict):
        raise ModelDamaged(f"{folder.name}/{name} is damaged: it holds no settings.", HINT)
    return value
