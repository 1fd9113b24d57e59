"""The detector: its arithmetic by hand, its traces, and the shipped numbers on drawn pictures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fixative import load_codec, load_mixture
from fixative.codecs import Codec
from fixative.countermeasures.transforms import Jpeg
from fixative.detector import (
    ANY,
    OWN,
    Detector,
    Inspection,
    Logistic,
    load_numbers,
    score_of,
)
from fixative.errors import ImageError, SettingError, WeightsError
from fixative.mixture import Mixture
from fixative.protections.noise import RandomNoise
from fixative.protections.photoguard import PhotoGuard
from fixative.protector import Protector, ProtectSettings
from fixative.traces import (
    FOUND,
    GENERAL,
    MATCH,
    SURE_MATCH,
    WINDOW,
    MixtureMatch,
    found,
    region_traces,
    windows,
)
from fixative.training.detector_fit import area_under_roc, fit_logistic, save_numbers
from tests.engine_parts import drawn_picture, random_codec
from tests.toy_models import toy_codec

PICTURE = drawn_picture(300, 264)


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    return load_mixture()


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec()


@pytest.fixture(scope="module")
def protected(codec: Codec, mixture: Mixture) -> Tensor:
    settings = ProtectSettings(4.0, strength_map="off")
    return Protector(codec, mixture, settings).protect(PICTURE).image


class TestFitting:
    def test_score_by_hand(self) -> None:
        one = Logistic(
            ("a", "b"), torch.tensor([2.0, -1.0]), torch.tensor([0.5]), torch.tensor([1.0, 0.0]),
            torch.tensor([2.0, 1.0]),
        )  # fmt: skip
        assert one.score({"b": 3.0, "a": 5.0}) == pytest.approx(2 * (5 - 1) / 2 - 3 + 0.5)

    def test_either_is_enough(self) -> None:
        """1 − p = (1 − p_any) · (1 − p_own)."""
        unit = [torch.ones(1), torch.zeros(1), torch.zeros(1), torch.ones(1)]
        numbers = {ANY: Logistic(("a",), *unit), OWN: Logistic(("b",), *unit)}
        wanted = 1 - (1 - 1 / (1 + math.exp(-1))) * (1 - 1 / (1 + math.exp(2)))
        found_score = score_of(numbers, {"a": 1.0, "b": -2.0})
        assert 1 / (1 + math.exp(-found_score)) == pytest.approx(wanted)
        assert score_of(numbers, {"a": 1.0}) == pytest.approx(1.0)
        assert score_of(numbers, {"a": -9.0, "b": 40.0}) == pytest.approx(40.0, abs=1e-3)
        assert math.isfinite(score_of(numbers, {"a": -60.0, "b": -900.0}))

    def test_the_fit_is_where_the_slope_is_nought(self) -> None:
        generator = torch.Generator().manual_seed(0)
        labels = torch.arange(60) % 3 == 0
        traces = torch.randn(60, 2, generator=generator) + labels[:, None] * torch.tensor([1.5, 0])
        fitted = fit_logistic(("a", "b"), traces, labels, ridge=0.1)
        inside = [fitted.weight.clone().requires_grad_(), fitted.bias.clone().requires_grad_()]
        scores = (traces.double() - fitted.mean) / fitted.scale @ inside[0] + inside[1]
        losses = torch.nn.functional.softplus(torch.where(labels, -scores, scores))
        balanced = (losses[labels].mean() + losses[~labels].mean()) / 2
        slopes = torch.autograd.grad(balanced + 0.05 * inside[0].square().sum(), inside)
        assert max(slope.abs().max().item() for slope in slopes) < 1e-7
        assert fitted.weight[0] > 2 * fitted.weight[1].abs()

    def test_area_by_hand(self) -> None:
        high, low = torch.tensor([3.0, 2.0]), torch.tensor([1.0, 2.0])
        assert area_under_roc(high, low) == pytest.approx((1 + 1 + 1 + 0.5) / 4)
        assert area_under_roc(low, high) == pytest.approx(0.5 / 4)

    def test_numbers_are_read_as_they_were_saved(self, tmp_path: Path) -> None:
        numbers = {
            kind: fit_logistic(names, torch.rand(8, len(names)), torch.arange(8) < 4)
            for kind, names in (
                (ANY, GENERAL),
                (OWN, (FOUND,)),
            )
        }
        save_numbers(tmp_path / "d.safetensors", numbers, {"pictures": 8})
        again = load_numbers(tmp_path / "d.safetensors")
        for kind, one in numbers.items():
            assert again[kind].names == one.names
            torch.testing.assert_close(again[kind].weight.double(), one.weight)

    def test_other_files_are_refused(self, tmp_path: Path) -> None:
        save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
        with pytest.raises(WeightsError, match=r"a\.safetensors is not a detector"):
            Detector(load_codec(), path=tmp_path / "a.safetensors")


class TestTraces:
    def test_windows_are_the_quarters_centres(self) -> None:
        place = torch.arange(512 * 264).reshape(1, 1, 512, 264).float().expand(-1, 3, -1, -1)
        found_at = [int(window[0, 0, 0, 0]) for window in windows(place)]
        tops, lefts = (128 - 64, 384 - 64), (66 - 64, 198 - 64)
        assert found_at == [top * 264 + left for top in tops for left in lefts]
        assert all(window.shape == (1, 3, WINDOW, WINDOW) for window in windows(place))
        assert [window.shape for window in windows(torch.zeros(1, 3, 9, 200))] == [(1, 3, 9, 128)]

    @pytest.mark.parametrize("size", [(1, 1), (7, 130), (64, 40)])
    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_flat_and_tiny_pictures_have_finite_traces(
        self, size: tuple[int, int], value: float
    ) -> None:
        traces = region_traces(torch.full((1, 3, *size), value), random_codec())
        assert list(traces) == list(GENERAL)
        assert all(math.isfinite(trace) for trace in traces.values())

    def test_round_trip_by_hand(self) -> None:
        """The toy's round trip is the mean of 8 × 8 pixels."""
        picture = drawn_picture(32, 40)
        cells = torch.nn.functional.avg_pool2d(picture, 8)
        again = cells.repeat_interleave(8, -1).repeat_interleave(8, -2)
        wanted = math.log((2 * (picture - again)).square().mean().item())
        assert region_traces(picture, toy_codec())["round_trip"] == pytest.approx(wanted, abs=1e-4)

    def test_match_finds_the_mixture_also_after_jpeg(
        self, mixture: Mixture, protected: Tensor
    ) -> None:
        match = MixtureMatch(mixture)
        assert match(protected) > 3 * SURE_MATCH
        assert match(Jpeg(quality=75).purify(protected).image) > SURE_MATCH
        assert match(PICTURE) < SURE_MATCH
        assert match(RandomNoise().protect(PICTURE).image) < SURE_MATCH
        assert found(math.e - 1) == pytest.approx(1)
        assert found(-3.0) == 0


