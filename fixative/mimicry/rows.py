"""What a mimicry test has to do, and one row of its journal for each thing done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from fixative.evaluation.rows import DONE
from fixative.mimicry.arms import Arm
from fixative.mimicry.sets import PictureSet


class Stage(str, Enum):
    """Kinds of work; what comes later needs what came before."""

    PICTURES = "pictures"
    LORA = "LoRA"
    EDIT = "edit"


#: Stage, set, arm, seed.
Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Task:
    """One thing to do.

    Attributes:
        stage: which kind.
        pictures: the set.
        arm: what the imitator sees.
        seed: number of the repetition, from 0.
    """

    stage: Stage
    pictures: PictureSet
    arm: Arm
    seed: int = 0

    @property
    def key(self) -> Key:
        """As its row's."""
        return self.stage.value, self.pictures.name, self.arm.name, self.seed

    @property
    def title(self) -> str:
        """As a progress bar shows it."""
        seed = f" · seed {self.seed}" if self.stage is Stage.LORA else ""
        return f"{self.pictures.name} · {self.arm.name}{seed} · {self.stage.value}"


@dataclass(frozen=True)
class MimicryRow:
    """A task's outcome.

    Attributes:
        stage: kind of work.
        set: the pictures.
        arm: what the imitator saw.
        seed: number of the repetition.
        status: ``done``, ``failed`` or ``not run``.
        note: why not done.
        remarks: what to know of it.
        seconds: that it took.
        losses: of the LoRA's steps.
        file: what it made, below the output folder.
        picture: likewise, to look at; empty where there is none.
    """

    stage: str
    set: str
    arm: str
    seed: int = 0
    status: str = DONE
    note: str = ""
    remarks: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list[float])
    file: str = ""
    picture: str = ""

    @property
    def key(self) -> Key:
        """What tells it from every other row of a run."""
        return self.stage, self.set, self.arm, self.seed

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> MimicryRow:
        """Undo ``to_dict``.

        Raises:
            TypeError: a key that is not a row's.
        """
        return MimicryRow(**content)
