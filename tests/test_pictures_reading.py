"""Every kind of picture file becomes the right RGB."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixative.pictures import Picture, read_mask, read_picture
from tests.picture_files import (
    cmyk_profile,
    deep_png,
    grey_profile,
    jpeg_with_thumbnail,
    photo,
    png_bytes,
    png_chunk,
)


def read_bytes(folder: Path, data: bytes, name: str = "picture.png") -> Picture:
    path = folder / name
    path.write_bytes(data)
    return read_picture(path)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


RGB, RGBA, GREY = photo(), photo(channels=4), photo(channels=1)[..., 0]
BITS = Image.fromarray(GREY > 128)
PALETTE = Image.fromarray(RGB).quantize(16)
LA = np.dstack([GREY, RGBA[..., 3]])


def grey3(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


MODES = {
    "RGB png": (saved(Image.fromarray(RGB)), RGB, None),
    "RGB bmp": (saved(Image.fromarray(RGB), "BMP"), RGB, None),
    "RGB tiff": (saved(Image.fromarray(RGB), "TIFF"), RGB, None),
    "RGB webp": (saved(Image.fromarray(RGB), "WEBP", lossless=True), RGB, None),
    "RGBA png": (saved(Image.fromarray(RGBA)), RGBA[..., :3], RGBA[..., 3]),
    "RGBA tiff": (saved(Image.fromarray(RGBA), "TIFF"), RGBA[..., :3], RGBA[..., 3]),
    "L png": (saved(Image.fromarray(GREY)), grey3(GREY), None),
    "LA png": (saved(Image.fromarray(LA)), grey3(GREY), LA[..., 1]),
    "1 png": (saved(BITS), grey3(np.asarray(BITS.convert("L"))), None),
    "P png": (saved(PALETTE), np.asarray(PALETTE.convert("RGB")), None),
    "P gif": (saved(PALETTE, "GIF"), np.asarray(PALETTE.convert("RGB")), None),
}


@pytest.mark.parametrize("case", MODES)
def test_pixels_of_every_mode(tmp_path: Path, case: str) -> None:
    data, pixels, alpha = MODES[case]
    picture = read_bytes(tmp_path, data)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.notes == ()
    if alpha is None:
        assert picture.alpha is None
    else:
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, alpha)


def test_images_are_the_engines_form(tmp_path: Path) -> None:
    picture = read_bytes(tmp_path, saved(Image.fromarray(RGB)))
    images = picture.images()
    assert tuple(images.shape) == (1, 3, *RGB.shape[:2])
    assert str(images.dtype) == "torch.float32"
    np.testing.assert_allclose(images[0].permute(1, 2, 0).numpy(), RGB / 255, atol=1e-7)


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_a_transparent_palette_colour_becomes_alpha(tmp_path: Path, kind: str) -> None:
    indices = np.asarray(PALETTE)
    picture = read_bytes(tmp_path, saved(PALETTE, kind.upper(), transparency=3), f"a.{kind}")
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, np.where(indices == 3, 0, 255))
    opaque = indices != 3
    np.testing.assert_array_equal(
        picture.pixels[opaque], np.asarray(PALETTE.convert("RGB"))[opaque]
    )


def test_partial_palette_transparency(tmp_path: Path) -> None:
    levels = bytes(range(0, 256, 16))
    picture = read_bytes(tmp_path, saved(PALETTE, transparency=levels))
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, np.asarray(PALETTE) * 16)


@pytest.mark.parametrize("mode", ["L", "1", "RGB"])
def test_a_transparent_colour_becomes_alpha(tmp_path: Path, mode: str) -> None:
    image = {"L": Image.fromarray(GREY), "1": BITS, "RGB": Image.fromarray(RGB)}[mode]
    clear = image.getpixel((5, 5))
    picture = read_bytes(tmp_path, saved(image, transparency=clear))
    assert picture.alpha is not None
    wanted = np.where(
        np.asarray(image.convert("RGB")) == image.convert("RGB").getpixel((5, 5)), 0, 1
    )
    np.testing.assert_array_equal(picture.alpha, wanted.max(-1) * 255)


def test_colours_under_full_transparency_are_as_stored(tmp_path: Path) -> None:
    hidden = RGBA.copy()
    hidden[:8, :, 3] = 0
    picture = read_bytes(tmp_path, saved(Image.fromarray(hidden)))
    np.testing.assert_array_equal(picture.pixels[:8], hidden[:8, :, :3])


DEEP = np.arange(6 * 8 * 4, dtype=np.uint32).reshape(6, 8, 4) * 341 % 65536


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_read_within_a_level_and_said(tmp_path: Path, channels: int) -> None:
    values = DEEP[..., :channels].astype(np.uint16)
    picture = read_bytes(tmp_path, deep_png(values))
    colours = values[..., : 3 if channels > 2 else 1]
    gap = np.abs(picture.pixels - colours / 65535 * 255)
    assert gap.max() <= (0.5 + 1e-9 if channels == 1 else 1)
    assert any("16 bits" in note for note in picture.notes)
    assert (picture.alpha is None) == (channels in (1, 3))


def test_sixteen_bit_grey_tiff_is_read_within_half_a_level(tmp_path: Path) -> None:
    values = DEEP[..., 0].astype(np.uint16)
    picture = read_bytes(tmp_path, saved(Image.fromarray(values), "TIFF"), "a.tif")
    assert np.abs(picture.pixels - values[..., None] / 65535 * 255).max() <= 0.5 + 1e-9
    assert any("16 bits" in note for note in picture.notes)


def test_transparent_grey_of_sixteen_bits(tmp_path: Path) -> None:
    values = DEEP[..., :1].astype(np.uint16)
    clear = png_chunk(b"tRNS", struct.pack(">H", int(values[2, 3, 0])))
    picture = read_bytes(tmp_path, deep_png(values, extra=clear))
    assert picture.alpha is not None
    np.testing.assert_array_equal(
        picture.alpha, np.where(values[..., 0] == values[2, 3, 0], 0, 255)
    )


def test_low_depth_grey(tmp_path: Path) -> None:
    data = png_bytes((4, 1), bits=2, colour=0, rows=b"\0\x1b")
    np.testing.assert_array_equal(read_bytes(tmp_path, data).pixels[0, :, 0], [0, 85, 170, 255])


def test_cmyk_goes_through_its_profile(tmp_path: Path) -> None:
    inks = np.zeros((8, 32, 4), np.uint8)
    inks[:, 8:16, 3] = 255
    inks[:, 16:24, 1:3] = 255
    inks[:, 24:, 0] = 255
    image = Image.fromarray(inks, "CMYK")
    data = saved(image, "TIFF", icc_profile=cmyk_profile())
    picture = read_bytes(tmp_path, data, "a.tif")
    white, black, red, cyan = (picture.pixels[4, x].tolist() for x in (4, 12, 20, 28))
    assert min(white) >= 250
    assert max(black) <= 5
    assert red[0] > 180
    assert max(red[1:]) < 90
    assert cyan[0] < 60
    assert min(cyan[1:]) > 120
    assert any("CMYK" in note for note in picture.notes)
    assert picture.metadata.icc is not None
    assert picture.metadata.icc[16:20] == b"RGB "


def test_a_grey_profile_is_applied(tmp_path: Path) -> None:
    flat = Image.new("L", (8, 8), 128)
    linear = read_bytes(tmp_path, saved(flat, icc_profile=grey_profile(1.0)))
    assert linear.pixels.min() > 180  # linear 0.5 is 188 in sRGB
    assert linear.metadata.icc is not None
    assert linear.metadata.icc[16:20] == b"RGB "
    with_alpha = Image.merge("LA", (flat, Image.new("L", (8, 8), 77)))
    both = read_bytes(tmp_path, saved(with_alpha, icc_profile=grey_profile(1.0)))
    assert both.alpha is not None
    assert (both.alpha == 77).all()
    np.testing.assert_array_equal(both.pixels, linear.pixels)


def test_a_profile_for_other_colours_is_left_out_and_said(tmp_path: Path) -> None:
    picture = read_bytes(tmp_path, saved(Image.fromarray(RGB), icc_profile=cmyk_profile()))
    assert picture.metadata.icc is None
    assert any("profile" in note for note in picture.notes)
    np.testing.assert_array_equal(picture.pixels, RGB)


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x010E] = "kept"
    picture = read_bytes(tmp_path, saved(Image.fromarray(RGB), exif=exif))
    expected = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: RGB[::-1].transpose(1, 0, 2),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: RGB.transpose(1, 0, 2)[::-1],
    }[turn]
    np.testing.assert_array_equal(picture.pixels, expected)
    kept = Image.Exif()
    kept.load(picture.metadata.exif)
    assert kept[0x010E] == "kept"
    assert 0x0112 not in kept


def test_a_cameras_jpeg_with_a_second_picture_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    first.save(path, "MPO", save_all=True, append_images=[second], quality=95)
    picture = read_picture(path)
    assert np.abs(picture.pixels.astype(int) - RGB).mean() < 8
    assert any("second picture" in note for note in picture.notes)


def test_a_thumbnail_is_not_kept(tmp_path: Path) -> None:
    data = jpeg_with_thumbnail(RGB, RGB[::4, ::4])
    assert data.count(b"\xff\xd8\xff") == 2
    picture = read_bytes(tmp_path, data, "a.jpg")
    assert b"\xff\xd8\xff" not in picture.metadata.exif
    assert b"a field" in picture.metadata.exif


def test_a_mask_is_brightness(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png"), GREY)
    Image.fromarray(np.dstack([np.full_like(GREY, 255), GREY])).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "clear.png"), GREY)
