"""A recipe in words: which of its facts are shown, under which names, the most asked first."""

from __future__ import annotations

import html
from typing import Any, Final

from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.catalog.schedules import AUTOMATIC, SCHEDULE_BY_KEY
from sdstudio.core.params import Parameter, parameters
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import idle_fields, idle_prompt_fields
from sdstudio.history.picture_text.foreign.origin import origin_of
from sdstudio.history.store import Entry
from sdstudio.ui.theme import STRONG

PROMPTS: Final = ("prompt", "negative_prompt")


def recipe_rows(entry: Entry) -> list[tuple[str, str]]:
    """Return what a reader wants to know about a picture, as (name, value), the most asked first."""
    recipe = entry.recipe
    request = recipe.request
    rows = [("Prompt", request.prompt or "(none)")]
    if request.negative_prompt:
        rows.append(("Negative", request.negative_prompt))
    rows += [
        ("Model", recipe.model_name or request.model),
        ("Size", _size(request)),
        ("Sampler", f"{sampler_title(request)}, {request.steps} steps"),
        ("Guidance", f"{request.guidance_scale:g}"),
        ("Seed", str(request.seed)),
        ("Made", f"{entry.created.astimezone():%d %B %Y, %H:%M}"),
    ]
    if recipe.duration_s:
        rows.append(("Took", f"{recipe.duration_s:.1f} s"))
    origin = origin_of(recipe)
    if origin is not None:
        rows.append(("Made with", origin.program))
        if origin.not_mapped:
            rows.append(("Settings not used", "\n".join(f"{name}: {text}" for name, text in origin.not_mapped.items())))
        if origin.assumed:
            rows.append(("Not recorded", ", ".join(origin.assumed)))
    if recipe.unfinished is not None:
        step, total = recipe.unfinished
        rows.insert(0, ("Unfinished", f"Cancelled at step {step} of {total}; Re-run draws it to the end"))
    if recipe.blocked:
        rows.insert(0, ("Blocked", recipe.blocked))
    return rows


def _size(request: GenerationRequest) -> str:
    drawn, made = (f"{width} × {height}" for width, height in ((request.width, request.height), request.made_size))
    return drawn if made == drawn else f"{made}, drawn at {drawn}"


def recipe_html(entry: Entry) -> str:
    """Return the recipe as a small table for a tooltip."""
    cells = "".join(
        f"<tr><td style='padding-right:12px'>{STRONG}{name}</b></td><td>{_escaped(value)}</td></tr>"
        for name, value in recipe_rows(entry)
    )
    return f"<table style='max-width:360px'>{cells}</table>"


def sampler_title(request: GenerationRequest) -> str:
    """Return the sampler as people call it, with its schedule where one was chosen."""
    spec, schedule = SCHEDULER_BY_KEY.get(request.scheduler), SCHEDULE_BY_KEY.get(request.schedule)
    title = spec.title if spec else request.scheduler
    return title if schedule is None or schedule.key == AUTOMATIC else f"{title} {schedule.title}"


def _escaped(text: str) -> str:
    short = text if len(text) <= 300 else text[:300] + "…"
    return html.escape(short).replace("\n", "<br>")


def every_fact(recipe: Recipe) -> list[tuple[str, str]]:
    """Return all that a picture was made with but its prompts, as (name, value).

    First each parameter that acted: what a mask is drawn with says nothing of a picture without one. Then what made it.
    """
    request = recipe.request
    idle = idle_fields(dict(request)) | idle_prompt_fields(dict(request))
    shown = [row for row in parameters(GenerationRequest) if row.name not in {*PROMPTS, *idle}]
    rows = [(row.title, shown_value(getattr(request, row.name), row)) for row in shown]
    rows += [
        ("Model name", recipe.model_name),
        ("Model hash", recipe.model_hash),
        ("Family", recipe.model_family),
        ("Made by", recipe.app),
        ("Took", f"{recipe.duration_s:.1f} s" if recipe.duration_s else ""),
    ]
    for name, value in recipe.made_with.items():
        if name == IMPORTED:  # `recipe_rows` has it
            continue
        facts = value.items() if isinstance(value, dict) else (("", value),)
        rows += [(f"{_words(name)} {_words(key).lower()}".strip(), shown_value(fact)) for key, fact in facts]
    return [(name, value) for name, value in rows if value]


def shown_value(value: Any, row: Parameter | None = None) -> str:
    """Return a value as it is read; "" for none."""
    if value is None:
        return ""
    if row is not None and row.choices:
        title = next((choice.title for choice in row.choices if choice.value == value), None)
        if title is not None:
            return title
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(" ".join(map(shown_value, part)) if isinstance(part, tuple) else str(part) for part in value)
    return str(value)


def _words(key: str) -> str:
    return key.replace("_", " ").capitalize()
