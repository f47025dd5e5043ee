"""How a model gets from a folder into a pipeline: checked first, then part by part, offline, cancellable."""

from __future__ import annotations

import functools
import importlib
import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn

from sdstudio.catalog.families import titles_that_take
from sdstudio.core.errors import Cancelled, ModelDamaged, ModelLoadFailed, ModelPickled, ModelUnsupported
from sdstudio.core.events import EventSink, ModelLoading, Notice
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.folder import HINT, LIBRARIES, ModelIndex, check_drawable, check_pipeline
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.engine.adapters.attached import Attached, refuse_pickles
from sdstudio.engine.adapters.vae_file import load_vae
from sdstudio.engine.device.aligned import align
from sdstudio.engine.device.cancel import CancelChecks
from sdstudio.engine.device.devices import KIND_BY_KEY, Device
from sdstudio.engine.device.interrupt import interruptible
from sdstudio.engine.device.memory import MemoryPlan, apply, is_out_of_memory
from sdstudio.engine.families.base import Family
from sdstudio.engine.families.registry import CODE, code_of, row_of
from sdstudio.engine.model_files.folder import Component, ModelFiles, check_files, stamp_of
from sdstudio.engine.model_files.single_file import SingleFileReader, check_single_file, notices_of, opened
from sdstudio.engine.model_files.vocabulary import check_vocabulary
from sdstudio.engine.weight_files.part_config import check_config

CHECKER: Final = ("safety_checker", "feature_extractor")
"""Parts that the studio runs itself, where a family leaves them out of the pipeline (`engine.pictures.safety`)."""

# What diffusers, transformers, safetensors and torch raise about files that are whole but do not belong together.
NO_VAE_HINT: Final = "Choose a VAE to draw with it."
LIBRARY_ERRORS: Final = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, RuntimeError, ArithmeticError,
    SafetensorError, SingleFileComponentError, StrictDataclassError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PipelineKey:
    """What a loaded pipeline depends on; the same key means no reload.

    The layout is part of it, so that after a change of it the weights are again as the files have them.
    """

    path: Path
    stamp: int
    device: str
    dtype: torch.dtype
    channels_last: bool


@dataclass(slots=True)
class LoadedModel:
    """A pipeline in memory.

    Attributes:
        key: What it was loaded for.
        info: Which model it is.
        files: Where its parts are.
        pipe: The diffusers pipeline, without safety checker.
        scheduler: The scheduler it ships; never stepped, only copied.
        built: Schedulers built for it, by the fields of a request that they follow; never stepped, only copied.
        checks: The cancel checks in front of its blocks.
        plan: The memory plan that its switches stand at, ``None`` before the first.
        checker: Its safety checker and image processor, once they are needed.
        attached: LoRA, embeddings and VAE of the job.
        computed_by: What the networks of the job are computed by, where torch does not do it all; "" where it does.
    """

    key: PipelineKey
    info: ModelInfo
    files: ModelFiles
    pipe: Any
    scheduler: Any
    checks: CancelChecks
    attached: Attached
    plan: MemoryPlan | None = None
    checker: tuple[Any, Any] | None = None
    computed_by: str = ""
    built: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    @property
    def family(self) -> Family:
        """The code that drives its pipeline."""
        return code_of(self.files.pipeline)

    @property
    def denoiser(self) -> nn.Module:
        """The network that is called at every step."""
        return self.family.denoiser(self.pipe)

    def takes(self, capability: str) -> bool:
        """Whether its pipeline's family takes a field of a request, or something of ``BESIDE_FIELDS``."""
        return capability in row_of(self.files.pipeline).takes

    def apply_memory_plan(self, plan: MemoryPlan, before: MemoryPlan | None, device: Device) -> None:
        """Throw the switches in which a memory plan differs from the one before, all of them for ``None``."""
        apply(plan, before, self.pipe, device.torch_device, self.family.switches())


