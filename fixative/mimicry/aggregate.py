"""From what imitators drew to the numbers of the tables: per set, and over all sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from fixative.evaluation.rows import DONE
from fixative.evaluation.statistics import Bootstrap, Estimate
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.imitation import load_numbers
from fixative.mimicry.measures import (
    Numbers,
    Scale,
    Spread,
    energy,
    kid,
    permutation_test,
    similarities,
    swap_test,
)
from fixative.mimicry.prepared import load_prepared
from fixative.mimicry.results import ALL, ArmResult, Closeness
from fixative.mimicry.rows import MimicryRow, Stage
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.workshop import CLEAN, Places

NONE = Role.NONE.value
#: Features (K, D) of each space, LPIPS (K, N) to each original or None, and the LoRA's losses.
Drawn = tuple[dict[str, Tensor], Tensor | None, Sequence[float]]


@dataclass(frozen=True)
class Unit:
    """What one imitator drew, in numbers.

    Attributes:
        vectors: (K, D) of each feature space, on the set's own scale.
        lpips: (K,) to the nearest original; None without LPIPS.
        loss: of the end of the training; None without a LoRA.
    """

    vectors: dict[str, Numbers]
    lpips: Numbers | None
    loss: float | None


@dataclass(frozen=True)
class SetNumbers:
    """Everything drawn for one set.

    Attributes:
        name: of the set.
        originals: (N, D) of each feature space, on the set's own scale.
        units: by arm and seed.
    """

    name: str
    originals: dict[str, Numbers]
    units: dict[tuple[str, int], Unit]

    def seeds(self, arm: str) -> list[int]:
        """Of an arm's imitators that are there beside a clean one and none."""
        mine = [seed for name, seed in self.units if name == arm]
        return sorted(s for s in mine if {(CLEAN, s), (NONE, s)} <= self.units.keys())

    def drawn(self, arm: str, space: str) -> Numbers:
        """All of an arm's samples, (n·K, D)."""
        return np.concatenate([self.units[arm, s].vectors[space] for s in self.seeds(arm)])

    def similar(self, arm: str, seed: int, space: str) -> Numbers:
        """Cosines of an imitator's samples with the originals, (K, N)."""
        return similarities(self.units[arm, seed].vectors[space], self.originals[space])

    def score(self, arm: str, seed: int) -> float:
        """What imitation is measured by, higher is closer.

        Minus the LPIPS of samples to their nearest original: it sees colours, textures and what
        was disturbed in them alike. Where there is no LPIPS, the mean cosine with all originals
        in the features that there are. Distances between distributions (KID, energy distance)
        also count what every picture of a small model lacks, sharpness above all, and beside
        that it hardly shows whom it imitates.
        """
        lpips = self.units[arm, seed].lpips
        if lpips is not None:
            return -float(lpips.mean())
        return float(self.similar(arm, seed, next(iter(self.originals))).mean())

    def away(self, arm: str, seed: int, space: str) -> float:
        """Energy distance of an imitator's samples to the originals."""
        return energy(self.units[arm, seed].vectors[space], self.originals[space])


def read_set(name: str, rows: Sequence[MimicryRow], places: Places) -> SetNumbers | None:
    """Read what was drawn for a set; None before there is anything to compare with.

    Features are measured from the mean, and in units of the spread, of the originals and of what
    the model draws by itself, so that no other arm bears on an arm's numbers.
    """
    clean = places.pictures(name, CLEAN)
    mine = [r for r in rows if (r.set, r.stage, r.status) == (name, Stage.LORA.value, DONE)]
    if not clean.is_file() or not any(row.arm == NONE for row in mine):
        return None
    drawn = {
        (row.arm, row.seed): (*load_numbers(places.out / row.file), row.losses) for row in mine
    }
    return scaled_set(name, load_prepared(clean).vectors, drawn)


def scaled_set(
    name: str, originals: Mapping[str, Tensor], drawn: Mapping[tuple[str, int], Drawn]
) -> SetNumbers:
    """A set's numbers on its own scale.

    Args:
        name: of the set.
        originals: (N, D) features of the clean pictures, by space.
        drawn: by arm and seed; those without a LoRA among them.
    """
    own = _numbers(originals)
    plain = [vectors for (arm, _), (vectors, _, _) in drawn.items() if arm == NONE]
    scales = {
        space: Scale.of(np.concatenate([found, *(_array(each[space]) for each in plain)]))
        for space, found in own.items()
    }
    units = {
        key: Unit(
            {space: scales[space].apply(_array(vectors[space])) for space in scales},
            None if near is None else _array(near).min(1),
            _last(losses),
        )
        for key, (vectors, near, losses) in drawn.items()
    }
    return SetNumbers(name, {space: scales[space].apply(own[space]) for space in own}, units)


