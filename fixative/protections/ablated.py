"""The mixture with each of its adaptive parts switched off or wrong: what is each one worth?"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from fixative.codecs.base import Codec
from fixative.errors import SettingError
from fixative.images import LEVELS
from fixative.mixture import Mixture
from fixative.perceptual import VISIBILITY_MAPS, VisibilityMap
from fixative.protections.base import Protection
from fixative.protections.method import Method, Request
from fixative.protector import MAP_OFF, Protector, ProtectSettings
from fixative.registry import Parameter, did_you_mean
from fixative.steps import AssignedPictures, TargetPerturbation, target_perturbation
from fixative.target import AUTO
from fixative.training.targets import PERIODS

ASSIGNED, WRONG, SHARED_ONLY, MEAN = "assigned", "wrong", "shared-only", "mean"
GROUPS = (ASSIGNED, WRONG, SHARED_ONLY, MEAN)
MAP = Parameter("map", VISIBILITY_MAPS[0], help="strength map", choices=(*VISIBILITY_MAPS, MAP_OFF))
TARGET = Parameter(
    "target", AUTO, help="auto: by entropy; else always the same", choices=(AUTO, *PERIODS)
)


class AblatedMixture(Protector):
    """FastProtect's mixture (Ahn et al. 2025) with its group chosen in another way.

    Its other switches, map and target, are ``ProtectSettings``'.

    Args:
        codec: encodes the 512 copies; its family must be the mixture's.
        mixture: the learnt perturbations.
        settings: strength, target and map.
        group: ``assigned``, the nearest centroid's, as published; ``wrong``, the farthest one's;
            ``shared-only``, δg without any group's, brought from its η/2 to the whole budget;
            ``mean``, δg plus the mean of all groups'.
        visibility: a map already loaded; otherwise the one that the settings name.

    Raises:
        MixtureError: the mixture is of another latent family.
        SettingError: a setting outside its range, or unknown.
    """

    def __init__(
        self,
        codec: Codec,
        mixture: Mixture,
        settings: ProtectSettings | None = None,
        *,
        group: str = ASSIGNED,
        visibility: VisibilityMap | None = None,
    ) -> None:
        super().__init__(codec, mixture, settings, visibility=visibility)
        if group not in GROUPS:
            near = did_you_mean(group, GROUPS)
            raise SettingError(f"group: expected one of {', '.join(GROUPS)}; got {group!r}{near}")
        self.group = group

    def _perturbation(self, assigned: AssignedPictures) -> TargetPerturbation:
        if self.group == WRONG:
            assigned = replace(assigned, group=assigned.distances.argmax(1))
        chosen = target_perturbation(self.mixture, assigned, strength=self.strength)
        if self.group in (ASSIGNED, WRONG):
            return chosen
        of_targets = ungrouped(self.mixture, mean=self.group == MEAN, strength=self.strength)
        return replace(chosen, perturbation=of_targets[assigned.target.cpu()])


def ungrouped(mixture: Mixture, *, mean: bool, strength: float) -> Tensor:
    """One perturbation a target, whatever the picture, (T, 3, 512, 512) on [0, 1].

    Args:
        mixture: the learnt perturbations.
        mean: δg plus the mean of the groups', scaled as their sums are; otherwise δg alone,
            brought from its η/2 to the whole budget.
        strength: budget in 1/255.
    """
    steps = mixture.shared.float()
    scale = strength / LEVELS / mixture.eta * mixture.quantum
    return (steps + mixture.group.float().mean(1)) * scale if mean else steps * (2 * scale)


def settings_of(request: Request) -> ProtectSettings:
    """Strength, target and map of a request."""
    return ProtectSettings(request.strength, request.word("target"), request.word("map"))


def _make(request: Request) -> Protection:
    return AblatedMixture(
        request.codec,
        request.mixture,
        settings_of(request),
        group=request.word("group"),
        visibility=request.visibility(request.word("map")),
    )


METHOD = Method(
    AblatedMixture.name,
    "FastProtect's learnt mixture of perturbations, with its ablations",
    _make,
    (MAP, TARGET, Parameter("group", ASSIGNED, help="whose perturbation", choices=GROUPS)),
    needs=("codec", "mixture"),
)
