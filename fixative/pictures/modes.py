"""From any picture mode to 8-bit RGB and transparency, without shifting colours.

| in the file                     | becomes               | profile kept | remark               |
| ------------------------------- | --------------------- | ------------ | -------------------- |
| RGB, RGBA, RGBX, RGBa           | RGB (+ alpha)         | its own      | values unchanged     |
| RGB, RGBA, grey + alpha, 16 bit | RGB (+ alpha)         | its own      | note: precision lost |
| 1, L, LA, La                    | equal channels        | its own      | grey profile: sRGB   |
| I;16 (a PNG's I as well)        | equal channels        | its own      | note: precision lost |
| P, PA (palette)                 | RGB (+ alpha)         | its own      | the palette's values |
| a transparent colour            | alpha                 | its own      | refused at 16 bit    |
| YCbCr                           | RGB                   | its own      | the JPEG formulas    |
| CMYK with its profile           | RGB by the profile    | sRGB         | note: converted      |
| CMYK without one, or at 16 bit  | refused               |              | it would be a guess  |
| I, F (32 bit), LAB, HSV, others | refused               |              | no sure 8-bit range  |

A profile for another kind of colour than the picture has is left out, with a note.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image, ImageCms

from fixative.errors import ImageError

_GREY = ("1", "L", "LA", "La")
_DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
_COLOUR = ("RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "YCbCr")
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_DEEP_NOTE = "it has 16 bits a channel and was saved with 8"
_PROFILE_DATE = slice(24, 36)
_TIFF_BITS = 258


@dataclass(frozen=True)
class Converted:
    """A picture as RGB or RGBA of 8 bits.

    Attributes:
        image: mode RGB or RGBA.
        icc: the profile of its values, or None.
        notes: what was changed on the way.
    """

    image: Image.Image
    icc: bytes | None
    notes: tuple[str, ...] = ()


def to_rgb(image: Image.Image, *, deep: bool, name: str) -> Converted:
    """Convert a loaded picture as the table above says.

    Args:
        image: as opened and loaded by Pillow.
        deep: what ``is_deep`` said before loading.
        name: the file as the person sees it.

    Raises:
        ImageError: the mode is refused, or its profile cannot be used.
    """
    if image.mode == "CMYK" and not deep:
        return _from_cmyk(image, name=name)
    if image.mode in _DEEP_GREY or (image.mode == "I" and image.format == "PNG"):
        image = _halve_grey(image)
    elif deep and "transparency" in image.info:
        raise _refusal(name, "16 bits a channel with a transparent colour")
    if image.mode not in _GREY + _COLOUR:
        raise _refusal(name, f"{'16-bit ' if deep else ''}colour mode {image.mode}")
    notes = (_DEEP_NOTE,) if deep else ()
    image = image.convert(_PREMULTIPLIED[image.mode]) if image.mode in _PREMULTIPLIED else image
    if image.mode in _GREY and _profile_space(image) == "GRAY":
        return _from_grey(image, _profile(image) or b"", name=name, notes=notes)
    icc, more = _rgb_profile(image)
    return Converted(image.convert("RGBA" if _has_alpha(image) else "RGB"), icc, notes + more)


def is_deep(image: Image.Image) -> bool:
    """Tell whether a file that is opened and not yet loaded has more than 8 bits a channel.

    Pillow drops the lower half while loading, behind the name of an 8-bit mode.
    """
    if image.mode in (*_DEEP_GREY, "I") or ";16" in str(getattr(image, "tile", "")):
        return True
    tags = cast("Mapping[int, object]", getattr(image, "tag_v2", {}))
    return any(depth > 8 for depth in cast("tuple[int, ...]", tags.get(_TIFF_BITS, ())))


def srgb_profile() -> bytes:
    """Return an sRGB profile, the same bytes every time."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[_PROFILE_DATE] = bytes.fromhex("07e8 0001 0001 0000 0000 0000")
    return bytes(made)


def _refusal(name: str, kind: str) -> ImageError:
    return ImageError(
        f"{name}: has {kind}, expected 8-bit or 16-bit RGB, grey or palette, or CMYK with its "
        "profile; save it as an 8-bit RGB picture first"
    )


def _halve_grey(image: Image.Image) -> Image.Image:
    """16-bit grey to 8 bits, to the nearest level; its transparent grey becomes alpha."""
    values = np.asarray(image).astype(np.int64)
    levels = ((values * 255 + 32767) // 65535).astype(np.uint8)
    grey = Image.fromarray(levels)
    clear: object = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    if "icc_profile" in image.info:
        grey.info["icc_profile"] = image.info["icc_profile"]
    return grey


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info


def _profile(image: Image.Image) -> bytes | None:
    found: object = image.info.get("icc_profile")
    return found if isinstance(found, bytes) and len(found) >= 128 else None


def _profile_space(image: Image.Image) -> str:
    """Return the colour space that the profile is for: 'RGB', 'GRAY', 'CMYK', …, or ''."""
    return (_profile(image) or bytes(128))[16:20].decode("latin-1").strip(" \0")


def _rgb_profile(image: Image.Image) -> tuple[bytes | None, tuple[str, ...]]:
    if _profile_space(image) == "RGB":
        return _profile(image), ()
    if not image.info.get("icc_profile"):
        return None, ()
    return None, ("its colour profile is damaged or for other colours, and was left out",)


def _from_cmyk(image: Image.Image, *, name: str) -> Converted:
    if _profile_space(image) != "CMYK":
        raise ImageError(
            f"{name}: is CMYK without its colour profile, so its colours would be a guess; "
            "convert it to RGB in your picture editor first"
        )
    rgb = _through_profile(image, _profile(image) or b"", name=name)
    return Converted(rgb, srgb_profile(), ("it was converted from CMYK to sRGB by its profile",))


def _from_grey(
    image: Image.Image, profile: bytes, *, name: str, notes: tuple[str, ...]
) -> Converted:
    alpha = image.convert("RGBA").getchannel("A") if _has_alpha(image) else None
    rgb = _through_profile(image.convert("L"), profile, name=name)
    if alpha is not None:
        rgb.putalpha(alpha)
    note = "it was converted from its grey profile to sRGB"
    return Converted(rgb, srgb_profile(), (*notes, note))


def _through_profile(image: Image.Image, profile: bytes, *, name: str) -> Image.Image:
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise ImageError(
            f"{name}: its colour profile cannot be used ({error}); "
            "convert it to RGB in your picture editor first"
        ) from error
    assert converted is not None  # only inPlace returns None
    return converted
