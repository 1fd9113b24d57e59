"""Workflows in picture files: kept out, or put where ComfyUI finds them; and whose copy it is."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fixative.errors import SettingError
from fixative.pictures import (
    OUTPUT_FORMATS,
    Metadata,
    Picture,
    change_left,
    find_origin,
    read_picture,
    with_workflow,
    without_generation,
    write_picture,
)
from fixative.pictures.origin import LARGEST_CHANGE
from fixative.protections.base import MAX_STRENGTH
from tests.picture_files import photo

GRAPH = {"prompt": {"1": {"text": "grün" * 600}}, "workflow": {"nodes": []}}


def written(path: Path, metadata: Metadata, kind: str) -> Image.Image:
    pixels = photo()
    picture = Picture(path, pixels, None, metadata)
    write_picture(picture, pixels, path, output=OUTPUT_FORMATS[kind])
    return Image.open(path)


def chunk_kinds(path: Path) -> set[bytes]:
    content, kinds, at = path.read_bytes(), set[bytes](), 8
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        kinds.add(kind)
        at += 12 + length
    return kinds


def exif_with(**texts: str) -> bytes:
    exif = Image.Exif()
    names = {"model": 0x0110, "make": 0x010F, "artist": 0x013B}
    for name, text in texts.items():
        exif[names[name]] = text
    return exif.tobytes()


def test_a_png_holds_the_graph_in_plain_chunks(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    metadata = with_workflow(
        Metadata(texts={"Comment": "mine"}), GRAPH, output=OUTPUT_FORMATS["png"]
    )
    image = written(path, metadata, "png")
    assert isinstance(image, PngImagePlugin.PngImageFile)
    assert {key: json.loads(image.text[key]) for key in GRAPH} == GRAPH
    assert image.text["Comment"] == "mine"
    assert b"tEXt" in chunk_kinds(path)
    assert not chunk_kinds(path) & {b"zTXt", b"iTXt"}


def test_a_webp_holds_the_graph_in_exif_and_the_camera_stays(tmp_path: Path) -> None:
    free = with_workflow(Metadata(), GRAPH, output=OUTPUT_FORMATS["webp"])
    exif = written(tmp_path / "a.webp", free, "webp").getexif()
    assert json.loads(exif[0x010F].removeprefix("workflow:")) == GRAPH["workflow"]
    assert json.loads(exif[0x0110].removeprefix("prompt:")) == GRAPH["prompt"]

    taken = Metadata(exif=exif_with(model="X100", make="Camera"))
    kept = with_workflow(taken, GRAPH, output=OUTPUT_FORMATS["webp"])
    exif = written(tmp_path / "b.webp", kept, "webp").getexif()
    assert (exif[0x0110], exif[0x010F]) == ("X100", "Camera")
    assert {str(value).split(":")[0] for value in exif.values()} >= {"prompt", "workflow"}


def test_a_jpeg_cannot_hold_it() -> None:
    with pytest.raises(SettingError, match="include_workflow: jpeg cannot hold"):
        with_workflow(Metadata(), GRAPH, output=OUTPUT_FORMATS["jpeg"])


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_what_tells_how_it_was_made_is_left_out(tmp_path: Path, kind: str) -> None:
    notes = Metadata(texts={"parameters": "steps: 20", "Author": "me"}, exif=exif_with(artist="me"))
    path = tmp_path / f"made.{kind}"
    written(path, with_workflow(notes, GRAPH, output=OUTPUT_FORMATS[kind]), kind)
    found = without_generation(read_picture(path).metadata)
    assert set(found.texts) == ({"Author"} if kind == "png" else set())
    exif = Image.Exif()
    exif.load(found.exif)
    assert dict(exif) == {0x013B: "me"}


def test_exif_without_a_workflow_stays_byte_for_byte() -> None:
    block = exif_with(artist="prompt: see below", model="workflow")
    assert without_generation(Metadata(exif=block)).exif == block


def candidate(pixels: np.ndarray, name: str = "a.png") -> Picture:
    return Picture(Path(name), pixels, None, Metadata())


def test_the_origin_is_the_nearest_that_is_near_enough() -> None:
    assert LARGEST_CHANGE == MAX_STRENGTH
    before = photo().clip(60, 190)
    saved = (before.astype(int) + 8 * np.sign(np.indices(before.shape).sum(0) % 2 - 0.5)).astype(
        np.uint8
    )
    far = before.copy()
    far[0, 0, 0] += 41
    near = candidate(before, "near.png")
    also = candidate(before + 12, "also.png")
    others = [candidate(far), candidate(before[1:]), also, candidate(photo(seed=2))]
    assert find_origin(saved, [*others, near]) is near
    assert find_origin(saved, others) is also
    assert find_origin(saved, [others[0], others[1], others[3]]) is None


def test_the_change_left_by_hand() -> None:
    before = np.full((1, 2, 3), 100, np.uint8)
    meant = before + np.array([[[4, 0, 0], [0, 4, 0]]], np.uint8)
    halved = before + np.array([[[2, 9, 0], [0, 2, 0]]], np.uint8)
    assert change_left(before, meant, meant) == 1
    assert change_left(before, meant, before) == 0
    assert change_left(before, meant, halved) == pytest.approx(0.5)
    assert change_left(before, before, halved) is None
