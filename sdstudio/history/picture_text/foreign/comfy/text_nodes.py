"""Nodes that make texts and numbers out of texts and numbers, one row each: what their first output is, or each.

A row computes what the node does from its inputs' values; a node of which the picture does not hold what it made (a
random line, a file, a language model) has no row, or one that marks it so, and is reported.
Sources: ComfyUI ``comfy_extras/nodes_string.py``, ``nodes_primitive.py``, and each pack's nodes by the names of its
classes: WAS Suite, Comfyroll, KJNodes, rgthree, Easy-Use, Impact Pack, pythongosssss, lora_tag_loader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sdstudio.core.request.request import PROMPT_MAXIMUM
from sdstudio.history.picture_text.foreign.comfy.graph import CHOICES

TEXT_MAXIMUM: Final = PROMPT_MAXIMUM + 1
"""Longest text that a node is let make, in characters: one more than a prompt may have, so that it is seen."""

Values = Mapping[str, Any]
"""Inputs of a node, links replaced by what they bring, ``None`` for what is not known."""

_IMPACT_TAG: Final = re.compile(r"<lora:[^<>]{1,1000}>")
_ANY_TAG: Final = re.compile(r"<[0-9a-zA-Z:_\-.\s/()\\]{1,1000}>")
_BLANKS: Final = re.compile(r"\s{2,}")
_COMMAS: Final = re.compile(r",{2,}")


@dataclass(frozen=True, slots=True)
class ValueNode:
    """One kind of node.

    Attributes:
        read: Inputs and place of the output -> what it is.
        exact: False where what it made is not in the picture, and what is returned is the nearest to it.
    """

    read: Callable[[Values, int], object]
    exact: bool = True


def words(value: object) -> str:
    """Return a text or a number as a text that is no longer than allowed, "" for anything else."""
    if isinstance(value, str):
        return value[:TEXT_MAXIMUM]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def without_tags(text: str) -> str:
    """Return a text without ``<lora:..>``, as the Impact Pack, Easy-Use and rgthree encode it."""
    return _IMPACT_TAG.sub("", text)


def joined(parts: Iterable[str], by: str) -> str:
    """Join texts until that is longer than allowed."""
    found, size = [], 0
    for part in parts:
        found.append(part)
        size += len(part) + len(by)
        if size > TEXT_MAXIMUM + len(by):
            break
    return by.join(found)[:TEXT_MAXIMUM]


def _given(name: str) -> ValueNode:
    return ValueNode(lambda values, _output: values.get(name))


def _joined(names: Sequence[str], delimiter: str, by: str = "", skips_empty: bool = False) -> ValueNode:
    def read(values: Values, _output: int) -> str:
        parts = (words(values.get(name)) for name in names)
        between = words(values.get(delimiter)) if values.get(delimiter) is not None else by
        return joined((part for part in parts if part or not skips_empty), between)

    return ValueNode(read)


def _replaced(text: str, find: str, new: str) -> str:
    """Replace as Python does, which ComfyUI is written in, but stop where the text gets longer than allowed."""
    return text.replace(find, new, TEXT_MAXIMUM // max(1, len(new)) + 1)[:TEXT_MAXIMUM]


def _replacing(text: str, *pairs: tuple[str, str]) -> ValueNode:
    def read(values: Values, _output: int) -> str:
        result = words(values.get(text))
        for find, new in pairs:
            if isinstance(values.get(find), str):
                result = _replaced(result, values[find], words(values.get(new)))
        return result

    return ValueNode(read)


def _was_concatenate(values: Values, _output: int) -> str:
    names = sorted(name for name in values if name not in ("delimiter", "clean_whitespace", "linebreak_addition"))
    by = "\n" if values.get("delimiter") in ("\n", "\\n") else words(values.get("delimiter"))
    if values.get("linebreak_addition") == "true":  # as it was in 2023
        by += "\n"
    strips = values.get("clean_whitespace", "true") == "true"
    parts = (words(values[name]).strip() if strips else words(values[name]) for name in names)
    return joined((part for part in parts if part), by)


def _join_multi(values: Values, _output: int) -> str:
    count = values.get("inputcount")
    count = min(count, len(values)) if isinstance(count, int) else len(values)
    parts = ((number, words(values.get(f"string_{number}"))) for number in range(1, count + 1))
    return joined((part for number, part in parts if part or number == 1), words(values.get("delimiter", " ")))


def _string_function(values: Values, _output: int) -> str:
    """Join or replace; a replacement by a pattern is not run, because an unknown pattern may take for ever."""
    tidy = values.get("tidy_tags") == "yes"
    first, second, third = (words(values.get(name)) for name in ("text_a", "text_b", "text_c"))
    if values.get("action") == "replace":
        result = _replaced(first, second, third)
    else:
        result = (", " if tidy else "").join(part for part in (first, second, third) if part)
    if tidy:
        result = _COMMAS.sub(",", _BLANKS.sub(" ", result).replace(" ,", ",")).strip()
    return result[:TEXT_MAXIMUM]


def _shown_text(values: Values, _output: int) -> object:
    kept = next((values[name] for name in ("text_0", "text2") if isinstance(values.get(name), str)), None)
    return values["text"] if isinstance(values.get("text"), str) else kept


def _case(values: Values, _output: int) -> str:
    text = words(values.get("string"))
    ways: dict[object, Callable[[str], str]] = {
        "UPPERCASE": str.upper, "lowercase": str.lower, "Capitalize": str.capitalize, "Title Case": str.title,
    }  # fmt: skip
    way = values.get("mode")
    return ways[way](text) if isinstance(way, str) and way in ways else text


def _trimmed(values: Values, _output: int) -> str:
    text = words(values.get("string"))
    ways: dict[object, Callable[[str], str]] = {"Both": str.strip, "Left": str.lstrip, "Right": str.rstrip}
    way = values.get("mode")
    return ways[way](text) if isinstance(way, str) and way in ways else text


def _substring(values: Values, _output: int) -> object:
    start, end = values.get("start"), values.get("end")
    if isinstance(start, int) and isinstance(end, int):
        return words(values.get("string"))[start:end]
    return None


def _first_any(values: Values, _output: int) -> object:
    return next((value for name, value in values.items() if name.startswith("any_") and value is not None), None)


def _four_texts(values: Values, output: int) -> object:
    names = ("text", "text_b", "text_c", "text_d")
    return values.get(names[output]) if 0 <= output < len(names) else None


def _uncommented(values: Values, _output: int) -> str:
    """Leave out the lines that begin with ``#``."""
    lines = words(values.get("text")).split("\n")
    return "\n".join(line for line in lines if not line.strip().startswith("#"))


