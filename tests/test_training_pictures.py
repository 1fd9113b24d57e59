"""A person's own pictures to train on: all of them, whatever they are called."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.errors import ImageError
from fixative.training.pictures import list_images, read_folder
from tests.engine_parts import drawn_picture


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        rng = np.random.default_rng(0)
        for name in ("loose.png", "cats/dog6.png", "cats/deep/b.jpg", "dogs/kodim20.png"):
            path = tmp_path / "own" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (40, 700 if "loose" in name else 50, 3), np.uint8)
            Image.fromarray(pixels).save(path)
        (tmp_path / "own" / "dogs" / "broken.png").write_bytes(b"not a picture")
        (tmp_path / "own" / "notes.txt").write_text("no picture")
        return tmp_path / "own"

    def test_is_read_whole_and_what_cannot_be_is_told(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            found = read_folder(folder, most=99)
        # Names that the project's own training holds out mean nothing here.
        assert found.counts == {"cats": 2, "dogs": 1, "pictures": 1}
        assert len(found.unreadable) == 1
        assert "broken.png" in found.unreadable[0]
        assert "broken.png" in caplog.text
        assert found.left_out == 0
        assert found.digest() == read_folder(folder, most=99).digest()

    def test_of_too_many_every_kind_is_drawn(self, folder: Path) -> None:
        found = read_folder(folder, most=3)
        assert sorted(found.counts.values()) == [1, 1, 1]
        assert found.left_out + len(found.unreadable) >= 1

    def test_without_pictures_says_what_to_do(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"folder: .*absent is no folder"):
            read_folder(tmp_path / "absent", most=9)
        (tmp_path / "empty").mkdir()
        with pytest.raises(ImageError, match="has no pictures in it"):
            read_folder(tmp_path / "empty", most=9)
        for path in [p for p in folder.rglob("*.*g") if p.name != "broken.png"]:
            path.unlink()
        with pytest.raises(ImageError, match=r"none of the 1 pictures .* can be read"):
            read_folder(folder, most=9)

    def test_joins_a_batch_each_picture_once(self, folder: Path) -> None:
        own = torch.cat([drawn_picture(96, 96, seed=seed) for seed in range(2)])
        both = list_images(own).joined(read_folder(folder, most=99))
        assert both.counts == {"cats": 2, "dogs": 1, "images": 2, "pictures": 1}
        generator = torch.Generator()
        picked = [both.pick(i, generator) for i in range(len(both))]
        assert len({picture.numpy().tobytes() for picture in picked}) == 6


def test_large_pictures_are_kept_small() -> None:
    [picture] = list_images(torch.rand(1, 3, 700, 1400)).pictures["images"]
    assert tuple(picture.shape) == (3, 640, 1280)
    assert picture.dtype == torch.uint8
