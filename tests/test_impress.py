"""IMPRESS against an independent computation, and what its presets promise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fixative.codecs import Codec, load_codec
from fixative.countermeasures import (
    PRESETS,
    Impress,
    ImpressSettings,
    PurifyStep,
    Resources,
    make_countermeasure,
)
from fixative.errors import CodecError, FixativeError, ImageError, SettingError
from fixative.metrics import psnr
from fixative.perceptual.distance import LearnedDistance, LpipsDistance, load_distance
from fixative.protections.noise import RandomNoise
from tests.engine_parts import drawn_picture, random_codec
from tests.map_pairs import save_random_backbone

STEPS = 20
#: With these the hinge is open from the first step on, and Adam forgets as in ``fast``.
EAGER = replace(PRESETS["photoguard"], delta=0.001, alpha=1.0, memory=PRESETS["fast"].memory)


@cache
def codec() -> Codec:
    return load_codec("embedded")


def protected() -> Tensor:
    return RandomNoise(strength=8).protect(drawn_picture(32, 40)).image


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def by_formula(
    iterates: Iterable[Tensor], image: Tensor, settings: ImpressSettings
) -> Iterator[tuple[Tensor, float]]:
    """The published loop in plain torch, with an Adam and a schedule of its own.

    Each step starts from the given iterate: left to itself, a rounding that flips a ReLU grows to
    1e-4 within ten steps.
    """
    lpips, start = LearnedDistance(), 2 * image - 1
    wanted = start + settings.noise * torch.randn(image.shape, generator=generator())
    mean, square = torch.zeros_like(image), torch.zeros_like(image)
    for i, given in enumerate(iterates, 1):
        x = given.clone().requires_grad_(True)
        again = 2 * codec().reconstruct((x + 1) / 2) - 1
        hinge = torch.relu(lpips((x + 1) / 2, image).mean() - settings.delta)
        loss = (x - again).pow(2).mean() + settings.alpha * hinge
        yield wanted, loss.item()
        slope = torch.autograd.grad(loss, x)[0]
        b = settings.memory
        mean, square = 0.9 * mean + 0.1 * slope, b * square + (1 - b) * slope**2
        cosine = (1 + math.cos(math.pi * (i - 1) / settings.iterations)) / 2
        rate = 1e-5 + (settings.rate - 1e-5) * cosine
        move = (mean / (1 - 0.9**i)) / ((square / (1 - b**i)).sqrt() + 1e-5)
        wanted = (given - rate * move).clamp(-1, 1)


@pytest.mark.parametrize("settings", [PRESETS["photoguard"], PRESETS["glaze"], EAGER])
def test_every_step_is_the_formulas(settings: ImpressSettings) -> None:
    method = Impress(codec(), LearnedDistance(), settings=settings)
    ours = list(islice(method.iterates(protected(), generator()), STEPS + 1))
    expected = list(by_formula([x for x, _ in ours], protected(), settings))
    assert len(expected) == STEPS + 1
    for (x, losses), (wanted, loss) in zip(ours, expected, strict=True):
        torch.testing.assert_close(x, wanted, rtol=0, atol=3e-6)
        assert losses["loss"] == pytest.approx(loss, rel=1e-5)
    last = ours[-1][1]
    assert last["loss"] < 0.9 * expected[0][1]
    if settings is EAGER:
        assert last["distance"] < ours[0][1]["distance"]
        assert ours[0][1]["loss"] > 1.001 * ours[0][1]["consistency"]


def test_the_published_constants() -> None:
    assert PRESETS["photoguard"] == ImpressSettings(0.1, 0.005, 1000, 0.01, 0.05)
    assert PRESETS["glaze"] == ImpressSettings(0.1, 0.01, 3000, 0.1, 0.1)


def test_the_result_is_the_last_iterate_of_the_published_presets() -> None:
    method = Impress(codec(), LearnedDistance(), preset="photoguard", steps=4)
    *_, (last, losses) = method.iterates(protected(), generator())
    result = method.purify(protected())
    torch.testing.assert_close(result.image, (last + 1) / 2, rtol=0, atol=0.51 / 255)
    facts = result.details[0]
    assert facts["steps"] == 4
    assert len(facts["losses"]) == 5
    assert facts["loss"] == facts["losses"][-1]["loss"] == pytest.approx(losses["loss"])
    assert (facts["distance"], facts["preset"]) == ("learned", "photoguard")


def test_fast_keeps_the_best_and_gets_below_the_published_preset_in_an_eighth_of_its_steps() -> (
    None
):
    image = protected()[..., :24, :24]
    fast = Impress(codec(), LearnedDistance(), preset="fast", steps=8).purify(image).details[0]
    slow = Impress(codec(), LearnedDistance(), steps=64).purify(image).details[0]
    assert fast["loss"] == min(losses["loss"] for losses in fast["losses"])
    assert fast["loss"] <= slow["loss"]
    assert fast["steps"] <= slow["steps"] / 8


def test_steps_and_rate_can_be_written_beside_the_preset() -> None:
    text = "impress:fast,steps=20,rate=0.02"
    resources = Resources(codec(), LearnedDistance())
    method = make_countermeasure(text, resources)
    assert isinstance(method, Impress)
    assert method.settings == replace(PRESETS["fast"], iterations=20, rate=0.02)
    assert method.describe() == text
    assert Impress(codec(), LearnedDistance(), preset="fast").settings == PRESETS["fast"]


def test_it_stops_where_nothing_improves() -> None:
    settings = replace(PRESETS["fast"], rate=1e-5, patience=3)
    facts = Impress(codec(), LearnedDistance(), settings=settings).purify(protected()).details[0]
    assert facts["steps"] == 3
    assert facts["preset"] == "custom"


def test_each_step_is_told_and_may_stop_it() -> None:
    told: list[PurifyStep] = []

    def tell(step: PurifyStep) -> None:
        told.append(step)
        if len(told) == 3:
            raise KeyboardInterrupt

    method = Impress(codec(), LearnedDistance(), preset="photoguard", steps=9)
    with pytest.raises(KeyboardInterrupt):
        method.purify(protected(), on_step=tell)
    assert [(step.step, step.steps) for step in told] == [(1, 9), (2, 9), (3, 9)]
    assert set(told[0].losses) == {"loss", "consistency", "distance"}


def test_tiles_are_told_as_one() -> None:
    method = Impress(random_codec(), LearnedDistance(), preset="photoguard", steps=2, tile=128)
    facts = method.purify(drawn_picture(64, 150)).details[0]
    assert (facts["tiles"], facts["steps"], len(facts["losses"])) == (2, 2, 3)
    assert facts["loss"] == pytest.approx(facts["losses"][-1]["loss"])


def test_a_codec_without_gradients_is_refused() -> None:
    class Deaf(Codec):
        def _encode(self, images: Tensor) -> Tensor:
            return images.detach()[:, :, ::8, ::8]

        def _decode(self, latents: Tensor) -> Tensor:
            return latents.repeat_interleave(8, -1).repeat_interleave(8, -2)

    deaf = Deaf(name="deaf", latent_channels=3, downscale=8)
    with pytest.raises(CodecError, match="codec deaf: has no gradients"):
        Impress(deaf, LearnedDistance()).purify(protected())


# --- distances ----------------------------------------------------------------------------------


def test_an_unknown_distance_is_refused() -> None:
    with pytest.raises(SettingError, match=r"no 'lpips-alexx'; did you mean lpips-alex"):
        load_distance("lpips-alexx")


def test_a_named_backbone_that_cannot_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("lpips")
    monkeypatch.setenv("FIXATIVE_LPIPS_VGG_BACKBONE", str(tmp_path / "absent.safetensors"))
    with pytest.raises(FixativeError, match="no file"):
        load_distance("best")


def test_lpips_agrees_with_the_learned_one_about_which_is_nearer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("lpips")
    backbone = save_random_backbone(tmp_path / "backbone.safetensors")
    monkeypatch.setenv("FIXATIVE_LPIPS_BACKBONE", str(backbone))
    image = drawn_picture(64, 64)
    for distance in (LpipsDistance("alex"), LearnedDistance()):
        weak, strong = (RandomNoise(strength=s).protect(image).image for s in (2, 16))
        assert distance(image, image).abs().max() < 1e-6
        assert 0 < distance(image, weak).item() < distance(image, strong).item()
        changed = strong.clone().requires_grad_(True)
        distance(image, changed).sum().backward()
        assert changed.grad is not None
        assert changed.grad.abs().sum() > 0
    with pytest.raises(ImageError, match="'lpips-alex': expected sides of 31 pixels"):
        LpipsDistance("alex")(image[..., :20, :20], image[..., :20, :20])


def test_purifying_brings_a_picture_nearer_to_its_round_trip_than_noise_leaves_it() -> None:
    with torch.no_grad():
        before = psnr(codec().reconstruct(protected()), protected())
        done = (
            Impress(codec(), LearnedDistance(), preset="fast", steps=15).purify(protected()).image
        )
        after = psnr(codec().reconstruct(done), done)
    assert after.item() > before.item() + 6
