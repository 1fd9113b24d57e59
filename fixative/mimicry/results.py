"""What a mimicry test found: one typed JSON, with everything that it came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fixative.evaluation.results import PictureSource
from fixative.evaluation.rows import FAILED
from fixative.evaluation.statistics import Estimate
from fixative.evaluation.visual import Measure
from fixative.mimicry.arms import Arm
from fixative.mimicry.measures import Spread
from fixative.mimicry.rows import MimicryRow
from fixative.pictures.atomic import write_text

#: The version of results.json's form.
SCHEMA = 1
NAME = "results.json"
#: Instead of a set's name: over all sets.
ALL = "all sets"


@dataclass(frozen=True)
class Closeness:
    """How close what an arm's imitators drew is to the clean originals, in one feature space.

    Attributes:
        space: the features.
        distance: energy distance, lower is closer.
        kid: kernel inception distance in them, lower is closer; over several sets
            the mean of theirs.
        similarity: mean cosine over all originals, higher is closer.
        nearest: cosine to the nearest original.
        p_clean: probability of so large a difference to the clean arm, were there none, by swapping
            whole imitators; None of fewer than six.
        p_none: likewise to the arm without a LoRA, sample by sample.
    """

    space: str
    distance: Estimate
    kid: Spread
    similarity: Estimate
    nearest: Estimate
    p_clean: float | None
    p_none: float | None


@dataclass(frozen=True)
class ArmResult:
    """One arm, of one set or over all.

    Attributes:
        set: its name, or ``all sets``.
        arm: as tables show it.
        role: what the arm is there for.
        asked: imitators that the settings ask for.
        used: those that there are.
        note: why the others are not there.
        score: what the imitation is computed from, higher is closer; None of no imitators.
        imitation: what is left of the imitation: 0 = as without a LoRA, 1 = as with a clean one.
        weaker: 1 − imitation, with its own interval.
        closeness: by feature space, the one that p values are told of first.
        lpips: to the nearest original, lower is closer; None without LPIPS.
        loss: of the last tenth of the training's steps, mean; None without a LoRA.
    """

    set: str
    arm: str
    role: str
    asked: int
    used: int
    note: str
    score: Estimate | None
    imitation: Estimate | None
    weaker: Estimate | None
    closeness: list[Closeness]
    lpips: Estimate | None
    loss: float | None

    @property
    def main(self) -> Closeness | None:
        """In the first features."""
        return self.closeness[0] if self.closeness else None


@dataclass(frozen=True)
class EditResult:
    """How much edits of an arm's pictures differ from those of the clean pictures.

    Attributes:
        set: its name, or ``all sets``.
        arm: as tables show it.
        role: what the arm is there for.
        used: pictures compared.
        visual: against the edit of the clean picture, by measure.
        features: 1 − cosine in the features that the verdict goes by.
    """

    set: str
    arm: str
    role: str
    used: int
    visual: dict[str, Estimate]
    features: Estimate | None


@dataclass(frozen=True)
class SetSource:
    """A set of pictures and what it was called.

    Attributes:
        name: of the set.
        caption: of every picture in it.
        pictures: names and sha256.
        remarks: pictures left out and why; sizes that differ.
    """

    name: str
    caption: str
    pictures: list[PictureSource]
    remarks: list[str]


@dataclass(frozen=True)
class MimicryResults:
    """Everything.

    Attributes:
        schema: version of this form.
        settings: as they were carried out.
        provenance: versions of Fixative and the libraries, commit where there is one.
        tools: model, codec, mixture, features; sha256 of weights.
        sets: the pictures.
        arms: as planned, in order.
        results: by set and arm; over all sets last, where there are several.
        edit_measures: of edits, with direction.
        edits: likewise; empty where none were asked for.
        rows: every task.
    """

    schema: int
    settings: dict[str, Any]
    provenance: dict[str, str]
    tools: dict[str, Any]
    sets: list[SetSource]
    arms: list[Arm]
    results: list[ArmResult]
    edit_measures: list[Measure]
    edits: list[EditResult]
    rows: list[MimicryRow]

    @property
    def failures(self) -> list[MimicryRow]:
        """Tasks in which something went wrong."""
        return [row for row in self.rows if row.status == FAILED]

    @property
    def scope(self) -> str:
        """Where the overall verdict stands: all sets, or the only one."""
        return ALL if len(self.sets) > 1 else self.sets[0].name

    def of(self, name: str) -> list[ArmResult]:
        """The arms of one set, or over all, in the planned order."""
        return [result for result in self.results if result.set == name]

    def arm(self, name: str, arm: str) -> ArmResult | None:
        """One of ``results``; None where it is not there."""
        return next((result for result in self.of(name) if result.arm == arm), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {**asdict(self), "arms": [{**asdict(a), "name": a.name} for a in self.arms]}

    def save(self, folder: Path) -> Path:
        """Write ``results.json``, whole or not at all."""
        path = folder / NAME
        write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False), overwrite=True)
        return path
