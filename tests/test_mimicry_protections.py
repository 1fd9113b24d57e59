"""AdvDM, fused Mist and SDS: their slopes by the formulas, their effects beside noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor

from fixative.codecs import load_codec
from fixative.codecs.base import Codec
from fixative.codecs.gradient import LatentGradient, Rung
from fixative.errors import FixativeError, SettingError
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.load import load_denoiser
from fixative.mimicry.space import require_same_space
from fixative.mimicry.testbed import FILE
from fixative.protections.advdm import AdvDM
from fixative.protections.base import Protection, enforce_budget
from fixative.protections.denoising import DenoiserDescent
from fixative.protections.goals import mist_pattern, repeated
from fixative.protections.mist_fused import MistFused
from fixative.protections.noise import RandomNoise
from fixative.protections.sds import ScoreDistillation
from fixative.weights import weights_folder
from tests.engine_parts import drawn_picture, random_codec
from tests.toy_denoisers import GaussianDenoiser, ToyDenoiser
from tests.toy_models import toy_codec

KINDS: list[type[DenoiserDescent]] = [AdvDM, MistFused, ScoreDistillation]
SEED = 9
TESTBED = pytest.mark.skipif(
    not (weights_folder() / FILE).is_file(), reason="the testbed's weights are not here"
)


@cache
def codec() -> Codec:
    return load_codec()


def first_draw(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Time and noise of the first step."""
    generator = torch.Generator().manual_seed(SEED)
    time = (torch.randint(0, 1000, (1,), generator=generator) + 0.5) / 1000
    return time, torch.randn(latents.shape, generator=generator)


def noise_seen(toy: Denoiser, latents: Tensor, time: Tensor, noise: Tensor) -> Tensor:
    """ε̂: what is left of the noisy latents without those that are seen."""
    signal, level = toy.scales(time)
    noisy = signal * latents + level * noise
    return (noisy - signal * toy.denoised(noisy, time, toy.condition([""]))) / level


def advdm(x: Tensor) -> Tensor:
    """From the formula: −‖ε − ε̂‖², of a picture of one window."""
    toy, latents = ToyDenoiser(), codec().encode(x)
    time, noise = first_draw(latents)
    return -(noise - noise_seen(toy, latents, time, noise)).square().mean()


def mist_fused(x: Tensor) -> Tensor:
    """On 64 × 64, where Mist's sum over 512 × 512 is 64 times that of these latents."""
    latents, goal = codec().encode(x), codec().encode(repeated(mist_pattern(), 64, 64)[None])
    return 64 * (latents - goal).square().sum() + 1e4 * advdm(x)


def sds(x: Tensor) -> Tensor:
    """What has (∂E/∂x)ᵀ (ε̂ − ε) as its gradient."""
    toy, latents = ToyDenoiser(), codec().encode(x)
    time, noise = first_draw(latents)
    slope = noise_seen(toy, latents, time, noise) - noise
    return (slope.detach() * latents).sum()


@pytest.mark.parametrize(
    ("kind", "loss"), [(AdvDM, advdm), (MistFused, mist_fused), (ScoreDistillation, sds)]
)
def test_a_step_goes_against_the_formulas_slope(
    kind: type[DenoiserDescent], loss: Callable[[Tensor], Tensor]
) -> None:
    picture = drawn_picture(64, 64)
    leaf = picture.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(loss(leaf), leaf)
    wanted = enforce_budget(picture, -slope.sign() / 255, 16 / 255)
    found = kind(codec(), ToyDenoiser(), steps=1, seed=SEED).protect(picture).image
    clear = slope.abs() > 1e-3 * slope.abs().max()  # where rounding cannot turn the sign
    assert clear.float().mean() > 0.9
    assert torch.equal(found[clear], wanted[clear])


def test_a_larger_picture_is_met_window_by_window() -> None:
    """The slope of a picture of two windows is that of each, if the codec sees cell by cell."""
    cells, toy = toy_codec("sd1"), ToyDenoiser()
    picture = drawn_picture(64, 128)
    latents = cells.encode(picture)
    time, noise = first_draw(latents)
    leaf = latents.clone().requires_grad_(True)
    losses = [
        (noise[..., part] - noise_seen(toy, leaf[..., part], time, noise[..., part]))
        .square()
        .mean()
        for part in (slice(0, 8), slice(8, 16))
    ]
    (slope,) = torch.autograd.grad(torch.stack(losses).mean(), leaf)
    back = LatentGradient(cells).pull_back(picture, slope)
    found = AdvDM(cells, toy, steps=1, seed=SEED).protect(picture).perturbation
    inside = (picture > 2 / 255) & (picture < 253 / 255) & (back.abs() > 1e-3 * back.abs().max())
    assert torch.equal(found[inside].sign(), back[inside].sign())


