"""How much edits of protected pictures differ from edits of the clean ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fixative.evaluation.rows import DONE
from fixative.evaluation.statistics import Bootstrap
from fixative.evaluation.visual import Measure, Visual
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.editing import load_edits
from fixative.mimicry.results import ALL, EditResult
from fixative.mimicry.rows import MimicryRow, Stage
from fixative.mimicry.sets import PictureSet
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.tools import MimicryTools
from fixative.mimicry.workshop import CLEAN


@dataclass(frozen=True)
class Difference:
    """Of one edit to that of the clean picture.

    Attributes:
        visual: by measure.
        features: 1 − cosine of the features that the verdict goes by.
    """

    visual: dict[str, float | None]
    features: float


def edit_measures(tools: MimicryTools) -> list[Measure]:
    """What edits are compared by."""
    return Visual(tools.distance).measures


def edit_results(
    sets: Sequence[PictureSet],
    settings: MimicrySettings,
    tools: MimicryTools,
    rows: Sequence[MimicryRow],
    out: Path,
) -> list[EditResult]:
    """Each set's arms; then, of several sets, those over all."""
    edited = [row for row in rows if (row.stage, row.status) == (Stage.EDIT.value, DONE)]
    files = {(row.set, row.arm): out / row.file for row in edited}
    visual = Visual(tools.distance)
    bootstrap = Bootstrap(settings.resamples, settings.confidence, settings.seed)
    arms = [arm for arm in settings.arms if arm.role not in (Role.NONE, Role.CLEAN)]
    found = {
        (one.name, arm.name): differences(visual, files[one.name, CLEAN], files[one.name, arm.name])
        for one in sets
        for arm in arms
        if {(one.name, CLEAN), (one.name, arm.name)} <= files.keys()
    }
    results = [_result(bootstrap, one.name, arm, found) for one in sets for arm in arms]
    if len(sets) > 1:
        for arm in arms:
            all_of = [
                each for (_, name), some in found.items() if name == arm.name for each in some
            ]
            results.append(_result(bootstrap, ALL, arm, {(ALL, arm.name): all_of}))
    return [result for result in results if result.used]


def differences(visual: Visual, clean: Path, other: Path) -> list[Difference]:
    """Picture by picture, of two files of edits."""
    (images, vectors), (others, other_vectors) = load_edits(clean), load_edits(other)
    space = next(iter(vectors))
    told: list[Difference] = []
    for number, (one, another) in enumerate(zip(images.split(1), others.split(1), strict=True)):
        first, second = vectors[space][number], other_vectors[space][number]
        cosine = (first @ second / (first.norm() * second.norm()).clamp_min(1e-12)).item()
        told.append(Difference(visual.compare(another, one), 1 - cosine))
    return told


def _result(
    bootstrap: Bootstrap, name: str, arm: Arm, found: dict[tuple[str, str], list[Difference]]
) -> EditResult:
    mine = found.get((name, arm.name), [])
    measures = dict.fromkeys(measure for each in mine for measure in each.visual)
    means = {
        measure: bootstrap.mean([v for each in mine if (v := each.visual[measure]) is not None])
        for measure in measures
    }
    return EditResult(
        set=name,
        arm=arm.name,
        role=arm.role.value,
        used=len(mine),
        visual={measure: mean for measure, mean in means.items() if mean is not None},
        features=bootstrap.mean([each.features for each in mine]),
    )
