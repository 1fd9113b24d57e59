"""What each protection does beside noise of the same budget, with the shipped codec."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fixative.codecs import load_codec
from fixative.codecs.base import Codec
from fixative.metrics import pull
from fixative.mixture import SIDE, load_mixture
from fixative.perceptual.distance import LearnedDistance
from fixative.protections.base import Protection
from fixative.protections.glaze import PERCEPTUAL_BUDGET, GlazeLike
from fixative.protections.goals import PatternGoal, TargetGoal, mist_pattern
from fixative.protections.mist import MistTexture
from fixative.protections.noise import RandomNoise
from fixative.protections.photoguard import PhotoGuard
from fixative.protections.universal import Universal
from fixative.training.targets import draw_targets
from tests.engine_parts import drawn_picture

BETA = 30.0
PICTURE = drawn_picture(64, 72)


@torch.no_grad()
def reached(codec: Codec, goal: Tensor, image: Tensor) -> float:
    before, after = codec.encode(PICTURE), codec.encode(image)
    return pull(after, before, goal.expand_as(before)).item()


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec()


def test_each_pulls_to_its_goal_and_noise_does_not(codec: Codec) -> None:
    noise = RandomNoise().protect(PICTURE).image
    glaze = GlazeLike(codec, LearnedDistance(), steps=20)
    low = TargetGoal(codec, "low")
    cases: list[tuple[Protection, Tensor, float]] = [
        (PhotoGuard(codec, low, steps=8), low(PICTURE), 0.1),
        (PhotoGuard(codec, torch.zeros(1, 4, 1, 1), steps=8), torch.zeros(1, 4, 1, 1), 0.1),
        (
            MistTexture(codec, strength=8.0, steps=8),
            PatternGoal(codec, mist_pattern())(PICTURE),
            0.1,
        ),
        (glaze, glaze.goal_of(PICTURE), 0.1),
    ]
    for protection, goal, margin in cases:
        found = reached(codec, goal, protection.protect(PICTURE).image)
        assert found > reached(codec, goal, noise) + margin, protection.name


@pytest.mark.parametrize("method", ["photoguard", "mist"])
def test_the_adaptive_term_leaves_the_purifier_less(codec: Codec, method: str) -> None:
    goal = PatternGoal(codec, mist_pattern())

    def protect(beta: float) -> Tensor:
        if method == "mist":
            protection: Protection = MistTexture(codec, strength=8.0, steps=10, consistency=beta)
        else:
            protection = PhotoGuard(codec, goal, steps=10, consistency=beta)
        return protection.protect(PICTURE).image

    @torch.no_grad()
    def inconsistency(image: Tensor) -> float:
        return (codec.reconstruct(image) - image).square().mean().item() * 4

    plain, adaptive = protect(0.0), protect(BETA)
    assert inconsistency(adaptive) < 0.9 * inconsistency(plain)
    noise = RandomNoise().protect(PICTURE).image
    assert reached(codec, goal(PICTURE), adaptive) > reached(codec, goal(PICTURE), noise) + 0.02


@torch.no_grad()
def test_one_universal_perturbation_pulls(codec: Codec) -> None:
    """At its own size, measured in a window."""
    picture, side = drawn_picture(SIDE, SIDE), 128
    goal = codec.encode(draw_targets()[1:2, :, :side, :side])
    images = [
        protection.protect(picture).image[..., :side, :side]
        for protection in (Universal(load_mixture()), RandomNoise())
    ]
    before = codec.encode(picture[..., :side, :side])
    own, noise = (pull(codec.encode(image), before, goal).item() for image in images)
    assert own > noise + 0.05


def test_glaze_is_seen_less_with_its_hinge(codec: Codec) -> None:
    """Against the same descent with a distance that is always nought."""

    class Blind:
        name = "blind"

        def __call__(self, first: Tensor, second: Tensor) -> Tensor:
            return 0 * (first - second).flatten(1).sum(1)

    distance = LearnedDistance()

    def seen(method: GlazeLike) -> float:
        with torch.no_grad():
            return distance(method.protect(PICTURE).image, PICTURE).item()

    free = seen(GlazeLike(codec, Blind(), strength=32.0, steps=25))
    held = seen(GlazeLike(codec, distance, strength=32.0, steps=25))
    assert free > 2 * PERCEPTUAL_BUDGET
    assert held < 0.7 * free
