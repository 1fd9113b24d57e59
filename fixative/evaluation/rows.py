"""One row a cell: what one countermeasure left of one protection of one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fixative.evaluation.protocol import NONE

DONE, FAILED, NOT_RUN = "done", "failed", "not run"
#: Beside what a pull after a countermeasure stands: the clean picture through the same
#: countermeasure, or the clean picture as it is.
SAME, ORIGINAL = "same countermeasure", "original"
#: Picture, protection, strength, countermeasure.
Key = tuple[str, str, float, str]


@dataclass(frozen=True)
class Latent:
    """Effects in one codec's latents; each None where there is none to tell.

    Attributes:
        pull: after the countermeasure, beside the row's reference: 1 = the target reached,
            0 = no effect left.
        pull_original: likewise beside the original picture, whatever the row's reference.
        shift: after the countermeasure, from the row's reference.
        pull_before: without the countermeasure, in the same window.
        shift_before: likewise.
    """

    pull: float | None = None
    pull_original: float | None = None
    shift: float | None = None
    pull_before: float | None = None
    shift_before: float | None = None


@dataclass(frozen=True)
class Budget:
    """The change as measured on the saved file.

    Attributes:
        largest: of any colour value, in 1/255.
        mean: absolute, in 1/255.
        kept: the largest is not above the strength.
    """

    largest: int
    mean: float
    kept: bool


@dataclass(frozen=True)
class Row:
    """A cell's outcome.

    Attributes:
        picture: its name.
        protection: as the protocol names it, or ``none``.
        strength: budget in 1/255, 0 without protection.
        countermeasure: as the protocol names it, or ``none``.
        status: ``done``, ``failed`` or ``not run``.
        note: why not done, or what to know of it.
        seconds: of protecting (countermeasure ``none``) or of the countermeasure.
        peak_mb: largest memory of the process meanwhile (of the GPU where one computes), in MB;
            None where the system does not tell.
        target: what the pull is towards.
        reference: what the effect is measured beside.
        visual: against the original picture, by measure.
        latent: by codec.
        budget: of the protected file, where the countermeasure is ``none``.
        curve: losses over the countermeasure's steps, by name, with ``step``.
        file: the picture that is kept of it, below the output folder.
    """

    picture: str
    protection: str = NONE
    strength: float = 0.0
    countermeasure: str = NONE
    status: str = DONE
    note: str = ""
    seconds: float | None = None
    peak_mb: float | None = None
    target: str = ""
    reference: str = SAME
    visual: dict[str, float | None] = field(default_factory=dict[str, "float | None"])
    latent: dict[str, Latent] = field(default_factory=dict[str, Latent])
    budget: Budget | None = None
    curve: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    file: str | None = None

    @property
    def key(self) -> Key:
        """What tells it from every other row of a run."""
        return self.picture, self.protection, self.strength, self.countermeasure

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> Row:
        """Undo ``to_dict``.

        Raises:
            TypeError: a key that is not a row's.
        """
        values = dict(content)
        values["latent"] = {name: Latent(**found) for name, found in values["latent"].items()}
        values["budget"] = None if values["budget"] is None else Budget(**values["budget"])
        return Row(**values)
