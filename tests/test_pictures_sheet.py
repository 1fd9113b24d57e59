"""The comparison sheet shows the right things in the right places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.errors import ImageError
from fixative.pictures import comparison_sheet
from fixative.pictures.sheet import difference
from tests.picture_files import photo

BEFORE = photo(160, 120)
AFTER = np.clip(BEFORE.astype(int) + np.where(BEFORE > 128, -8, 8), 0, 255).astype(np.uint8)
LABEL, GAP = 24, 8


def panel(sheet: Image.Image, index: int, width: int = 160, height: int = 120) -> np.ndarray:
    left = GAP + index * (width + GAP)
    return np.asarray(sheet.crop((left, LABEL, left + width, LABEL + height)))


def test_four_panels() -> None:
    strength = torch.ones(1, 1, 4, 4)
    strength[..., :2] = 0
    sheet = comparison_sheet(Image.fromarray(BEFORE), Image.fromarray(AFTER), strength)
    assert sheet.size == (4 * 160 + 5 * GAP, 120 + LABEL + GAP)
    np.testing.assert_array_equal(panel(sheet, 0), BEFORE)
    np.testing.assert_array_equal(panel(sheet, 1), AFTER)
    signs = np.where(AFTER > BEFORE, 208, 48)
    np.testing.assert_array_equal(panel(sheet, 2), signs)
    drawn = panel(sheet, 3)
    assert drawn[:, :40].max() == 0
    assert drawn[:, 120:].min() > 100
    labels = np.asarray(sheet)[:LABEL]
    for index in range(4):
        left = GAP + index * (160 + GAP)
        assert labels[:, left : left + 160].min() < 128, "a label is missing"


def test_without_a_map_there_are_three() -> None:
    sheet = comparison_sheet(Image.fromarray(BEFORE), Image.fromarray(AFTER))
    assert sheet.width == 3 * 160 + 4 * GAP


def test_the_map_tells_the_two_usual_factors_apart() -> None:
    strength = torch.full((1, 1, 120, 160), 0.91)
    strength[..., 80:] = 1.183
    drawn = panel(comparison_sheet(Image.fromarray(BEFORE), Image.fromarray(AFTER), strength), 3)
    assert drawn[:, 90:].min() - int(drawn[:, :70].max()) > 100


def test_large_pictures_are_reduced_and_small_ones_left() -> None:
    large = Image.fromarray(photo(400, 800))
    sheet = comparison_sheet(large, large, panel_height=200)
    assert sheet.size == (3 * 100 + 4 * GAP, 200 + LABEL + GAP)
    thin = Image.fromarray(photo(2, 900))
    assert comparison_sheet(thin, thin, panel_height=100).height == 100 + LABEL + GAP


def test_difference_is_signed_and_clipped() -> None:
    one, two = Image.new("RGB", (1, 1), (100, 100, 100)), Image.new("RGB", (1, 1), (101, 97, 250))
    assert difference(one, two).getpixel((0, 0)) == (138, 98, 255)


def test_transparency_is_shown_on_white() -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert panel(comparison_sheet(clear, clear), 0, 40, 40).min() == 255


def test_sizes_must_match() -> None:
    with pytest.raises(ImageError, match=r"is 5 x 4 pixels, expected 4 x 5"):
        comparison_sheet(Image.new("RGB", (4, 5)), Image.new("RGB", (5, 4)))
