"""Styles: words a prompt is set into, named and kept as the CSV that A1111 writes, so that the file can be shared.

``{prompt}`` in a style stands for the prompt it is given to; a style without it goes behind the prompt, after a comma.
Negative prompt presets are styles with a negative prompt alone.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from sdstudio.core.errors import InvalidRequest, SaveFailed, StudioError
from sdstudio.core.paths import StudioPaths, resources
from sdstudio.core.prompts.extra_networks import comments
from sdstudio.core.text_files import decoded

PLACE: Final = "{prompt}"
FILE_MAXIMUM_BYTES: Final = 4_000_000
STYLES_MAXIMUM: Final = 5_000
NAME_MAXIMUM: Final = 120
_FIRST_LETTERS: Final = 32
_COLUMNS: Final = ("name", "prompt", "negative_prompt")
_DELIMITERS: Final = ",;\t"
"""A comma in A1111's files; spreadsheets of many countries write semicolons, some tabs."""
_BEHIND: Final = "end"
"""A row put behind the last one of a file, to see whether it is one."""


@dataclass(frozen=True, slots=True)
class Style:
    """Words under a name, which are added to a prompt.

    Attributes:
        name: What the user reads; no two styles of a book share one.
        prompt: Set around or behind the prompt; may be empty.
        negative_prompt: The same for the negative prompt.
    """

    name: str
    prompt: str = ""
    negative_prompt: str = ""

    def applied(self, prompt: str, negative_prompt: str, has_comments: bool = True) -> tuple[str, str]:
        """Return prompt and negative prompt with this style's words."""
        texts = ((self.prompt, prompt), (self.negative_prompt, negative_prompt))
        positive, negative = (_set_into(style, text, has_comments) for style, text in texts)
        return positive, negative


class StyleBook:
    """The styles of one data folder: those that ship with the studio until the user changes one.

    Args:
        path: The user's file; it need not be there.
        shipped: The file that holds until then.
    """

    def __init__(self, path: Path, shipped: Path) -> None:
        self._path = path
        self._shipped = shipped
        self._styles: tuple[Style, ...] | None = None

    @classmethod
    def of_styles(cls, paths: StudioPaths) -> StyleBook:
        """Return the book of styles."""
        return cls(paths.styles, resources() / "catalog" / "styles.csv")

    @classmethod
    def of_negative_presets(cls, paths: StudioPaths) -> StyleBook:
        """Return the book of negative prompt presets."""
        return cls(paths.negative_presets, resources() / "catalog" / "negative_presets.csv")

    @property
    def styles(self) -> tuple[Style, ...]:
        """All styles, in their order. Raises: StudioError when the user's file cannot be read."""
        if self._styles is None:
            self._styles = read_styles(self._path if self._path.exists() else self._shipped)
        return self._styles

    def named(self, names: Iterable[str]) -> tuple[Style, ...]:
        """Return the styles of these names.

        Raises:
            InvalidRequest: There is no style of a name.
        """
        known = {style.name: style for style in self.styles}
        kept: list[Style] = []
        for name in names:
            if name not in known:
                near = get_close_matches(name, known, n=1, cutoff=0.4)
                hint = f"Did you mean {near[0]!r}?" if near else "See the names with `sdstudio styles list`."
                raise InvalidRequest("prompt", f"Style = {name[:60]!r}: there is no style of this name.", hint)
            kept.append(known[name])
        return tuple(kept)

    def replace(self, styles: Sequence[Style]) -> None:
        """Keep these styles in place of all that were there, whole or not at all.

        Raises:
            SaveFailed: The file cannot be written.
        """
        text = io.StringIO()
        csv.writer(text).writerow(_COLUMNS)
        rows = csv.writer(text, quoting=csv.QUOTE_ALL)  # else a blank that a text begins with would be left out
        rows.writerows((style.name, style.prompt, style.negative_prompt) for style in styles)
        temporary = self._path.with_suffix(".tmp")
        try:
            # With a byte order mark, as A1111 writes it: spreadsheets then show umlauts right.
            temporary.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
            os.replace(temporary, self._path)
        except OSError as error:
            with suppress(OSError):  # a read-only disk refuses this, too
                temporary.unlink(missing_ok=True)
            message = f"The styles could not be saved to {self._path}: {error.strerror}."
            raise SaveFailed(message, "Free space or make the folder writable.") from error
        self._styles = tuple(styles)

    def add(self, style: Style) -> None:
        """Keep a style, in place of one of the same name. Raises: SaveFailed."""
        self.replace(merged(self.styles, [style]))

    def take_from(self, path: Path) -> int:
        """Add every style of a file, in place of those of the same names; return how many it holds.

        Raises:
            StudioError: The file cannot be read, or the book not be written.
        """
        styles = read_styles(path)
        self.replace(merged(self.styles, styles))
        return len(styles)


