"""File names, sources and warnings of Save Protected Image, without a host."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.errors import FixativeError, ImageError, SettingError
from fixative.pictures import OUTPUT_FORMATS
from nodes.filenames import check_prefix, expand_prefix, free_path
from nodes.origins import AUTO, NONE, Origins, loaded_pictures
from nodes.saving import Saver, altered_warning, chosen_output
from tests.picture_files import photo, save_photo

NOW = datetime(2026, 3, 4, 5, 6, 7)
GRAPH: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "a.png"}, "_meta": {"title": "My in"}},
    "2": {"class_type": "LoadImage", "inputs": {"image": "b.png", "other": 3}},
    "3": {"class_type": "Join", "inputs": {"x": ["1", 0], "y": ["2", 1], "note": "a.png"}},
    "4": {"class_type": "Save", "inputs": {"images": ["3", 0], "filename_prefix": "c.png"}},
    "5": {"class_type": "LoadImage", "inputs": {"image": "not upstream.png"}},
}


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("a/b", "a/b"),
        ("%date:yyyy-MM-dd%/x", "2026-03-04/x"),
        ("%date:d.M.yy_hh-m-ss%", "4.3.26_05-6-07"),
        ("%year%_%width%", "%year%_%width%"),
        ("%LoadImage.image%", "a.png"),
        ("%My in.image%", "a.png"),
        ("%Join.x%", "%Join.x%"),
        ("%Nobody.image%", "%Nobody.image%"),
        ("100%", "100%"),
    ],
)
def test_placeholders(prefix: str, expected: str) -> None:
    assert expand_prefix(prefix, now=NOW, prompt=GRAPH) == expected


def test_a_widget_cannot_lead_into_a_folder() -> None:
    graph = {"1": {"class_type": "A", "inputs": {"text": "../..\\x:y"}}}
    assert expand_prefix("%A.text%", now=NOW, prompt=graph) == ".._.._x_y"


@pytest.mark.parametrize("prefix", ["a", "a/b", "a/../b", "ä ö/%x%", "..a"])
def test_names_inside_are_taken(prefix: str) -> None:
    check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["../a", "a/../../b", "/etc/a", "a\0b"])
def test_names_outside_are_refused(prefix: str) -> None:
    with pytest.raises(SettingError, match="filename_prefix: expected a name inside"):
        check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "  ", ".", "./"])
def test_no_name_is_refused(prefix: str) -> None:
    with pytest.raises(SettingError, match="filename_prefix: expected the beginning"):
        check_prefix(prefix)


def test_a_free_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "a_00003_.png").touch()
    (tmp_path / "a_00004_.png").symlink_to("nowhere")
    assert free_path(tmp_path, "a", 3, ".png") == (tmp_path / "a_00005_.png", 5)


def test_pictures_upstream_are_read_and_others_are_not(tmp_path: Path) -> None:
    for name in ("a.png", "c.png", "not upstream.png"):
        save_photo(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")

    def find(name: str) -> Path | None:
        return tmp_path / name if (tmp_path / name).is_file() else None

    found = loaded_pictures(GRAPH, "4", find)
    assert [picture.path.name for picture in found] == ["a.png"]
    assert loaded_pictures(None, "4", find) == []


def saver(folder: Path, *, kind: str = "png", source: str = NONE, **more: Any) -> Saver:
    find = {"origin.png": folder / "origin.png"}.get
    graph = {"1": {"inputs": {"image": "origin.png"}}, "2": {"inputs": {"images": ["1", 0]}}}
    output = chosen_output(kind, lossy=kind == "jpeg", quality=more.pop("quality", 95))
    return Saver(folder, "x", 1, output, Origins.of(source, graph, "2", find), more)


def test_every_level_is_saved_exactly_where_cutting_would_lose_some(tmp_path: Path) -> None:
    """Through a half-precision node the levels come a little off."""
    levels = torch.arange(256).div(255).half().float().reshape(1, 16, 16).expand(3, -1, -1)
    assert ((levels * 255).byte() != (levels * 255).round()).any()
    saved = saver(tmp_path).save(levels, levels[:1], number=0)
    found = np.asarray(Image.open(saved.path))
    np.testing.assert_array_equal(found, np.arange(256).reshape(16, 16, 1).repeat(4, 2))


def test_what_jpeg_leaves_is_measured(tmp_path: Path) -> None:
    before = save_photo(tmp_path / "origin.png", 64, 64).astype(int)
    random = np.random.default_rng(0)
    meant = (before + random.choice([-8, 8], before.shape)).clip(0, 255)
    image = torch.from_numpy(meant).permute(2, 0, 1).float() / 255
    shares: list[float] = []
    for quality in (30, 98):
        one = saver(tmp_path, kind="jpeg", source=AUTO, quality=quality)
        saved = one.save(image, torch.ones(1, 64, 64), number=0)
        back = np.asarray(Image.open(saved.path)).astype(int)
        change = meant - before
        assert saved.loss == pytest.approx(np.abs(back - meant).mean(), abs=1e-3)
        assert saved.left == pytest.approx(((back - before) * change).sum() / (change**2).sum())
        shares.append(saved.left or 0)
    assert 0 < shares[0] < 0.6 < shares[1] < 1.1


def test_the_picture_number_and_the_counter_are_in_the_name(tmp_path: Path) -> None:
    one = saver(tmp_path)
    one.name = "x%batch_num%"
    image = torch.zeros(3, 4, 4)
    names = [one.save(image, None, number=number).path.name for number in (0, 1)]
    assert names == ["x0_00001_.png", "x1_00002_.png"]


def test_a_disk_that_refuses_is_told_as_such(tmp_path: Path) -> None:
    one = saver(tmp_path)
    one.name = "x" * 400
    with pytest.raises(ImageError, match=r"filename_prefix: x+_00001_\.png cannot be written"):
        one.save(torch.zeros(3, 4, 4), None, number=0)


def test_a_source_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "origin.png").write_bytes(b"no picture")
    with pytest.raises(FixativeError, match=r"source: .*is not an image"):
        saver(tmp_path, source="origin.png")
    with pytest.raises(SettingError, match=r"source: no picture 'other\.png'"):
        saver(tmp_path, source="other.png")


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.float64])
def test_whole_levels_are_not_warned_about(kind: torch.dtype) -> None:
    levels = torch.arange(256).reshape(1, 16, 16, 1).expand(-1, -1, -1, 3) / 255
    assert altered_warning(levels.to(kind)) is None


def test_values_between_levels_are_warned_about() -> None:
    pixels = torch.from_numpy(photo(32, 32)).float()[None] / 255
    assert altered_warning(pixels) is None
    smaller = torch.nn.functional.avg_pool2d(pixels.movedim(-1, 1), 2).movedim(1, -1)
    assert "between 8-bit levels" in (altered_warning(smaller) or "")
    assert altered_warning(smaller.bfloat16()) is None  # too coarse to know


def test_jpeg_is_taken_only_when_asked_for() -> None:
    with pytest.raises(SettingError, match=r"format: jpeg .* switch lossy on"):
        chosen_output("jpeg", lossy=False, quality=80)
    assert chosen_output("jpeg", lossy=True, quality=80).options["quality"] == 80
    assert chosen_output("png", lossy=False, quality=80) == OUTPUT_FORMATS["png"]
