"""What networks upscaler files hold, read from the names and shapes of their weights alone; nothing is built to look.

Two kinds are read. RRDBNet is the network of ESRGAN (Wang et al. 2018) and of Real-ESRGAN (Wang et al. 2021); its
weights are spelled in three ways, by the original code, by BSRGAN's and by BasicSR's. The compact one came with
Real-ESRGAN: one row of convolutions, and all enlarging at the end.

Every shape is checked against those that the network of that size must have, so that a file builds what it holds and
nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isqrt
from typing import Final

from sdstudio.core.errors import ModelUnsupported

CHANNELS: Final = 3
"""Of the pictures that are enlarged: RGB."""

FEATURES_MAXIMUM: Final = 256
BLOCKS_MAXIMUM: Final = 64
"""Real files have 64 features and up to 23 blocks, compact ones up to 32 convolutions."""

SCALE_MAXIMUM: Final = 16
READ: Final = "ESRGAN, Real-ESRGAN and compact Real-ESRGAN networks"

Shapes = Mapping[str, tuple[int, ...]]

_DENSE_LAYERS: Final = 5
_DENSE_BLOCKS: Final = 3
_HINT: Final = "Choose another upscaler."

# Their name of a layer -> ours; what stands for a block's number, a dense block's (from 1) and a layer's (from 1).
_SPELLINGS: Final = tuple(
    (re.compile(rf"{theirs}\.(weight|bias)"), ours)
    for theirs, ours in (
        (r"model\.1\.sub\.(\d{1,3})\.RDB([1-3])\.conv([1-5])\.0", "block"),
        (r"RRDB_trunk\.(\d{1,3})\.RDB([1-3])\.conv([1-5])", "block"),
        (r"body\.(\d{1,3})\.rdb([1-3])\.conv([1-5])", "block"),
        (r"(?:conv_up|upconv)(\d)", "up"),
        (r"conv_first", "first"),
        (r"(?:trunk_conv|conv_body)", "after"),
        (r"(?:HRconv|conv_hr)", "fine"),
        (r"conv_last", "last"),
    )
)
_NUMBERED: Final = re.compile(r"model\.(\d{1,3})\.(weight|bias)")
_AFTER_BLOCKS: Final = re.compile(r"model\.1\.sub\.\d{1,3}\.(weight|bias)")
_COMPACT: Final = re.compile(r"body\.(\d{1,3})\.(weight|bias)")
# What training code has put before every name. The original spelling's "model.0." is no wrapping.
_WRAPPING: Final = re.compile(
    r"(?:params[_-]ema|params|state_dict|model_state_dict|module|net_?[gG]|generator|network|model(?!\.\d))\."
)
# Numbers that training counts beside the weights; no network has them.
_COUNTS: Final = frozenset({"num_batches", "n_averaged", "step", "iter", "epoch"})

# Pieces of names -> what a network is that is known and not read.
_OTHERS: Final = (
    ("residual_group.blocks.0.attn.", "a SwinIR, DAT or HAT network"),
    ("residual_group.", "a SwinIR, DAT or HAT network"),
    (".conv1x1.", "an ESRGAN+ network"),
)


@dataclass(frozen=True, slots=True)
class UpscalerLayout:
    """The network that a file holds.

    Attributes:
        title: What the user reads: "Real-ESRGAN".
        compact: It is the compact network; ``growth``, ``ups`` and ``unshuffle`` have no meaning then.
        scale: How many times larger its pictures are.
        features: Channels inside.
        blocks: Residual blocks, or convolutions between the first and the last.
        growth: Channels that each layer of a dense block adds.
        ups: How often it doubles the size.
        unshuffle: Side of the squares of pixels that are folded into channels first; 1 when none are.
        names: Our name of a weight -> the file's.
    """

    title: str
    compact: bool
    scale: int
    features: int
    blocks: int
    growth: int
    ups: int
    unshuffle: int
    names: Mapping[str, str]

    @property
    def about(self) -> str:
        """What the library shows of the file: "Real-ESRGAN, 4x"."""
        return f"{self.title}, {self.scale}x"

    @property
    def reach(self) -> int:
        """How many pixels away a pixel of the input still changes what comes out: the convolutions on the way."""
        if self.compact:
            return self.blocks + 2
        inside = 1 + self.blocks * _DENSE_BLOCKS * _DENSE_LAYERS + 1
        return self.unshuffle * (inside + self.ups + 2)


def layout_of(shapes: Shapes, name: str) -> UpscalerLayout:
    """Return the network that weights of these names and shapes make.

    Args:
        shapes: Of every weight of a file.
        name: What the message begins with.

    Raises:
        ModelUnsupported: It is another network than those that are read, or its shapes do not fit together.
    """
    plain = _unwrapped(shapes)
    dense = _dense_names(plain)
    if "block.0.0.0.weight" in dense:
        old = any(their.startswith(("model.", "RRDB_trunk.")) for their in dense.values())
        layout = _dense(plain, dense, "ESRGAN" if old else "Real-ESRGAN", name)
    elif _is_compact(plain):
        layout = _of_row(plain, name)
    else:
        raise _unsupported(name, _other(plain))
    _check_shapes(layout, plain, name)
    prefix = _prefix(name for name in shapes if name.rpartition(".")[2] not in _COUNTS)
    return replace(layout, names={ours: prefix + theirs for ours, theirs in layout.names.items()})


def is_compact(shapes: Shapes) -> bool:
    """Whether these are the weights of a compact network, which no name of them shows."""
    return _is_compact(_unwrapped(shapes))


def _prefix(names: Iterable[str]) -> str:
    """Return what training code has put before every name, "" for nothing; wrappings may lie within each other."""
    rest = list(names)
    whole = ""
    while rest and (match := _WRAPPING.match(rest[0])) and all(name.startswith(match[0]) for name in rest):
        whole += match[0]
        rest = [name.removeprefix(match[0]) for name in rest]
    return whole


def _unwrapped(shapes: Shapes) -> Shapes:
    counted = {name: shape for name, shape in shapes.items() if name.rpartition(".")[2] not in _COUNTS}
    prefix = _prefix(counted)
    return {name.removeprefix(prefix): shape for name, shape in counted.items()}


def _dense_names(shapes: Shapes) -> dict[str, str]:
    """Return our names of an RRDBNet's weights; what has none is left out."""
    tail = sorted({int(match[1]) for match in map(_NUMBERED.fullmatch, shapes) if match} - {0})
    numbered = {0: "first"} | {number: f"up.{place}" for place, number in enumerate(tail[:-2])}
    numbered |= dict(zip(tail[-2:], ("fine", "last"), strict=False))
    names = {}
    for theirs in shapes:
        if match := _NUMBERED.fullmatch(theirs):
            names[f"{numbered.get(int(match[1]), 'odd')}.{match[2]}"] = theirs
        elif match := _AFTER_BLOCKS.fullmatch(theirs):
            names[f"after.{match[1]}"] = theirs
        else:
            ours = _spelled(theirs)
            if ours:
                names[ours] = theirs
    return names


