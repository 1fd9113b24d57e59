"""Refinement: from the mixture's perturbation onwards, within a bound that a map makes softer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fixative.codecs import load_codec
from fixative.codecs.tiny import TinyCodec
from fixative.errors import MixtureError, SettingError
from fixative.images import resize
from fixative.metrics import pull
from fixative.mixture import load_mixture
from fixative.protections.noise import RandomNoise
from fixative.protections.photoguard import PhotoGuard
from fixative.protections.refine import Refinement, RefineSettings
from fixative.steps import (
    PerturbationApplied,
    assign_pictures,
    target_perturbation,
)
from nodes.report import refinement_text
from tests.engine_parts import drawn_picture, random_codec, random_start

CODEC = random_codec()
SIZE = (40, 52)


def refinement(
    images: Tensor, *, steps: int = 3, step_size: float = 1.0, **given: Any
) -> Refinement:
    settings = RefineSettings(steps, step_size)
    return Refinement(CODEC, random_start(len(images)), settings=settings, **given)


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.cat([drawn_picture(*SIZE, seed=seed) for seed in (1, 2)])


def test_the_pull_rises_above_start_noise_and_as_many_steps_from_zero() -> None:
    """With the shipped codec and mixture, on a picture of another size than the mixture's."""
    codec, mixture, picture = load_codec(), load_mixture(), drawn_picture(96, 128)
    start = target_perturbation(mixture, assign_pictures(picture, codec, mixture))
    refined = Refinement(codec, start, settings=RefineSettings(steps=3)).refine(picture)
    with torch.no_grad():
        before = codec.encode(picture)
        goal = resize(start.target_latents, *before.shape[-2:])

        def reached(protected: Tensor) -> float:
            return pull(codec.encode(protected), before, goal).item()

        noise = reached(RandomNoise().protect(picture).image)
        mixed = reached(PerturbationApplied(start).protect(picture).image)
        refined_pull = reached(PerturbationApplied(refined.perturbation).protect(picture).image)
    from_zero = reached(PhotoGuard(codec, goal, steps=3, step_size=1.0).protect(picture).image)
    [curve] = refined.pulls
    assert len(curve) == 4
    assert curve[0] == pytest.approx(mixed, abs=1e-5)
    assert max(curve) == pytest.approx(refined_pull, abs=1e-5)
    assert refined_pull > mixed + 0.02
    assert refined_pull > from_zero
    assert refined_pull > noise + 0.05
    assert refined.ways == ["whole picture"]
    assert refined.steps_down == []


def test_applied_it_is_what_protect_gives(pictures: Tensor) -> None:
    method = refinement(pictures)
    finished = method.refine(pictures).perturbation
    assert finished.finished
    assert finished.perturbation.shape == pictures.shape
    applied = PerturbationApplied(finished).protect(pictures)
    own = method.protect(pictures)
    assert torch.equal(applied.image, own.image)
    assert [r.target for r in own.reports] == [r.target for r in applied.reports]
    assert not torch.equal(own.image, PerturbationApplied(random_start(2)).protect(pictures).image)


def test_a_softer_map_and_a_mask_bound_the_steps(pictures: Tensor) -> None:
    factors = torch.ones(2, 1, *SIZE)
    factors[..., :20] = 0.5
    factors[..., 20:30] = 1.183
    mask = torch.ones(1, 1, *SIZE)
    mask[..., 40:] = 0
    method = refinement(pictures, factors=factors, mask=mask, steps=4, step_size=5.0)
    levels = (method.protect(pictures).image - pictures).abs() * 255
    assert levels[..., :20].max().item() == pytest.approx(4, abs=1e-3)
    assert levels[..., 20:40].max().item() == pytest.approx(8, abs=1e-3)
    assert levels[..., 40:].max() == 0


def test_start_is_the_mixture_with_its_map(pictures: Tensor) -> None:
    """Step 0 is exactly what Apply Perturbation would make of the same map."""
    factors = 0.9 + 0.2 * torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    told = refinement(pictures, factors=factors).refine(pictures).pulls
    start = random_start(2)
    applied = PerturbationApplied(start, factors).protect(pictures).image
    with torch.no_grad():
        before = CODEC.encode(pictures)
        goal = resize(start.target_latents, *before.shape[-2:])
        expected = pull(CODEC.encode(applied), before, goal)
    assert [curve[0] for curve in told] == pytest.approx(expected.tolist(), abs=1e-5)


