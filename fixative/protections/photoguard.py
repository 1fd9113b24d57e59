"""PhotoGuard's encoder attack (Salman et al. 2023): the iterative protection to compare with."""

from __future__ import annotations

from torch import Tensor

from fixative.codecs.base import Codec
from fixative.images import LEVELS
from fixative.protections.base import Protection
from fixative.protections.descent import falling_sizes
from fixative.protections.goals import ZERO, Goal, TargetGoal, zero_goal
from fixative.protections.iterative import MOST_STEPS, OnAttackStep
from fixative.protections.latent_descent import CONSISTENCY, LatentDescent
from fixative.protections.method import Method, Request
from fixative.registry import Parameter
from fixative.target import AUTO
from fixative.training.targets import PERIODS

#: What ``goal`` may be: the mixture's own choice of target, one of its targets, or zero.
TARGET = "target"
GOALS = (TARGET, *PERIODS, ZERO)


class PhotoGuard(LatentDescent):
    """Projected gradient descent on ‖E(x + δ) − z_y‖² with signed steps that shrink linearly.

    Args:
        codec: the encoder to attack, with gradients; with a decoder for the adaptive version.
        target_latents: z_y for a picture, or (B or 1, C, h or 1, w or 1) at the pictures' size.
        strength: budget in 1/255.
        steps: number of steps; published: 200 to 1000.
        step_size: of the first step, in 1/255; it falls to a tenth.
        consistency: β of the adaptive version, 30 as published; 0 leaves it out.
        on_step: told of each step; may raise to stop.

    Raises:
        SettingError: a number outside its range.
    """

    name = "photoguard"

    def __init__(
        self,
        codec: Codec,
        target_latents: Goal | Tensor,
        *,
        strength: float = 8.0,
        steps: int = 200,
        step_size: float = 2.0,
        consistency: float = 0.0,
        on_step: OnAttackStep | None = None,
    ) -> None:
        super().__init__(
            codec,
            target_latents,
            strength=strength,
            sizes=falling_sizes(step_size / LEVELS, steps),
            consistency=consistency,
            on_step=on_step,
        )


def _make(request: Request) -> Protection:
    word = request.word("goal")
    goal: Goal = zero_goal
    if word != ZERO:
        target = AUTO if word == TARGET else word
        goal = TargetGoal(request.codec, target, request.resources.mixture)
    return PhotoGuard(
        request.codec,
        goal,
        strength=request.strength,
        steps=request.whole("steps"),
        consistency=request.number("consistency"),
        on_step=request.on_step,
    )


METHOD = Method(
    PhotoGuard.name,
    "descent on the distance of the latents to a target's, or to zero",
    _make,
    (
        Parameter("steps", 200, 1, MOST_STEPS, "of 2/255, falling to a tenth"),
        Parameter(
            "goal", TARGET, help="target: the one that the mixture would choose", choices=GOALS
        ),
        CONSISTENCY,
    ),
    needs=("codec",),
)
