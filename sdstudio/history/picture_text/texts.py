"""Which words a picture file carries: PNG text, EXIF, XMP and comments as one flat table of names and texts.

What they mean is not known here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import ExifTags, Image, PngImagePlugin

from sdstudio.core.pictures.opening import opened_picture, shown

TEXT_MAXIMUM: Final = 2_000_000
"""Longest text read from a picture, in characters; Pillow limits compressed text only."""
USER_COMMENT: Final = "UserComment"
"""Name under which the table holds EXIF's user comment, where A1111 and its kin write into JPEG and WebP files."""
_EXIF_TEXTS: Final = (ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.ImageDescription, ExifTags.Base.Software)
MAKER_NOTE: Final = "MakerNote"
COMMENT: Final = "comment"
"""Name under which the table holds a JPEG's comment."""


def read_texts(path: Path | BinaryIO) -> dict[str, str]:
    """Return every text that a picture carries, name -> text; what is longer than allowed is left out.

    Raises:
        PictureUnreadable: See `opened_picture`.
    """
    with opened_picture(path) as image:
        texts = texts_of(image)
        if not texts:
            image.load()  # text behind the pixels
            texts = texts_of(image)
        return texts


def texts_of(image: Image.Image) -> dict[str, str]:
    """Return the texts of an opened picture: PNG text by its key, EXIF by its tag's name, XMP under ``xmp``."""
    texts: dict[str, str] = {}
    for key, value in image.info.items():
        if isinstance(key, str) and isinstance(value, str):
            texts[key] = str(value) if isinstance(value, PngImagePlugin.iTXt) else _as_meant(value)
    if isinstance(image.info.get(COMMENT), bytes):
        texts[COMMENT] = image.info[COMMENT].decode("utf-8", "replace").strip("\0 ")
    if "XML:com.adobe.xmp" in texts:
        texts["xmp"] = texts.pop("XML:com.adobe.xmp")
    elif isinstance(image.info.get("xmp"), bytes):
        texts["xmp"] = image.info["xmp"].decode("utf-8", "replace")
    for key, value in _exif_texts(image).items():
        texts.setdefault(key, value)
    # A lone surrogate breaks SQLite and JSON's UTF-8.
    return {shown(key): shown(value) for key, value in texts.items() if value and len(value) <= TEXT_MAXIMUM}


def _as_meant(text: str) -> str:
    """Return a PNG's plain text, which is Latin-1, as UTF-8 where a careless program has written that."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _exif_texts(image: Image.Image) -> dict[str, str]:
    exif = image.getexif()
    values: dict[str, Any] = {tag.name: exif.get(tag) for tag in _EXIF_TEXTS}
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    values[USER_COMMENT] = _user_comment(inner.get(ExifTags.Base.UserComment))
    values[MAKER_NOTE] = inner.get(ExifTags.Base.MakerNote)
    texts = {}
    for key, value in values.items():
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str) and value.strip("\0 "):
            texts[key] = value.strip("\0 ")
    return texts


def _user_comment(raw: object) -> str:
    """Decode EXIF's user comment: eight bytes name the encoding, and for UNICODE nothing names the byte order."""
    if isinstance(raw, str):
        return raw
    if not isinstance(raw, bytes):
        return ""
    kind, rest = raw[:8], raw[8:]
    if kind == b"UNICODE\0":
        if rest[:2] in (b"\xfe\xff", b"\xff\xfe"):  # a byte order mark after all
            return rest.decode("utf-16", "replace")
        # Parameters are mostly ASCII: the half of each pair that is mostly zero is the high one.
        big = rest[0::2].count(0) >= rest[1::2].count(0)
        return rest.decode("utf-16-be" if big else "utf-16-le", "replace")
    if kind in (b"ASCII\0\0\0", b"\0" * 8):
        return rest.decode("utf-8", "replace")
    return raw.decode("utf-8", "replace")
