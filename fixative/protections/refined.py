"""The mixture and its refinement in one: begin with the learnt perturbation, then descend."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fixative.codecs.base import Codec
from fixative.mixture import Mixture
from fixative.perceptual import VisibilityMap
from fixative.protections.ablated import MAP, TARGET, settings_of
from fixative.protections.base import Proposal, Protected, Protection
from fixative.protections.iterative import AttackStep, OnAttackStep
from fixative.protections.method import Method, Request
from fixative.protections.refine import MOST_STEPS, Refinement, RefineSettings
from fixative.protector import Protector, ProtectSettings
from fixative.registry import Parameter


class RefinedMixture(Protector):
    """Assign, choose a target, weigh by the map, then refine at the picture's own size.

    Args:
        codec: with gradients; its family must be the mixture's.
        mixture: the learnt perturbations.
        settings: strength, target and map.
        steps: of the refinement.
        visibility: a map already loaded; otherwise the one that the settings name.
        on_step: told of each step; may raise, to stop.

    Raises:
        MixtureError: the mixture is of another latent family.
        SettingError: a setting outside its range, or unknown.
    """

    name = Refinement.name

    def __init__(
        self,
        codec: Codec,
        mixture: Mixture,
        settings: ProtectSettings | None = None,
        *,
        steps: int = 10,
        visibility: VisibilityMap | None = None,
        on_step: OnAttackStep | None = None,
    ) -> None:
        super().__init__(codec, mixture, settings, visibility=visibility)
        self._steps, self._on_step = RefineSettings(steps), on_step

    def protect_many(
        self, pictures: Sequence[Tensor], masks: Sequence[Tensor | None] | None = None
    ) -> list[Protected]:
        """One by one: the descent is at each picture's own size."""
        return Protection.protect_many(self, pictures, masks)

    def _propose(self, images: Tensor) -> Proposal:
        start, factors = self._chosen(images)
        refinement = Refinement(
            self.codec, start, factors=factors, settings=self._steps, on_step=self._tell
        )
        refined = refinement.refine(images).perturbation
        return Proposal(refined.perturbation, None, refined.assigned.details())

    def _tell(self, picture: int, step: int, reached: float) -> None:
        if self._on_step is not None:
            self._on_step(AttackStep(picture, step, self._steps.steps, {"pull": reached}))


def _make(request: Request) -> Protection:
    return RefinedMixture(
        request.codec,
        request.mixture,
        settings_of(request),
        steps=request.whole("steps"),
        visibility=request.visibility(request.word("map")),
        on_step=request.on_step,
    )


METHOD = Method(
    RefinedMixture.name,
    "the mixture, and a few steps of descent from there",
    _make,
    (Parameter("steps", 10, 1, MOST_STEPS, "of 2/255, falling to a tenth"), MAP, TARGET),
    needs=("codec", "mixture"),
)
