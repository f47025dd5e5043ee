from __future__ import annotations

import pytest
import torch

from sdstudio.core.errors import StudioError
from sdstudio.core.settings import Settings
from sdstudio.engine.device import devices
from sdstudio.engine.device.devices import DTYPES, KIND_BY_KEY, KINDS, choose_device

ONLY_CPU = all(kind.on_cpu for kind in KINDS if kind.available())


def test_every_device_of_the_settings_is_known():
    allowed = set(Settings.model_fields["device"].annotation.__args__)
    assert allowed == {"auto", *KIND_BY_KEY}
    assert set(Settings.model_fields["precision"].annotation.__args__) == {"auto", *DTYPES}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.available()], ids=lambda kind: kind.key)
def test_a_device_that_is_there_tells_itself(kind):
    device = choose_device(Settings(device=kind.key))
    assert device.kind is kind
    assert device.torch_device.type == ("cpu" if kind.openvino else kind.key)
    assert device.kind.title()
    used, total = device.kind.memory()
    assert 0 <= used <= total
    assert total > 2**28
    kind.empty_cache()


@pytest.mark.parametrize(("precision", "expected"), [("auto", torch.float32), *DTYPES.items()])
def test_the_precision_of_the_settings_is_taken(precision, expected):
    device = choose_device(Settings(device="cpu", precision=precision))
    assert device.dtype == expected
    assert device.dtype_name == str(expected).split(".")[1]


@pytest.mark.skipif(not ONLY_CPU, reason="this computer has a GPU")
@pytest.mark.parametrize("key", ["cuda", "mps", "xpu"])
def test_a_device_that_is_not_there_is_an_error_and_auto_is_the_cpu(key):
    with pytest.raises(StudioError, match=f"Device = {key}: here there is auto, cpu"):
        choose_device(Settings(device=key))
    assert choose_device(Settings()).kind.key == "cpu"


@pytest.mark.parametrize("key", ["cuda", "xpu", "mps"])
def test_a_gpu_is_preferred_and_computes_in_half(monkeypatch, key):
    from dataclasses import replace

    kinds = tuple(replace(kind, available=lambda there=kind.key in (key, "cpu"): there) for kind in KINDS)
    monkeypatch.setattr(devices, "KINDS", kinds)
    monkeypatch.setattr(devices, "KIND_BY_KEY", {kind.key: kind for kind in kinds})
    device = choose_device(Settings())
    assert device.kind.key == key
    assert device.dtype == torch.float16
    assert device.is_accelerator
    assert not choose_device(Settings(device="cpu")).is_accelerator
