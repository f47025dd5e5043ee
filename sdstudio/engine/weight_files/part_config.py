"""What the configuration of a model's part may hold: each value is of a kind that the part's class declares.

diffusers takes whatever stands there and fails at it later, some of it in the middle of a picture; transformers checks
its own, but for the token by which CLIP finds the end of a prompt.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from diffusers import ConfigMixin
from torch import nn

from sdstudio.core.errors import ModelDamaged
from sdstudio.core.models.folder import HINT

NUMBER_MAXIMUM: Final = 10_000_000
"""Largest whole number that is believed: a table of so many noise levels takes 80 MB. Real ones end at 5,000,000."""
LAYER_COUNTS: Final = frozenset({
    "num_hidden_layers", "layers_per_block", "num_layers", "num_single_layers", "transformer_layers_per_block",
    "reverse_transformer_layers_per_block",
})  # fmt: skip
"""Entries that set how many layers are built, one by one, before any weight is read."""
LAYERS_MAXIMUM: Final = 500
"""Most layers of one kind; the largest text encoders have some 60."""
_END: Final = "eos_token_id"
"""transformers lets a list or nothing stand here, and CLIP compares tokens with it as with a number."""
_DEPTH_MAXIMUM: Final = 4
_PLAIN: Final[frozenset[type]] = frozenset({bool, int, float, str, list, dict, type(None)})
_ANYTHING: Final[frozenset[type]] = frozenset({object})
_TITLES: Final = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}


def check_config(cls: Any, folder: Path, of: str) -> None:
    """Check the configuration that a part will be built by; what the class does not know is left alone.

    Args:
        cls: The part's class.
        folder: Where its configuration lies.
        of: Model and part, for messages.

    Raises:
        ModelDamaged: It cannot be read, or a value is none that the class takes.
    """
    if not issubclass(cls, ConfigMixin | nn.Module):
        return
    file = str(cls.config_name) if issubclass(cls, ConfigMixin) else "config.json"
    try:
        config = json.loads((folder / file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ModelDamaged(f"{of} has no {file} that can be read.", HINT) from None
    declared = _declared(cls) if issubclass(cls, ConfigMixin) else {}
    for name, value in config.items() if isinstance(config, Mapping) else ():
        if name in LAYER_COUNTS and _largest(value) > LAYERS_MAXIMUM:
            raise ModelDamaged(f"{of} says {name} = {str(value)[:60]}: allowed are up to {LAYERS_MAXIMUM}.", HINT)
        if name == _END and cls.__name__.startswith("CLIP") and type(value) is not int:
            raise ModelDamaged(f"{of} says {name} = {str(value)[:60]!r}: allowed is a number.", HINT)
        kinds = declared.get(name, _ANYTHING)
        if kinds is not _ANYTHING and not _fits(value, kinds):
            allowed = " or ".join(dict.fromkeys(_TITLES[kind] for kind in _TITLES if kind in kinds))
            bounded = f", up to {NUMBER_MAXIMUM:,}" if "number" in allowed else ""
            raise ModelDamaged(f"{of} says {name} = {str(value)[:60]!r}: allowed is {allowed}{bounded}.", HINT)


@functools.cache
def _declared(cls: Any) -> Mapping[str, frozenset[type]]:
    """Return the kinds of values that a class declares for each of its parameters, by annotation and default."""
    try:
        hints = typing.get_type_hints(cls.__init__)
    except NameError:  # names that are imported for type checkers only
        return {}
    declared: dict[str, frozenset[type]] = {}
    for row in inspect.signature(cls.__init__).parameters.values():
        if row.name in hints:
            kinds = _kinds(hints[row.name]) | {list if type(row.default) is tuple else type(row.default)}
            declared[row.name] = frozenset(kinds & _PLAIN)
    return declared


def _kinds(hint: Any) -> set[type]:
    """Return the kinds of JSON values that may be meant by an annotation; all of them by one that is none of these."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return {type(value) for value in typing.get_args(hint)}
    if origin in (typing.Union, types.UnionType):
        return set().union(*map(_kinds, typing.get_args(hint)))
    if origin in (tuple, list):
        inner = [one for one in typing.get_args(hint) if one is not Ellipsis]
        return {list}.union(*map(_kinds, inner)) if inner else set(_PLAIN)
    if hint in (tuple, list):
        return {list, int, float, str}
    return {hint} if hint in _PLAIN else set(_PLAIN)


def _largest(value: Any, depth: int = 0) -> float:
    if isinstance(value, list) and depth < _DEPTH_MAXIMUM:
        return max((_largest(one, depth + 1) for one in value), default=0)
    return value if isinstance(value, int | float) else 0


def _fits(value: Any, kinds: frozenset[type], depth: int = 0) -> bool:
    match value:
        case bool():
            return bool(kinds & {bool, int, float})
        case int():
            return bool(kinds & {bool, int, float}) and abs(value) <= NUMBER_MAXIMUM
        case float():
            if float in kinds:  # infinity too: DPM-Solver's lambda_min_clipped
                return not math.isnan(value)
            return int in kinds and value.is_integer() and abs(value) <= NUMBER_MAXIMUM
        case list():
            return list in kinds and depth < _DEPTH_MAXIMUM and all(_fits(one, kinds, depth + 1) for one in value)
    return type(value) in kinds
