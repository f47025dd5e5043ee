"""Converting a model's networks for OpenVINO: read anew, traced one by one, written where `Store` keeps them."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import diffusers
import numpy as np
import torch

from sdstudio.core.errors import ModelUnsupported, SaveFailed, StudioError
from sdstudio.core.events import EngineEvent, ModelLoading
from sdstudio.core.models.model import ModelInfo
from sdstudio.engine.device import openvino_devices
from sdstudio.engine.device.devices import KIND_BY_KEY, Device
from sdstudio.engine.device.interrupt import interruptible
from sdstudio.engine.model_files.loading import LoadedModel, find_files, load_model, pipeline_key
from sdstudio.engine.openvino.networks import Network, networks_of
from sdstudio.engine.openvino.store import Origin, Store

OnPart = Callable[[float, str], None]
"""Is told which share of the work is done, 0..1, and what is being worked on."""

_READING: Final = 0.2
"""Share of the time that goes into reading a model."""
_SMALL: Final = 1000
"""Fewer numbers than these are kept as they are."""


def origin_of(loaded: LoadedModel) -> Origin:
    """Return what decides a model's converted networks."""
    versions = openvino_devices.version(), torch.__version__, diffusers.__version__
    return Origin(str(loaded.files.folder), loaded.files.stamp, str(loaded.key.dtype), versions)


def converted(
    model: ModelInfo, folder: Path, with_pickles: bool, on_part: OnPart, cancel: threading.Event
) -> tuple[Path, int]:
    """Convert a model's networks where they are not yet; return their folder and how many there are.

    Args:
        model: Which model.
        folder: Of the `Store`.
        with_pickles: Whether pickles may be opened.
        on_part: Called in this thread.
        cancel: Set by anyone to stop; obeyed between networks, and while the model is read.

    Raises:
        StudioError: OpenVINO is not installed, the model cannot be converted or read, or the disk is full.
        Cancelled: ``cancel`` was set; nothing of it is left.
    """
    if not openvino_devices.is_installed():
        raise StudioError("OpenVINO is not installed.", openvino_devices.NOT_INSTALLED_HINT)
    device = Device(KIND_BY_KEY["openvino"], torch.float32)

    def on_event(event: EngineEvent) -> None:
        if isinstance(event, ModelLoading):
            on_part(event.fraction * _READING, f"reading {event.part}" if event.part else "reading")

    files = find_files(model, False, None, with_pickles)
    loaded = load_model(model, files, pipeline_key(files, device, False), on_event, cancel)
    networks = networks_of(loaded)
    if not networks:
        raise ModelUnsupported(f"{model.name}: a model of its kind is not converted yet.", "Torch draws with it.")
    store, origin = Store(folder), origin_of(loaded)
    there = store.find(origin)
    if there is not None:
        return there, len(networks)
    sizes = [sum(value.numel() for value in network.module.parameters()) for network in networks]
    try:
        with store.writing(origin) as made:
            for index, network in enumerate(networks):
                on_part(_READING + (1 - _READING) * sum(sizes[:index]) / sum(sizes), network.name)
                interruptible(cancel, functools.partial(_write, network, made))
    except OSError as error:
        message = f"The converted networks of {model.name} cannot be kept in {folder}: {error.strerror}."
        raise SaveFailed(message, "Free some space.") from error
    on_part(1.0, "")
    return folder / origin.key, len(networks)


@torch.no_grad()
def _write(network: Network, folder: Path) -> None:
    """Trace a network and write it."""
    import openvino  # noqa: PLC0415 (an extra)

    traced = network.traced.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit._trace.TracerWarning)  # sizes are checked again at each call
        warnings.simplefilter("ignore", DeprecationWarning)  # of tracing, which OpenVINO's own converter uses
        model: Any = openvino.convert_model(traced, example_input=network.example)
    _halve(model)
    openvino.save_model(model, folder / f"{network.name}.xml", compress_to_fp16=False)


def _halve(model: Any) -> None:
    """Keep in half precision what it holds without loss: the weights of files that were in it.

    OpenVINO's own way does so with every number, also with the frequencies that a step's time is multiplied by, which
    puts the first steps out by a hundredth.
    """
    from openvino import opset13  # noqa: PLC0415 (an extra)

    for node in model.get_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        values = node.data
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < _SMALL or not np.array_equal(half.astype(np.float32), values):
            continue
        whole = opset13.convert(opset13.constant(half), "f32").output(0)
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(whole)
