"""InvokeAI's pictures of 2022: the prompt with the options of its command line, under ``Dream``.

``"a barn [mud]" -s 50 -S 123``, in the first months ``"a barn" -s50 -S123``, later without quotes and with
``# model_id=..`` at the end. Source: InvokeAI ``ldm/invoke/args.py`` and ``ldm/dream/pngwriter.py`` of its tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sdstudio.core.prompts.compel_grammar import read_compel
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.history.picture_text.foreign.found import Found

TEXT_MAXIMUM: Final = 100_000
"""Longest line that is read, in characters."""
_NAMES: Final = {
    "s": "Steps", "steps": "Steps", "S": "Seed", "seed": "Seed", "C": "CFG scale", "cfg_scale": "CFG scale",
    "f": "Denoising strength", "strength": "Denoising strength", "W": "W", "width": "W", "H": "H", "height": "H",
    "A": "A", "m": "A", "sampler": "A", "n": "", "iterations": "", "o": "", "outdir": "", "z": "",
    "png_compression": "", "t": "", "log_tokenization": "", "T": "", "fit": "", "i": "", "individual": "",
    "save_original": "", "save_orig": "", "prompt": "",
}  # fmt: skip
"""Options -> A1111's key, a short name for what is put together here, or "" for what acts on no pixel."""
_GLUED: Final = frozenset("sSCfWHAmvVGIMUn")
"""Options of one letter behind which a value may stand without a blank."""
_QUOTED: Final = re.compile(r'"(.*?)"(?=\s+-|\s*#|\s*$)', re.DOTALL)
_BEGINS: Final = re.compile(r"\s-(?:s\s?\d|S\s?\d|-steps\s|-seed\s)")
_OPTION: Final = re.compile(r"--?[A-Za-z]")
_MODEL: Final = re.compile(r"model_id=(\S{1,200})")


def read_dream(texts: Mapping[str, str]) -> Found | None:
    """InvokeAI 1 and 2 where they wrote no JSON."""
    text = texts.get("Dream", "")[:TEXT_MAXIMUM].strip()
    quoted = _QUOTED.match(text) if text.startswith('"') else None
    begins = None if quoted else _BEGINS.search(text)
    if quoted is None and begins is None:
        return None
    found = Found("InvokeAI")
    take_words(found, quoted[1] if quoted else text[: begins.start()] if begins else "")
    rest, _, comment = text[quoted.end() if quoted else begins.start() if begins else 0 :].partition(" #")
    model = _MODEL.search(comment)
    found.add_model(model[1] if model else "")
    options = _options(rest)
    found.add_all({name: value for name, value in options.items() if _NAMES.get(name, name)}, _NAMES)
    width, height, sampler = (found.pairs.pop(key, None) for key in ("W", "H", "A"))
    found.add_size(width, height)
    found.add_sampler(sampler)
    return found


def _options(text: str) -> dict[str, str]:
    """Return the options with their values, "True" for one that has none; of one that stands twice, the last."""
    options: dict[str, list[str]] = {}
    values: list[str] = []
    for word in text.split():
        if not _OPTION.match(word):
            values.append(word)
            continue
        name, values = word.lstrip("-"), []
        if not word.startswith("--") and name not in _NAMES and name[0] in _GLUED and not name[1:2].isalpha():
            name, values = name[0], [name[1:]]
        elif not word.startswith("--") and name.startswith("A") and len(name) > 1:
            name, values = "A", [name[1:]]
        options[name] = values
    return {name: " ".join(words) or "True" for name, words in options.items()}


_NEGATIVE: Final = re.compile(r"\[([^\[\]]*)\]")
_OPERATOR: Final = re.compile(r"\.(swap|blend|and|add)\s*\(")
_LORA: Final = re.compile(r"\b(?:with|use)Lora\(\s*([^(),<>:\s][^(),<>:]{0,200}?)\s*(?:,\s*([-+\d.]{1,20})\s*)?\)")
_OLD_WEIGHTS: Final = re.compile(r"\w:-?\d")


def take_words(found: Found, prompt: str) -> None:
    """Part the prompt from the negative one, which InvokeAI had in square brackets up to version 2."""
    negative = [part.strip(" ,") for part in _NEGATIVE.findall(prompt)]
    if negative:  # as InvokeAI closes the gaps
        prompt = " ".join(word for word in _NEGATIVE.sub(" ", prompt).split(" ") if word)
    found.prompt = prompt.strip(" ,")
    found.negative = ", ".join(part for part in negative if part)
    if _OLD_WEIGHTS.search(found.prompt):
        found.report("Prompt weights", "words:1.5 joins prompts by weight in InvokeAI 1 and 2; here it is words")
    take_operators(found)


def take_operators(found: Found) -> None:
    """Take the LoRA that a prompt of InvokeAI names, and report what else it does and the studio does not.

    Where compel read the prompt (`Found.add_grammar` was called before) the studio reads it by the same rules, and
    those report what is left; before that all operators are words here.
    """
    for name, weight in _LORA.findall(found.prompt):
        found.add_lora(name, weight or 1.0)
    found.prompt = _LORA.sub("", found.prompt).strip()
    if found.reads_compel:
        wordings = [read_compel(cut_networks(text, has_comments=False)[0]) for text in (found.prompt, found.negative)]
        left = [part for wording in wordings for part in (*wording.unread, wording.problem) if part]
        if left:
            found.report("Prompt", "; ".join(dict.fromkeys(left)))
        return
    used = dict.fromkeys(f".{name}()" for name in _OPERATOR.findall(f"{found.prompt}\n{found.negative}"))
    if used:
        found.report("Prompt", f"{', '.join(used)} of InvokeAI: here it is words")