def test_the_best_iterate_is_kept(pictures: Tensor) -> None:
    """Steps far too large overshoot: the result is never worse than any step, start included."""
    settings = RefineSettings(steps=6, step_size=200.0)
    refined = Refinement(CODEC, random_start(2), settings=settings).refine(pictures)
    with torch.no_grad():
        before = CODEC.encode(pictures)
        goal = resize(refined.perturbation.target_latents, *before.shape[-2:])
        after = CODEC.encode(PerturbationApplied(refined.perturbation).protect(pictures).image)
    best = [max(curve) for curve in refined.pulls]
    assert pull(after, before, goal).tolist() == pytest.approx(best, abs=1e-5)
    assert any(curve[-1] < max(curve) for curve in refined.pulls)  # the test can tell


def test_each_step_is_told_and_may_stop_the_rest(pictures: Tensor) -> None:
    told: list[tuple[int, int, float]] = []
    refined = refinement(pictures, on_step=lambda *step: told.append(step)).refine(pictures)
    assert [step[:2] for step in told] == [(p, s) for p in (0, 1) for s in range(4)]
    assert [step[2] for step in told] == [value for curve in refined.pulls for value in curve]

    def stop(_picture: int, step: int, _pull: float) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refinement(pictures, on_step=stop).refine(pictures)


def test_memory_running_out_is_told() -> None:
    class Narrow(TinyCodec):
        def _encode(self, images: Tensor) -> Tensor:
            if images.shape[-1] > 800:
                raise MemoryError("no room")
            return super()._encode(images)

    narrow = random_codec()
    narrow.__class__ = Narrow
    wide = drawn_picture(8, 1000)
    start = random_start(1)
    settings = RefineSettings(steps=1)
    method = Refinement(narrow, start, settings=settings, out_of_memory=(MemoryError,))
    refined = method.refine(wide)
    assert refined.ways == ["tiles of 512 px, activations recomputed"]
    assert "out of memory (whole picture)" in refined.steps_down[0]
    lines, _, rest = refinement_text(refined, settings).partition("\n\n")
    assert lines.splitlines()[1].startswith(f"1: pull {refined.pulls[0][0]:.3f} at the start, ")
    assert lines.splitlines()[2] == refined.steps_down[0]
    assert json.loads(rest)["pictures"][0]["memory"] == refined.ways[0]
    assert json.loads(rest)["pictures"][0]["pulls"] == refined.pulls[0]


def test_in_a_host_without_gradients_the_bits_are_the_same(pictures: Tensor) -> None:
    expected = refinement(pictures).refine(pictures).perturbation.perturbation
    with torch.inference_mode():
        copy = pictures.clone()
        found = refinement(copy).refine(copy).perturbation.perturbation
    assert torch.equal(found, expected)


class TestRefused:
    def test_another_family(self, pictures: Tensor) -> None:
        with pytest.raises(MixtureError, match=r"vae: .*'sdxl'.*'sd1'"):
            Refinement(random_codec(family="sdxl"), random_start(2))
        with pytest.raises(MixtureError, match="vae: "):
            Refinement(random_codec(channels=16), random_start(2))

    def test_one_that_is_refined_already(self, pictures: Tensor) -> None:
        with pytest.raises(SettingError, match="perturbation: it is refined already"):
            Refinement(CODEC, replace(random_start(2), finished=True))

    @pytest.mark.parametrize("steps", [0, 1001])
    def test_steps(self, pictures: Tensor, steps: int) -> None:
        with pytest.raises(SettingError, match=f"steps: expected 1 to 1000, got {steps}"):
            refinement(pictures, steps=steps)

    @pytest.mark.parametrize("size", [0.0, -1.0, float("nan")])
    def test_step_size(self, pictures: Tensor, size: float) -> None:
        with pytest.raises(SettingError, match="step_size: expected above 0"):
            Refinement(CODEC, random_start(2), settings=RefineSettings(step_size=size))

    def test_counts_and_shapes(self, pictures: Tensor) -> None:
        with pytest.raises(SettingError, match=r"perturbation: made for 2 picture\(s\), but 1"):
            refinement(pictures).refine(pictures[:1])
        with pytest.raises(SettingError, match="map: expected one for each of 2, got 1"):
            refinement(pictures, factors=torch.ones(1, 1, 8, 8)).refine(pictures)
        with pytest.raises(SettingError, match="mask: expected shape"):
            refinement(pictures, mask=torch.ones(1, 1, 8, 8)).refine(pictures)
