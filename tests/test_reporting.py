"""The figures of a report, recomputed by other means."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from fixative.codecs import CallableCodec, load_codec
from fixative.errors import ImageError, MixtureError, SettingError
from fixative.mixture import load_mixture
from fixative.perceptual import load_visibility_map
from fixative.protector import Protector, ProtectSettings
from fixative.reporting import (
    NOISE,
    PGD,
    PROTECTED,
    Reporter,
    ReportSettings,
    check_pairs,
    mixture_digest,
)
from tests.engine_parts import drawn_picture, random_codec, random_mixture

MIXTURE = random_mixture()
LEARNED = load_visibility_map("learned")


class PlainDifference:
    """A visibility map that costs nothing, where another figure is looked at."""

    name = "plain"

    def __call__(self, before: Tensor, after: Tensor) -> Tensor:
        return (after - before).abs().mean(1, keepdim=True)


def block_means(images: Tensor) -> Tensor:
    """An encoder that costs nothing, with gradients: means of 8 x 8 pixels."""
    means = torch.nn.functional.avg_pool2d(images, 8)
    return 4 * torch.cat([means - 0.5, means[:, :1] - means[:, 1:2]], 1)


CODEC = CallableCodec(block_means, name="means", latent_channels=4, downscale=8, family="sd1")


def reporter(**settings: Any) -> Reporter:
    chosen = ReportSettings(**settings)
    return Reporter(CODEC, MIXTURE, PlainDifference(), chosen, gradients=CODEC)


def shifted(picture: Tensor, levels: int, seed: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randint(-levels, levels + 1, picture.shape, generator=generator)
    return ((picture * 255 + steps).round().clamp(0, 255)) / 255


def enlarged(picture: Tensor) -> Tensor:
    return torch.nn.functional.interpolate(picture, (512, 512), mode="bilinear")


def test_the_figures_by_other_means() -> None:
    before = drawn_picture()
    after = shifted(before, 6)
    codec = random_codec()
    found = Reporter(codec, MIXTURE, LEARNED, ReportSettings("mid")).measure(before, after)
    assert found.target == "mid"
    assert found.control_strength == pytest.approx(6, abs=1e-3)
    one = found.versions[PROTECTED]

    with torch.no_grad():
        x, y = (codec.encode(enlarged(p)).double().numpy() for p in (before, after))
        seen = LEARNED(enlarged(before), enlarged(after)).double().numpy()
    z = MIXTURE.target_latents[1].double().numpy()
    assert one.pull == pytest.approx(1 - ((y - z) ** 2).sum() / ((x - z) ** 2).sum(), abs=1e-5)
    spread = sum(((plane - plane.mean()) ** 2).sum() for plane in x[0])
    assert one.shift == pytest.approx(((y - x) ** 2).sum() / spread, rel=1e-4)
    assert one.visibility == pytest.approx(seen.mean(), rel=1e-4)

    levels = np.rint((after - before).numpy().astype(np.float64) * 255)
    assert one.max_change == pytest.approx(6, abs=1e-3)
    assert one.mean_change == pytest.approx(np.abs(levels).mean(), rel=1e-4)
    error = (levels**2).mean()
    assert one.psnr == pytest.approx(10 * math.log10(255**2 / error), abs=1e-3)
    histogram = {level: float((levels == level).mean()) for level in range(-32, 33)}
    assert found.change == pytest.approx(list(histogram.values()))


def test_the_noise_has_the_same_largest_change() -> None:
    before = drawn_picture().clamp(0.2, 0.8)
    found = reporter(seed=3).measure(before, shifted(before, 5))
    noise = found.versions[NOISE]
    assert noise.max_change == pytest.approx(5, abs=1e-3)
    assert noise.mean_change == pytest.approx(5, abs=0.6)  # every value moved by all of it
    assert noise != reporter(seed=4).measure(before, shifted(before, 5)).versions[NOISE]
    assert found == reporter(seed=3).measure(before, shifted(before, 5))


def test_a_partly_changed_picture_is_measured_beside_whole_noise() -> None:
    before = drawn_picture()
    after = before.clone()
    after[..., :4] = shifted(before, 8)[..., :4]
    found = reporter().measure(before, after)
    assert found.versions[PROTECTED].mean_change < 0.5 < found.versions[NOISE].mean_change


def test_a_change_beyond_any_budget_has_controls_of_the_largest() -> None:
    before = torch.full((1, 3, 64, 64), 0.5)
    found = reporter().measure(before, torch.ones_like(before))
    assert found.control_strength == 32
    assert found.versions[PROTECTED].max_change == pytest.approx(127.5)
    assert found.change[64] == 1


def test_no_change_is_no_effect() -> None:
    before = drawn_picture()
    found = reporter().measure(before, before)
    for name in (PROTECTED, NOISE):
        figures = found.versions[name]
        assert (figures.pull, figures.shift, figures.max_change) == (0, 0, 0)
        assert figures.psnr is None
        assert figures.visibility < 1e-3
    assert found.change[32] == 1


def test_pgd_pulls_more_than_noise_of_the_same_size() -> None:
    before = drawn_picture()
    calls: list[int] = []
    found = reporter(pgd_steps=4, target="low").measure(
        before, shifted(before, 6), on_step=lambda: calls.append(1)
    )
    assert len(calls) == 4
    attacked, noise = found.versions[PGD], found.versions[NOISE]
    assert attacked.max_change <= 6.001
    assert attacked.pull > max(0.004, 10 * noise.pull)


def test_the_shipped_mixture_beats_noise_and_the_report_says_what_it_is() -> None:
    codec, mixture = load_codec(), load_mixture()
    before = drawn_picture(256, 256, seed=1)
    protected = Protector(codec, mixture, ProtectSettings(strength_map="off")).protect(before)
    found = Reporter(codec, mixture, PlainDifference()).measure(before, protected.image)
    assert found.versions[PROTECTED].pull > found.versions[NOISE].pull + 0.03
    assert found.target == protected.reports[0].target
    assert found.versions[PROTECTED].psnr == pytest.approx(protected.reports[0].psnr)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (torch.zeros(1, 3, 8, 9), "expected 1 picture.s. of 8 x 8 like original, got 1 .*9 x 8"),
        (torch.zeros(2, 3, 8, 8), "got 2 picture.s. of 8 x 8"),
        (torch.full((1, 3, 8, 8), math.nan), r"protected: expected values in \[0, 1\]"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(other: Tensor, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        check_pairs(torch.zeros(1, 3, 8, 8), other)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(SettingError, match="target: expected one of auto, low, mid, high"):
        reporter(target="up").measure(drawn_picture(), drawn_picture())
    with pytest.raises(SettingError, match="pgd_steps"):
        reporter(pgd_steps=-1)
    with pytest.raises(SettingError, match="pgd_steps"):
        Reporter(CODEC, MIXTURE, LEARNED, ReportSettings(pgd_steps=3))
    with pytest.raises(MixtureError, match="latent family"):
        Reporter(CODEC, random_mixture(family="sdxl"), LEARNED)


def test_the_digest_tells_mixtures_apart() -> None:
    assert mixture_digest(MIXTURE) == mixture_digest(random_mixture())
    assert mixture_digest(MIXTURE) != mixture_digest(random_mixture(seed=1))
