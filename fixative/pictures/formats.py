"""The picture formats that are read, and those that are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from fixative.errors import SettingError

#: Pillow's names of the formats that are read. Named one by one, so that no file can start an
#: interpreter (EPS) or a reader nobody asked for.
READ_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
READABLE = "PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF"

#: Suffixes that make a file in a folder count as a picture (lower case).
PICTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif")
)


@dataclass(frozen=True)
class OutputFormat:
    """How pictures are written.

    Attributes:
        name: as given to ``--format``.
        suffix: of the written files, with its dot.
        pillow: Pillow's name of the format.
        lossless: every 8-bit value survives. Lossy formats weaken the protection.
        alpha: transparency can be kept.
        max_side: the longest side that the format can hold, in pixels.
        options: further arguments of Pillow's ``save``.
    """

    name: str
    suffix: str
    pillow: str
    lossless: bool
    alpha: bool
    max_side: int
    options: Mapping[str, object] = field(default_factory=dict[str, object])


#: ``exact`` keeps the colours under fully transparent pixels, which WebP would otherwise rewrite.
_WEBP: Mapping[str, object] = {"method": 4, "exact": True}

OUTPUT_FORMATS: Mapping[str, OutputFormat] = {
    known.name: known
    for known in (
        OutputFormat("png", ".png", "PNG", True, True, 2**31 - 1),
        OutputFormat("webp", ".webp", "WEBP", True, True, 16383, {**_WEBP, "lossless": True}),
        OutputFormat(
            "jpeg", ".jpg", "JPEG", False, False, 65500, {"quality": 95, "subsampling": 0}
        ),
        OutputFormat("webp-lossy", ".webp", "WEBP", False, True, 16383, {**_WEBP, "quality": 95}),
    )
}


def output_format(name: str) -> OutputFormat:
    """Look an output format up by name.

    Raises:
        SettingError: there is none of that name.
    """
    if name in OUTPUT_FORMATS:
        return OUTPUT_FORMATS[name]
    close = get_close_matches(name, OUTPUT_FORMATS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise SettingError(f"format {name!r} is unknown, expected {', '.join(OUTPUT_FORMATS)}{hint}")