def find_files(
    model: ModelInfo, with_checker: bool, known: ModelFiles | None = None, with_pickles: bool = False,
    vae: Adapter | None = None,
) -> ModelFiles:  # fmt: skip
    """Return a model's files, checked; those of its safety checker only when it will be used.

    Args:
        model: Which model.
        with_checker: Whether its safety checker will be used.
        known: What was found before; returned again when no file has changed since.
        with_pickles: Whether pickles may be opened: a ``.ckpt``, or the ``.bin`` of a folder.
        vae: The job's, for a file that holds none.

    Raises:
        ModelNotFound: There is no such folder, or it is no model.
        ModelDamaged: A file is missing or not whole.
        ModelUnsupported: A model, but of a kind that the studio cannot run.
        ModelPickled: Its weights are a pickle, and those are not opened.
    """
    if known is not None and known.pickled and not with_pickles:
        known = None
    if model.layout is ModelLayout.SINGLE_FILE or model.path.is_file():
        same = known is not None and model.path.is_file() and known.stamp == stamp_of(model.path)
        if known is None or not same or known.folder != model.path:
            known = check_single_file(model.path, with_pickles)
            _pipeline_class(known)
        _check_vae(model, known, with_pickles, vae)
        return known
    left_out = CODE[model.family].left_out()
    without = tuple(name for name in left_out if not (with_checker and name in CHECKER))
    if known is not None and (known.folder, known.without, known.stamp) == (model.path, without, stamp_of(model.path)):
        return known
    files = check_files(model.path, without)
    named = {part.name: (part.library, part.class_name) for part in files.components}
    check_drawable(ModelIndex(files.pipeline, named, files.absent), files.folder.name)
    pickled = next((part for part in files.components if part.pickled), None)
    if pickled is not None and not with_pickles:
        raise ModelPickled.weights_of(model.path, pickled.name)
    return files


def _check_vae(model: ModelInfo, files: ModelFiles, with_pickles: bool, vae: Adapter | None) -> None:
    """Raise `ModelUnsupported` where a file without a VAE is to draw with none, or with one that may not be opened."""
    if files.single is None or not files.single.lacks_vae:
        return
    if vae is None:
        raise ModelUnsupported(f"{model.path.name} holds no VAE.", NO_VAE_HINT)
    if not with_pickles:
        refuse_pickles((vae,))


def load_model(
    model: ModelInfo, files: ModelFiles, key: PipelineKey, on_event: EventSink, cancel: threading.Event,
    vae: Adapter | None = None,
) -> LoadedModel:  # fmt: skip
    """Load a model's networks into main memory; its memory plan then decides where they go.

    ``vae`` is the job's, and stands in for the one that a file lacks.

    Raises:
        ModelError: A component would not load, is not whole, or holds invalid numbers.
        Cancelled: Within about a tenth of a second after ``cancel`` was set.
    """
    parts: dict[str, Any] = {}
    family = code_of(files.pipeline)
    wanted = [part for part in files.components if part.name not in family.left_out()]
    total = sum(part.size_bytes for part in wanted) or 1
    done = 0
    for message, hint in notices_of(files):
        on_event(Notice(message, hint))
    with opened(files) as reader:
        on_cpu = KIND_BY_KEY[key.device].on_cpu
        for part in wanted:
            on_event(ModelLoading(model.name, done / total, part.name))
            parts[part.name] = load_component(files, part, key.dtype, cancel, reader, on_cpu)
            done += part.size_bytes
        on_event(ModelLoading(model.name, 1.0, ""))
        if vae is not None and files.single is not None and files.single.lacks_vae:
            parts["vae"] = load_vae(vae, parts["vae"], cancel)
        interruptible(cancel, lambda: check_whole(files, parts))
        folder = reader.folder if reader is not None else files.folder
        pipe = as_model_error(files, cancel, functools.partial(assemble, files, folder, parts, key.dtype))
    if getattr(pipe, "scheduler", None) is None:
        message = f"{model.name} is several models in one ({files.pipeline}), with a sampler each."
        raise ModelUnsupported(message, f"Choose a model of {titles_that_take()}.")
    pipe.set_progress_bar_config(disable=True)
    networks = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    attached = Attached(pipe, family.lora_networks())
    return LoadedModel(key, model, files, pipe, pipe.scheduler, CancelChecks(networks), attached)


def pipeline_key(files: ModelFiles, device: Device, channels_last: bool) -> PipelineKey:
    """Return what a pipeline of these files on that device is known by."""
    return PipelineKey(files.folder, files.stamp, device.kind.key, device.dtype, channels_last)


def load_component(
    files: ModelFiles, part: Component, dtype: torch.dtype, cancel: threading.Event,
    reader: SingleFileReader | None = None, on_cpu: bool = True,
) -> Any:  # fmt: skip
    """Load one component, from a folder or by a reader.

    Args:
        files: Of the model.
        part: Which.
        dtype: In which number format.
        cancel: Set by anyone to stop.
        reader: Of a single file.
        on_cpu: Whether the CPU computes with it: `engine.device.aligned` then sees to where its weights lie.

    Raises:
        ModelError: It would not load.
        Cancelled: ``cancel`` was set.
    """
    cls = component_class(files, part)  # imports happen here: an import that is broken off stays half done
    default_dtype = torch.get_default_dtype()
    try:
        read = functools.partial(reader.part, cls, part) if reader is not None else functools.partial(_read, cls, part)
        loaded = as_model_error(files, cancel, functools.partial(read, dtype), part.name)
    finally:
        torch.set_default_dtype(default_dtype)  # transformers changes it while it loads, and may have been broken off
    if on_cpu and isinstance(loaded, nn.Module):
        align(loaded)
    return loaded


