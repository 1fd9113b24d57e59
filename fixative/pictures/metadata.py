"""What a picture file says besides its pixels: collected when reading, given back when saving.

Kept: EXIF without its orientation (the pixels are turned instead) and without its thumbnail, which
would be a small unprotected copy; the colour profile; XMP, likewise without orientation and
thumbnails; resolution; text notes; a PNG's own colour chunks. Everything else is left behind.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

from PIL import Image, PngImagePlugin

_ORIENTATION = 0x0112
_XMP_KEY = "XML:com.adobe.xmp"
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)([1-8])")
#: What an XMP block of a JPEG begins with.
JPEG_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
#: Tags of a TIFF's own layout, which mean nothing (or mislead) in another file. The last ones are
#: the profile, XMP, IPTC and Photoshop blocks (previews among them) and a pointer to sub-pictures.
_LAYOUT_TAGS = {
    *(254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 274, 277, 278, 279, 280, 281, 284, 290),
    *(291, 292, 293, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339),
    *(340, 341, 347, 512, 513, 514, 519, 520, 521, 529, 530, 531, 532),
    *(700, 33723, 34377, 34675, 37724, 50341),
}
_XMP_CLUTTER = (
    rb'\s*tiff:Orientation\s*=\s*("[^"]*"|\'[^\']*\')',
    rb"<tiff:Orientation>.*?</tiff:Orientation>",
    rb"<(xmp|xap):Thumbnails.*?</\1:Thumbnails>",
)
_COLOUR_CHUNKS = (b"cICP", b"cHRM", b"gAMA", b"sRGB")


@dataclass(frozen=True)
class Metadata:
    """The parts of a file that are kept beside its pixels.

    Attributes:
        exif: an EXIF block, empty for none.
        icc: the colour profile that the RGB values are meant in.
        xmp: an XMP packet, empty for none.
        dpi: dots per inch, across and down.
        texts: text notes by keyword.
        colour_chunks: a PNG's colour chunks, which stand in for a profile.
    """

    exif: bytes = b""
    icc: bytes | None = None
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    colour_chunks: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])


def collect_metadata(
    image: Image.Image, *, file: IO[bytes], icc: bytes | None
) -> tuple[Metadata, tuple[str, ...]]:
    """Collect what is kept from a loaded Pillow image.

    Args:
        image: as opened and loaded, before any conversion.
        file: its open file, for a PNG's chunks.
        icc: the profile that describes the converted RGB values.

    Returns:
        The metadata, and a note for each part that could not be kept.
    """
    exif, notes = _exif(image)
    metadata = Metadata(
        exif=exif,
        icc=icc,
        xmp=_xmp(image),
        dpi=_dpi(image),
        texts=_texts(image),
        colour_chunks=_colour_chunks(file) if image.format == "PNG" and icc is None else {},
    )
    return metadata, notes


def orientation(image: Image.Image) -> int:
    """Return the orientation, 1 (upright) to 8, of EXIF or else XMP; 1 if there is none."""
    try:
        value: object = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF raises nearly anything; _exif reports it
        value = None
    if value is None and (found := _XMP_ORIENTATION.search(_raw_xmp(image))):
        value = int(found[1])
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _exif(image: Image.Image) -> tuple[bytes, tuple[str, ...]]:
    try:
        exif = image.getexif()
        for tag in _LAYOUT_TAGS & set(exif):
            del exif[tag]
        exif.pop(_ORIENTATION, None)
        return (exif.tobytes() if len(exif) else b""), ()
    except Exception as error:  # damaged EXIF raises nearly anything
        return b"", (f"its EXIF data is damaged and was left out ({error})",)


def _xmp(image: Image.Image) -> bytes:
    packet = _raw_xmp(image)
    for pattern in _XMP_CLUTTER:
        packet = re.sub(pattern, b"", packet, flags=re.DOTALL)
    return packet.rstrip(b"\0")


def _raw_xmp(image: Image.Image) -> bytes:
    found = image.info.get("xmp") or _png_texts(image).get(_XMP_KEY) or b""
    for _, block in cast("list[tuple[str, bytes]]", getattr(image, "applist", [])):
        if not found and block.startswith(JPEG_XMP_NAME):  # Pillow before 11 looks no further
            found = block[len(JPEG_XMP_NAME) :]
    return found.encode() if isinstance(found, str) else bytes(cast("bytes", found))


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        across, down = (float(value) for value in cast("tuple[Any, Any]", image.info["dpi"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(value) and 1 <= value <= 65535 for value in (across, down))
    return (across, down) if sensible else None


def _texts(image: Image.Image) -> Mapping[str, str]:
    """PNG text notes and a JPEG's comment; legacy EXIF in text form is not a note."""
    comment: object = image.info.get("comment")
    if image.format in ("JPEG", "MPO") and isinstance(comment, bytes) and comment:
        return {"Comment": comment.decode("utf-8", "replace")}
    return {
        key: text
        for key, text in _png_texts(image).items()
        if key != _XMP_KEY and not key.startswith("Raw profile type")
    }


def _png_texts(image: Image.Image) -> Mapping[str, str]:
    return dict(image.text) if isinstance(image, PngImagePlugin.PngImageFile) else {}


def _colour_chunks(file: IO[bytes]) -> Mapping[bytes, bytes]:
    found = _png_chunks(file)
    return {kind: found[kind] for kind in _COLOUR_CHUNKS if kind in found}


def _png_chunks(file: IO[bytes]) -> Mapping[bytes, bytes]:
    """Return the chunks of a PNG before its pixels, by type (the first of each)."""
    chunks: dict[bytes, bytes] = {}
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT":
            break
        chunks.setdefault(kind, file.read(length))
        file.seek(4, 1)
    return chunks
