"""Curves as pictures: the size asked for, and what the data says."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixative.errors import FixativeError, SettingError
from fixative.plots import COLOURS, curve_picture

WORDS: dict[str, Any] = {"title": "Loss", "y_label": "loss"}


def ink(picture: Image.Image, colour: str) -> np.ndarray[Any, Any]:
    """Where a series' colour is, (H, W) bool."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.all(np.abs(np.asarray(picture).astype(int) - wanted) < 40, axis=-1)


@pytest.mark.parametrize("size", [(640, 400), (300, 301), (1000, 200)])
def test_it_has_the_size_asked_for(size: tuple[int, int]) -> None:
    picture = curve_picture({"loss": [3, 2, 1]}, size=size, **WORDS)
    assert picture.size == size
    assert picture.mode == "RGB"


def test_same_data_same_picture_other_data_another() -> None:
    first, again, other = (
        curve_picture({"loss": values}, **WORDS).tobytes() for values in ([1, 2], [1, 2], [1, 9])
    )
    assert first == again
    assert first != other


def test_a_rising_curve_rises_on_the_picture() -> None:
    where = ink(curve_picture({"pull": [0.1, 0.2, 0.3, 0.4]}, **WORDS), COLOURS[0])
    rows, columns = np.nonzero(where)
    left, right = rows[columns < columns.mean()].mean(), rows[columns > columns.mean()].mean()
    assert right < left - 50


def test_each_series_has_its_colour() -> None:
    picture = curve_picture({"a": [1, 2, 3], "b": [3, 2, 1], "short": [2]}, **WORDS)
    for colour in COLOURS[:3]:
        assert ink(picture, colour).sum() > 20
    assert not ink(picture, COLOURS[3]).any()


def test_one_point_is_seen() -> None:
    assert ink(curve_picture({"loss": [0.5]}, **WORDS), COLOURS[0]).sum() > 20


def test_what_is_not_finite_leaves_a_gap_and_is_told() -> None:
    gap = curve_picture({"loss": [1.0, 1.0, math.nan, math.inf, 1.0, 1.0]}, **WORDS)
    whole = curve_picture({"loss": [1.0] * 6}, **WORDS)
    across = [ink(picture, COLOURS[0]).any(0) for picture in (gap, whole)]
    assert across[0].sum() < 0.6 * across[1].sum()
    below = (0, 375, 640, 400)  # where the remark stands
    words = [(np.asarray(picture.crop(below)) < 128).sum() for picture in (gap, whole)]
    assert words[0] > 2 * words[1]


def test_a_point_between_two_gaps_is_seen_in_a_long_curve() -> None:
    values = [math.nan] * 60
    values[30] = 1.0
    assert ink(curve_picture({"loss": values}, **WORDS), COLOURS[0]).sum() > 10


@pytest.mark.parametrize("series", [{}, {"loss": []}, {"loss": [math.nan, math.inf]}])
def test_nothing_to_draw_says_so(series: dict[str, list[float]]) -> None:
    picture = curve_picture(series, **WORDS)
    middle = np.asarray(picture.crop((200, 150, 500, 250)))
    assert (middle < 100).any()
    assert not ink(picture, COLOURS[0]).any()


def test_names_with_dollars_are_text() -> None:
    assert curve_picture({"$x_": [1, 2], "_b": [2, 1]}, **WORDS).size == (640, 400)


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(SettingError, match="128 pixels or more"):
        curve_picture({"loss": [1]}, size=(640, 40), **WORDS)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(FixativeError, match="pip install matplotlib"):
        curve_picture({"loss": [1]}, **WORDS)