@pytest.mark.parametrize("side", [None, 16])
def test_pulling_back_is_the_transposed_jacobian(side: int | None) -> None:
    encoder, picture = random_codec(), drawn_picture(40, 48)
    cells = toy_codec() if side else encoder  # tiles are exact where cells do not see each other
    slope = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    leaf = picture.clone().requires_grad_(True)
    (wanted,) = torch.autograd.grad((cells.encode(leaf) * slope).sum(), leaf)
    with torch.inference_mode():
        found = LatentGradient(cells, ladder=[Rung(False, side)]).pull_back(picture, slope)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_inference_mode_it_gives_the_same(kind: type[DenoiserDescent]) -> None:
    picture, denoiser = drawn_picture(33, 47), ToyDenoiser()
    outside = kind(codec(), denoiser, steps=2).protect(picture).image
    with torch.inference_mode():
        inside = kind(codec(), denoiser, steps=2).protect(picture.clone()).image
    assert torch.equal(inside, outside)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_bits(kind: type[DenoiserDescent]) -> None:
    picture = drawn_picture(33, 47)
    first, second = (
        kind(codec(), ToyDenoiser(), steps=2, seed=seed).protect(picture).image for seed in (0, 1)
    )
    assert not torch.equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_denoiser_of_other_latents_is_refused(kind: type[DenoiserDescent]) -> None:
    with pytest.raises(SettingError, match=r"denoiser toy: works in latents of .*'sdxl'.*'sd1'"):
        kind(codec(), ToyDenoiser(family="sdxl"))
    with pytest.raises(SettingError, match="steps: expected 1 to 5000"):
        kind(codec(), ToyDenoiser(), steps=0)


def test_channels_are_compared_too() -> None:
    with pytest.raises(SettingError, match="16 channels"):
        require_same_space(ToyDenoiser(), random_codec(channels=16))


def mean_loss(denoiser: Denoiser, image: Tensor, draws: int = 24) -> float:
    """The denoising loss of a picture over draws that no protection has met."""
    generator = torch.Generator().manual_seed(12345)
    with torch.no_grad():
        latents = codec().encode(image)
        noise = torch.randn(draws, *latents.shape[1:], generator=generator)
        times = (torch.arange(draws) + 0.5) / draws
        condition = denoiser.condition([""] * draws)
        losses = denoiser.loss(latents.expand(draws, -1, -1, -1), noise, times, condition)
    return losses.mean().item()


def test_it_raises_what_it_is_made_to_raise_and_sds_lowers_it() -> None:
    """With the best denoiser of N(0, 1) the loss grows with the latents' size: all is known."""
    denoiser, picture = GaussianDenoiser(), drawn_picture(64, 64)
    before = mean_loss(denoiser, picture)
    noise = mean_loss(denoiser, RandomNoise(strength=16).protect(picture).image) - before
    raised = mean_loss(denoiser, AdvDM(codec(), denoiser, steps=20).protect(picture).image)
    lowered = mean_loss(
        denoiser, ScoreDistillation(codec(), denoiser, steps=20).protect(picture).image
    )
    assert raised - before > 3 * abs(noise)
    assert before - lowered > 3 * abs(noise)


@TESTBED
def test_on_the_testbed_each_moves_its_loss_more_than_noise_does() -> None:
    denoiser = load_denoiser()
    picture = drawn_picture(96, 96)
    before = mean_loss(denoiser, picture)

    def change(protection: Protection) -> float:
        return mean_loss(denoiser, protection.protect(picture).image) - before

    noise = change(RandomNoise(strength=16))
    assert change(AdvDM(codec(), denoiser, steps=8)) > max(0.0, noise) * 1.5
    assert change(MistFused(codec(), denoiser, steps=8)) > max(0.0, noise)
    assert change(ScoreDistillation(codec(), denoiser, steps=8)) < min(0.0, noise)


@TESTBED
def test_a_caption_of_unknown_words_is_refused() -> None:
    with pytest.raises(FixativeError, match="does not know 'fotograph'"):
        AdvDM(codec(), load_denoiser(), caption="fotograph")
