"""``sdstudio schedulers``: the tables of samplers and schedules, to read or as JSON."""

from __future__ import annotations

import argparse
from typing import Any

from sdstudio.catalog.schedulers import DEFAULT_SCHEDULER, SCHEDULERS
from sdstudio.catalog.schedules import AUTOMATIC, SCHEDULES
from sdstudio.cli.console import Console


def add_listings(commands: Any) -> None:
    """Declare the command."""
    schedulers = commands.add_parser(
        "schedulers", help="list the samplers and their schedules",
        description="List the samplers, and the noise schedules they take.",
    )  # fmt: skip
    schedulers.add_argument("--json", action="store_true", help="print one JSON object for each")
    schedulers.set_defaults(run=_schedulers)


def _schedulers(args: argparse.Namespace, console: Console) -> int:
    if not args.json:
        console.result("Samplers (--sampler); in brackets the schedule that automatic means:")
        console.table([(s.key, f"{s.title} ({s.automatic or 'its own'})", s.about) for s in SCHEDULERS])
        console.result("\nSchedules (--schedule), for every sampler that has none of its own:")
        console.table([(s.key, s.title, s.about) for s in SCHEDULES])
        return 0
    for spec in SCHEDULERS:
        names = (spec.sampler, spec.comfyui, spec.invokeai, *spec.aliases)
        console.record({
            "kind": "sampler", "key": spec.key, "title": spec.title, "class": spec.class_name,
            "default": spec.key == DEFAULT_SCHEDULER, "automatic": spec.automatic, "schedules": list(spec.schedules),
            "takes": list(spec.takes), "leaves_out_last": spec.leaves_out_last, "a1111": spec.sampler,
            "comfyui": spec.comfyui, "invokeai": spec.invokeai,
            "aliases": list(dict.fromkeys(name for name in names if name)), "about": spec.about,
        })  # fmt: skip
    for schedule in SCHEDULES:
        console.record({
            "kind": "schedule", "key": schedule.key, "title": schedule.title, "default": schedule.key == AUTOMATIC,
            "a1111": schedule.schedule_type, "comfyui": schedule.comfyui, "aliases": list(schedule.aliases),
            "about": schedule.about,
        })  # fmt: skip
    return 0
