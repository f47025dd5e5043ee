"""What files say of themselves, and that it is read once for each version of a file."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from sdstudio.core.errors import ModelDamaged, ModelNotFound, ModelUnsupported
from sdstudio.library.scanning import facts as facts_module
from sdstudio.library.scanning.facts import FactsCache, read_facts, triggers_of
from tests.tiny_upscalers import as_esrgan, compact_weights, dense_weights, write

_LORA = {"lora_unet_a_attn2_to_k.lora_down.weight": torch.zeros(4, 768)}


@pytest.fixture
def lora(tmp_path):
    path = tmp_path / "loras" / "style.safetensors"
    path.parent.mkdir()
    tags = json.dumps({"10_sks": {"sks dog": 10, "grass": 4}, "2_more": {"grass": 7, "sky": 1}})
    save_file(
        _LORA, path,
        metadata={"ss_tag_frequency": tags, "ss_output_name": "sks", "ss_sd_model_name": "v1-5.safetensors"},
    )  # fmt: skip
    return path


def test_a_lora_says_its_family_words_and_base(lora):
    facts = read_facts(lora)
    assert (facts.file.kind, facts.file.family) == ("lora", "sd1")
    assert (facts.alias, facts.base) == ("sks", "v1-5.safetensors")
    assert facts.triggers == ("grass", "sks dog", "sky")
    assert facts.as_error() is None


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, ()),
        ({"modelspec.trigger_phrase": "abc style, xyz"}, ("abc style", "xyz")),
        ({"modelspec.trigger_phrase": "a", "ss_tag_frequency": '{"d": {"b": 1, "a": 9}}'}, ("a", "b")),
        ({"ss_tag_frequency": "[" * 100_000}, ()),
        ({"ss_tag_frequency": "[1]"}, ()),
        ({"ss_tag_frequency": '{"d": 3, "e": {"x": "many", "y\\n\\u0000z": 2, " ": 5}}'}, ("y z",)),
    ],
)
def test_words_are_read_from_what_trainers_write_and_from_what_nobody_should(metadata, words):
    assert triggers_of(metadata) == words


def test_very_many_and_very_long_words_are_cut():
    tags = {f"{'x' * 4000}{at}": at for at in range(500)} | {f"w{at}": 1000 - at for at in range(500)}
    words = triggers_of({"ss_tag_frequency": json.dumps({"d": tags})})
    assert len(words) == 24
    assert all(len(word) <= 120 for word in words)


def test_a_damaged_file_has_an_error_of_one_line(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"x" * 100)
    facts = read_facts(path, "lora")
    assert facts.file.kind == "lora"
    assert isinstance(facts.as_error(), ModelDamaged)
    assert str(path) in facts.message


@pytest.mark.parametrize(
    ("name", "hint", "error"),
    [
        ("a.ckpt", "", "unsupported"), ("a.pt", "lora", "unsupported"), ("a.pt", "embedding", "pickled"),
        ("a.bin", "vae", "pickled"), ("a.pth", "upscaler", "pickled"),
    ],
)  # fmt: skip
def test_a_pickle_is_not_opened(tmp_path, name, hint, error, monkeypatch):
    path = tmp_path / name
    path.write_bytes(b"\x80\x02cos\nsystem\n")
    monkeypatch.setattr(facts_module, "read_header", None)
    assert read_facts(path, hint).error == error


@pytest.mark.parametrize(
    ("weights", "network"),
    [
        (dense_weights(4), "Real-ESRGAN, 4x"), (as_esrgan(dense_weights(2)), "ESRGAN, 2x"),
        (compact_weights(4), "Compact Real-ESRGAN, 4x"),
    ],
)  # fmt: skip
def test_an_upscaler_says_its_network_and_scale_wherever_it_lies(tmp_path, weights, network):
    path = write(weights, tmp_path / "sharp.safetensors")
    cache = FactsCache(tmp_path / "cache")
    for facts in (read_facts(path), cache.facts(path, 1, 1, "checkpoint"), cache.facts(path, 1, 1, "checkpoint")):
        assert (facts.file.kind, facts.network) == ("upscaler", network)
        assert facts.as_error() is None


def test_an_upscaler_of_another_kind_says_so_in_the_library(tmp_path):
    path = tmp_path / "swin.safetensors"
    save_file({"layers.0.residual_group.blocks.0.attn.qkv.weight": torch.zeros(9, 3)}, path)
    facts = read_facts(path, "upscaler")
    assert facts.network == ""
    with pytest.raises(ModelUnsupported, match=r"swin\.safetensors: it is a SwinIR, DAT or HAT network"):
        raise facts.as_error()


def test_a_file_that_is_gone_is_not_found_and_not_kept(tmp_path):
    cache = FactsCache(tmp_path / "cache")
    with pytest.raises(ModelNotFound):
        cache.facts(tmp_path / "gone.safetensors", 1, 1, "")
    cache.save(lambda _path: True)
    assert not (tmp_path / "cache" / "library.json").exists()


class TestKept:
    @pytest.fixture
    def count(self, monkeypatch):
        """Return a list that grows with every header that is read."""
        read: list[str] = []
        real = facts_module.read_header

        def counted(path):
            read.append(path.name)
            return real(path)

        monkeypatch.setattr(facts_module, "read_header", counted)
        return read

    def _facts(self, cache, path, hint=""):
        status = path.stat()
        return cache.facts(path, status.st_size, status.st_mtime_ns, hint)

    def test_a_header_is_read_once_in_this_run_and_the_next(self, lora, count, tmp_path):
        cache = FactsCache(tmp_path / "cache")
        first = self._facts(cache, lora)
        assert self._facts(cache, lora) == first
        cache.save(lambda _path: True)
        assert self._facts(FactsCache(tmp_path / "cache"), lora) == first
        assert count == ["style.safetensors"]

    def test_a_changed_file_or_another_folder_is_read_again(self, lora, count, tmp_path):
        cache = FactsCache(tmp_path / "cache")
        self._facts(cache, lora)
        self._facts(cache, lora, "lora")
        save_file(_LORA, lora, metadata={"ss_output_name": "other"})
        assert self._facts(cache, lora, "lora").alias == "other"
        assert len(count) == 3

    def test_what_is_gone_is_forgotten_unless_its_folder_is_too(self, lora, count, tmp_path):
        cache = FactsCache(tmp_path / "cache")
        before = self._facts(cache, lora)
        shutil.move(lora.parent, tmp_path / "unplugged")
        cache.save(lambda _path: False)
        shutil.move(tmp_path / "unplugged", lora.parent)
        assert self._facts(cache, lora) == before
        assert len(count) == 1
        cache.save(lambda _path: False)
        self._facts(cache, lora)
        assert len(count) == 2

    @pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"version": 99, "files": {}}', b"[" * 100_000])
    def test_a_broken_cache_costs_only_time(self, lora, tmp_path, content):
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "library.json").write_bytes(content)
        assert self._facts(FactsCache(tmp_path / "cache"), lora).alias == "sks"

    def test_a_row_from_a_strange_hand_is_not_believed(self, lora, tmp_path):
        cache = FactsCache(tmp_path / "cache")
        self._facts(cache, lora)
        cache.save(lambda _path: True)
        kept = tmp_path / "cache" / "library.json"
        raw = json.loads(kept.read_bytes())
        raw["files"][str(lora)]["facts"]["file"]["kind"] = "no such kind"
        kept.write_text(json.dumps(raw))
        assert self._facts(FactsCache(tmp_path / "cache"), lora).file.kind == "lora"


def test_a_lora_says_its_algorithm_what_it_brings_along_and_what_is_not_drawn(tmp_path):
    stem = "lora_unet_mid_block_attn1_to_q"
    low = {f"{stem}.lora_down.weight": torch.zeros(2, 4), f"{stem}.lora_up.weight": torch.zeros(4, 2)}
    one = torch.zeros(1)
    for tensors, notes, network, bundled, told in (
        (low, {}, "", (), ()),
        (low | {f"{stem}.dora_scale": one}, {}, "DoRA", (), ()),
        ({f"{stem}.lokr_w1": one, f"{stem}.lokr_w2": one}, {}, "LoKr", (), ()),
        ({f"{stem}.oft_blocks": one}, {}, "OFT", (), ()),
        ({f"{stem}.weight": one, f"{stem}.on_input": one}, {}, "(IA)³", (), ()),
        (low | {"bundle_emb.wet.clip_l": one}, {}, "", ("wet",), ()),
        ({f"{stem}.lora_A.weight": one, f"{stem}.lora_B.weight": one, f"{stem}.lora_E": one}, {}, "", (),
         ("3 of its 3 tensors are not drawn with, AdaLoRA: "
          f"{stem}.lora_A.weight, {stem}.lora_B.weight, {stem}.lora_E",)),
        (low, {"lora_adapter_metadata": json.dumps({"unet.alpha_pattern": {"a[0-9]": 1}})}, "", (),
         ("the pattern 'a[0-9]' of its configuration is not understood",)),
    ):  # fmt: skip
        path = tmp_path / "lora.safetensors"
        save_file({name: value.clone() for name, value in tensors.items()}, path, notes)
        facts = read_facts(path)
        assert facts.file.kind == "lora"
        assert (facts.network, facts.bundled, facts.not_drawn) == (network, bundled, told)


def test_what_the_cache_says_wrongly_is_read_again(tmp_path):
    path = write(compact_weights(), tmp_path / "up.safetensors")
    right = FactsCache(tmp_path).facts(path, 1, 1, "")
    wrong = (("family", "(("), ("told", {"a": None}), ("told", -1), ("not_a_model", None), ("told", "\ud800"))
    for name, value in wrong:
        cache = FactsCache(tmp_path)
        cache.facts(path, 1, 1, "")
        cache.save(lambda key: True)
        table = json.loads((tmp_path / "library.json").read_text())
        table["files"][str(path)]["facts"]["file"][name] = value
        (tmp_path / "library.json").write_text(json.dumps(table))
        assert FactsCache(tmp_path).facts(path, 1, 1, "") == right