def _read(cls: Any, part: Component, dtype: torch.dtype) -> Any:
    """Read a component from its folder."""
    check_config(cls, part.folder, f"{part.folder.parent.name}: its {part.name}")
    options: dict[str, Any] = {"local_files_only": True}
    if issubclass(cls, nn.Module):
        options |= {"dtype": dtype, "use_safetensors": None if part.pickled else True, "low_cpu_mem_usage": True}
        if part.variant:
            options["variant"] = part.variant
    return cls.from_pretrained(str(part.folder), **options)


def component_class(files: ModelFiles, part: Component) -> Any:
    """Return the class of a component, from the libraries that are allowed. Raises: ModelUnsupported."""
    cls = getattr(importlib.import_module(LIBRARIES[part.library]), part.class_name, None)
    if not isinstance(cls, type) or not hasattr(cls, "from_pretrained"):
        raise ModelUnsupported(
            f"{files.folder.name}: its {part.name} is {part.library}.{part.class_name}, unknown to this version.",
            "Update the studio, or choose another model.",
        )
    return cls


def check_whole(files: ModelFiles, parts: dict[str, Any]) -> None:
    """Check what only shows after loading: weights that no file held, numbers that are none, an unfit vocabulary.

    Raises:
        ModelDamaged: One of them.
    """
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            problem = _bad_weights(part)
            if problem:
                raise ModelDamaged(f"{files.folder.name}: its {name} {problem}.", HINT)
    for name, part in parts.items():
        encoder = parts.get(name.replace("tokenizer", "text_encoder"))
        if name.startswith("tokenizer") and encoder is not None:
            check_vocabulary(f"{files.folder.name}: its {name}", part, encoder, code_of(files.pipeline).has_clip)


def _bad_weights(network: nn.Module) -> str:
    """Return what is wrong with a network's weights, "" when nothing is. One pass, one wait for the device."""
    missing = [name for name, value in network.named_parameters() if value.device.type == "meta"]
    if missing:
        return f"lacks {len(missing)} weights, {missing[0]} first"
    floats = [(name, value) for name, value in network.named_parameters() if value.is_floating_point()]
    with torch.no_grad():
        sums = torch.stack([value.sum(dtype=torch.float32) for _, value in floats]) if floats else torch.zeros(1)
    if bool(sums.isfinite().all()):
        return ""
    first = floats[int((~sums.isfinite()).nonzero()[0])][0]
    return f"holds invalid numbers (NaN or infinity) in {first}"


def _pipeline_class(files: ModelFiles) -> Any:
    """Return the class to build, when the studio draws with it. Raises: ModelUnsupported."""
    check_pipeline(files.pipeline, files.folder.name)
    return code_of(files.pipeline).pipeline_class(files.pipeline)


def assemble(files: ModelFiles, folder: Path, parts: dict[str, Any], dtype: torch.dtype) -> Any:
    """Let diffusers put the loaded components together, which also reads the pipeline's own switches from the index."""
    cls, family = _pipeline_class(files), code_of(files.pipeline)
    given = {**dict.fromkeys(files.absent), **parts, **dict.fromkeys(family.left_out()), **family.build_kwargs()}
    known = inspect.signature(cls.__init__).parameters
    given = {name: value for name, value in given.items() if name in known}
    pipe = cls.from_pretrained(str(folder), local_files_only=True, dtype=dtype, **given)
    for encoder in (getattr(pipe, "text_encoder", None), getattr(pipe, "text_encoder_2", None)):
        # WORKAROUND(transformers 5.6..5.23): CLIPTextModel lost its text_model layer, through which diffusers 0.42
        # reaches the final layer norm when layers are skipped. Kept out of the module tree, which must not hold itself.
        if encoder is not None and not hasattr(encoder, "text_model") and hasattr(encoder, "final_layer_norm"):
            object.__setattr__(encoder, "text_model", encoder)
    return pipe


def as_model_error(files: ModelFiles, cancel: threading.Event, load: Callable[[], Any], part: str = "") -> Any:
    """Return ``load()``, cancellable; what the libraries raise about a model comes out as one line about it."""
    try:
        return interruptible(cancel, load)
    except Exception as error:
        if not isinstance(error, LIBRARY_ERRORS) and type(error) is not Exception:  # the bare one: tokenizers'
            raise
        if cancel.is_set():  # the library wrapped the exception that was to stop it
            raise Cancelled from error
        if is_out_of_memory(error):
            raise
        about = f"{files.folder.name}: its {part} would not load" if part else f"{files.folder.name} would not load"
        first_line = str(error).strip().split("\n")[0][:200]
        raise ModelLoadFailed(f"{about}: {first_line}", "Check that all its files come from the same model.") from error
