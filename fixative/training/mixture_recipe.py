"""Settings of a mixture training."""

from __future__ import annotations

from dataclasses import dataclass

from fixative.errors import SettingError


class OtherTrainingError(SettingError):
    """A checkpoint belongs to a training of other settings, pictures or codecs."""

    def __init__(self) -> None:
        super().__init__(
            "checkpoint: made with other settings, codecs, pictures or targets; use the same ones, "
            "or another place for checkpoints (--runs, or another name)"
        )


@dataclass(frozen=True)
class MixtureRecipe:
    """Settings of a mixture training.

    Attributes:
        eta: η in 1/255; each of the two summed perturbations stays within η/2.
        batch: crops a step.
        crop: side of a crop in pixels, a multiple of 64, at most 512.
        peak_rate: learning rate on [0, 1].
        feature_weight: weight of the multi-layer term, 0 leaves it out. The paper sums squares
            (λ = 3.5e-5); here each is relative to the target's power, so that it fits any encoder.
        periodic_share: share of the training in which perturbations are kept periodic.
        adaptive_target: route each picture by entropy; otherwise all go to ``fixed_target``.
        fixed_target: index of the target used without routing.
        grouped: learn group perturbations; otherwise one perturbation of ±η for all.
        seed: of everything.
        spread: share of the crops, 0 to 1, whose target is drawn by lot instead of routed, so that
            targets that no picture is routed to are learnt too: of few pictures none may be.
    """

    eta: float = 8.0
    batch: int = 6
    crop: int = 128
    peak_rate: float = 1.0 / 255
    feature_weight: float = 0.1
    periodic_share: float = 0.5
    adaptive_target: bool = True
    fixed_target: int = 1
    grouped: bool = True
    seed: int = 0
    spread: float = 0.0