def _one_line(values: Values, _output: int) -> str:
    text = words(values.get("string"))
    return text.replace("\n", "").strip() if values.get("strip_newlines") is True else text


def _sampler_config(values: Values, output: int) -> object:
    names = ("steps_total", "refiner_step", "cfg", "sampler_name", "scheduler")
    return values.get(names[output]) if 0 <= output < len(names) else None


def _chosen(*beginnings: str) -> ValueNode:
    """Read a switch: which of its numbered inputs it hands on stands in another one."""

    def read(values: Values, _output: int) -> object:
        at = next((values[name] for name in CHOICES if isinstance(values.get(name), int)), None)
        return next((values[f"{name}{at}"] for name in beginnings if values.get(f"{name}{at}") is not None), None)

    return ValueNode(read)


def _populated(values: Values, _output: int) -> object:
    text = values.get("populated_text")
    return text if isinstance(text, str) and text else values.get("wildcard_text", values.get("text"))


def _plain_pass(values: Values, _output: int) -> object:
    return next((value for value in values.values() if value is not None), None)


_NUMBERED: Final = tuple(str(number) for number in range(1, 10))

VALUE_NODES: Final[Mapping[str, ValueNode]] = {
    # One value that is written in the node.
    **{kind: _given("value") for kind in (
        "PrimitiveString", "PrimitiveStringMultiline", "PrimitiveInt", "PrimitiveFloat", "PrimitiveBoolean",
        "INTConstant", "FloatConstant", "BOOLConstant", "easy string", "easy int", "easy float", "CR Value",
        "Power Primitive (rgthree)", "ImpactInt", "ImpactFloat", "Float", "Int",
    )},
    **{kind: _given("seed") for kind in (
        "Seed (rgthree)", "Seed", "CR Seed", "easy seed", "easy globalSeed", "Seed Everywhere", "ttN seed",
    )},
    **{kind: _given("string") for kind in (
        "String Literal", "StringConstant", "String", "SimpleTextString", "JWString",
    )},
    **{kind: _given("text") for kind in (
        "CR Text", "Text Multiline (Code Compatible)", "ttN text", "Text _O", "Text to Console", "Text to String",
        "String to Text", "JWStringMultiline", "TextInput_", "Text box", "Textbox",
    )},
    "CR Prompt Text": _given("prompt"), "easy prompt": _given("text"), "easy positive": _given("positive"),
    "easy negative": _given("negative"), "Constant Number": _given("number"), "Display Any (rgthree)": _given("source"),
    "PreviewAny": _given("source"), "easy showAnything": _given("anything"), "CR Seed to Int": _given("seed"),
    "Text Multiline": ValueNode(_uncommented), "StringConstantMultiline": ValueNode(_one_line),
    "Text String": ValueNode(_four_texts), "KSampler Config (rgthree)": ValueNode(_sampler_config),
    "CR Multiline Text": ValueNode(lambda values, _: values.get("text"), exact=False),
    # What was shown, and what hands on.
    "ShowText|pysssss": ValueNode(_shown_text), "easy showText": ValueNode(_shown_text),
    "Any Switch (rgthree)": ValueNode(_first_any),
    **{kind: ValueNode(_plain_pass) for kind in ("Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss", "GetNode",
                                                 "SetNode", "PrimitiveNode")},
    **{kind: _chosen("text", "input") for kind in (
        "CR Text Input Switch", "CR Text Input Switch (4 way)", "ImpactSwitch",
    )},
    # Joined.
    "StringConcatenate": _joined(("string_a", "string_b"), "delimiter"),
    "CR Text Concatenate": _joined(("text1", "text2"), "separator"),
    "Concat Text _O": _joined(("text1", "text2"), "separator"),
    "JoinStrings": _joined(("string1", "string2"), "delimiter", " "),
    "JoinStringMulti": ValueNode(_join_multi),
    "easy promptConcat": _joined(("prompt1", "prompt2"), "separator"),
    "ttN concat": _joined(("text1", "text2", "text3"), "delimiter", skips_empty=True),
    "CR Combine Prompt": _joined(("part1", "part2", "part3", "part4"), "separator", ",", skips_empty=True),
    "Text Concatenate": ValueNode(_was_concatenate), "StringFunction|pysssss": ValueNode(_string_function),
    # Changed.
    "StringReplace": _replacing("string", ("find", "replace")),
    "Text Find and Replace": _replacing("text", ("find", "replace")),
    "Text Find and Replace Input": _replacing("text", ("find", "replace")),
    "Replace Text _O": _replacing("text", ("old", "new")),
    "CR Text Replace": _replacing("text", *((f"find{number}", f"replace{number}") for number in _NUMBERED[:3])),
    "easy promptReplace": _replacing("prompt", *((f"find{number}", f"replace{number}") for number in _NUMBERED[:3])),
    "CaseConverter": ValueNode(_case), "StringTrim": ValueNode(_trimmed), "StringSubstring": ValueNode(_substring),
    # Wildcards: what they became is kept beside them.
    "ImpactWildcardProcessor": ValueNode(_populated), "easy wildcards": ValueNode(_populated),
    "ImpactWildcardEncode": ValueNode(lambda values, output: without_tags(words(_populated(values, output)))),
    "DPRandomGenerator": ValueNode(lambda values, _: values.get("text"), exact=False),
    "DPCombinatorial": ValueNode(lambda values, _: values.get("text"), exact=False),
    # LoRA tags are read elsewhere and cut here.
    "LoraTagLoader": ValueNode(lambda values, _: _ANY_TAG.sub("", words(values.get("text")))),
    "Power Prompt (rgthree)": ValueNode(lambda values, _: without_tags(words(values.get("prompt")))),
    "Power Prompt - Simple (rgthree)": _given("prompt"),
}  # fmt: skip
"""``class_type`` -> what it makes."""
