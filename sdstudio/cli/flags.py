"""How a declared parameter becomes a command-line flag; nothing about any one of them stands here."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from sdstudio.core.params import FieldKind, Parameter


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as all errors are."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        self.exit(2, f"sdstudio: {' '.join(message.split())}. See `{self.prog} --help`.\n")


def add_flags(group: argparse._ActionsContainer, rows: Iterable[Parameter]) -> None:
    """Add one flag for each row; those not given on the command line are absent from the namespace."""
    for row in rows:
        options: dict[str, Any] = {"dest": row.name, "default": argparse.SUPPRESS, "help": _help(row)}
        match row.kind:
            case FieldKind.TOGGLE:
                options["action"] = argparse.BooleanOptionalAction
            case FieldKind.INTEGER | FieldKind.OPTIONAL | FieldKind.SEED:
                options |= {"type": _number(row, int), "metavar": "N"}
            case FieldKind.NUMBER:
                options |= {"type": _number(row, float), "metavar": "X"}
            case FieldKind.CHOICE if len(row.choices) <= 8:
                options["choices"] = [choice.value for choice in row.choices]
            case FieldKind.CHOICE:
                options["metavar"] = "KEY"
            case FieldKind.MODEL | FieldKind.VAE | FieldKind.UPSCALER | FieldKind.DETECTOR:
                options["metavar"] = "PATH|KEY"
            case FieldKind.SIDES:
                options["metavar"] = "SIDE=PX,.."
            case FieldKind.PICTURE:
                options["metavar"] = "FILE|ID"
            case FieldKind.LORAS:
                options |= {"action": "append", "type": _lora, "metavar": "NAME[:WEIGHT]"}
            case _:
                options["metavar"] = "TEXT"
        group.add_argument(row.flag, *row.ui.more_flags, **options)


def given(args: argparse.Namespace, rows: Iterable[Parameter]) -> dict[str, Any]:
    """Return the values that were given for these rows."""
    values = vars(args)
    return {row.name: values[row.name] for row in rows if row.name in values}


def _help(row: Parameter) -> str:
    bounds = f" ({row.allowed})" if row.minimum is not None and row.kind is not FieldKind.SEED else ""
    return f"{row.description}{bounds}".replace("%", "%%")


def _lora(text: str) -> tuple[str, float]:
    """Read ``name:0.8``; what follows the last colon is a weight only when it is a number."""
    name, _, weight = text.rpartition(":")
    try:
        return (name, float(weight)) if name else (text, 1.0)
    except ValueError:
        return text, 1.0


def _number(row: Parameter, kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            allowed = f", {row.allowed}" if row.minimum is not None else ""
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not allowed: give {what}{allowed}") from None

    return read
