"""Pictures leave the studio: in which format, with how much of their recipe, one by one or in a zip.

What is stripped is stripped everywhere: from the exact recipe, from A1111's text and from whatever another program had
written, into the pixels too. As soon as one field of the request is left out, the facts about the run (device,
versions, adapters) go too: they are for making the picture again, which cannot be done any more, and some repeat what
was left out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from PIL import Image

from sdstudio.core.errors import InvalidRequest, PictureUnreadable, SaveFailed, TellsTooMuch
from sdstudio.core.files import copy_whole, write_whole
from sdstudio.core.params import parameters
from sdstudio.core.pictures.opening import in_colour, opened_picture
from sdstudio.core.prompts.extra_networks import without_loras
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.bulk_work import Failure, OnProgress, never, unheard
from sdstudio.history.database.rows import Entry
from sdstudio.history.exchange.telling import encoded
from sdstudio.history.formats import FORMAT_BY_KEY, FORMAT_BY_SUFFIX, QUALITY, encode, texts_for
from sdstudio.history.names import free_path
from sdstudio.history.picture_text.foreign.stealth import without_stealth

SAME_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The time of files in a zip whose own is left out: the earliest that a zip can hold."""


@dataclass(frozen=True, slots=True)
class ExportField:
    """One thing a picture can hold, or not; ``key`` as on the command line."""

    key: str
    title: str
    about: str


_FACTS: Final = (
    ExportField("app", "Program", "Which program and version made it."),
    ExportField("created", "Date", "When it was made, and how long it took."),
    ExportField("made_with", "Device and versions", "What it was made with: device, libraries, memory switches."),
)
_FACT_FIELDS: Final = {"app": ("app",), "created": ("created", "duration_s"), "made_with": ("made_with",)}
_PROMPTS: Final = ("prompt", "negative_prompt")
_MODEL_FIELDS: Final = ("model_name", "model_family", "model_hash")


