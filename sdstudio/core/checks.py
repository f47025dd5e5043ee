"""How a loose value is checked against a declared field, and the message when it is not allowed.

Messages read *what = value: what is allowed*, and the hint names the nearest allowed number or the default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Parameter

Declared = TypeVar("Declared", bound=BaseModel)


def check_bounds(row: Parameter, value: Any) -> None:
    """Raise `InvalidRequest` unless a number lies within the row's bounds, a text within its length, and more.

    Numbers may be written as text, as they come from a command line; other types are left to the declaration.
    """
    if row.ui.check is not None and (row.kind is not FieldKind.TEXT or isinstance(value, str)):
        row.ui.check(value)
    if row.kind not in (FieldKind.INTEGER, FieldKind.OPTIONAL, FieldKind.NUMBER, FieldKind.SEED):
        if isinstance(value, str) and row.max_length is not None and len(value) > row.max_length:
            message = f"{row.title} = {len(value):,} characters: {row.allowed}."
            raise InvalidRequest(row.name, message, "Shorten it: a model reads a few hundred words at most.")
        return
    if value is None:
        return
    number = _number(value)
    if number is None:
        raise InvalidRequest(row.name, *_said(row, row.name, value))
    low, high = row.minimum, row.maximum
    outside = (low is not None and not number >= low) or (high is not None and not number <= high)
    fraction = row.kind is not FieldKind.NUMBER and not outside and number != int(number)
    if outside or fraction or (row.multiple_of and number % row.multiple_of):
        raise InvalidRequest(row.name, *_said(row, row.name, value))


def built(cls: type[Declared], values: Mapping[str, Any], rows: Mapping[str, Parameter]) -> Declared:
    """Return a declared model of loose values.

    Raises:
        InvalidRequest: For the first value that is not allowed.
    """
    for name, value in values.items():
        if name in rows:
            check_bounds(rows[name], value)
    try:
        return cls(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidRequest(name, *_said(rows.get(name), name, first.get("input"), tuple(rows))) from error


def _number(value: Any) -> int | float | None:
    """Return a number, also one written as text; ``None`` for anything else, True and False among it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return None


def _said(row: Parameter | None, name: str, value: Any, names: Sequence[str] = ()) -> tuple[str, str]:
    """Return message and hint about a value that is not allowed."""
    if row is None:
        near = get_close_matches(name, names, n=1)
        return f"{name[:60]}: there is no such parameter.", f"Did you mean {near[0]}?" if near else "Remove it."
    message = f"{row.title} = {_shown(value)}: allowed is {row.allowed}."
    number = _number(value)
    if number is not None and number == number and row.minimum is not None and row.maximum is not None:
        return message, _nearest(row, number)
    return message, f"The default is {row.default}." if row.default is not None else ""


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**60:  # Python refuses to write out integers of thousands of digits
        return "a number of more than 60 digits"
    text = repr(value) if isinstance(value, str) else str(value)
    return text[:80].replace("\n", " ")


def _nearest(row: Parameter, number: int | float) -> str:
    """Return the hint that names the nearest allowed number, or both when it lies between two."""
    low, high = row.minimum, row.maximum
    assert low is not None and high is not None  # noqa: PT018
    within = min(max(number, low), high)
    if row.kind is FieldKind.NUMBER:
        return f"Use {within:g}."
    step = row.multiple_of or 1
    below = int(within // step) * step
    if within == below:
        return f"Use {below}."
    return f"Nearest: {below} or {below + step}."
