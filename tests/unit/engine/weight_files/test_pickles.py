from __future__ import annotations

import sys
import types
from collections import OrderedDict

import pytest
import torch

from sdstudio.core.errors import ModelDamaged, ModelUnsupported
from sdstudio.engine.weight_files.pickles import read_pickled

WEIGHTS = {"conv.weight": torch.arange(4.0), "conv.bias": torch.ones(1)}


def left_by_training(monkeypatch, name):
    """Return an object of a class of this full name, as the pickle of a training run holds it."""
    module, _, own = name.rpartition(".")
    for end in range(1, len(module.split(".")) + 1):
        parent = ".".join(module.split(".")[:end])
        if parent not in sys.modules:
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    kind = type(own, (), {"__module__": module, "__qualname__": own})
    monkeypatch.setattr(sys.modules[module], own, kind, raising=False)
    return kind()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_left_beside_the_weights_is_passed_over(tmp_path, monkeypatch, zipped):
    saver = left_by_training(monkeypatch, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
    saver.best = torch.tensor(0.1)
    options = left_by_training(monkeypatch, "omegaconf.dictconfig.DictConfig")
    options.content = {"lr": 1e-5}
    callback = left_by_training(monkeypatch, "ldm.modules.callbacks.ImageLogger")
    state = {"epoch": 3, "state_dict": WEIGHTS, "callbacks": {type(saver): {"kept": saver}}}
    state |= {"hyper_parameters": options, "loops": [callback]}
    state |= {"optimizer_states": [{"state": {0: {"step": 5, "exp_avg": torch.zeros(2)}}}]}
    torch.save(state, tmp_path / "file.ckpt", _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    found = read_pickled(tmp_path / "file.ckpt")
    assert {name: value.tolist() for name, value in found.items()} == {"conv.weight": [0, 1, 2, 3], "conv.bias": [1]}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_asks_for_anything_else_is_refused_and_nothing_runs(tmp_path, zipped):
    class Runs:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"state_dict": WEIGHTS, "extra": Runs()}, tmp_path / "file.ckpt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelUnsupported, match="holds Python objects besides its weights"):
        read_pickled(tmp_path / "file.ckpt")
    assert not (tmp_path / "ran").exists()


def test_weights_are_found_under_every_name_and_averaged_ones_first(tmp_path):
    other = {"conv.weight": torch.zeros(4)}
    cases = {
        "bare": WEIGHTS, "state_dict": {"state_dict": WEIGHTS, "epoch": 2}, "params": {"params": WEIGHTS},
        "ema": {"params": other, "params_ema": WEIGHTS}, "dash": {"params": other, "params-ema": WEIGHTS},
        "model": {"model": WEIGHTS, "iter": 5}, "model_state_dict": {"model_state_dict": WEIGHTS, "optimizer": {}},
        "generator": {"netG": WEIGHTS, "netD": other}, "nested": {"model": {"state_dict": WEIGHTS}},
        "ordered": OrderedDict(WEIGHTS), "unheard of": {"my_weights": WEIGHTS, "lr": 0.1},
    }  # fmt: skip
    wrong = {}
    for name, held in cases.items():
        torch.save(held, tmp_path / f"{name}.pth")
        found = read_pickled(tmp_path / f"{name}.pth")
        if {key: value.tolist() for key, value in found.items()} != {key: v.tolist() for key, v in WEIGHTS.items()}:
            wrong[name] = sorted(found)
    assert wrong == {}


def test_what_holds_no_weights_or_is_cut_is_one_line(tmp_path):
    torch.save({"first": {"a": torch.ones(1)}, "second": {"b": torch.ones(1)}}, tmp_path / "two.pth")
    with pytest.raises(ModelUnsupported, match=r"two\.pth holds no weights"):
        read_pickled(tmp_path / "two.pth")
    torch.save(WEIGHTS, tmp_path / "whole.pth")
    data = (tmp_path / "whole.pth").read_bytes()
    for length in (0, 1, 40, len(data) // 2, len(data) - 30):
        (tmp_path / "cut.pth").write_bytes(data[:length])
        with pytest.raises((ModelDamaged, ModelUnsupported)):
            read_pickled(tmp_path / "cut.pth")
