"""Which cells an evaluation has: who is protected how, and tried with what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fixative.evaluation.protocol import (
    NONE,
    CountermeasureEntry,
    ProtectionEntry,
    Protocol,
)
from fixative.evaluation.rows import Key
from fixative.evaluation.subjects import Subject


@dataclass(frozen=True)
class Cell:
    """One thing to measure.

    Attributes:
        subject: the picture.
        protection: None for the clean picture.
        strength: budget in 1/255, 0 for the clean picture.
        countermeasure: None for the protection alone.
    """

    subject: Subject
    protection: ProtectionEntry | None = None
    strength: float = 0.0
    countermeasure: CountermeasureEntry | None = None

    @property
    def key(self) -> Key:
        """As its row's."""
        protection = NONE if self.protection is None else self.protection.name
        countermeasure = NONE if self.countermeasure is None else self.countermeasure.name
        return self.subject.name, protection, self.strength, countermeasure


def plan_cells(protocol: Protocol, subjects: Sequence[Subject]) -> list[list[Cell]]:
    """All cells, picture by picture; within one the clean picture, then each protection.

    Where a method asks for fewer pictures, those are the same for every method that does.
    """
    rank = {number: place for place, number in enumerate(nested_order(len(subjects)))}
    cells: list[list[Cell]] = []
    for number, subject in enumerate(subjects):
        cells.append(list(_cells_of(protocol, subject, rank[number])))
    return cells


def nested_order(count: int) -> list[int]:
    """An order of 0 to count − 1 whose every beginning is spread evenly (bits reversed)."""
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda number: f"{number:0{bits}b}"[::-1])


def _cells_of(protocol: Protocol, subject: Subject, rank: int) -> Iterator[Cell]:
    tried = [c for c in protocol.countermeasures if c.pictures is None or rank < c.pictures]
    for countermeasure in tried:
        yield Cell(subject, countermeasure=countermeasure)
    for protection in protocol.protections:
        if protection.pictures is not None and rank >= protection.pictures:
            continue
        for strength in protection.strengths:
            yield Cell(subject, protection, strength)
            for countermeasure in tried:
                if countermeasure.meets(protection.name, strength):
                    yield Cell(subject, protection, strength, countermeasure)