def _spelled(theirs: str) -> str:
    for pattern, ours in _SPELLINGS:
        match = pattern.fullmatch(theirs)
        if match is None:
            continue
        *numbers, what = match.groups()
        if ours == "block":
            numbers = [str(int(numbers[0])), *(str(int(number) - 1) for number in numbers[1:])]
        elif ours == "up":
            numbers = [str(int(numbers[0]) - 1)]
        return ".".join((ours, *numbers, what))
    return ""


def _dense(shapes: Shapes, names: Mapping[str, str], title: str, name: str) -> UpscalerLayout:
    def shape(ours: str) -> tuple[int, ...]:
        shape = shapes.get(names.get(ours, ""), ())
        if len(shape) != 4:
            raise _unsupported(name, f"an ESRGAN network without its layer {ours.removesuffix('.weight')}")
        return shape

    features, channels = shape("first.weight")[:2]
    growth = shape("block.0.0.0.weight")[0]
    blocks = len({ours.split(".")[1] for ours in names if ours.startswith("block.")})
    ups = len({ours.split(".")[1] for ours in names if ours.startswith("up.")})
    out = shape("last.weight")[0]
    unshuffle = isqrt(channels // CHANNELS)
    if out != CHANNELS or unshuffle**2 * CHANNELS != channels or unshuffle not in (1, 2, 4):
        raise _unsupported(name, f"a network from {channels} channels to {out}: RGB to RGB")
    scale = 2**ups // unshuffle
    return UpscalerLayout(title, False, scale, features, blocks, growth, ups, unshuffle, dict(names))


def _is_compact(shapes: Shapes) -> bool:
    first, slopes = shapes.get("body.0.weight", ()), shapes.get("body.1.weight", ())
    return len(first) == 4 and first[1] == CHANNELS and slopes == first[:1]


def _of_row(shapes: Shapes, name: str) -> UpscalerLayout:
    """Return a compact network: convolution, slopes, convolution, slopes .. and a last convolution."""
    layers = {theirs: match for theirs in shapes if (match := _COMPACT.fullmatch(theirs))}
    last = max(int(match[1]) for match in layers.values())
    out = shapes.get(f"body.{last}.weight", (0,))[0]
    scale = isqrt(out // CHANNELS)
    if scale**2 * CHANNELS != out:
        raise _unsupported(name, f"a network that ends in {out} channels: squares of RGB pixels")
    names = {_in_row(int(match[1]), last, match[2]): theirs for theirs, match in layers.items()}
    return UpscalerLayout("Compact Real-ESRGAN", True, scale, shapes["body.0.weight"][0], last // 2 - 1, 0, 0, 1, names)


def _in_row(number: int, last: int, what: str) -> str:
    """Return our name of a compact network's weight: pairs of a convolution and its slopes, and the last one."""
    return f"last.{what}" if number == last else f"row.{number // 2}.{number % 2}.{what}"


def _check_shapes(layout: UpscalerLayout, shapes: Shapes, name: str) -> None:
    """Compare every weight with the one that a network of this size has; more or fewer there must not be."""
    for what, value, most in (
        ("features", max(layout.features, layout.growth), FEATURES_MAXIMUM),
        ("blocks", layout.blocks, BLOCKS_MAXIMUM),
        ("times the size", layout.scale, SCALE_MAXIMUM),
    ):
        if not 1 <= value <= most:
            raise _unsupported(name, f"a network of {value:,} {what}: 1 to {most}")
    wanted = dict(_row_shapes(layout) if layout.compact else _dense_shapes(layout))
    named = {ours: shapes[theirs] for ours, theirs in layout.names.items()}
    for ours in sorted(wanted.keys() | named.keys()):
        if wanted.get(ours) != named.get(ours):
            there, right = (_written(side.get(ours)) for side in (named, wanted))
            raise _unsupported(name, f"a network whose {layout.names.get(ours, ours)} is {there}: {right}")
    extra = sorted(set(shapes) - set(layout.names.values()))
    if extra:
        raise _unsupported(name, _other(shapes) or f"a network with a layer {extra[0][:60]!r}")


def _written(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "not there"
    return " x ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0] if shape else 1} numbers"


def _dense_shapes(layout: UpscalerLayout) -> Iterable[tuple[str, tuple[int, ...]]]:
    features, growth = layout.features, layout.growth
    yield from _convolution("first", CHANNELS * layout.unshuffle**2, features)
    for block in range(layout.blocks):
        for dense in range(_DENSE_BLOCKS):
            for layer in range(_DENSE_LAYERS):
                out = features if layer == _DENSE_LAYERS - 1 else growth
                yield from _convolution(f"block.{block}.{dense}.{layer}", features + layer * growth, out)
    for layer_name in ("after", *(f"up.{place}" for place in range(layout.ups)), "fine"):
        yield from _convolution(layer_name, features, features)
    yield from _convolution("last", features, CHANNELS)


def _row_shapes(layout: UpscalerLayout) -> Iterable[tuple[str, tuple[int, ...]]]:
    features = layout.features
    for place in range(layout.blocks + 1):
        yield from _convolution(f"row.{place}.0", features if place else CHANNELS, features)
        yield f"row.{place}.1.weight", (features,)
    yield from _convolution("last", features, CHANNELS * layout.scale**2)


def _convolution(name: str, channels: int, out: int) -> Iterable[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, channels, 3, 3)
    yield f"{name}.bias", (out,)


def _other(shapes: Shapes) -> str:
    names = "\n".join(shapes)
    return next((what for piece, what in _OTHERS if piece in names), "")


def _unsupported(name: str, what: str) -> ModelUnsupported:
    """Return the error; ``what`` is what it is, and after a colon what would be allowed."""
    kind, _, allowed = (what or "another kind of network").partition(": ")
    message = f"{name}: it is {kind}" + (f"; allowed is {allowed}." if allowed else f"; {READ} are read.")
    return ModelUnsupported(message, _HINT)
