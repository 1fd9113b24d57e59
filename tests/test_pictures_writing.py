"""Written pictures are whole, hold what they should, and are proved by reading them back."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from fixative.errors import ImageError
from fixative.pictures import (
    OUTPUT_FORMATS,
    OutputFormat,
    output_format,
    read_picture,
    write_picture,
)
from fixative.pictures.modes import srgb_profile
from tests.picture_files import cmyk_profile, jpeg_with_thumbnail, photo, png_chunk, save_photo

RGB, RGBA = photo(), photo(channels=4)
PNG, WEBP = OUTPUT_FORMATS["png"], OUTPUT_FORMATS["webp"]
LOSSLESS = [known for known in OUTPUT_FORMATS.values() if known.lossless]
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:rights="mine">'
    b"<xmp:Thumbnails><rdf:Alt>QUJD</rdf:Alt></xmp:Thumbnails></rdf:Description></x:xmpmeta>"
)


def rewritten(source: Path, out: Path, kind: str = "png") -> Image.Image:
    """Read, shift every colour by one level, write, and open with plain Pillow."""
    picture = read_picture(source)
    pixels = np.where(picture.pixels > 128, picture.pixels - 1, picture.pixels + 1)
    saved = write_picture(picture, pixels.astype(np.uint8), out, output=output_format(kind))
    assert saved.path == out
    image = Image.open(out)
    image.load()
    if output_format(kind).lossless:
        np.testing.assert_array_equal(np.asarray(image)[..., :3], pixels)
        np.testing.assert_array_equal(saved.pixels, pixels)
    return image


def full_exif(turn: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x8298] = "a field", "A. Painter", "all rights reserved"
    exif[0x0112] = turn
    exif[0x8769] = {0x9003: "2026:01:02 03:04:05"}
    return exif


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg", "webp-lossy"])
@pytest.mark.parametrize("turn", [1, 6])
def test_exif_and_profile_are_kept(tmp_path: Path, kind: str, turn: int) -> None:
    source = tmp_path / "in.jpg"
    Image.fromarray(RGB).save(source, quality=95, exif=full_exif(turn), icc_profile=srgb_profile())
    image = rewritten(source, tmp_path / "out.bin", kind)
    exif = image.getexif()
    assert (exif[0x010E], exif[0x013B], exif[0x8298]) == (
        "a field",
        "A. Painter",
        "all rights reserved",
    )
    assert exif.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
    assert 0x0112 not in exif
    assert image.info["icc_profile"] == srgb_profile()
    assert image.size == ((48, 32) if turn == 1 else (32, 48))


def test_the_right_way_up_in_any_viewer(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "in.png", exif=full_exif(6))
    before = ImageOps.exif_transpose(Image.open(tmp_path / "in.png"))
    image = rewritten(tmp_path / "in.png", tmp_path / "out.png")
    after = ImageOps.exif_transpose(image)
    assert np.abs(np.asarray(before, dtype=int) - np.asarray(after, dtype=int)).max() == 1
    assert np.array_equal(np.asarray(after), np.asarray(image))


@pytest.mark.parametrize("output", LOSSLESS, ids=lambda known: known.name)
def test_alpha_is_bit_exact_and_hidden_colours_too(tmp_path: Path, output: OutputFormat) -> None:
    hidden = RGBA.copy()
    hidden[:8, :, 3] = 0
    Image.fromarray(hidden).save(tmp_path / "in.png")
    image = rewritten(tmp_path / "in.png", tmp_path / "out.bin", output.name)
    np.testing.assert_array_equal(np.asarray(image)[..., 3], hidden[..., 3])


def test_an_opaque_alpha_stays_an_alpha_in_png(tmp_path: Path) -> None:
    opaque = RGBA.copy()
    opaque[..., 3] = 255
    Image.fromarray(opaque).save(tmp_path / "in.png")
    assert rewritten(tmp_path / "in.png", tmp_path / "out.png").mode == "RGBA"
    picture = read_picture(tmp_path / "in.png")
    write_picture(picture, picture.pixels, tmp_path / "out.webp", output=WEBP)


def test_png_notes_resolution_and_colour_chunks_are_kept(tmp_path: Path) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", "Feld")
    notes.add_itxt("Author", "Ünsal", "tr", "Yazar")
    notes.add_text("Long", "word " * 1000, zip=True)
    notes.add_text("Raw profile type exif", "\nexif\n8\n4d4d002a\n")
    notes.add_itxt("XML:com.adobe.xmp", XMP.decode())
    notes.add(b"gAMA", struct.pack(">I", 45455))
    notes.add(b"cHRM", struct.pack(">8I", *range(30000, 38000, 1000)))
    Image.fromarray(RGB).save(tmp_path / "in.png", pnginfo=notes, dpi=(300, 150))
    image = rewritten(tmp_path / "in.png", tmp_path / "out.png")
    texts: dict[str, Any] = image.text  # type: ignore[attr-defined]
    assert {key: str(texts[key]) for key in ("Title", "Author")} == {
        "Title": "Feld",
        "Author": "Ünsal",
    }
    assert texts["Author"].lang == "tr"
    assert texts["Long"] == "word " * 1000
    assert "Raw profile type exif" not in texts
    assert image.info["dpi"] == pytest.approx((300, 150), abs=0.05)
    assert image.info["gamma"] == pytest.approx(0.45455)
    assert image.info["chromaticity"][0] == pytest.approx(0.3)
    packet = texts["XML:com.adobe.xmp"]
    assert 'dc:rights="mine"' in packet
    assert "Orientation" not in packet
    assert "Thumbnails" not in packet


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_xmp_and_comment_of_a_jpeg(tmp_path: Path, kind: str) -> None:
    name = b"http://ns.adobe.com/xap/1.0/\0"
    block = b"\xff\xe1" + struct.pack(">H", len(name + XMP) + 2) + name + XMP
    Image.fromarray(RGB).save(tmp_path / "in.jpg", quality=95, extra=block, comment="hello")
    image = rewritten(tmp_path / "in.jpg", tmp_path / "out.bin", kind)
    data = (tmp_path / "out.bin").read_bytes()
    assert b'dc:rights="mine"' in data
    assert b"Orientation" not in data
    assert (b"hello" in data) == (kind != "webp")
    assert image.size == (32, 48), "without EXIF, the XMP's orientation counts, as in Pillow"


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Title", "Feld")
    notes.add(b"gAMA", struct.pack(">I", 100000))
    Image.fromarray(RGB).save(tmp_path / "in.png", pnginfo=notes)
    picture = read_picture(tmp_path / "in.png")
    saved = write_picture(picture, picture.pixels, tmp_path / "out.webp", output=WEBP)
    assert len(saved.notes) == 2
    assert any("text notes" in note for note in saved.notes)
    assert any("colour marks" in note for note in saved.notes)


def test_no_thumbnail_reaches_the_output(tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes(jpeg_with_thumbnail(RGB, RGB[::4, ::4]))
    for kind in ("png", "webp", "jpeg"):
        rewritten(tmp_path / "in.jpg", tmp_path / kind, kind)
        data = (tmp_path / kind).read_bytes()
        assert data.count(b"\xff\xd8\xff") == (1 if kind == "jpeg" else 0)
        assert b"a field" in data


def test_damaged_exif_is_left_out_and_said(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(RGB).save(source)
    data = source.read_bytes()
    junk = png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff" + bytes(range(64)))
    source.write_bytes(data[:33] + junk + data[33:])
    picture = read_picture(source)
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert picture.metadata.exif == b"" or 0x0112 not in Image.open(source).getexif()


def test_a_tiffs_layout_tags_do_not_travel(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x013B] = "A. Painter"
    Image.fromarray(RGB).save(tmp_path / "in.tif", exif=exif, dpi=(300, 300))
    image = rewritten(tmp_path / "in.tif", tmp_path / "out.png")
    kept = image.getexif()
    assert kept[0x013B] == "A. Painter"
    assert not {256, 257, 258, 262, 273, 277, 278, 279} & set(kept)
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.05)


def test_a_converted_picture_says_its_new_profile(tmp_path: Path) -> None:
    inks = Image.fromarray(RGBA, "CMYK")
    inks.save(tmp_path / "in.tif", icc_profile=cmyk_profile())
    image = rewritten(tmp_path / "in.tif", tmp_path / "out.png")
    assert image.mode == "RGB"
    assert image.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize("kind", ["jpeg", "webp-lossy"])
def test_lossy_formats_give_the_pixels_read_back(tmp_path: Path, kind: str) -> None:
    save_photo(tmp_path / "in.png")
    picture, out = read_picture(tmp_path / "in.png"), tmp_path / "out.bin"
    saved = write_picture(picture, picture.pixels, out, output=output_format(kind))
    np.testing.assert_array_equal(saved.pixels, np.asarray(Image.open(out)))
    gap = np.abs(saved.pixels.astype(int) - picture.pixels)
    assert 0 < gap.max() < 40


def test_refusals_name_the_file(tmp_path: Path) -> None:
    Image.fromarray(RGBA).save(tmp_path / "in.png")
    picture = read_picture(tmp_path / "in.png")
    with pytest.raises(ImageError, match=r"out.jpg: has transparency, which jpeg cannot hold"):
        write_picture(picture, picture.pixels, tmp_path / "out.jpg", output=output_format("jpeg"))
    with pytest.raises(ImageError, match="expected"):
        write_picture(picture, picture.pixels[1:], tmp_path / "out.png", output=PNG)
    save_photo(tmp_path / "long.png", 17_000, 2)
    long = read_picture(tmp_path / "long.png")
    with pytest.raises(ImageError, match="webp holds at most 16383"):
        write_picture(long, long.pixels, tmp_path / "out.webp", output=WEBP)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.png", "long.png"]


def test_what_an_encoder_refuses_is_one_line(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "word " * 20_000
    Image.fromarray(RGB).save(tmp_path / "in.png", exif=exif)
    picture = read_picture(tmp_path / "in.png")
    with pytest.raises(ImageError, match=r"out.jpg: cannot be saved as jpeg \(EXIF"):
        write_picture(picture, RGB, tmp_path / "out.jpg", output=output_format("jpeg"))
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_writing_is_deterministic(tmp_path: Path) -> None:
    save_photo(tmp_path / "in.png")
    for kind in OUTPUT_FORMATS:
        one, two = tmp_path / f"1{kind}", tmp_path / f"2{kind}"
        rewritten(tmp_path / "in.png", one, kind)
        rewritten(tmp_path / "in.png", two, kind)
        assert one.read_bytes() == two.read_bytes()


def test_a_file_that_reads_back_wrong_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_photo(tmp_path / "in.png")
    picture = read_picture(tmp_path / "in.png")
    whole = Image.Image.save

    def damaged(self: Image.Image, target: Path, **options: Any) -> None:
        self.putpixel((3, 3), (9, 9, 9))
        whole(self, target, **options)

    monkeypatch.setattr(Image.Image, "save", damaged)
    with pytest.raises(ImageError, match="not what was written"):
        write_picture(picture, picture.pixels, tmp_path / "out.png", output=PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
