"""Mist's mode 1, "texture" (Liang & Wu 2023): the latents of a high-contrast pattern."""

from __future__ import annotations

from fixative.codecs.base import Codec
from fixative.images import LEVELS
from fixative.protections.base import Protection
from fixative.protections.goals import PatternGoal, mist_pattern
from fixative.protections.iterative import MOST_STEPS, OnAttackStep
from fixative.protections.latent_descent import CONSISTENCY, LatentDescent
from fixative.protections.method import Method, Request
from fixative.registry import Parameter

STEP_SIZE = 1.0


class MistTexture(LatentDescent):
    """Signed steps of 1/255 on Σ (E(x + δ) − E(pattern))²; published at ε = 16/255.

    Two deviations: the pattern is drawn by code (``mist_pattern``), not Mist's own picture, and
    the descent starts at the picture itself, not at random.

    Args:
        codec: the encoder to attack, with gradients; with a decoder for the adaptive version.
        strength: budget in 1/255.
        steps: number of steps; published: 100.
        consistency: β of the adaptive version, 30 as published; 0 leaves it out.
        on_step: told of each step; may raise to stop.

    Raises:
        SettingError: a number outside its range.
    """

    name = "mist"

    def __init__(
        self,
        codec: Codec,
        *,
        strength: float = 16.0,
        steps: int = 100,
        consistency: float = 0.0,
        on_step: OnAttackStep | None = None,
    ) -> None:
        super().__init__(
            codec,
            PatternGoal(codec, mist_pattern()),
            strength=strength,
            sizes=[STEP_SIZE / LEVELS] * steps,
            consistency=consistency,
            on_step=on_step,
        )


def _make(request: Request) -> Protection:
    return MistTexture(
        request.codec,
        strength=request.strength,
        steps=request.whole("steps"),
        consistency=request.number("consistency"),
        on_step=request.on_step,
    )


METHOD = Method(
    MistTexture.name,
    "descent on the distance of the latents to a high-contrast pattern's (mode 1, texture)",
    _make,
    (Parameter("steps", 100, 1, MOST_STEPS, "of 1/255"), CONSISTENCY),
    needs=("codec",),
)
