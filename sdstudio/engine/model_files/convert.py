"""How a model is written in another layout or number format: tensor by tensor, whole or not at all.

A folder becomes a single file by the names in `engine.model_files.original_layout`; a single file becomes a folder
through the same loader that draws with it, so what diffusers can read is what can be converted.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from sdstudio.catalog.checkpoints import CHECKPOINTS
from sdstudio.core.errors import Cancelled, ModelUnsupported, SaveFailed, StudioError
from sdstudio.core.models.checkpoint import prediction_note
from sdstudio.core.models.lora_config import as_header
from sdstudio.core.models.lora_names import read_names
from sdstudio.core.models.model import ModelLayout
from sdstudio.core.models.safetensors_header import Header
from sdstudio.core.models.safetensors_writer import PART_SUFFIX, SafetensorsWriter, TensorPlan, check_room
from sdstudio.core.models.work import KEEP, PRECISIONS, ConvertOrder, OnProgress, WorkReport, check_target
from sdstudio.engine.families.stable_diffusion import LEFT_OUT
from sdstudio.engine.model_files.folder import Component, ModelFiles, check_files, weight_paths, weights_name
from sdstudio.engine.model_files.loading import as_model_error, component_class
from sdstudio.engine.model_files.original_layout import Original, original_text, original_unet, original_vae, unused
from sdstudio.engine.model_files.own_parts import own_parts
from sdstudio.engine.model_files.single_file import SingleFileReader, check_single_file, opened
from sdstudio.engine.weight_files.weights import (
    TorchWeights,
    Weights,
    as_bytes,
    cast,
    chunks,
    in_precision,
    opened_shards,
    opened_weights,
    whole,
)

NETWORKS: Final = ("text_encoder", "text_encoder_2", "unet", "vae")


def convert(order: ConvertOrder, on_progress: OnProgress, cancel: threading.Event) -> WorkReport:
    """Write a model anew.

    Args:
        order: What as what.
        on_progress: Called with the share that is done, 0..1.
        cancel: Set by another thread to stop; nothing is left behind.

    Raises:
        StudioError: The order makes no sense, or the result is there already.
        ModelError: The model is not whole, or of a kind that has no such layout.
        SaveFailed: The disk is full.
        Cancelled: ``cancel`` was set.
    """
    _check(order)
    check_target(order.target, order.replace)
    run = _Run(order, on_progress, cancel)
    single = order.layout is ModelLayout.SINGLE_FILE
    if order.source.is_dir():
        report = run.folder_to_file() if single else run.folder_to_folder()
    else:
        report = run.file_to_file() if single else run.file_to_folder()
    on_progress(1.0)
    return report


def _check(order: ConvertOrder) -> None:
    if order.precision not in PRECISIONS:
        message = f"Precision = {order.precision}: allowed are {', '.join(PRECISIONS)}."
        raise StudioError(message, "Leave it out to keep it.")
    single = order.layout is ModelLayout.SINGLE_FILE
    if single and order.target.suffix.lower() != ".safetensors":
        raise StudioError(f"Result = {order.target.name}: a .safetensors file is allowed.", "Change its ending.")
    whole_folder = order.source.is_dir() and not single and not check_files(order.source).pickled
    same = whole_folder or (order.source.suffix.lower() == ".safetensors" and single)
    if same and order.precision == KEEP:
        raise StudioError(
            f"{order.source.name} is a {order.layout.value} already: nothing would change.",
            "Choose the other layout, or a precision.",
        )


@dataclass(slots=True)
class _Run:
    """One conversion: bytes written so far, of how many."""

    order: ConvertOrder
    on_progress: OnProgress
    cancel: threading.Event
    done: int = 0
    whole: int = 1

    def file_to_file(self) -> WorkReport:
        """A pickle to safetensors, or a file to another number format."""
        with opened_weights(self.order.source) as weights:
            header = weights.header
            noted = _lora_notes(self.order.source, header) | header.metadata
            metadata = {"format": "pt", **noted, **prediction_note(self.order.source, header)}
            return self._written(weights, self.order.target, metadata)

    def folder_to_file(self) -> WorkReport:
        """A folder to the original layout."""
        files = check_files(self.order.source, LEFT_OUT)
        _check_pipeline(files)
        parts = [part for part in files.components if part.name in NETWORKS]
        with ExitStack() as stack:
            weights = {part.name: stack.enter_context(opened_shards(weight_paths(files, part))) for part in parts}
            originals = {part.name: _originals(files, part, weights[part.name]) for part in parts}
            plans = {row.name: self._plan(weights[name], row) for name, rows in originals.items() for row in rows}
            rows = {row.name: (weights[name], row) for name, layer_rows in originals.items() for row in layer_rows}
            with SafetensorsWriter(self.order.target, plans, _metadata(files)) as writer:
                self.whole = sum(part.size_bytes for part in parts) or 1
                for name in writer.names:
                    self._write(writer, name, _original(*rows[name]), plans[name])
        return WorkReport(self.order.target, writer.size_bytes, len(plans))

    def file_to_folder(self) -> WorkReport:
        """A single file to the layout of diffusers."""
        files = check_single_file(self.order.source, with_pickles=True)
        networks = [part for part in files.components if part.size_bytes]
        with _new_folder(self.order.target) as folder, opened(files) as reader:
            if reader is None:
                raise ModelUnsupported(f"{files.folder.name} is no single file.", "Choose another.")
            check_room(folder, files.folder.stat().st_size)
            self.whole = sum(part.size_bytes for part in networks) or 1
            shutil.copyfile(reader.folder / "model_index.json", folder / "model_index.json")
            count = sum(self._part_written(files, part, reader, folder / part.name) for part in files.components)
            notes = files.single.embedded.notes if files.single and files.single.embedded else {}
            if notes:
                (folder / "sdstudio.json").write_text(json.dumps(notes, indent=1), encoding="utf-8")
            size = _size_of(folder)
        return WorkReport(self.order.target, size, count)

    def folder_to_folder(self) -> WorkReport:
        """A folder to another number format; what is no weight is copied."""
        files = check_files(self.order.source)
        self.whole = sum(part.size_bytes for part in files.components) or 1
        count = 0
        with _new_folder(self.order.target) as folder:
            check_room(folder, self.whole)
            for path in (
                *files.folder.glob("*.json"),
                *(p for part in files.components for p in part.folder.iterdir()),
            ):
                if path.suffix in (".json", ".txt", ".model") and not path.name.endswith(".index.json"):
                    (folder / path.relative_to(files.folder)).parent.mkdir(exist_ok=True)
                    shutil.copyfile(path, folder / path.relative_to(files.folder))
            for part in files.components:
                if part.size_bytes:
                    with opened_shards(weight_paths(files, part)) as weights:
                        target = folder / part.name / weights_name(part)
                        count += self._written(weights, target, {"format": "pt"}, keep_whole=True).tensors
            size = _size_of(folder)
        return WorkReport(self.order.target, size, count)

    def _part_written(self, files: ModelFiles, part: Component, reader: SingleFileReader, folder: Path) -> int:
        """Write one part of a single file into its folder; return how many weights it has."""
        folder.mkdir()
        cls = component_class(files, part)
        if "Tokenizer" in part.class_name:
            reader.copy_tokenizer(part.name, folder)
            return 0
        loaded = as_model_error(files, self.cancel, functools.partial(reader.part, cls, part, None), part.name)
        if "Scheduler" in part.class_name:
            loaded.save_config(folder)
            return 0
        shutil.copyfile(reader.folder / part.name / "config.json", folder / "config.json")
        tensors = dict(loaded.state_dict())
        if (
            part.class_name == "CLIPTextModel"
        ):  # under the names of every transformers but 5.6 and newer, which reads both
            tensors = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in tensors.items()}
        missing = [name for name, value in tensors.items() if value.is_meta]
        if missing:
            raise ModelUnsupported(
                f"{files.folder.name}: its {part.name} lacks {len(missing)} weights, {missing[0]} first.",
                "Choose a whole checkpoint.",
            )
        target = folder / weights_name(part)
        return self._written(TorchWeights(tensors), target, {"format": "pt"}, keep_whole=True).tensors

    def _written(
        self, weights: Weights, target: Path, metadata: Mapping[str, str], keep_whole: bool = False
    ) -> WorkReport:
        """Write all tensors of a file under their names."""
        plans = {name: in_precision(entry, self.order.precision) for name, entry in weights.header.tensors.items()}
        if not keep_whole:
            self.whole = sum(entry.end - entry.begin for entry in weights.header.tensors.values()) or 1
        with SafetensorsWriter(target, plans, metadata) as writer:
            for name in writer.names:
                for begin, end in chunks(plans[name].shape):
                    self._write(writer, name, weights.values(name, begin, end), plans[name])
        return WorkReport(target, writer.size_bytes, len(plans))

    def _write(self, writer: SafetensorsWriter, name: str, values: torch.Tensor, plan: TensorPlan) -> None:
        if self.cancel.is_set():
            raise Cancelled
        writer.write(name, as_bytes(cast(values, plan, name)))
        self.done += values.nbytes
        self.on_progress(min(self.done / self.whole, 1.0))

    def _plan(self, weights: Weights, original: Original) -> TensorPlan:
        first = in_precision(weights.header.tensors[original.sources[0]], self.order.precision)
        return TensorPlan(first.dtype, original.shape)


def _check_pipeline(files: ModelFiles) -> None:
    known = dict.fromkeys(row.pipeline for row in CHECKPOINTS)
    if files.pipeline not in known:
        raise ModelUnsupported(
            f"{files.folder.name} is a {files.pipeline}: {', '.join(known)} have a single-file layout.",
            "Choose another model.",
        )


def _originals(files: ModelFiles, part: Component, weights: Weights) -> list[Original]:
    """Return what a part's weights become. Raises: ModelUnsupported when one of them has no place there."""
    shapes = {name: entry.shape for name, entry in weights.header.tensors.items()}
    config = json.loads((part.folder / "config.json").read_text(encoding="utf-8"))
    if part.name == "unet":
        rows = list(original_unet(shapes, config))
    elif part.name == "vae":
        rows = list(original_vae(shapes, config))
    else:
        rows = list(original_text(part.name, shapes, config, files.component("text_encoder_2") is not None))
    left = unused(rows, shapes)
    if left:
        raise ModelUnsupported(
            f"{files.folder.name}: {len(left)} weights of its {part.name} have no place in a single file, the first is "
            f"{left[0]}.",
            "Keep the folder.",
        )
    return rows


