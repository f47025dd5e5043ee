"""What each algorithm adds to a layer, against its published formula, computed here in float64.

LyCORIS 4.1 (LoCon, LoHa, LoKr, GLoRA, Diag-OFT, BOFT, (IA)3, its axis of DoRA) and PEFT 0.21 (LoRA with rsLoRA and
patterns, DoRA, LoHa, LoKr, (IA)3).
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import replace

import accelerate
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from sdstudio.catalog.kinds import LORA
from sdstudio.core.errors import InvalidRequest, ModelDamaged, ModelUnsupported
from sdstudio.core.events import Notice
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.lora_names import NETWORKS
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine.adapters.attached import Attached

LINEAR = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"  # has a bias, as wide as high
WIDE = "mid_block.attentions.0.transformer_blocks.0.ff.net.2"  # more inputs than outputs
CONV = "mid_block.resnets.0.conv1"
RANK = 4


class Bench:
    """One tiny pipeline: attaches files and tells what became of one layer."""

    def __init__(self, here, folder):
        here.make(steps=1)
        self.pipe, self.model, self.folder = here.pipe, here.model, folder
        self.attached = Attached(self.pipe, NETWORKS)
        self.events = []
        self.count = 0

    def layer(self, name):
        return self.pipe.unet.get_submodule(name)

    def file(self, tensors, notes=None, path=None):
        self.count += 1
        path = path or self.folder / f"{self.count}.safetensors"
        save_file({key: value.clone().contiguous() for key, value in tensors.items()}, path, notes)
        return Adapter(LORA, path.stem, path, self.model.family)

    def attach(self, *adapters):
        self.events = []
        resolved = ResolvedRequest.of(GenerationRequest(), self.model, adapters)
        return self.attached.attach(resolved, False, torch.device("cpu"), self.events.append, threading.Event())

    def changed(self, name, *adapters):
        """Return an input, and what a layer makes of it while these are attached."""
        layer = self.layer(name)
        _out, inside, *kernel = layer.weight.shape
        generator = torch.Generator().manual_seed(11)
        x = torch.randn(2, inside, 6, 6, generator=generator) if kernel else torch.randn(3, inside, generator=generator)
        self.attach(*adapters)
        with torch.no_grad():
            return x, layer(x)

    @property
    def told(self):
        return [event.message for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def bench(studio, tmp_path):
    bench = Bench(studio("sd1"), tmp_path)
    yield bench
    bench.attach()  # the pipeline is every test's


def randoms(seed=3, **shapes):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(*shape, generator=generator) * 0.3 for name, shape in shapes.items()}


def applied(layer, x, weight, bias):
    """Run a layer with another weight, in float64."""
    if weight.ndim == 4:
        return functional.conv2d(x.double(), weight, bias, layer.stride, layer.padding)
    return functional.linear(x.double(), weight, bias)


def as_rows(name):
    return "lora_unet_" + name.replace(".", "_")


def cayley(blocks, limit=0.0):
    skew = blocks.double() - blocks.double().transpose(-1, -2)
    norm = skew.norm()
    if limit and norm > limit:
        skew = skew * limit / norm
    one = torch.eye(blocks.shape[-1], dtype=torch.float64)
    return (one + skew) @ torch.linalg.inv(one - skew)


def butterfly(weight, turns):
    """BOFT as in its paper (arXiv 2311.06243): block-diagonal rotations between permutations, as one matrix each."""
    factors, count, side, _ = turns.shape
    out = count * side
    for number in range(factors):
        step = 2**number * (side // 2)
        order = [low + half * step + offset for low in range(0, out, 2 * step)
                 for offset in range(step) for half in range(2)]  # fmt: skip
        whole = torch.zeros(out, out, dtype=torch.float64)
        for block in range(count):
            rows = [order[block * side + place] for place in range(side)]
            whole[torch.tensor(rows)[:, None], torch.tensor(rows)[None, :]] = turns[number, block]
        weight = (whole @ weight.flatten(1)).reshape(weight.shape)
    return weight


def dora(weight, change, magnitude, axis):
    whole = weight + change
    norms = whole.movedim(axis, 0).flatten(1).norm(dim=1)
    sides = [1] * weight.ndim
    sides[axis] = -1
    return whole * (magnitude.double().flatten() / norms).reshape(sides)


def cases(bench):
    """Yield a title, a layer, the file's parts for it and the weight that it stands for."""
    for name in (LINEAR, WIDE, CONV):
        layer = bench.layer(name)
        own = layer.weight.detach().double()
        out, inside, *kernel = own.shape
        ones = [1] * len(kernel)
        flat = own[0].numel()
        low = randoms(down=(RANK, inside, *kernel), up=(out, RANK, *ones))
        plain = {"lora_down.weight": low["down"], "lora_up.weight": low["up"]}
        delta = (low["up"].double().flatten(1) @ low["down"].double().flatten(1)).reshape(own.shape)
        yield "no alpha", name, plain, own + delta
        yield "alpha", name, plain | {"alpha": torch.tensor(2)}, own + delta / 2
        yield "alpha 0", name, plain | {"alpha": torch.tensor(0.0)}, own
        yield "scale", name, plain | {"alpha": torch.tensor(2.0), "scale": torch.tensor(0.7)}, own + 0.7 * delta
        yield "scalar", name, plain | {"alpha": torch.tensor([2.0]), "scalar": torch.tensor(1.5)}, own + 0.75 * delta
        half = {part: value.half() for part, value in plain.items()}
        rounded = half["lora_up.weight"].double().flatten(1) @ half["lora_down.weight"].double().flatten(1)
        yield "float16", name, half | {"alpha": torch.tensor(4.0).bfloat16()}, own + rounded.reshape(own.shape)
        on_out, on_in = own.flatten(1).norm(dim=1) * 1.3, own.movedim(1, 0).flatten(1).norm(dim=1) * 0.8
        out_scale, in_scale = on_out.float().reshape(-1, 1, *ones), on_in.float().reshape(1, -1, *ones)
        yield "DoRA out", name, plain | {"dora_scale": out_scale}, dora(own, delta, on_out, 0)
        yield "DoRA in", name, plain | {"dora_scale": in_scale}, dora(own, delta, on_in, 1)
        hada = randoms(hada_w1_a=(out, RANK), hada_w1_b=(RANK, flat), hada_w2_a=(out, RANK), hada_w2_b=(RANK, flat))
        wide = [hada[f"hada_w{n}_a"].double() @ hada[f"hada_w{n}_b"].double() for n in "12"]
        loha = (wide[0] * wide[1]).reshape(own.shape)
        yield "LoHa", name, hada | {"alpha": torch.tensor(2.0)}, own + loha / 2
        yield "LoHa, DoRA", name, hada | {"dora_scale": out_scale}, dora(own, loha, on_out, 0)
        kron = randoms(lokr_w1=(4, 4), lokr_w2_a=(out // 4, RANK), lokr_w2_b=(RANK, flat // 4))
        second = (kron["lokr_w2_a"].double() @ kron["lokr_w2_b"].double()).reshape(out // 4, inside // 4, *kernel)
        lokr = torch.kron(kron["lokr_w1"].double().reshape(4, 4, *ones), second)
        yield "LoKr", name, kron | {"alpha": torch.tensor(2.0)}, own + lokr / 2
        yield "LoKr, DoRA in", name, kron | {"dora_scale": in_scale}, dora(own, lokr, on_in, 1)
        whole = {"lokr_w1": kron["lokr_w1"], "lokr_w2": second.float(), "alpha": torch.tensor(1e9)}
        yield "LoKr, whole", name, whole, own + lokr
        thin = randoms(**{"a1.weight": (inside, RANK), "a2.weight": (RANK, inside), "b1.weight": (out, RANK),
                          "b2.weight": (RANK, flat)})  # fmt: skip
        a, b = (thin[f"{n}1.weight"].double() @ thin[f"{n}2.weight"].double() for n in "ab")
        glora = torch.einsum("oi...,ij->oj...", own, a) + b.reshape(own.shape)
        yield "GLoRA", name, thin | {"alpha": torch.tensor(1.0)}, own + glora / RANK
        swapped = {key.translate(str.maketrans("12", "21")): value for key, value in thin.items()}
        yield "GLoRA, first layout", name, swapped, own + glora
        turn = randoms(oft_blocks=(out // 8, 8, 8), rescale=(out, *[1] * (own.ndim - 1)))
        blocks, gain = turn["oft_blocks"], turn["rescale"] + 1
        matrix = torch.block_diag(*cayley(blocks).transpose(1, 2))
        rotated = (matrix @ own.flatten(1)).reshape(own.shape)
        yield "OFT", name, {"oft_blocks": blocks, "alpha": torch.tensor(0.0)}, rotated
        yield "OFT, rescaled", name, {"oft_blocks": blocks, "rescale": gain}, rotated * gain.double()
        tight = torch.block_diag(*cayley(blocks, 0.01 * out).transpose(1, 2))
        limited = (tight @ own.flatten(1)).reshape(own.shape)
        yield "OFT, limited", name, {"oft_blocks": blocks, "alpha": torch.tensor(0.01)}, limited
        many = randoms(oft_blocks=(3, out // 4, 4, 4))["oft_blocks"]
        yield "BOFT", name, {"oft_blocks": many}, butterfly(own, cayley(many))
        factors = randoms(output=(out,), input=(inside,))
        shape_in = (1, -1, *ones)
        yield "(IA)3", name, {"weight": factors["output"].reshape(out) if not kernel else
                              factors["output"].reshape(1, out, 1, 1), "on_input": torch.tensor(0)},\
            own * (1 + factors["output"].double().reshape(-1, *[1] * (own.ndim - 1)))  # fmt: skip
        yield "(IA)3 on input", name, {"weight": factors["input"], "on_input": torch.tensor(1)},\
            own * (1 + factors["input"].double().reshape(shape_in))  # fmt: skip
        yield "whole difference", name, {"diff": delta.float()}, own + delta
        if kernel:
            tucker = randoms(down=(RANK, inside, 1, 1), mid=(RANK, RANK, 3, 3), up=(out, RANK, 1, 1))
            parts = {f"lora_{part}.weight": value for part, value in tucker.items()}
            d, m, u = (tucker[part].double() for part in ("down", "mid", "up"))
            yield "LoCon, Tucker", name, parts, own + torch.einsum("rskl,or,si->oikl", m, u[..., 0, 0], d[..., 0, 0])
            t = randoms(lokr_w1=(4, 4), lokr_t2=(RANK, RANK, 3, 3), lokr_w2_a=(RANK, out // 4),
                        lokr_w2_b=(RANK, inside // 4))  # fmt: skip
            side = torch.einsum("ijkl,ip,jr->prkl", t["lokr_t2"].double(), t["lokr_w2_a"].double(),
                                t["lokr_w2_b"].double())  # fmt: skip
            yield "LoKr, Tucker", name, t, own + torch.kron(t["lokr_w1"].double()[..., None, None], side.contiguous())


def test_each_algorithm_adds_what_its_formula_says(bench):
    wrong = []
    for title, name, parts, wanted in cases(bench):
        layer = bench.layer(name)
        own = layer.weight.detach().double()
        bias = layer.bias.detach().double() if layer.bias is not None else None
        adapter = bench.file({f"{as_rows(name)}.{part}": value for part, value in parts.items()})
        for weight in (1.0, -0.5) if title != "BOFT" else (1.0,):
            x, got = bench.changed(name, replace(adapter, text_weight=weight, unet_weight=weight))
            right = applied(layer, x, own + weight * (wanted - own), bias)
            off = float((got.double() - right).abs().max() / right.abs().max())
            if off > 2e-5 or bool(bench.told) != (title == "alpha 0"):
                wrong.append((title, name, weight, off, bench.told))
    assert not wrong, wrong


def test_at_a_weight_between_each_factor_of_boft_is_taken_that_far(bench):
    layer, blocks = bench.layer(LINEAR), randoms(oft_blocks=(3, 8, 4, 4))["oft_blocks"]
    own = layer.weight.detach().double()
    adapter = bench.file({f"{as_rows(LINEAR)}.oft_blocks": blocks})
    x, got = bench.changed(LINEAR, replace(adapter, unet_weight=0.5))
    half = 0.5 * cayley(blocks) + 0.5 * torch.eye(4, dtype=torch.float64)
    right = applied(layer, x, butterfly(own, half), layer.bias.detach().double())
    torch.testing.assert_close(got.double(), right, atol=1e-4, rtol=1e-4)


def test_peft_says_alpha_in_its_configuration_by_pattern_and_by_root(bench):
    layer = bench.layer(LINEAR)
    own, bias = layer.weight.detach().double(), layer.bias.detach().double()
    out, inside = own.shape
    low = randoms(A=(RANK, inside), B=(out, RANK))
    delta = low["B"].double() @ low["A"].double()
    kron = randoms(lokr_w1=(4, 4), lokr_w2=(out // 4, inside // 4))
    lokr = torch.kron(kron["lokr_w1"].double(), kron["lokr_w2"].double())
    magnitude = own.norm(dim=1).float() * 1.2
    pair = {"lora_A.weight": low["A"], "lora_B.weight": low["B"]}
    gains = randoms(g=(inside, 1))["g"] + 1
    rows = (
        ("plain", {"r": RANK, "lora_alpha": 6}, pair, own + 1.5 * delta),
        ("rslora", {"r": RANK, "lora_alpha": 6, "use_rslora": True}, pair, own + 3 * delta),
        ("pattern", {"lora_alpha": 1, "alpha_pattern": {"to_out.0": 8, LINEAR: 2}}, pair, own + 2 * delta),
        ("other", {"lora_alpha": 8, "alpha_pattern": {"out.0": 1, "to_q": 1, f"^x.{LINEAR}": 1}}, pair,
         own + 2 * delta),
        ("wild", {"lora_alpha": 1, "alpha_pattern": {r"^mid_block\..*attn2\.to_out\.0$": 8}}, pair, own + 2 * delta),
        ("DoRA", {"lora_alpha": 4, "r": 4, "use_dora": True}, pair | {"lora_magnitude_vector": magnitude},
         dora(own, delta, magnitude, 0)),
        ("LoKr", {"peft_type": "LOKR", "r": 8, "alpha": 4}, kron, own + 0.5 * lokr),
        ("none said", {"target_modules": ["to_out.0"]}, pair, own + delta),
    )  # fmt: skip
    wrong = []
    for place, (title, config, parts, wanted) in enumerate(rows):
        folder = bench.folder / f"{place}" / "unet"
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **config}))
        tensors = {f"base_model.model.{LINEAR}.{part}": value for part, value in parts.items()}
        peft = bench.file(tensors, path=folder / "adapter_model.safetensors")
        noted = {"lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in config.items()})}
        header = bench.file({f"unet.{LINEAR}.{part}": value for part, value in parts.items()}, noted)
        for spelling, adapter in (("folder", peft), ("header", header)):
            x, got = bench.changed(LINEAR, adapter)
            right = applied(layer, x, wanted, bias)
            off = float((got.double() - right).abs().max() / right.abs().max())
            if off > 2e-5 or bench.told:
                wrong.append((title, spelling, off, bench.told))
    layer, name = bench.layer(WIDE), WIDE
    own, bias = layer.weight.detach().double(), layer.bias.detach().double()
    gains = randoms(i=(1, own.shape[1]), o=(own.shape[0], 1))
    for part, weight, shift in (("i", own * gains["i"].double(), bias),
                                ("o", own * gains["o"].double(), bias * gains["o"].double().flatten())):  # fmt: skip
        x, got = bench.changed(name, bench.file({f"unet.{name}.ia3_l": gains[part]}))
        off = float((got.double() - applied(layer, x, weight, shift)).abs().max())
        wrong += [("(IA)3", part, off)] if off > 1e-4 else []
    assert not wrong, wrong


def test_a_changed_configuration_is_read_anew(bench):
    low = randoms(A=(RANK, bench.layer(LINEAR).weight.shape[1]), B=(bench.layer(LINEAR).weight.shape[0], RANK))
    tensors = {f"base_model.model.{LINEAR}.lora_{half}.weight": value for half, value in low.items()}
    adapter = bench.file(tensors, path=bench.folder / "adapter_model.safetensors")
    _, plain = bench.changed(LINEAR)
    _, without = bench.changed(LINEAR, adapter)
    assert "adapter_config.json is not beside it" in bench.told[0]
    (bench.folder / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": 2 * RANK}))
    _, doubled = bench.changed(LINEAR, adapter)
    torch.testing.assert_close(doubled - plain, 2 * (without - plain), atol=1e-4, rtol=1e-4)
    (bench.folder / "adapter_config.json").write_text("[")
    with pytest.raises(ModelDamaged, match=r"adapter_config\.json is damaged"):
        bench.attach(adapter)


def test_several_at_once_add_up_each_with_the_models_own_weight(bench):
    layer = bench.layer(LINEAR)
    own, bias = layer.weight.detach().double(), layer.bias.detach().double()
    by_title = {title: (parts, wanted) for title, name, parts, wanted in cases(bench) if name == LINEAR}
    titles = {"alpha": 0.5, "DoRA out": 0.8, "OFT": -0.3, "LoKr": 1.0}
    whole, adapters = own.clone(), []
    for title, weight in titles.items():
        parts, wanted = by_title[title]
        adapter = bench.file({f"{as_rows(LINEAR)}.{part}": value for part, value in parts.items()})
        adapters.append(replace(adapter, unet_weight=weight, text_weight=0.0))
        whole += weight * (wanted - own)
    for order in (adapters, adapters[::-1]):
        x, got = bench.changed(LINEAR, *order)
        torch.testing.assert_close(got.double(), applied(layer, x, whole, bias), atol=1e-4, rtol=1e-4)
    _, after = bench.changed(LINEAR)
    with torch.no_grad():
        assert (after == layer(x)).all()


def test_weights_that_are_held_away_come_back_for_what_needs_them(studio, tmp_path):
    bench = Bench(studio("sd1", Settings(previews=False)), tmp_path)
    layer = bench.layer(LINEAR)
    own, bias = layer.weight.detach().double(), layer.bias.detach().double()
    [(parts, wanted)] = [(p, w) for title, name, p, w in cases(bench) if (title, name) == ("DoRA out", LINEAR)]
    adapter = bench.file({f"{as_rows(LINEAR)}.{part}": value for part, value in parts.items()})
    accelerate.cpu_offload(bench.pipe.unet, torch.device("cpu"), offload_buffers=True)
    assert layer.weight.is_meta
    assert bench.attach(adapter)
    assert not layer.weight.is_meta
    x, got = bench.changed(LINEAR, adapter)
    torch.testing.assert_close(got.double(), applied(layer, x, wanted, bias), atol=1e-4, rtol=1e-4)
    assert (wanted != own).any()


def test_what_is_not_drawn_is_told_by_count_name_and_reason(bench):
    out, inside = bench.layer(LINEAR).weight.shape
    low = randoms(down=(RANK, inside), up=(out, RANK))
    good = {f"{as_rows(LINEAR)}.lora_{half}.weight": value for half, value in low.items()}
    other = as_rows(WIDE)
    for more, said in (
        ({f"base_model.model.{WIDE}.oft_R": torch.zeros(2, 2)}, "1 of its tensors are not drawn with, PEFT's OFT:"),
        ({f"{other}.lora_A.weight": low["down"], f"{other}.lora_B.weight": low["up"],
          f"{other}.lora_E": torch.ones(RANK, 1)}, "3 of its tensors are not drawn with, AdaLoRA:"),
        ({f"{other}.something.new": torch.zeros(1)}, "1 of its tensors are not drawn with, a kind that is not known"),
        ({f"{other}.alpha": torch.tensor(1.0)}, "1 of its 2 layers is of a form that is not understood:"),
        ({"lora_te3_encoder_x.alpha": torch.tensor(1.0)}, "1 of its 2 layers is none of tiny-sd1's: lora_te3"),
        ({"bundle_emb.style.clip_g": torch.zeros(2, 1280)}, "its embeddings style are for other text encoders"),
    ):  # fmt: skip
        adapter = bench.file(good | more)
        bench.attach(adapter)
        first = bench.told
        bench.attach(adapter)
        assert bench.told == first  # with every job that uses it
        assert len(first) == 1
        assert said in first[0]
    said = {"unet.alpha_pattern": {"(a|b)+": 3}, "unet.init_lora_weights": "pissa"}
    bench.attach(bench.file(good, {"lora_adapter_metadata": json.dumps(said)}))
    assert "'(a|b)+' of its configuration is not understood" in bench.told[0]
    assert "changed weights (pissa)" in bench.told[1]


def test_hostile_parts_are_damaged_files_and_no_bugs(bench):
    stem = as_rows(LINEAR)
    out, inside = bench.layer(LINEAR).weight.shape
    good = {f"{stem}.lora_down.weight": torch.zeros(2, inside), f"{stem}.lora_up.weight": torch.zeros(out, 2)}
    odd = (
        good | {f"{stem}.lora_down.weight": torch.zeros(0, inside)},
        good | {f"{stem}.lora_down.weight": torch.zeros(2, inside, dtype=torch.int64)},
        good | {f"{stem}.lora_up.weight": torch.tensor(1.0)},
        good | {f"{stem}.alpha": torch.zeros(3)},
        good | {f"{stem}.alpha": torch.zeros(0)},
        {f"{stem}.oft_blocks": torch.zeros(out)},
        {f"{stem}.hada_w1_a": torch.zeros(out, 2)},
        {f"{stem}.hada_w1_a": torch.zeros(out, 2), f"{stem}.hada_w1_b": torch.zeros(3, inside),
         f"{stem}.hada_w2_a": torch.zeros(out, 2), f"{stem}.hada_w2_b": torch.zeros(3, inside)},
        {f"{stem}.lokr_w1": torch.zeros(4, 4)},
        {f"{stem}.a1.weight": torch.zeros(4, 4)},
        {f"{stem}.weight": torch.zeros(4), f"{stem}.on_input": torch.tensor(0)},
        {f"{stem}.oft_blocks": torch.zeros(3, 3, 3)},
        {f"{stem}.oft_blocks": torch.zeros(2, 2, 3, 4)},
        {f"{stem}.oft_blocks": torch.zeros(5, out // 4, 4, 4)},
        {f"{stem}.oft_blocks": torch.zeros(2, out, 1, 1)},
        good | {f"{stem}.dora_scale": torch.zeros(7, 1)},
        {f"{stem}.vera_lambda_b": torch.zeros(3)},
        good | {f"unet.{LINEAR}.lora.down.weight": torch.zeros(2, inside)},
    )  # fmt: skip
    taken = []
    for tensors in odd:
        with contextlib.suppress(InvalidRequest, ModelDamaged, ModelUnsupported):
            bench.attach(bench.file(tensors))
            taken.append({key.removeprefix(stem): tuple(value.shape) for key, value in tensors.items()})
    assert not taken
