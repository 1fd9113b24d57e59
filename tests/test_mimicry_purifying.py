"""Denoising purifiers: the reverse process by its formulas, and what they do to pictures."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import Tensor

from fixative.codecs import load_codec
from fixative.codecs.base import Codec
from fixative.countermeasures import PurifyStep, Resources, make_countermeasure
from fixative.countermeasures.diffpure import DiffPure
from fixative.countermeasures.gridpure import GridPure
from fixative.countermeasures.img2img import Img2Img
from fixative.errors import SettingError
from fixative.mimicry.ancestral import noise_and_denoise, stepped
from fixative.mimicry.load import load_denoiser
from fixative.mimicry.space import windows
from fixative.mimicry.testbed import FILE
from fixative.protections.noise import RandomNoise
from fixative.weights import weights_folder
from tests.engine_parts import drawn_picture
from tests.toy_denoisers import GaussianDenoiser, ToyDenoiser

TEXTS = ["img2img:0.3,steps=4", "diffpure:12", "gridpure:3,t=4"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def codec() -> Codec:
    return load_codec()


class TestAncestral:
    def test_a_step_is_ho_et_als(self) -> None:
        """Equations 6 and 7 of "Denoising diffusion probabilistic models", with β and ᾱ."""
        toy, now, then = ToyDenoiser(), 0.3, 0.25
        noisy, clean = torch.randn(2, 1, 4, 3, 5, generator=generator())
        found = stepped(toy, noisy, clean, now=now, then=then, generator=generator(7))
        bar, before = (math.cos(t * math.pi / 2) ** 2 for t in (now, then))
        alpha = bar / before
        mean = (
            math.sqrt(before) * (1 - alpha) / (1 - bar) * clean
            + math.sqrt(alpha) * (1 - before) / (1 - bar) * noisy
        )
        spread = math.sqrt((1 - before) / (1 - bar) * (1 - alpha))
        noise = torch.randn(noisy.shape, generator=generator(7))
        torch.testing.assert_close(found, mean + spread * noise, rtol=1e-4, atol=1e-5)

    def test_the_best_denoiser_gives_back_the_distribution(self) -> None:
        """To the middle and back; the end is a mean, which has a little less variance."""
        deviation, level = 0.8, 0.5
        denoiser = GaussianDenoiser(deviation)
        latents = deviation * torch.randn(1, 4, 96, 96, generator=generator(1))
        found = noise_and_denoise(
            denoiser,
            latents,
            denoiser.condition([""]),
            level=level,
            steps=100,
            generator=generator(2),
        )
        assert found.std().item() == pytest.approx(deviation, rel=0.02)
        likeness = torch.corrcoef(torch.stack([found.flatten(), latents.flatten()]))[0, 1].item()
        # What of x is left in x_t, given that both have this variance and are normal.
        signal, noise = math.cos(math.pi / 4) * deviation, math.sin(math.pi / 4)
        assert likeness == pytest.approx(signal**2 / (signal**2 + noise**2), abs=0.03)

    def test_every_step_is_told_and_the_end_is_what_is_seen(self) -> None:
        toy, told = ToyDenoiser(), list[tuple[int, int]]()
        latents = torch.randn(1, 4, 3, 3, generator=generator(3))
        condition = toy.condition([""])
        found = noise_and_denoise(
            toy,
            latents,
            condition,
            level=0.2,
            steps=1,
            generator=generator(4),
            on_step=lambda step, steps, _: told.append((step, steps)),
        )
        times = torch.tensor([0.2])
        noisy = toy.noised(latents, torch.randn(latents.shape, generator=generator(4)), times)
        torch.testing.assert_close(found, toy.denoised(noisy, times, condition))
        assert told == [(1, 1)]


class TestWindows:
    def test_they_cover_all_and_none_is_larger(self) -> None:
        for height, width, side, stride in [
            (9, 20, 8, 8),
            (8, 8, 8, 4),
            (3, 17, 8, 4),
            (1, 1, 8, 8),
        ]:
            seen = torch.zeros(1, 1, height, width)
            for part in windows(seen, side=side, stride=stride):
                assert seen[(..., *part)].shape[-2:] == (min(side, height), min(side, width))
                seen[(..., *part)] += 1
            assert seen.min() == 1

    def test_half_a_side_as_published(self) -> None:
        """512 pixels, windows of 256, stride 128: three by three."""
        found = windows(torch.zeros(1, 1, 64, 64), side=32, stride=16)
        assert [(a.start, b.start) for a, b in found] == [
            (y, x) for y in (0, 16, 32) for x in (0, 16, 32)
        ]


class TestExactly:
    """By the formulas, on a picture of one tile, with a network of random weights."""

    PICTURE = drawn_picture(40, 48)

    def latents(self) -> Tensor:
        with torch.no_grad():
            return codec().encode(self.PICTURE)

    def decoded(self, latents: Tensor) -> Tensor:
        with torch.no_grad():
            return (codec().decode(latents)[..., :40, :48] * 255).round() / 255

    def noise(self, source: torch.Generator) -> Tensor:
        return torch.randn(self.latents().shape, generator=source)

    def test_img2img_is_ddim_from_the_level(self) -> None:
        toy, z, level, steps = ToyDenoiser(), self.latents(), 0.4, 4
        source = generator(5)
        noise = self.noise(source)
        angle = level * math.pi / 2
        noisy = math.cos(angle) * z + math.sin(angle) * noise
        for number in range(steps):
            now, then = (level * (1 - n / steps) * math.pi / 2 for n in (number, number + 1))
            clean = toy.denoised(noisy, torch.tensor([now / (math.pi / 2)]), toy.condition([""]))
            left = (noisy - math.cos(now) * clean) / math.sin(now)
            noisy = math.cos(then) * clean + math.sin(then) * left
        found = Img2Img(codec(), toy, strength=level, steps=steps, seed=5).purify(self.PICTURE)
        torch.testing.assert_close(found.image, self.decoded(noisy), rtol=0, atol=1.01 / 255)

    def test_gridpure_mixes_each_round(self) -> None:
        toy, latents, source = ToyDenoiser(), self.latents(), generator(6)
        for _ in range(3):
            pure = noise_and_denoise(
                toy, latents, toy.condition([""]), level=0.01, steps=10, generator=source
            )
            latents = 0.9 * pure + 0.1 * latents
        found = GridPure(codec(), toy, rounds=3, seed=6).purify(self.PICTURE)
        torch.testing.assert_close(found.image, self.decoded(latents), rtol=0, atol=1.01 / 255)

    def test_diffpure_is_the_reverse_process_a_thousandth_a_step(self) -> None:
        toy, source = ToyDenoiser(), generator(7)
        latents = noise_and_denoise(
            toy, self.latents(), toy.condition([""]), level=0.1, steps=100, generator=source
        )
        found = DiffPure(codec(), toy, seed=7).purify(self.PICTURE)
        torch.testing.assert_close(found.image, self.decoded(latents), rtol=0, atol=1.01 / 255)


@pytest.mark.parametrize("text", TEXTS)
def test_more_noise_changes_more(text: str) -> None:
    name, _, rest = text.partition(":")
    gentle = {"img2img": "0.01", "diffpure": "1", "gridpure": "1,t=1"}[name]
    resources = Resources(codec(), denoiser=GaussianDenoiser())
    picture = drawn_picture(64, 64)
    with torch.no_grad():
        again = codec().decode(codec().encode(picture))
    much, little = (
        (make_countermeasure(f"{name}:{chosen}", resources).purify(picture).image - again)
        .square()
        .mean()
        .item()
        for chosen in (rest, gentle)
    )
    assert much > 2 * little


@pytest.mark.parametrize("text", TEXTS)
def test_each_step_is_told_and_may_stop_it(text: str) -> None:
    resources = Resources(codec(), denoiser=ToyDenoiser())
    told: list[PurifyStep] = []
    picture = drawn_picture(72, 136)  # more than a tile
    make_countermeasure(text, resources).purify(picture, on_step=told.append)
    assert [step.step for step in told] == list(range(1, told[-1].steps + 1))

    def stop(step: PurifyStep) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_countermeasure(text, resources).purify(picture, on_step=stop)


@pytest.mark.parametrize("text", TEXTS)
def test_a_denoiser_of_other_latents_is_refused(text: str) -> None:
    resources = Resources(codec(), denoiser=ToyDenoiser(family="sdxl"))
    with pytest.raises(SettingError, match=r"denoiser toy: works in latents of .*'sdxl'.*'sd1'"):
        make_countermeasure(text, resources)


@pytest.mark.skipif(
    not (weights_folder() / FILE).is_file(), reason="the testbed's weights are not here"
)
@pytest.mark.parametrize("text", ["img2img:0.2,steps=5", "diffpure:30", "gridpure:3"])
@torch.no_grad()
def test_the_testbed_takes_noise_off_that_the_autoencoder_alone_leaves(text: str) -> None:
    """A noised picture comes nearer to the clean one, beside what a round trip does."""
    resources, picture = Resources(codec(), denoiser=load_denoiser()), drawn_picture(128, 128)
    noised = RandomNoise(strength=16).protect(picture).image

    def apart(method: str) -> float:
        purifier = make_countermeasure(method, resources)
        one, other = (codec().encode(purifier.purify(x).image) for x in (picture, noised))
        return torch.nn.functional.mse_loss(one, other).item()

    before = torch.nn.functional.mse_loss(codec().encode(picture), codec().encode(noised)).item()
    assert apart(text) < 0.8 * apart("roundtrip")
    assert apart(text) < 0.7 * before


def test_the_details_say_which_models() -> None:
    resources = Resources(codec(), denoiser=ToyDenoiser())
    found = make_countermeasure("gridpure:1,t=2", resources).purify(drawn_picture(32, 32))
    facts = found.details[0]
    assert {key: facts[key] for key in ("codec", "denoiser", "rounds", "t", "tiles")} == {
        "codec": "embedded",
        "denoiser": "toy",
        "rounds": 1,
        "t": 2,
        "tiles": 1,
    }