class TestShipped:
    def test_the_mixture_is_found_and_others_are_not(
        self, codec: Codec, mixture: Mixture, protected: Tensor
    ) -> None:
        detector = Detector(codec, mixture)
        noisy = RandomNoise(strength=4).protect(PICTURE).image
        clean, random, own = detector.inspect(torch.cat([PICTURE, noisy, protected]))
        assert own.verdict == "likely protected"
        assert own.features[MATCH] > SURE_MATCH
        for other in (clean, random):
            assert other.probability < own.probability
            assert other.features[MATCH] < SURE_MATCH
            assert other.verdict != "likely protected"
        assert own.probability == pytest.approx(1 / (1 + math.exp(-own.score)), abs=1e-6)
        assert detector.inspect(protected) == [own]
        assert set(own.features) == {*GENERAL, MATCH, FOUND}
        assert own.to_dict()["verdict"] == own.verdict

    def test_without_a_mixture_an_attack_raises_the_score(self, codec: Codec) -> None:
        picture = PICTURE[..., :WINDOW, :WINDOW].contiguous()
        goal = torch.zeros(1, 4, 1, 1)
        attacked = PhotoGuard(codec, goal, steps=6).protect(picture).image
        before, after = Detector(codec).inspect(torch.cat([picture, attacked]))
        assert after.score > before.score + 0.5
        assert MATCH not in after.features

    def test_another_codec_is_refused(self) -> None:
        with pytest.raises(SettingError, match="fitted with the embedded codec, and random0"):
            Detector(random_codec())

    def test_bad_images_are_refused(self, codec: Codec) -> None:
        with pytest.raises(ImageError, match="expected shape"):
            Detector(codec).inspect(PICTURE[0])


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [(0.95, "likely"), (0.6, "perhaps"), (0.2, "no sign")],
)
def test_verdicts(probability: float, verdict: str) -> None:
    assert Inspection(probability, 0.0, {}).verdict.startswith(verdict)
