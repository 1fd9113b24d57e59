"""What Edit Test does with pictures and a denoiser; nothing of the host is in here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.evaluation.statistics import Bootstrap, Estimate
from fixative.evaluation.visual import Visual
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.editing import edit_pictures
from fixative.mimicry.prepared import Prepared
from fixative.mimicry.settings import EditSettings, MimicrySettings
from fixative.mimicry.tools import MimicryTools
from fixative.protections.base import MAX_STRENGTH
from fixative.protections.noise import RandomNoise

from .mimic_report import ANIMAL
from .mimic_windows import CLEAN, PROTECTED, PURIFIED
from .mimicking import CAPTION, SET
from .training import duration

#: The clean pictures with other noise in the sampler, and with noise of the protection's budget.
CHANCE, NOISE = "clean, other noise", "noise of the same budget"
ARMS = {
    CLEAN: Arm(Role.CLEAN),
    CHANCE: Arm(Role.CONTROL),
    NOISE: Arm(Role.NOISE, NOISE),
    PROTECTED: Arm(Role.PROTECTED, PROTECTED),
    PURIFIED: Arm(Role.PURIFIED, PURIFIED),
}

#: Told of (arm, picture, pictures, step, steps); may raise, to stop.
Tell = Callable[[str, int, int, int, int], None]


@dataclass(frozen=True)
class EditedArm:
    """Edits of one batch, beside those of the clean pictures.

    Attributes:
        arm: whose.
        images: (N, 3, R, R) in [0, 1].
        measures: means over pictures, by measure; empty for the clean pictures.
        features: 1 − cosine in the features that verdicts go by.
    """

    arm: str
    images: Tensor
    measures: dict[str, Estimate]
    features: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, without the pictures."""
        features = None if self.features is None else asdict(self.features)
        measures = {name: asdict(value) for name, value in self.measures.items()}
        return {"arm": self.arm, "measures": measures, "features": features}


def with_controls(windows: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The batches (N, 3, R, R) and both controls, in the order of ``ARMS``."""
    clean = windows[CLEAN]
    budget = (windows[PROTECTED] - clean).abs().max().item() * 255
    noise = RandomNoise(strength=min(round(budget), MAX_STRENGTH), seed=seed)
    return {**windows, CHANCE: clean, NOISE: noise.protect(clean).image}


def edited(
    windows: Mapping[str, Tensor],
    edit: EditSettings,
    seed: int,
    tools: MimicryTools,
    tell: Tell,
) -> list[EditedArm]:
    """Edit every batch with the same noise, and compare with the edits of the clean pictures.

    Args:
        windows: (N, 3, R, R), as ``with_controls`` gives them.
        edit: how; its prompt is the graph's conditioning.
        seed: of the noise.
        tools: model, codec, distance and features.
        tell: told of each step.
    """
    settings = MimicrySettings(edit=edit, seed=seed)
    found: dict[str, Tensor] = {}
    for name, arm in ARMS.items():
        if name in windows:
            told = _Counter(name, len(windows[name]), tell)
            given = Prepared(windows[name], _encoded(windows[name], tools), {})
            found[name] = edit_pictures(arm, SET, given, settings, tools, told.step)
    visual = Visual(tools.distance)
    return [_compared(name, found, visual, tools) for name in found]


def edit_settings(*, level: float, steps: int, guidance: float, pictures: int) -> EditSettings:
    """As the engine has them."""
    return EditSettings(CAPTION, level, pictures, steps, guidance)


def edit_text(
    done: list[EditedArm], edit: EditSettings, tools: Mapping[str, Any], *, seconds: float
) -> tuple[str, str]:
    """The report, and the same as JSON."""
    by_arm = {one.arm: one for one in done}
    lines = [
        _verdict(by_arm),
        "",
        ANIMAL if tools["model"]["name"] == "testbed" else f"Model: {tools['model']['name']}",
        f"{len(done[0].images)} picture(s) of {done[0].images.shape[-1]} pixels, strength "
        f"{edit.level:g}, {edit.steps} steps, guidance {edit.guidance:g}, {duration(seconds)}",
        "",
        "Difference to the edit of the clean picture:",
        "",
        *(_line(one) for one in done if one.arm != CLEAN),
    ]
    facts = {
        "model": tools,
        "edit": asdict(edit),
        "arms": [one.to_dict() for one in done if one.arm != CLEAN],
        "seconds": round(seconds, 1),
    }
    return "\n".join(lines), json.dumps(facts, indent=1)


class _Counter:
    """Counts pictures: the engine tells steps only."""

    def __init__(self, arm: str, count: int, tell: Tell) -> None:
        self._arm, self._count, self._tell, self._picture = arm, count, tell, 0

    def step(self, what: str, step: int, steps: int) -> None:
        """One more step of a picture."""
        del what
        self._picture += step == 1
        self._tell(self._arm, self._picture, self._count, step, steps)


@torch.no_grad()
def _encoded(images: Tensor, tools: MimicryTools) -> Tensor:
    return torch.cat([tools.codec.encode(image).cpu() for image in images.split(1)])


def _compared(
    name: str, found: Mapping[str, Tensor], visual: Visual, tools: MimicryTools
) -> EditedArm:
    images, clean = found[name], found[CLEAN]
    if name == CLEAN:
        return EditedArm(name, images, {}, None)
    pairs = list(zip(images.split(1), clean.split(1), strict=True))
    each = [visual.compare(one, other) for one, other in pairs]
    means = {
        measure: Bootstrap().mean([v for one in each if (v := one[measure]) is not None])
        for measure in each[0]
    }
    space = tools.eyes.spaces[0]
    distances = 1 - torch.cosine_similarity(space(images), space(clean))
    return EditedArm(
        name,
        images,
        {measure: mean for measure, mean in means.items() if mean is not None},
        Bootstrap().mean(distances.tolist()),
    )


def _verdict(by_arm: Mapping[str, EditedArm]) -> str:
    chance, protected = (_distance(by_arm[name]) for name in (CHANCE, PROTECTED))
    noise = _distance(by_arm[NOISE])
    if chance <= 0:
        return "No verdict: the edits do not depend on noise; choose a higher strength."
    told = (
        f"Protecting changes an edit by {100 * protected / chance:.0f} % of what other noise "
        f"changes; noise of the same budget by {100 * noise / chance:.0f} %"
    )
    if PURIFIED in by_arm:
        told += f"; purified, {100 * _distance(by_arm[PURIFIED]) / chance:.0f} % are left"
    return told + "."


def _distance(one: EditedArm) -> float:
    return 0.0 if one.features is None else one.features.value


def _line(one: EditedArm) -> str:
    told = [f"{name} {value.value:.3f}" for name, value in one.measures.items()]
    return f"- {one.arm}: features {_distance(one):.4f}, {', '.join(told)}"
