"""Damage for files of every kind: values that nobody expects, pieces cut off, turned round or taken from elsewhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

VALUES: Final = (
    None, "", 0, -1, 1, 3, True, [], {}, "x", 1.5, -0.5, [1], [None], [["x"]], {"a": None}, "NaN", 10**6, 10**12, 2**63,
    10**400, float("nan"), float("inf"), "x" * 3000, "\ud800", "\0", "a\nb", "../x", "((((", [8, 8],
)  # fmt: skip
SHAPES: Final = ((), (1,), (0,), (2, 3), (4, 4, 3, 3), (5, 5, 5))
FORMATS: Final = (torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool, torch.float64, torch.complex64)
NAMES: Final = ("x", "", "a.b.c", "emb_params", "edm_vpred.sigma_max", "edm_mean", "scaled_fp8", "lora_unet_x.alpha")


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*above, key)
        yield from places(one, (*above, key))


def changed_json(value: Any, random: Random) -> tuple[Any, str]:
    """Return a copy with one to three values changed, dropped or renamed, and what was done."""
    value = copy.deepcopy(value)
    if random.random() < 0.03:
        value = random.choice(VALUES)
        return value, f"all of it is {str(value)[:40]!r}"
    done = []
    for _ in range(random.choice((1, 1, 2, 3))):
        ways = list(places(value))
        if not ways:
            break
        *above, key = random.choice(ways)
        holder = value
        for step in above:
            holder = holder[step]
        if random.random() < 0.15:
            del holder[key]
            done.append(f"{above}{key!r} dropped")
        elif random.random() < 0.1 and isinstance(holder, dict):
            holder[f"{key}2"] = holder.pop(key)
            done.append(f"{above}{key!r} renamed")
        else:
            holder[key] = random.choice(VALUES)
            done.append(f"{above}{key!r} = {str(holder[key])[:40]!r}")
    return value, "; ".join(done)


def changed_bytes(raw: bytes, random: Random, others: Sequence[bytes] = (b"II*\0", b"{}")) -> tuple[bytes, str]:
    """Return bytes cut off, turned over, doubled or foreign, and what was done."""
    kind = random.choice(("cut off", "zeroed", "foreign", "empty", "noise", "turned", "a piece less", "twice"))
    if not raw:
        return b"\0", "a byte"
    at = random.randrange(len(raw) + 1)
    match kind:
        case "cut off":
            raw = raw[:at]
        case "zeroed":
            raw = raw[:at] + bytes(50) + raw[at + 50 :]
        case "foreign":
            raw = random.choice(others)
        case "empty":
            raw = b""
        case "noise":
            raw = random.randbytes(300)
        case "turned":
            turned = bytearray(raw)
            for _ in range(random.choice((1, 3, 8))):
                turned[random.randrange(min(len(raw), 4000))] = random.randrange(256)
            raw = bytes(turned)
        case "a piece less":
            raw = raw[:at] + raw[at + random.randrange(200) :]
        case "twice":
            raw = raw * 2
    return raw, kind


def changed_file(source: Path, target: Path, random: Random) -> str:
    """Write a JSON or any other file damaged; return what was done."""
    raw = source.read_bytes()
    if source.suffix == ".json" and random.random() < 0.8:
        value, done = changed_json(json.loads(raw), random)
        target.write_text(json.dumps(value))
    else:
        raw, done = changed_bytes(raw, random)
        target.write_bytes(raw)
    return done


def changed_weights(source: Path, target: Path, random: Random) -> str:
    """Write a safetensors file with other tensors, another header, other notes or other bytes; return what was done."""
    kind = random.random()
    if kind < 0.15:
        raw, done = changed_bytes(source.read_bytes(), random)
        target.write_bytes(raw)
        return done
    if kind < 0.35:
        raw = source.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header, done = changed_json(json.loads(raw[8 : 8 + length]), random)
        text = json.dumps(header).encode()
        target.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
        return f"header: {done}"
    tensors = load_file(source)
    with safe_open(source, "pt") as opened:
        notes = opened.metadata() or {"ss_network_args": "{}", "modelspec.prediction_type": "v"}
    if kind < 0.55:
        name = random.choice(sorted(notes))
        try:
            value, done = changed_json(json.loads(notes[name]), random)
        except ValueError:
            value, done = random.choice(VALUES), "another value"
        notes[name] = json.dumps(value)
        done = f"note {name}: {done}"
    else:
        done = changed_tensors(tensors, random)
    save_file({name: value.contiguous() for name, value in tensors.items()}, target, notes)
    return done


def changed_tensors(tensors: dict[str, torch.Tensor], random: Random) -> str:
    """Change one to four tensors in place; return what was done."""
    done = []
    for _ in range(random.choice((1, 1, 2, 4))):
        name = random.choice(sorted(tensors))
        value = tensors[name]
        kind = random.choice(("dropped", "renamed", "shape", "format", "NaN", "more", "group dropped", "turned"))
        match kind:
            case "dropped":
                del tensors[name]
            case "renamed":
                tensors[random.choice((*NAMES, name.rpartition(".")[0], name.replace("0", "99999999999")))] = value
                del tensors[name]
            case "shape":
                tensors[name] = torch.zeros(random.choice(SHAPES), dtype=value.dtype)
            case "format":
                tensors[name] = value.to(random.choice(FORMATS))
            case "NaN":
                tensors[name] = torch.full(value.shape, float("nan"))
            case "more":
                tensors[random.choice(NAMES)] = torch.zeros(random.choice(SHAPES))
            case "group dropped":
                start = name.rpartition(".")[0]
                for each in [each for each in tensors if each.startswith(start)]:
                    del tensors[each]
            case "turned":
                tensors[name] = value.flatten() if value.dim() > 1 else value[None]
        done.append(f"{name} {kind}")
        if not tensors:
            break
    return "; ".join(done)


def changed_pickle(weights: dict[str, torch.Tensor], target: Path, random: Random) -> str:
    """Write a pickle of weights with something else in a place, or cut off; return what was done."""
    value: Any = dict(weights)
    name = random.choice(sorted(value))
    done = random.choice(("null", "number", "list", "nested", "text", "none as name", "itself", "bytes", "foreign"))
    match done:
        case "null":
            value[name] = None
        case "number":
            value[name] = 5
        case "list":
            value[name] = [value[name]]
        case "nested":
            value = {"state_dict": {"state_dict": value}}
        case "text":
            value[name] = "x"
        case "none as name":
            value[None] = value.pop(name)
        case "itself":
            value["x"] = value
        case "foreign":
            value = random.choice((None, [], {}, 5, [torch.zeros(3)], {"state_dict": None}, {1: 2}, Path))
    torch.save(value, target, _use_new_zipfile_serialization=random.random() < 0.7)
    if done == "bytes":
        raw, done = changed_bytes(target.read_bytes(), random)
        target.write_bytes(raw)
    return f"{name} {done}"