def merged(styles: Sequence[Style], others: Sequence[Style]) -> tuple[Style, ...]:
    """Return styles with others added, each in the place of the one that has its name already."""
    by_name = {style.name: style for style in styles}
    by_name.update((style.name, style) for style in others)
    return tuple(by_name.values())


def free_name(text: str, styles: Iterable[Style]) -> str:
    """Return the first words of a text as a name that no style has."""
    taken = {style.name for style in styles}
    name = " ".join(text.split())
    if len(name) > _FIRST_LETTERS:
        name = name[:_FIRST_LETTERS].rsplit(" ", 1)[0]
    name = name.strip(",.;: ") or "My style"
    free, number = name, 2
    while free in taken:
        free, number = f"{name} {number}", number + 1
    return free


def styled(styles: Iterable[Style], prompt: str, negative_prompt: str, has_comments: bool = True) -> tuple[str, str]:
    """Return both prompts with the words of all styles, the first innermost.

    Args:
        styles: What they are set into.
        prompt: As it was written.
        negative_prompt: As it was written.
        has_comments: ``#`` begins a comment in them.
    """
    for style in styles:
        prompt, negative_prompt = style.applied(prompt, negative_prompt, has_comments)
    return prompt, negative_prompt


def read_styles(path: Path) -> tuple[Style, ...]:
    """Read a ``styles.csv`` of this program or of A1111, of any of its versions.

    Rows without words (A1111's dividers) are left out; of two rows of one name the later counts.

    Raises:
        StudioError: It cannot be read, or is no such file.
    """
    try:
        if path.stat().st_size > FILE_MAXIMUM_BYTES:
            raise _refused(path, f"it is larger than {FILE_MAXIMUM_BYTES // 1_000_000} MB")
        text = decoded(path.read_bytes())
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    try:
        columns, rows = _table(text)
    except csv.Error as error:
        raise _refused(path, str(error)) from error
    words = {"prompt": "text"} if "prompt" not in columns else {}  # A1111 called it "text" at first
    places = [columns.get(words.get(column, column)) for column in _COLUMNS]
    if places[0] is None or places[1:] == [None, None]:
        raise _refused(path, "its first line does not name the columns name and prompt")
    styles = (
        Style(" ".join(name.split())[:NAME_MAXIMUM], prompt, negative_prompt)
        for name, prompt, negative_prompt in (
            ("" if place is None or place >= len(row) else row[place] for place in places)
            for row in rows[:STYLES_MAXIMUM]
        )
    )
    return merged((), [style for style in styles if style.name and (style.prompt or style.negative_prompt)])


def _table(text: str) -> tuple[dict[str, int], list[list[str]]]:
    """Return the place of each column, by its name as A1111 spells it, and the rows. Raises: csv.Error.

    Blanks behind a comma are not part of a text that stands in quotes, nor of any other, as in A1111
    (``skipinitialspace`` in ``modules/styles.py``).
    """
    text = text.lstrip()
    if text[:4].lower() == "sep=" and text[5:6] in ("\r", "\n"):  # Excel's way to name the delimiter
        text = text[5:].lstrip()
    first_line = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first_line.count)
    behind = io.StringIO(f"{text}\n{_BEHIND}", newline="")
    rows = [row for row in csv.reader(behind, delimiter=delimiter, skipinitialspace=True) if row]
    if rows.pop() != [_BEHIND]:  # a text that begins with a quotation mark went on to the end of the file
        raise csv.Error("a quotation mark is not closed: all that stands behind it would be one text")
    names = ["_".join(name.lower().replace("_", " ").split()) for name in rows[0]] if rows else []
    return {name: place for place, name in enumerate(names)}, rows[1:]


def _set_into(style: str, prompt: str, has_comments: bool) -> str:
    """As A1111's ``merge_prompts`` does it, but for a comment at the end of the prompt, which ends before the style."""
    if PLACE in style:
        return style.replace(PLACE, _ended(prompt, has_comments))
    if not style.strip():
        return prompt
    return ", ".join(part for part in (_ended(prompt.strip(), has_comments), style.strip()) if part)


def _ended(prompt: str, has_comments: bool) -> str:
    if not has_comments:
        return prompt
    in_comment = not prompt.endswith("\n") and any(end == len(prompt) for _, end in comments(prompt))
    return f"{prompt}\n" if in_comment else prompt


def _refused(path: Path, why: str) -> StudioError:
    hint = f"Choose a styles.csv as A1111 writes it: its first line is {','.join(_COLUMNS)}."
    return StudioError(f"Styles = {path.name}: {why}.", hint)
