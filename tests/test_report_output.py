"""A report in words, as JSON and as a picture, from figures made up."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

import fixative
from fixative.codecs import FamilyMatch
from fixative.plots import COLOURS
from fixative.report_plot import report_picture
from fixative.report_text import ReportContext, report_json, report_lines
from fixative.reporting import (
    NOISE,
    PROTECTED,
    Figures,
    PictureFigures,
    ReportSettings,
    mean_figures,
    mixture_digest,
)
from tests.engine_parts import random_mixture

MIXTURE = random_mixture()


def context(seed: int = 0) -> ReportContext:
    match = FamilyMatch("sd1", 0.987, {"sd1": 0.987})
    return ReportContext(ReportSettings(seed=seed), match, MIXTURE, "learned")


def made_up(pull: float = 0.4, noise: float = 0.01, psnr: float | None = 38.0) -> PictureFigures:
    figures = Figures(pull, 0.2, 8.0 if psnr else 0.0, 3.0, psnr, 0.05)
    control = Figures(noise, 0.02, 8.0, 8.0, 30.1, 0.2)
    shares = [0.0] * 65
    shares[24], shares[40] = 0.5, 0.5
    return PictureFigures("mid", 8.0, {PROTECTED: figures, NOISE: control}, shares)


def test_the_json_has_all_it_takes_to_measure_again() -> None:
    pictures = [made_up(0.4), made_up(math.nan, psnr=None)]
    found = json.loads(report_json(pictures, context(seed=7)))
    assert found["format"] == "fixative-report-1"
    assert found["seeds"] == {"noise": 7}
    assert found["versions"]["fixative"] == fixative.__version__
    assert found["versions"]["torch"] == torch.__version__
    assert found["vae"]["family"] == "sd1"
    assert found["vae"]["score"] == 0.987
    assert found["mixture"]["sha256_of_tensors"] == mixture_digest(MIXTURE)
    assert found["settings"] == {
        "target": "auto",
        "pgd_steps": 0,
        "seed": 7,
        "visibility": "learned",
    }
    assert [one["protected"]["pull"] for one in found["pictures"]] == [0.4, None]
    assert found["means"]["noise"]["pull"] == pytest.approx(0.01)
    assert found["means"]["protected"]["psnr"] == 38.0


def test_the_text_names_every_figure_and_what_is_weak() -> None:
    text = report_lines([made_up(), made_up(0.005), made_up(0, psnr=None)], context())
    for told in ("pull 0.400 (random noise 0.010)", "shift 0.200", "at most 8.0/255", "38.0 dB"):
        assert told in text
    assert "LPIPS (stand-in) 0.050" in text
    assert "mean: pull 0.135 (random noise 0.010)" in text
    assert "NO MORE THAN RANDOM NOISE: picture(s) 2\n" in text
    assert "NOT PROTECTED, nothing changed: picture(s) 3\n" in text
    fine = report_lines([made_up()], context())
    assert "NOT PROTECTED" not in fine
    assert "NO MORE" not in fine
    assert "mean: pull" not in fine


def test_means_by_hand() -> None:
    mean = mean_figures([made_up(0.2, psnr=30.0), made_up(0.4, psnr=None)], PROTECTED)
    assert (mean.pull, mean.psnr, mean.max_change) == (pytest.approx(0.3), 30.0, 4.0)


def bar_length(picture: Image.Image, colour: str) -> int:
    """Width in pixels of a bar, by its mark's colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    pale = np.rint(255 + (np.array(wanted) - 255) * 0.45)
    top = np.asarray(picture.crop((0, 0, 640, 330))).astype(int)
    return int(np.all(np.abs(top - pale) < 12, axis=-1).sum(1).max())


def test_the_bars_are_as_long_as_the_pulls() -> None:
    plot = report_picture([made_up(0.4, noise=0.1)], visibility_name="LPIPS")
    assert plot.size == (640, 640)
    lengths = [bar_length(plot, colour) for colour in COLOURS[:2]]
    assert lengths[0] / lengths[1] == pytest.approx(4, rel=0.15)
    again = report_picture([made_up(0.4, noise=0.1)], visibility_name="LPIPS")
    assert plot.tobytes() == again.tobytes()
    other = report_picture([made_up(0.4, noise=0.12)], visibility_name="LPIPS")
    assert plot.tobytes() != other.tobytes()


@pytest.mark.parametrize("count", [1, 2, 40])
def test_any_number_of_pictures_can_be_drawn(count: int) -> None:
    pictures = [made_up(0.01 * i, psnr=None if i == 1 else 38.0) for i in range(count)]
    assert report_picture(pictures, visibility_name="LPIPS").size == (640, 640)
