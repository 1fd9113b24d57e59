"""From rows to results: means over pictures with their intervals, and worst cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from fixative.evaluation.plan import Cell
from fixative.evaluation.protocol import NONE
from fixative.evaluation.results import Damage, Effect, ProtectionResult, Worst, done_rows
from fixative.evaluation.rows import DONE, ORIGINAL, SAME, Latent, Row
from fixative.evaluation.statistics import Bootstrap, Estimate

#: Of a smaller mean pull no share is told: it would be noise over noise.
LEAST_PULL = 0.02
#: Protection, strength, countermeasure.
Group = tuple[str, float, str]


class Aggregator:
    """Groups the rows of a plan.

    Args:
        cells: everything that was asked for.
        rows: what there is.
        codecs: names, the one protected with first.
        bootstrap: of the intervals.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        rows: Sequence[Row],
        codecs: Sequence[str],
        bootstrap: Bootstrap,
    ) -> None:
        self._codecs, self._bootstrap = codecs, bootstrap
        self._asked: Counter[Group] = Counter(cell.key[1:] for cell in cells)
        self._rows: dict[Group, list[Row]] = defaultdict(list)
        for row in rows:
            if row.key[1:] in self._asked:
                self._rows[row.key[1:]].append(row)

    def effects(self) -> list[Effect]:
        """Per protection, strength, countermeasure and codec, in the protocol's order."""
        groups = [group for group in self._asked if group[0] != NONE]
        return [self._effect(group, codec) for group in groups for codec in self._codecs]

    def protections(self, effects: Sequence[Effect]) -> list[ProtectionResult]:
        """Per protection and strength."""
        groups = [group for group in self._asked if group[0] != NONE and group[2] == NONE]
        return [self._protection(group, effects) for group in groups]

    def damages(self) -> list[Damage]:
        """Per countermeasure, on clean pictures."""
        return [self._damage(group) for group in self._asked if group[0] == NONE]

    def _effect(self, group: Group, codec: str) -> Effect:
        rows = done_rows(self._rows[group])
        latents = [row.latent[codec] for row in rows if codec in row.latent]
        whole = [
            (found.pull, found.pull_before)
            for found in latents
            if found.pull is not None and found.pull_before is not None
        ]
        return Effect(
            *group,
            codec,
            asked=self._asked[group],
            used=len(rows),
            note=_notes(self._rows[group]),
            reference=ORIGINAL if any(row.reference == ORIGINAL for row in rows) else SAME,
            pull=self._mean(latents, "pull"),
            pull_original=self._mean(latents, "pull_original"),
            shift=self._mean(latents, "shift"),
            pull_before=self._mean(latents, "pull_before"),
            survival=self._survival(whole),
        )

    def _survival(self, pulls: Sequence[tuple[float, float]]) -> Estimate | None:
        """Mean pull after over mean pull before; None where there is hardly any to survive."""
        after, before = [a for a, _ in pulls], [b for _, b in pulls]
        if not before or fmean(before) < LEAST_PULL:
            return None
        return self._bootstrap.ratio(after, before)

    def _protection(self, group: Group, effects: Sequence[Effect]) -> ProtectionResult:
        rows = done_rows(self._rows[group])
        budgets = [row.budget for row in rows if row.budget is not None]
        return ProtectionResult(
            protection=group[0],
            strength=group[1],
            asked=self._asked[group],
            used=len(rows),
            note=_notes(self._rows[group]),
            visual=self._visual(rows),
            seconds=self._bootstrap.mean([row.seconds for row in rows if row.seconds is not None]),
            peak_mb=_largest(row.peak_mb for row in rows),
            largest=max((budget.largest for budget in budgets), default=None),
            budget_kept=all(budget.kept for budget in budgets) if budgets else None,
            worst=[
                worst
                for codec in self._codecs
                if (worst := worst_case(effects, group[0], group[1], codec)) is not None
            ],
        )

    def _damage(self, group: Group) -> Damage:
        rows = done_rows(self._rows[group])
        shifts = {
            codec: self._mean([row.latent[codec] for row in rows if codec in row.latent], "shift")
            for codec in self._codecs
        }
        return Damage(
            countermeasure=group[2],
            asked=self._asked[group],
            used=len(rows),
            note=_notes(self._rows[group]),
            visual=self._visual(rows),
            shift={codec: found for codec, found in shifts.items() if found is not None},
            seconds=self._bootstrap.mean([row.seconds for row in rows if row.seconds is not None]),
            peak_mb=_largest(row.peak_mb for row in rows),
        )

    def _mean(self, latents: Sequence[Latent], name: str) -> Estimate | None:
        values: list[Any] = [getattr(found, name) for found in latents]
        return self._bootstrap.mean([value for value in values if value is not None])

    def _visual(self, rows: Sequence[Row]) -> dict[str, Estimate]:
        found: dict[str, Estimate] = {}
        for name in dict.fromkeys(name for row in rows for name in row.visual):
            values = [row.visual.get(name) for row in rows]
            mean = self._bootstrap.mean([value for value in values if value is not None])
            if mean is not None:
                found[name] = mean
        return found


def worst_case(
    effects: Iterable[Effect], protection: str, strength: float, codec: str
) -> Worst | None:
    """The effect with the lowest mean pull; None where nothing was measured."""
    wanted = (protection, strength, codec)
    found = [
        effect
        for effect in effects
        if (effect.protection, effect.strength, effect.codec) == wanted and effect.pull is not None
    ]
    if not found:
        return None
    least = min(found, key=lambda effect: effect.pull.value if effect.pull else 0.0)
    assert least.pull is not None
    return Worst(codec, least.countermeasure, least.pull, least.survival)


def _notes(rows: Sequence[Row]) -> str:
    """Each different note once, with how often it came where cells were not done."""
    counts = Counter((row.status, row.note) for row in rows if row.note)
    told = [
        note if status == DONE else f"{status}: {note}" + (f" (×{count})" if count > 1 else "")
        for (status, note), count in counts.items()
    ]
    return "; ".join(told)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