def export_fields() -> tuple[ExportField, ...]:
    """Return everything that can be left out: each declared field of the request, and the facts about the run."""
    declared = (ExportField(row.name, row.title, row.description) for row in parameters(GenerationRequest))
    return (*declared, *_FACTS)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write.

    Attributes:
        format: A key of `FORMATS`.
        quality: 1 to 100 for formats that lose something; WebP loses nothing at 100.
        metadata: Whether anything but pixels is written.
        without: Keys of `export_fields` that are left out.
    """

    format: str = "png"
    quality: int = QUALITY
    metadata: bool = True
    without: frozenset[str] = frozenset()

    @classmethod
    def checked(cls, **values: Any) -> ExportOptions:
        """Build options, or raise which is not allowed. Raises: InvalidRequest."""
        options = cls(**values)
        if options.format not in FORMAT_BY_KEY:
            allowed = ", ".join(FORMAT_BY_KEY)
            message = f"Format = {options.format[:40]!r}: allowed is {allowed}."
            raise InvalidRequest("format", message, "The default is png.")
        if not 1 <= options.quality <= 100:
            message = f"Quality = {options.quality}: allowed is 1 to 100."
            raise InvalidRequest("quality", message, f"The default is {QUALITY}.")
        known = [row.key for row in export_fields()]
        for name in sorted(options.without):
            if name not in known:
                raise InvalidRequest("strip", f"Field = {name[:40]!r}: allowed is {', '.join(known)}.", "Leave it out.")
        return options

    @property
    def as_it_is(self) -> bool:
        """Whether everything a picture records is kept."""
        return self.metadata and not self.without


@dataclass
class ExportReport:
    """What came of an export.

    Attributes:
        total: Pictures that were to be exported.
        made: Those that were.
        cleaned: How many of them had text hidden in their pixels, which was taken out: by at most one level a channel.
        written: The files, for a zip or a contact sheet fewer than the pictures.
        failed: The others, each with its reason.
        stopped: Why the rest was left out: "stopped", or the error of the disk, a sentence; "" when it was not.
    """

    total: int = 0
    made: int = 0
    cleaned: int = 0
    written: list[Path] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    stopped: str = ""

    def __str__(self) -> str:
        """Return what came of it in a line for the user."""
        what = "1 picture" if self.total == 1 else f"{self.total:,} pictures"
        parts = [f"{what} exported" if self.made == self.total else f"{self.made:,} of {what} exported"]
        if self.failed:
            parts.append(f"{len(self.failed):,} failed")
        is_sentence = self.stopped[:1].isupper()
        if self.stopped and not is_sentence:
            parts.append(self.stopped)
        sentences = [f"{', '.join(parts)}."]
        if self.cleaned:
            of = "1 had" if self.cleaned == 1 else f"{self.cleaned:,} had"
            sentences.append(f"{of} text hidden in the pixels, which was taken out.")
        return " ".join(sentences + [self.stopped] * is_sentence)


def stripped(recipe: Recipe, without: Iterable[str]) -> tuple[Recipe, frozenset[str]]:
    """Return a recipe without what is to be left out, and the names of all fields that are."""
    left_out = set(without)
    names = {
        name
        for name in GenerationRequest.model_fields
        if any(name == key or name.startswith(f"{key}_") for key in left_out)  # "prompt" takes "prompt_template" along
    }
    if names:  # what is kept beside what is declared, such as the prompt as it was written
        names |= GenerationRequest.model_fields.keys() - {row.name for row in parameters(GenerationRequest)}
    facts = {name for key in left_out for name in _FACT_FIELDS.get(key, ())}
    if names:
        facts.add("made_with")
    if "model" in names:
        facts.update(_MODEL_FIELDS)
    defaults = {name: Recipe.model_fields[name].get_default(call_default_factory=True) for name in facts - {"app"}}
    if "app" in facts:
        defaults["app"] = ""
    request = recipe.request.model_copy(
        update={name: GenerationRequest.model_fields[name].get_default(call_default_factory=True) for name in names}
    )
    if "loras" in names:  # what stands in the prompt acts as what stands in the list
        request = request.model_copy(update={name: without_loras(getattr(request, name)) for name in _PROMPTS})
    kept = recipe.model_copy(update={**defaults, "request": request})
    if names:
        kept = kept.model_copy(update={"made_with": {"stripped": sorted(names)}})
    elif IMPORTED in kept.made_with:
        kept = kept.model_copy(update={"made_with": _without_origin(kept.made_with, left_out)})
    return kept, frozenset(names | left_out)


def _without_origin(made_with: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    """Return facts without what another program recorded beside the parameters: its name, dates, users."""
    origin = made_with[IMPORTED]
    program = origin.get("program", "") if isinstance(origin, Mapping) and "app" not in left_out else ""
    return {**made_with, IMPORTED: {"program": program, "not_mapped": {}, "assumed": []}}


def write_picture(to: BinaryIO, pixels: Image.Image, options: ExportOptions, recipe: Recipe | None) -> bool:
    """Write pixels and, where the options keep it, the recipe; what is left out is nowhere in the file.

    Returns:
        Whether text was hidden in the pixels, which was taken out.

    Raises:
        SaveFailed: The parameters are too long for a JPEG.
        TellsTooMuch: The file would hold what is to be left out; nothing is written.
    """
    pixels = in_colour(pixels)
    pixels = pixels.convert("RGB") if options.format == "jpeg" else pixels
    carried: dict[str, Any] = {}
    if recipe is not None and options.metadata:
        recipe, names = stripped(recipe, options.without)
        carried = texts_for(options.format, recipe, names)
    if options.as_it_is:
        encode(to, pixels, options.format, options.quality, carried)
        return False
    clean = without_stealth(pixels)
    to.write(encoded(clean, lambda file, image: encode(file, image, options.format, options.quality, carried)))
    return clean is not pixels


def save_as(source: Path, recipe: Recipe, target: Path, options: ExportOptions) -> bool:
    """Write one picture to a path, whole or not at all; as it is when neither format nor metadata change.

    Returns:
        Whether text was hidden in its pixels, which was taken out.

    Raises:
        PictureUnreadable: The picture is gone or damaged.
        SaveFailed: The file cannot be written.
        TellsTooMuch: The copy would hold what is to be left out.
    """
    if _unchanged(source, options):
        with opened_picture(source):  # a file that is gone or damaged is reported in words
            copy_whole(source, target)
        return False
    with opened_picture(source) as image:
        image.load()
        pixels = in_colour(image).copy()
    cleaned = False

    def write(to: BinaryIO) -> None:
        nonlocal cleaned
        cleaned = write_picture(to, _bare(pixels), options, recipe)

    write_whole(target, write)
    return cleaned


def _unchanged(source: Path, options: ExportOptions) -> bool:
    return options.as_it_is and FORMAT_BY_SUFFIX.get(source.suffix.lower()) == FORMAT_BY_KEY[options.format]


def _bare(pixels: Image.Image) -> Image.Image:
    """Return the pixels without anything that was written beside them: Pillow hands some of it on."""
    pixels.info = {}
    pixels._exif = None  # WORKAROUND(pillow 13): save() writes the exif of a loaded file
    return pixels


def export_folder(
    entries: Sequence[Entry],
    folder: Path,
    options: ExportOptions,
    on_progress: OnProgress = unheard,
    cancelled: Callable[[], bool] = never,
) -> ExportReport:
    """Write pictures into a folder; nothing in it is replaced, and a picture that cannot be read stops no other."""
    report = ExportReport(len(entries))
    for entry in _each(entries, report, on_progress, cancelled):
        target = free_path(folder / _name(entry, options))
        try:
            report.cleaned += save_as(entry.path, entry.recipe, target, options)
        except (PictureUnreadable, TellsTooMuch) as error:
            report.failed.append(_failure(entry, error))
        except SaveFailed as error:
            report.stopped = error.message
        else:
            report.written.append(target)
            report.made += 1
    return report


def export_zip(
    entries: Sequence[Entry],
    path: Path,
    options: ExportOptions,
    on_progress: OnProgress = unheard,
    cancelled: Callable[[], bool] = never,
) -> ExportReport:
    """Write pictures into one zip; stopped half-way, there is none.

    Raises:
        SaveFailed: The file cannot be written.
    """
    report = ExportReport(len(entries))

    def write(to: BinaryIO) -> None:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
            for entry in _each(entries, report, on_progress, cancelled):
                held = io.BytesIO()
                try:
                    report.cleaned += _write_one(held, entry, options)
                except (PictureUnreadable, TellsTooMuch) as error:
                    report.failed.append(_failure(entry, error))
                else:
                    name = _free_name(_name(entry, options), archive)
                    info = zipfile.ZipInfo(name, _zip_time(entry, options))
                    archive.writestr(info, held.getbuffer())
                    report.made += 1
            if report.stopped:
                raise _Stopped

    try:
        write_whole(path, write)
    except _Stopped:
        report.made = report.cleaned = 0
        return report
    report.written.append(path)
    return report


class _Stopped(Exception):
    """An export is to end without a file."""


def _free_name(name: str, archive: zipfile.ZipFile) -> str:
    """Return a name that no picture of the zip has: in the history two may, in folders of their own."""
    taken = archive.NameToInfo
    path, number = PurePosixPath(name), 2
    while name in taken:
        name, number = f"{path.stem}-{number}{path.suffix}", number + 1
    return name


def _zip_time(entry: Entry, options: ExportOptions) -> tuple[int, int, int, int, int, int]:
    created = entry.created
    if not options.as_it_is or created.year < SAME_TIME[0]:
        return SAME_TIME
    return created.year, created.month, created.day, created.hour, created.minute, created.second


def _write_one(to: BinaryIO, entry: Entry, options: ExportOptions) -> bool:
    if _unchanged(entry.path, options):
        with opened_picture(entry.path):  # a file that is gone or damaged is reported in words
            to.write(entry.path.read_bytes())
        return False
    with opened_picture(entry.path) as image:
        image.load()
        pixels = in_colour(image).copy()
    return write_picture(to, _bare(pixels), options, entry.recipe)


def _each(
    entries: Sequence[Entry], report: ExportReport, on_progress: OnProgress, cancelled: Callable[[], bool]
) -> Iterable[Entry]:
    for at, entry in enumerate(entries):
        if not report.stopped and cancelled():
            report.stopped = "stopped"
        if report.stopped:
            return
        on_progress(at, len(entries), entry.path.name)
        yield entry
    on_progress(len(entries), len(entries), "")


def _failure(entry: Entry, error: PictureUnreadable | TellsTooMuch) -> Failure:
    reason = error.message if isinstance(error, TellsTooMuch) else error.message.partition(": ")[2]
    return Failure(entry.path, reason.rstrip("."))


def _name(entry: Entry, options: ExportOptions) -> str:
    """Return a file's name; where something is left out, one that does not record it again."""
    suffix = FORMAT_BY_KEY[options.format].suffix
    return entry.path.stem + suffix if options.as_it_is else f"picture-{entry.id:06d}{suffix}"
