"""One contract for every protection: what the base class promises holds for all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fixative.errors import ImageError, MixtureError, SettingError
from fixative.mixture import SIDE
from fixative.perceptual import VisibilityMap
from fixative.perceptual.distance import LearnedDistance
from fixative.protections.base import Proposal, Protection, cut_share, enforce_budget
from fixative.protections.noise import RandomNoise
from fixative.protections.registry import PROTECTIONS, ProtectionResources, make_protection
from fixative.protector import Protector, ProtectSettings
from tests.engine_parts import drawn_picture, random_mixture
from tests.toy_denoisers import ToyDenoiser
from tests.toy_models import toy_codec

CODEC = toy_codec("sd1")
MIXTURE = random_mixture()
RESOURCES = ProtectionResources(CODEC, MIXTURE, LearnedDistance(), denoiser=ToyDenoiser())
#: The registry's methods as they are written, with few steps.
WRITTEN = [
    "mixture:off",
    "mixture:off,group=wrong",
    "mixture:off,group=shared-only,target=high",
    "mixture:off,group=mean",
    "refined:1,map=off",
    "universal",
    "photoguard:2",
    "photoguard:2,goal=zero",
    "photoguard:2,goal=low,consistency=30",
    "mist:2",
    "mist:2,consistency=30",
    "glaze:2",
    "advdm:2",
    "mist-fused:2",
    "sds:2",
    "noise",
]
Maker = Callable[[float], Protection]


def named(text: str) -> Maker:
    return lambda strength: make_protection(text, RESOURCES, strength=strength)


class Reckless(Protection):
    """Asks for far more than it may have, at another size."""

    def _propose(self, images: Tensor) -> Proposal:
        height, width = images.shape[-2:]
        return Proposal(torch.full((len(images), 3, height // 2, width // 2), 3.0))


def reckless(strength: float) -> Protection:
    return Reckless(strength=strength)


ALL = [*(pytest.param(named(text), id=text) for text in WRITTEN), reckless]


def test_every_method_has_a_row() -> None:
    assert {text.partition(":")[0] for text in WRITTEN} == set(PROTECTIONS)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("strength", [8.0, 2.5])
def test_budget_range_grid_and_input_hold(make: Maker, strength: float) -> None:
    picture = drawn_picture(200, 264)
    kept = picture.clone()
    result = make(strength).protect(picture)
    image = result.image
    assert torch.equal(picture, kept)
    assert image.shape == picture.shape
    assert image.dtype == torch.float32
    assert image.min() >= 0
    assert image.max() <= 1
    levels = image * 255
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
    change = ((image - picture).abs() * 255).max().item()
    assert 0 < change <= int(strength) + 1e-3
    assert result.reports[0].max_change == pytest.approx(change, abs=1e-3)
    torch.testing.assert_close(result.perturbation, image - picture)


@pytest.mark.parametrize("make", ALL)
def test_strength_zero_returns_the_input_bit_for_bit(make: Maker) -> None:
    picture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    assert torch.equal(make(0.0).protect(picture).image, picture)


@pytest.mark.parametrize("make", ALL)
def test_same_input_same_bits_and_a_batch_equals_its_singles(make: Maker) -> None:
    a, b = drawn_picture(33, 47, seed=1), drawn_picture(33, 47, seed=2)
    protection = make(8.0)
    both = protection.protect(torch.cat([a, b])).image
    assert torch.equal(both, make(8.0).protect(torch.cat([a, b])).image)
    assert torch.equal(both[:1], protection.protect(a).image)
    assert torch.equal(both[1:], protection.protect(b).image)


@pytest.mark.parametrize("make", ALL)
def test_many_of_any_sizes_come_out_as_alone(make: Maker) -> None:
    pictures = [drawn_picture(33, 47, seed=1), drawn_picture(60, 40, seed=2)]
    half = torch.zeros(1, 1, 60, 40)
    half[..., 20:] = 1
    masks = [None, half]
    protection = make(8.0)
    many = protection.protect_many(pictures, masks)
    for picture, mask, result in zip(pictures, masks, many, strict=True):
        alone = protection.protect(picture, mask=mask)
        assert torch.equal(result.image, alone.image)
        assert torch.equal(result.strength_map, alone.strength_map)
        assert len(result.reports) == 1
        assert result.reports[0].max_change == alone.reports[0].max_change


@pytest.mark.parametrize("make", ALL)
def test_mask_leaves_what_it_covers(make: Maker) -> None:
    picture = drawn_picture(96, 120)
    mask = torch.zeros(1, 1, 96, 120)
    mask[..., 20:] = 1
    image = make(8.0).protect(picture, mask=mask).image
    assert torch.equal(image[..., :20], picture[..., :20])
    assert not torch.equal(image[..., 20:], picture[..., 20:])


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (torch.zeros(3, 8, 8), r"expected shape \(B, 3, H, W\)"),
        (torch.zeros(1, 4, 8, 8), r"expected shape \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 0, 8), "at least one pixel"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "divide by 255"),
        (torch.full((1, 3, 8, 8), 1.5), r"values in \[0, 1\]"),
        (torch.full((1, 3, 8, 8), float("nan")), r"values in \[0, 1\]"),
    ],
)
def test_bad_images_are_refused(images: Tensor, told: str) -> None:
    with pytest.raises(ImageError, match=told):
        RandomNoise().protect(images)


def test_bad_masks_are_refused() -> None:
    picture = drawn_picture(16, 16)
    with pytest.raises(ImageError, match="mask: expected shape"):
        RandomNoise().protect(picture, mask=torch.ones(1, 1, 8, 16))
    with pytest.raises(ImageError, match="mask: expected values"):
        RandomNoise().protect(picture, mask=torch.full((1, 1, 16, 16), 2.0))


@pytest.mark.parametrize("make", [named("noise"), named("mixture:off")])
def test_bad_pictures_among_many_are_refused(make: Maker) -> None:
    picture, protection = drawn_picture(16, 16), make(8.0)
    with pytest.raises(ImageError, match=r"expected \(1, 3, H, W\) each"):
        protection.protect_many([picture, torch.cat([picture, picture])])
    with pytest.raises(ImageError, match="masks: expected one for each of 2, got 1"):
        protection.protect_many([picture, picture], [None])
    with pytest.raises(ImageError, match="mask: expected shape"):
        protection.protect_many([picture], [torch.ones(1, 1, 8, 16)])


@pytest.mark.parametrize("strength", [-1, 33, float("nan")])
def test_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(SettingError, match="strength: expected 0 to 32"):
        RandomNoise(strength=strength)


def test_budget_by_hand() -> None:
    image = torch.tensor([0.0, 10.0, 250.0, 255.0]) / 255
    wanted = torch.tensor([-9.0, 3.4, 100.0, 1.0]) / 255
    result = enforce_budget(image, wanted, 8 / 255) * 255
    assert result.round().tolist() == [0, 13, 255, 255]
    assert cut_share(wanted, 8 / 255) == 0.5  # -9 and 100


def test_the_share_that_the_budget_cut_is_told() -> None:
    report = Reckless(strength=8.0).protect(drawn_picture()).reports[0]
    assert report.cut_share == 1.0
    assert RandomNoise(strength=8.0).protect(drawn_picture()).reports[0].cut_share == 0.0


# --- the mixture --------------------------------------------------------------------------------


class FlatMap:
    """A visibility map that sees the left half only."""

    name = "half"

    def __call__(self, before: Tensor, after: Tensor) -> Tensor:
        del after
        seen = torch.zeros(len(before), 1, *before.shape[-2:])
        seen[..., : before.shape[-1] // 2] = 1
        return seen


def protector(visibility: VisibilityMap | None = None, **settings: object) -> Protector:
    chosen = {"strength_map": "off", **settings}
    return Protector(CODEC, MIXTURE, ProtectSettings(**chosen), visibility=visibility)  # type: ignore[arg-type]


def test_mixture_adds_the_chosen_sum_and_says_which() -> None:
    picture = torch.full((1, 3, SIDE, SIDE), 0.5)
    picture = (picture * 255).round() / 255
    result = protector(target="high").protect(picture)
    report = result.reports[0]
    assert report.target == "high"
    assert report.group == min(range(4), key=lambda k: report.group_distances[k])
    expected = MIXTURE.combined(torch.tensor([2]), torch.tensor([report.group]))
    torch.testing.assert_close(result.perturbation, (expected * 255).round() / 255)


def test_mixture_scales_with_the_strength() -> None:
    picture = (torch.full((1, 3, SIDE, SIDE), 0.5) * 255).round() / 255
    weak = protector(strength=4.0).protect(picture).perturbation
    full = protector(strength=8.0).protect(picture).perturbation
    assert (weak.abs().mean() / full.abs().mean()).item() == pytest.approx(0.5, abs=0.06)


def test_map_strengthens_what_is_not_seen_within_the_budget() -> None:
    picture = (torch.full((1, 3, SIDE, SIDE), 0.5) * 255).round() / 255
    result = Protector(
        CODEC, MIXTURE, ProtectSettings(strength_map="learned"), visibility=FlatMap()
    ).protect(picture)
    assert result.strength_map.unique().tolist() == pytest.approx([0.91])
    assert result.perturbation.abs().max().item() * 255 <= 8 + 1e-3


def test_mixture_of_another_family_is_refused() -> None:
    with pytest.raises(MixtureError, match=r"made for the latent family 'sdxl'.*'sd1'"):
        Protector(CODEC, random_mixture(family="sdxl"))


def test_unknown_target_is_refused() -> None:
    with pytest.raises(SettingError, match="target: expected one of auto, low, mid, high"):
        protector(target="medium")


def test_measured_pull_is_that_of_the_copies() -> None:
    from fixative.metrics import pull

    picture = drawn_picture(SIDE, SIDE)
    judge = protector(target="mid")
    image = judge.protect(picture).image
    with torch.no_grad():
        expected = pull(CODEC.encode(image), CODEC.encode(picture), MIXTURE.target_latents[1:2])
    torch.testing.assert_close(judge.measure_pull(picture, image), expected)
