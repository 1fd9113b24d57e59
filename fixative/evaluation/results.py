"""What an evaluation found: one typed JSON, with everything that it came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fixative.evaluation.rows import DONE, FAILED, Row
from fixative.evaluation.statistics import Estimate
from fixative.evaluation.visual import Measure
from fixative.pictures.atomic import write_text

#: The version of results.json's form.
SCHEMA = 1
NAME = "results.json"
#: What is measured in latents, with its direction from the protector's side.
LATENT_MEASURES = (
    Measure("pull", "pull", "higher"),
    Measure("shift", "shift", "higher"),
)


@dataclass(frozen=True)
class Effect:
    """What is left of a protection after a countermeasure, in one codec's latents.

    Attributes:
        protection: as the protocol names it.
        strength: budget in 1/255.
        countermeasure: as the protocol names it, or ``none``.
        codec: that measures; the first one of the evaluation was protected with.
        asked: pictures that the protocol asks for.
        used: those that could be measured.
        note: why the others could not, or what to know.
        reference: what the pull stands beside.
        pull: after the countermeasure.
        pull_original: likewise beside the original pictures.
        shift: after the countermeasure.
        pull_before: of the same pictures in the same windows, without the countermeasure.
        survival: ``pull`` over ``pull_before``, means over the same pictures; None where the pull
            before is under 0.02: there is nothing to survive.
    """

    protection: str
    strength: float
    countermeasure: str
    codec: str
    asked: int
    used: int
    note: str
    reference: str
    pull: Estimate | None
    pull_original: Estimate | None
    shift: Estimate | None
    pull_before: Estimate | None
    survival: Estimate | None


@dataclass(frozen=True)
class Worst:
    """The countermeasure that leaves the least of a protection.

    Attributes:
        codec: that measures.
        countermeasure: with the lowest mean pull, ``none`` included.
        pull: what it leaves.
        survival: beside the same pictures without it.
    """

    codec: str
    countermeasure: str
    pull: Estimate
    survival: Estimate | None


@dataclass(frozen=True)
class ProtectionResult:
    """One protection at one strength, before any countermeasure, and at its worst.

    Attributes:
        protection: as the protocol names it.
        strength: budget in 1/255.
        asked: pictures that the protocol asks for.
        used: those that could be protected.
        note: why the others could not.
        visual: how visible it is, by measure; those that are missing have no entry.
        seconds: a picture.
        peak_mb: largest memory of any picture, in MB; None where the system does not tell.
        largest: change of any colour in any saved file, in 1/255.
        budget_kept: in every saved file; None of no files.
        worst: by codec, in the codecs' order.
    """

    protection: str
    strength: float
    asked: int
    used: int
    note: str
    visual: dict[str, Estimate]
    seconds: Estimate | None
    peak_mb: float | None
    largest: int | None
    budget_kept: bool | None
    worst: list[Worst]


@dataclass(frozen=True)
class Damage:
    """What a countermeasure does to clean pictures.

    Attributes:
        countermeasure: as the protocol names it.
        asked: pictures that the protocol asks for.
        used: those that it worked on.
        note: why not on the others, or what to know.
        visual: by measure, against the clean picture.
        shift: of the latents, by codec.
        seconds: a picture.
        peak_mb: largest memory of any picture, in MB.
    """

    countermeasure: str
    asked: int
    used: int
    note: str
    visual: dict[str, Estimate]
    shift: dict[str, Estimate]
    seconds: Estimate | None
    peak_mb: float | None


@dataclass(frozen=True)
class PictureSource:
    """A measured picture and the sha256 of its file or pixels."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Results:
    """Everything.

    Attributes:
        schema: version of this form.
        protocol: as it was carried out.
        protocol_sha256: of its content without the description.
        provenance: versions of Fixative and the libraries, commit where there is one.
        tools: codecs, mixture, distance; sha256 of weights.
        given: how many pictures there were to choose from.
        pictures: those that were to be measured.
        pairs: names of those kept apart for countermeasures that learn.
        measures: of visibility, with direction; ``missing`` says why one was not measured.
        latent_measures: with direction.
        protections: per protection and strength.
        effects: per protection, strength, countermeasure and codec.
        damages: per countermeasure.
        rows: every cell.
    """

    schema: int
    protocol: dict[str, Any]
    protocol_sha256: str
    provenance: dict[str, str]
    tools: dict[str, Any]
    given: int
    pictures: list[PictureSource]
    pairs: list[str]
    measures: list[Measure]
    latent_measures: list[Measure]
    protections: list[ProtectionResult]
    effects: list[Effect]
    damages: list[Damage]
    rows: list[Row]

    @property
    def failures(self) -> list[Row]:
        """Cells in which something went wrong; what cannot be run is not among them."""
        return [row for row in self.rows if row.status == FAILED]

    @property
    def codecs(self) -> list[str]:
        """Names of the codecs, the one protected with first."""
        return [codec["name"] for codec in self.tools["codecs"]]

    def effect(
        self, protection: str, strength: float, countermeasure: str, codec: str
    ) -> Effect | None:
        """One of ``effects``; None if the protocol does not have it."""
        wanted = (protection, strength, countermeasure, codec)
        return next((found for found in self.effects if _key(found) == wanted), None)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)

    def save(self, folder: Path) -> Path:
        """Write ``results.json``, whole or not at all."""
        path = folder / NAME
        write_text(path, json.dumps(self.to_dict(), indent=1, allow_nan=False), overwrite=True)
        return path


def done_rows(rows: Sequence[Row]) -> list[Row]:
    """Those that have numbers."""
    return [row for row in rows if row.status == DONE]


def _key(effect: Effect) -> tuple[str, float, str, str]:
    return effect.protection, effect.strength, effect.countermeasure, effect.codec
