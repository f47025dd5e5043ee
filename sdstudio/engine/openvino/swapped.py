"""Has OpenVINO compute the networks of a job's model, where they have been converted and the job lets it."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from sdstudio.core.errors import Cancelled
from sdstudio.core.events import EventSink, ModelLoading, NotConverted, Notice
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.engine.device import openvino_devices
from sdstudio.engine.device.cancel import CancelChecks
from sdstudio.engine.device.devices import Device
from sdstudio.engine.model_files.loading import LoadedModel, PipelineKey
from sdstudio.engine.openvino.conversion import origin_of
from sdstudio.engine.openvino.networks import DENOISER, Network, networks_of
from sdstudio.engine.openvino.store import Store

log = logging.getLogger(__name__)

_POLL_MS: Final = 20


class Swapped:
    """Converted networks of the model in memory, and when they stand in for torch's.

    Args:
        folder: Of the `Store`.
    """

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)
        self._key: PipelineKey | None = None
        self._compiled: Mapping[str, Any] = {}

    def forget(self) -> None:
        """Free what is compiled."""
        self._key, self._compiled = None, {}

    @contextlib.contextmanager
    def during(
        self, loaded: LoadedModel, resolved: ResolvedRequest, device: Device, on_event: EventSink
    ) -> Iterator[None]:
        """Compute a job's networks by OpenVINO within the block; by torch, with a notice, what cannot be.

        Emits `NotConverted` for a model that could be converted and has not been.
        """
        loaded.computed_by = ""
        if not device.kind.openvino:
            yield
            return
        loaded.computed_by = "torch"
        reason = _reason(resolved, device)
        if reason:
            on_event(Notice(f"{reason}: this is drawn by torch, not by OpenVINO."))
            yield
            return
        networks = {network.name: network for network in networks_of(loaded)}
        if not networks:
            message = f"{loaded.info.name}: a model of its kind is not converted for OpenVINO yet, torch draws with it."
            on_event(Notice(message))
            yield
            return
        compiled = self._compiled_of(loaded, device, on_event)
        if not compiled:
            yield
            return
        with contextlib.ExitStack() as stack:
            for name, model in compiled.items():
                if name == DENOISER or resolved.vae is None:
                    stack.enter_context(_stood_in(networks[name], model, loaded.checks))
            names = ", ".join(name for name in compiled if name == DENOISER or resolved.vae is None)
            loaded.computed_by = f"OpenVINO {openvino_devices.version()}: {names}"
            yield

    def _compiled_of(self, loaded: LoadedModel, device: Device, on_event: EventSink) -> Mapping[str, Any]:
        """Return a model's compiled networks by name; none where it is not converted or does not compile."""
        if self._key == loaded.key and self._compiled:
            return self._compiled
        self.forget()
        folder = self._store.find(origin_of(loaded))
        if folder is None:
            on_event(NotConverted(loaded.info))
            return {}
        core, name = openvino_devices.core(), device.kind.openvino
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        if name == "CPU":
            options["INFERENCE_NUM_THREADS"] = str(torch.get_num_threads())
        compiled: dict[str, Any] = {}
        try:
            for file in sorted(folder.glob("*.xml")):
                on_event(ModelLoading(loaded.info.name, 1.0, f"OpenVINO, {file.stem}"))
                compiled[file.stem] = core.compile_model(core.read_model(file), name, options)
        except RuntimeError as error:  # its own errors, of drivers too
            log.warning("OpenVINO cannot compile %s: %s", folder, error)
            message = f"OpenVINO cannot compute {loaded.info.name} on {name}: torch draws with it."
            on_event(Notice(message, str(error).strip().split("\n")[0][:200]))
            return {}
        self._key, self._compiled = loaded.key, compiled
        return compiled


def _reason(resolved: ResolvedRequest, device: Device) -> str:
    """Return what in a job OpenVINO does not compute, "" for nothing."""
    if device.dtype != torch.float32:
        return f"Precision {device.dtype_name}"
    if resolved.loras:
        return "LoRA"
    if resolved.request.seamless != "off":
        return "Seamless tiling"
    return ""


@contextlib.contextmanager
def _stood_in(network: Network, compiled: Any, checks: CancelChecks) -> Iterator[None]:
    """Have calls of a network answered by a compiled one; hooks in front of it and behind it stay in force."""
    module, request = network.module, compiled.create_infer_request()
    own = module.forward
    had = module.__dict__.get("forward")
    module.forward = functools.partial(_forward, network, own, request, checks)
    try:
        yield
    finally:
        del module.forward
        if had is not None:
            module.forward = had


def _forward(network: Network, own: Any, request: Any, checks: CancelChecks, *args: Any, **kwargs: Any) -> Any:
    values = network.arguments(*args, **kwargs)
    if values is None:
        return own(*args, **kwargs)
    if checks.is_cancelled:
        raise Cancelled
    request.start_async([value.detach().float().contiguous().numpy() for value in values], share_inputs=True)
    while not request.wait_for(_POLL_MS):
        if checks.is_cancelled:
            request.cancel()
            with contextlib.suppress(RuntimeError):  # how it ends when it was cancelled
                request.wait()
            raise Cancelled
    result = torch.from_numpy(request.get_output_tensor(0).data.copy())
    return network.answer(result.to(values[0].dtype), kwargs)
