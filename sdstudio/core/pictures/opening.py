"""How a picture file is opened so that none, wherever it is from, can crash, hang or fill the memory.

Sizes are looked at before anything is unpacked: the file's, the pixels its header promises, the length and number of
its text chunks.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from sdstudio.core.errors import PictureUnreadable
from sdstudio.core.request import larger_size

FORMATS: Final = ("PNG", "JPEG", "WEBP")
"""What is opened at all; Pillow knows formats that start other programs (EPS) or are seldom looked at."""
ENDINGS: Final = (".png", ".jpg", ".jpeg", ".webp")
OPEN_FILTER: Final = f"Pictures ({' '.join(f'*{ending}' for ending in ENDINGS)})"
"""What a dialog that opens pictures offers."""
PIXELS_MAXIMUM: Final = larger_size.PIXELS_MAXIMUM
FILE_MAXIMUM_BYTES: Final = 400_000_000
"""64 million pixels of 16 bits in four channels fit; nothing larger is a picture of Stable Diffusion."""
TEXTS_MAXIMUM_BYTES: Final = 32_000_000
TEXT_CHUNKS_MAXIMUM: Final = 2_000
UNREADABLE: Final = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
"""What Pillow raises over broken, truncated and hostile files."""

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_TEXT_CHUNKS: Final = (b"tEXt", b"zTXt", b"iTXt")
_ON_ITS_SIDE: Final = frozenset({5, 6, 7, 8})
"""Values of EXIF's orientation that turn width into height."""
_PIECE_BYTES: Final = 1 << 20
_BEHIND: Final = "white"
"""What is seen through a transparent picture."""
_WIDE_GREY: Final = ("I;16", "I;16L", "I;16B", "I;16N", "I")
"""Modes of 16 bits a pixel, which Pillow would cut off at 255 on the way to RGB."""
_PROFILED: Final = {"RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB", "L": "RGB"}
"""Modes whose colour profile is heeded, with what they become."""


@contextmanager
def opened_picture(path: Path | BinaryIO) -> Iterator[Image.Image]:
    """Open a picture whose size is allowed; nothing is decoded yet.

    Raises:
        PictureUnreadable: Missing, empty, damaged, no picture, or larger than allowed. Errors of the block that is run
            with it, decoding among them, are reported in the same way.
    """
    try:
        if isinstance(path, Path):
            _check_file(path)
        with Image.open(path, formats=FORMATS) as image:
            if not allowed_size(image):
                raise _too_large(image.width, image.height)
            yield image
    except UNREADABLE as error:
        raise unreadable(path, error) from error


def allowed_size(image: Image.Image) -> bool:
    """Return whether an opened picture is small enough for its pixels to be read."""
    return image.width * image.height <= PIXELS_MAXIMUM


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return how wide and high an opened picture is as it is to be seen: a camera may have been turned."""
    lies = image.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE
    return (image.height, image.width) if lies else image.size


def as_seen(image: Image.Image) -> Image.Image:
    """Return an opened picture as a viewer shows it, in RGB: upright, on white, its colour profile turned into sRGB."""
    return on_white(_in_srgb(upright(image)))


def as_seen_clear(image: Image.Image) -> Image.Image:
    """Return an opened picture like `as_seen`, but RGBA, as transparent as it is."""
    return _of_eight_bits(_in_srgb(upright(image))).convert("RGBA")


def upright(image: Image.Image) -> Image.Image:
    """Return an opened picture turned as the camera recorded that it is to be seen."""
    try:
        return ImageOps.exif_transpose(image)
    except (struct.error, KeyError, TypeError):  # nonsense where a camera would record which side is up
        image.load()
        return image


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode not in _PROFILED:
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (own.profile.profile_description or "").lower():  # its pixels are to stay exactly as they are
            return image
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, srgb, outputMode=_PROFILED[image.mode]) or image
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):  # nonsense where the profile would be
        return image


def in_colour(image: Image.Image) -> Image.Image:
    """Return a decoded picture in RGB, in RGBA where it is transparent: the same object when it is that already."""
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else _of_eight_bits(image).convert(mode)


def _of_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode not in _WIDE_GREY:
        return image
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def on_white(image: Image.Image) -> Image.Image:
    """Return a decoded picture in RGB, what is transparent in it on white."""
    image = _of_eight_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    seen = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", seen.size, _BEHIND), seen).convert("RGB")


def unreadable(path: Path | BinaryIO, error: BaseException) -> PictureUnreadable:
    """Return in words why a picture cannot be read."""
    name = shown(path.name) if isinstance(path, Path) else "picture"
    if isinstance(error, _Refused):
        return PictureUnreadable(f"{name}: {error}")
    if isinstance(error, OSError) and error.strerror:
        return PictureUnreadable(f"{name}: it cannot be read ({error.strerror}).")
    if isinstance(error, UnidentifiedImageError) and isinstance(path, Path) and not begins_as_picture(path):
        return PictureUnreadable(f"{name}: it is no PNG, JPEG or WebP picture.")
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return PictureUnreadable(f"{name}: too large: more than the {PIXELS_MAXIMUM:,} pixels that are allowed.")
    if isinstance(error, UnidentifiedImageError):
        return PictureUnreadable(f"{name}: the file is damaged (its header is broken).")
    return PictureUnreadable(f"{name}: the file is damaged ({' '.join(str(error).split())[:120]}).")


def shown(text: str) -> str:
    """Return a file's name so that it can be shown and stored, whatever bytes it is made of."""
    return text.encode("utf-8", "replace").decode("utf-8")