class Aggregator:
    """Numbers of arms over one set or several.

    Args:
        sets: what was drawn.
        settings: seeds, bootstrap and permutations.
    """

    def __init__(self, sets: Sequence[SetNumbers], settings: MimicrySettings) -> None:
        self._sets, self._settings = sets, settings
        self._bootstrap = Bootstrap(settings.resamples, settings.confidence, settings.seed)

    def results(self) -> Iterator[ArmResult]:
        """Each set's arms; then, of several sets, those over all."""
        for one in self._sets:
            yield from (self._arm(one.name, [one], arm) for arm in self._settings.arms)
        if len(self._sets) > 1:
            yield from (self._arm(ALL, self._sets, arm) for arm in self._settings.arms)

    def _arm(self, name: str, sets: Sequence[SetNumbers], arm: Arm) -> ArmResult:
        units = [(one, seed) for one in sets for seed in one.seeds(arm.name)]
        asked = len(sets) * self._settings.seeds
        note = "" if len(units) == asked else f"{asked - len(units)} of {asked} are not there"
        scored = bool(units) and arm.role not in (Role.NONE, Role.CLEAN)
        left, lost = self._imitation(units, arm.name) if scored else (None, None)
        spaces = list(sets[0].originals)
        drawn = [one.units[arm.name, seed] for one, seed in units]
        nearest = [float(unit.lpips.mean()) for unit in drawn if unit.lpips is not None]
        losses = [unit.loss for unit in drawn if unit.loss is not None]
        return ArmResult(
            set=name,
            arm=arm.name,
            role=arm.role.value,
            asked=asked,
            used=len(units),
            note=note,
            score=self._bootstrap.mean([one.score(arm.name, seed) for one, seed in units]),
            imitation=left,
            weaker=lost,
            closeness=[self._closeness(units, arm, space) for space in spaces if units],
            lpips=self._bootstrap.mean(nearest),
            loss=sum(losses) / len(losses) if losses else None,
        )

    def _imitation(
        self, units: Sequence[tuple[SetNumbers, int]], arm: str
    ) -> tuple[Estimate | None, Estimate | None]:
        """What is left of the clean imitator's gain over none, and what is lost of it."""
        scores = np.array([[one.score(a, seed) for a in (NONE, CLEAN, arm)] for one, seed in units])
        none, clean, mine = scores.T
        gain = (clean - none).tolist()
        return (
            self._bootstrap.ratio((mine - none).tolist(), gain),
            self._bootstrap.ratio((clean - mine).tolist(), gain),
        )

    def _closeness(
        self, units: Sequence[tuple[SetNumbers, int]], arm: Arm, space: str
    ) -> Closeness:
        similar = [one.similar(arm.name, seed, space) for one, seed in units]
        away = self._bootstrap.mean([one.away(arm.name, seed, space) for one, seed in units])
        similarity = self._bootstrap.mean([float(each.mean()) for each in similar])
        nearest = self._bootstrap.mean([float(each.max(1).mean()) for each in similar])
        assert away is not None
        assert similarity is not None
        assert nearest is not None
        sets = list({one.name: one for one, _ in units}.values())
        return Closeness(
            space=space,
            distance=away,
            kid=_mean_spread([self._kid(one, arm.name, space) for one in sets]),
            similarity=similarity,
            nearest=nearest,
            p_clean=None if arm.role is Role.CLEAN else self._swapped(sets, arm.name, space),
            p_none=None if arm.role is Role.NONE else self._resampled(sets, arm.name, space),
        )

    def _kid(self, one: SetNumbers, arm: str, space: str) -> Spread:
        drawn = one.drawn(arm, space)
        return kid(drawn, one.originals[space], seed=self._settings.seed)

    def _swapped(self, sets: Sequence[SetNumbers], arm: str, space: str) -> float | None:
        """Against clean imitators: another LoRA draws other pictures, of the same originals too."""
        strata = [list(_beside(one, arm, CLEAN, space)) for one in sets]
        return swap_test(strata, permutations=self._settings.permutations, seed=self._settings.seed)

    def _resampled(self, sets: Sequence[SetNumbers], arm: str, space: str) -> float:
        """Against the model without a LoRA, of which there is one: sample by sample."""
        pairs: list[tuple[Numbers, Numbers]] = []
        for one in sets:
            mine, others = zip(*_beside(one, arm, NONE, space), strict=True)
            pairs.append((np.concatenate(mine), np.concatenate(others)))
        return permutation_test(
            pairs, permutations=self._settings.permutations, seed=self._settings.seed
        )


def _beside(one: SetNumbers, arm: str, other: str, space: str) -> Iterator[tuple[Numbers, Numbers]]:
    """What an arm's imitators drew, each with another arm's of the same seed."""
    for seed in one.seeds(arm):
        yield one.units[arm, seed].vectors[space], one.units[other, seed].vectors[space]


def _mean_spread(found: Sequence[Spread]) -> Spread:
    """The mean over sets, with the spread of that mean."""
    spread = float(np.sqrt(sum(each.spread**2 for each in found))) / len(found)
    return Spread(sum(each.value for each in found) / len(found), spread)


def _numbers(vectors: Mapping[str, Tensor]) -> dict[str, Numbers]:
    return {space: _array(found) for space, found in vectors.items()}


def _array(found: Tensor) -> Numbers:
    return found.double().numpy()


def _last(losses: Sequence[float]) -> float | None:
    """Mean of the last tenth."""
    last = losses[-max(1, len(losses) // 10) :]
    return sum(last) / len(last) if last else None