def _original(weights: Weights, row: Original) -> torch.Tensor:
    pieces = [whole(weights, name) for name in row.sources]
    joined = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
    return (joined.T if row.transposed else joined).reshape(row.shape)


def _lora_notes(path: Path, header: Header) -> dict[str, str]:
    """Return what PEFT keeps beside a LoRA, for the header of a file that may go elsewhere."""
    places = read_names(header.tensors, path.parent.name).parts.values()
    return as_header(path, frozenset(place.network for place in places)) if places else {}


def _metadata(files: ModelFiles) -> dict[str, str]:
    scheduler = json.loads((files.folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    predicted = "v" if scheduler.get("prediction_type") == "v_prediction" else "epsilon"
    notes = {"format": "pt", "modelspec.prediction_type": predicted, "modelspec.title": files.folder.name}
    return notes | own_parts(files)


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Give a folder that gets its name when the block ends well, and is gone otherwise. Raises: SaveFailed.

    Until then it is hidden, so that a library that looks meanwhile, or after a crash, takes it for no model.
    """
    folder = target.with_name(f".{target.name}{PART_SUFFIX}")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder
        os.replace(folder, target)
    except OSError as error:
        raise SaveFailed(
            f"{target} could not be written: {error.strerror}.", "Free some space, or choose another place."
        ) from error
    finally:
        with suppress(OSError):
            shutil.rmtree(folder, ignore_errors=True)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
