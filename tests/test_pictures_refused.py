"""Files that cannot be used are refused in one line that names them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixative.errors import ImageError, SettingError
from fixative.pictures import ReadLimits, output_format, read_picture
from tests.picture_files import deep_png, grey_profile, photo, png_bytes, png_chunk, save_photo

RGB, RGBA, GREY = photo(), photo(channels=4), photo(channels=1)[..., 0]
DEEP = np.full((6, 8, 3), 777, dtype=np.uint16)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.fromarray(photo(seed=seed)) for seed in (1, 2)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


WIDE = png_bytes((50_000, 1), bits=8, colour=0, rows=b"\0" + bytes(50_000))
BOMB = png_bytes((30_000, 30_000), bits=8, colour=0, rows=b"\0")
GOOD = saved(Image.fromarray(RGB))
INKS = Image.fromarray(RGBA, "CMYK")
BAD = {
    "text": (b"hello, this is no picture", "is not an image"),
    "empty": (b"", "is empty"),
    "zero size": (png_bytes((0, 0), bits=8, colour=2, rows=b""), "is not an image"),
    "cut png": (GOOD[: len(GOOD) // 2], "damaged or cut short"),
    "cut jpeg": (saved(Image.fromarray(RGB), "JPEG")[:-200], "damaged or cut short"),
    "cut webp": (saved(Image.fromarray(RGB), "WEBP")[:-50], "damaged"),
    "head only": (GOOD[:20], "damaged or cut short"),
    "wide": (WIDE, "50000 x 1 pixels, expected at most 32000"),
    "bomb": (BOMB, "megapixels"),
    "animated gif": (animated("GIF"), "2 frames"),
    "animated png": (animated("PNG"), "2 frames"),
    "animated webp": (animated("WEBP"), "2 frames"),
    "pages": (animated("TIFF"), "2 frames or pages"),
    "cmyk without profile": (saved(INKS, "JPEG"), "CMYK without its colour profile"),
    "cmyk, rgb profile": (
        saved(INKS, "TIFF", icc_profile=grey_profile(2.2)),
        "CMYK without its colour profile",
    ),
    "float": (saved(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "colour mode F"),
    "32 bit": (saved(Image.fromarray(GREY.astype(np.int32)), "TIFF"), "colour mode I"),
    "lab": (saved(Image.fromarray(RGB, "LAB"), "TIFF"), "colour mode LAB"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "is not an image"),
    "16 bit with a clear colour": (
        deep_png(DEEP, extra=png_chunk(b"tRNS", bytes(6))),
        "16 bits a channel with a transparent colour",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, case: str) -> None:
    data, words = BAD[case]
    path = tmp_path / "bad file.png"
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert "\n" not in message


def test_names_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_picture(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is not a file"):
        read_picture(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError, match="is not a file"):
            read_picture(tmp_path / "pipe.png")


def test_an_odd_name_stays_one_line(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines\udcff.png"
    try:
        path.write_bytes(b"nothing")
    except (OSError, UnicodeEncodeError):
        pytest.skip("this disk does not take such a name")
    with pytest.raises(ImageError, match=r"two\?lines\?.png: is not an image"):
        read_picture(path)


def test_limits(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png", 100, 50)
    with pytest.raises(ImageError, match=r"expected at most 0\.004 megapixels"):
        read_picture(tmp_path / "a.png", limits=ReadLimits(megapixels=0.004))
    assert read_picture(tmp_path / "a.png", limits=ReadLimits(megapixels=0.006)).size == (100, 50)
    for wrong in (0, -1, 179, float("nan")):
        with pytest.raises(SettingError, match="megapixels"):
            ReadLimits(megapixels=wrong)


def test_unknown_format_says_what_was_meant() -> None:
    with pytest.raises(SettingError, match="did you mean 'jpeg'"):
        output_format("jpg")
