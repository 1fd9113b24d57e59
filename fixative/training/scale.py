"""What a training at scale adds to a recipe, the same for every network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fixative.errors import SettingError
from fixative.training.distributed import ALONE, Team


class OtherScaleError(SettingError):
    """A checkpoint belongs to a training of another scale or seed.

    Args:
        name: the setting that differs.
        made: its value in the checkpoint; None: an earlier version made it, which told none.
        now: its value in this training.
    """

    def __init__(self, name: str, made: Any, now: Any) -> None:
        told, remedy = f"with {name} {made}, not {now}", f"the same --{name}, or "
        if made is None:
            told, remedy = "by an earlier version", ""
        super().__init__(f"checkpoint: made {told}; give {remedy}another folder (--runs)")


@dataclass(frozen=True)
class Scale:
    """How large a training is; as it stands, a plain one on one process.

    Attributes:
        team: the processes that share every step's batch.
        average: how much of the weights' moving average a step keeps, 0 to below 1; 0: no average.
        times: a step takes so many times the recipe's batch.
        chunk: how many crops are computed together. It is part of the result, the number of
            processes is not (see ``chunks``).
    """

    team: Team = ALONE
    average: float = 0.0
    times: int = 1
    chunk: int = 1

    def chunks(self, count: int) -> list[slice]:
        """A batch of ``count`` crops in chunks, the last one perhaps smaller."""
        return [slice(i, min(i + self.chunk, count)) for i in range(0, count, self.chunk)]

    def require(self, count: int) -> None:
        """Refuse a batch of ``count`` crops of which some process would get no chunk.

        Raises:
            SettingError: fewer chunks than processes.
        """
        self.team.require(
            len(self.chunks(count)),
            "chunks of crops a step",
            "raise --batch-times, lower --chunk",
        )

    def facts(self) -> dict[str, Any]:
        """What the recipe in the weights' file must tell of it."""
        averaged = {"average": self.average} if self.average else {}
        enlarged = {"times": self.times} if self.times > 1 else {}
        return {"chunk": self.chunk, **self.team.facts(), **averaged, **enlarged}

    def identity(self, seed: int) -> dict[str, Any]:
        """What a checkpoint must agree with, by the names of the commands' options."""
        return {
            "precision": self.team.precision,
            "average": self.average,
            "batch-times": self.times,
            "chunk": self.chunk,
            "seed": seed,
        }

    def check(self, seed: int, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another training.

        Raises:
            OtherScaleError: it was made with other settings.
        """
        made = checkpoint.get("made_with", {})
        for name, now in self.identity(seed).items():
            if made.get(name) != now:
                raise OtherScaleError(name, made.get(name), now)


PLAIN = Scale()