def begins_as_picture(path: Path) -> bool:
    """Return whether a file's first bytes are those of a picture, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(12).startswith((PNG_SIGNATURE, b"\xff\xd8\xff", b"RIFF"))
    except OSError:
        return False


class _Refused(ValueError):
    """A picture is turned down before Pillow sees it."""


def _too_large(width: int, height: int) -> _Refused:
    return _Refused(f"too large: {width:,} x {height:,} pixels, allowed are {PIXELS_MAXIMUM:,} in all.")


def _check_file(path: Path) -> None:
    size = path.stat().st_size
    if not path.is_file():
        raise _Refused("it is no file.")
    if size == 0:
        raise _Refused("the file is empty (0 bytes).")
    if size > FILE_MAXIMUM_BYTES:
        raise _Refused(f"{size:,} bytes: allowed are {FILE_MAXIMUM_BYTES:,}.")
    with path.open("rb") as file:
        if file.read(len(PNG_SIGNATURE)) == PNG_SIGNATURE:
            _check_png(file)


def _check_png(file: BinaryIO) -> None:
    """Look at the header's size and at the text chunks' lengths, without reading either pixels or texts."""
    count = total = 0
    for kind, length in _chunks(file):
        if kind == b"IHDR" and length == 13:
            size = file.read(8).ljust(8, b"\0")
            file.seek(-8, 1)
            width, height = struct.unpack(">II", size)
            if width * height > PIXELS_MAXIMUM:
                raise _too_large(width, height)
        if kind in _TEXT_CHUNKS:
            count, total = count + 1, total + length
            if count > TEXT_CHUNKS_MAXIMUM or total > TEXTS_MAXIMUM_BYTES:
                raise _Refused(
                    f"more text inside than is allowed ({TEXT_CHUNKS_MAXIMUM:,} pieces, {TEXTS_MAXIMUM_BYTES:,} bytes)."
                )
        file.seek(length + 4, 1)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield kind and length of each chunk, with the file standing at its content; the caller moves to the next."""
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        yield kind, length
        if kind == b"IEND":
            return


def check_whole(path: Path) -> None:
    """Read a picture to its end: every checksum of a PNG, then all its pixels.

    Raises:
        PictureUnreadable: It is damaged, or no picture at all.
    """
    with opened_picture(path) as image:
        load_whole(path, image)


def load_whole(path: Path, image: Image.Image) -> None:
    """Decode an opened picture after its checksums were looked at. Raises what `opened_picture` turns into words."""
    if image.format == "PNG":
        _check_sums(path)
    image.load()


def _check_sums(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(len(PNG_SIGNATURE))
        for kind, length in _chunks(file):
            begin, checksum, left = file.tell(), zlib.crc32(kind), length
            while left and (piece := file.read(min(left, _PIECE_BYTES))):
                checksum, left = zlib.crc32(piece, checksum), left - len(piece)
            stored = file.read(4)
            if left or len(stored) < 4:
                raise _Refused(f"it is cut off in the part {kind.decode('ascii', 'replace')}.")
            if checksum != int.from_bytes(stored, "big"):
                raise _Refused(f"wrong checksum of the part {kind.decode('ascii', 'replace')} at byte {begin:,}.")
