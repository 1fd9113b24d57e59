"""Carries out the cells of one picture; whatever goes wrong in a cell stays in its row."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fixative.batch.run import measure_saved
from fixative.countermeasures.base import PurifyStep
from fixative.errors import FixativeError
from fixative.evaluation.bench import Bench, Version, Versions, Windows
from fixative.evaluation.cost import measured
from fixative.evaluation.curves import loss_curve
from fixative.evaluation.files import Files
from fixative.evaluation.goals import Goals, aim_of
from fixative.evaluation.journal import Journal
from fixative.evaluation.makers import Makers, NotRun
from fixative.evaluation.plan import Cell
from fixative.evaluation.protocol import NONE, PICTURE, CountermeasureEntry, ProtectionEntry
from fixative.evaluation.rows import DONE, FAILED, NOT_RUN, ORIGINAL, SAME, Budget, Row
from fixative.evaluation.subjects import cut
from fixative.evaluation.visual import Visual
from fixative.images import on_8bit_grid
from fixative.pictures.picture import images_to_pixels
from fixative.protections.iterative import AttackStep

log = logging.getLogger(__name__)
_CLEAN = ProtectionEntry(NONE, NONE, ())


@dataclass(frozen=True)
class Workshop:
    """What every picture is worked on with.

    Attributes:
        makers: of protections and countermeasures.
        goals: what pulls are towards.
        visual: how visible changes are.
        files: where pictures are kept.
        journal: of what is done.
        tell: told what is being done.
        stops: exceptions that end the run instead of being recorded.
    """

    makers: Makers
    goals: Goals
    visual: Visual
    files: Files
    journal: Journal[Row]
    tell: Callable[[str], None]
    stops: tuple[type[BaseException], ...] = ()


class PictureRun:
    """One picture's cells.

    Args:
        workshop: shared by all pictures.
        image: (1, 3, H, W) on the 8-bit grid.
        number: of the picture, from 0; its seeds depend on it.
        keep: keep what countermeasures leave, for the gallery.
    """

    def __init__(self, workshop: Workshop, image: Tensor, *, number: int, keep: bool) -> None:
        self._shop, self._keep = workshop, keep
        makers = workshop.makers
        self._protocol = makers.protocol
        self._seed = self._protocol.seed + number
        self._bench = Bench(image, makers.protocol, makers.tools, workshop.goals)
        self._device = makers.tools.codec.device
        self._kept: dict[str, Tensor] = {}

    def run(self, cell: Cell) -> Row:
        """Measure a cell."""
        start: dict[str, Any] = dict(
            zip(("picture", "protection", "strength", "countermeasure"), cell.key, strict=True)
        )
        try:
            return Row(**start, **self._measured(cell))
        except self._shop.stops:
            raise
        except NotRun as reason:
            return Row(**start, status=NOT_RUN, note=str(reason))
        except Exception as error:  # one cell must not end the run; the row tells what it was
            if not isinstance(error, FixativeError):
                log.error("%s failed", cell.key, exc_info=error)
            return Row(**start, status=FAILED, note=one_line(error))

    def _measured(self, cell: Cell) -> dict[str, Any]:
        if cell.protection is None:
            assert cell.countermeasure is not None
            return self._clean(cell, cell.countermeasure)
        if cell.countermeasure is None:
            return self._protection(cell, cell.protection)
        return self._countermeasure(cell, cell.protection, cell.countermeasure)

    def _clean(self, cell: Cell, entry: CountermeasureEntry) -> dict[str, Any]:
        """What a countermeasure does to the clean picture."""
        file = self._shop.files.name(cell.key, sees=PICTURE)
        done = self._purify(cell, self._bench.image, entry)
        self._kept[file] = self._shop.files.save(file, done.pop("image"))
        windows = self._bench.windows(entry)
        original, after = Version(self._bench.image, _clean(PICTURE)), Version(self._kept[file])
        learns = self._shop.makers.learns(entry)
        source = self._shop.makers.learns_from(entry).name if learns else ""
        return done | {
            "note": f"learnt from pictures of {source}" if learns else "",
            "visual": self._compare(after.image, self._bench.image, windows),
            "latent": self._bench.clean_shift(original, after, windows),
            "file": file,
        }

    def _protection(self, cell: Cell, entry: ProtectionEntry) -> dict[str, Any]:
        """What a protection does, measured on its file."""
        before = self._bench.seen(entry.sees)
        method = self._shop.makers.protection(
            entry, cell.strength, seed=self._seed, on_step=self._steps(cell)
        )
        with measured(self._device) as cost:
            image = method.protect(before).image
        file = self._shop.files.name(cell.key, sees=entry.sees)
        saved = self._kept[file] = self._shop.files.save(file, image)
        change = measure_saved(images_to_pixels(before), images_to_pixels(saved))
        kept = change.largest <= cell.strength
        windows, aim = self._bench.windows(None), aim_of(entry.method)
        original = Version(before, _clean(entry.sees))
        protected = Version(saved, f"protected {entry.name} {cell.strength:g}")
        versions = Versions(original, protected, original, protected)
        return {
            "seconds": cost.seconds,
            "peak_mb": cost.peak_mb,
            "target": self._bench.target(aim, entry.sees),
            "visual": self._compare(saved, before, windows),
            "latent": self._bench.effects(versions, aim, entry.sees, windows),
            "budget": Budget(change.largest, change.mean, kept),
            "file": file,
        }

    def _countermeasure(
        self, cell: Cell, protection: ProtectionEntry, entry: CountermeasureEntry
    ) -> dict[str, Any]:
        """What a countermeasure leaves of a protection."""
        protected = self._protected(cell, protection)
        done = self._purify(cell, protected, entry)
        image: Tensor = done.pop("image")
        before, windows = self._bench.seen(protection.sees), self._bench.windows(entry)
        learns = self._shop.makers.learns(entry)
        original = Version(before, _clean(protection.sees))
        reference = original if learns else self._reference(cell, protection.sees, entry)
        shown = Version(protected, f"protected {protection.name} {cell.strength:g}")
        versions = Versions(original, shown, reference, Version(image))
        aim = aim_of(protection.method)
        return done | {
            "target": self._bench.target(aim, protection.sees),
            "reference": ORIGINAL if learns else SAME,
            "visual": self._compare(image, before, windows),
            "latent": self._bench.effects(versions, aim, protection.sees, windows),
            "file": self._keep_file(cell, protection, image),
        }

    def _keep_file(self, cell: Cell, protection: ProtectionEntry, image: Tensor) -> str | None:
        if not self._keep:
            return None
        file = self._shop.files.name(cell.key, sees=protection.sees)
        self._shop.files.save(file, image)
        return file

    def _purify(self, cell: Cell, image: Tensor, entry: CountermeasureEntry) -> dict[str, Any]:
        """Cut, apply, round as saving would; the image with what it cost."""
        tool = cell.protection or (
            self._shop.makers.learns_from(entry) if self._shop.makers.learns(entry) else _CLEAN
        )
        method = self._shop.makers.countermeasure(entry, tool, seed=self._seed)
        given = self._bench.given(image, entry)
        with measured(self._device) as cost:
            purified = method.purify(given, on_step=self._steps(cell))
        return {
            "image": on_8bit_grid(purified.image),
            "seconds": cost.seconds,
            "peak_mb": cost.peak_mb,
            "curve": loss_curve(purified.details[0]),
        }

    def _protected(self, cell: Cell, entry: ProtectionEntry) -> Tensor:
        """The protected picture as its file has it; made again if the file is gone."""
        alone = Cell(cell.subject, entry, cell.strength)
        file = self._shop.files.name(alone.key, sees=entry.sees)
        if file not in self._kept:
            row = self._shop.journal.newest(alone.key)
            if row is not None and row.status != DONE:
                kind = NotRun if row.status == NOT_RUN else FixativeError
                raise kind(f"{entry.name} was not made: {row.note}")
            if not self._shop.files.has(file):
                method = self._shop.makers.protection(entry, cell.strength, seed=self._seed)
                self._shop.files.save(file, method.protect(self._bench.seen(entry.sees)).image)
            self._kept[file] = self._shop.files.read(file)
        return self._kept[file]

    def _reference(self, cell: Cell, sees: str, entry: CountermeasureEntry) -> Version:
        """The clean picture after the countermeasure, as the protection's saw it."""
        clean = Cell(cell.subject, countermeasure=entry)
        sees = PICTURE if self._bench.sees_alike(entry) else sees
        file = self._shop.files.name(clean.key, sees=sees)
        if file not in self._kept:
            if self._shop.files.has(file):
                self._kept[file] = self._shop.files.read(file)
            else:
                image = self._purify(clean, self._bench.seen(sees), entry)["image"]
                self._kept[file] = self._shop.files.save(file, image)
        return Version(self._kept[file], f"clean {sees} {entry.name}")

    def _compare(self, image: Tensor, before: Tensor, windows: Windows) -> dict[str, float | None]:
        for side in windows:
            image, before = cut(image, side), cut(before, side)
        return self._shop.visual.compare(image, before)

    def _steps(self, cell: Cell) -> Callable[[AttackStep | PurifyStep], None]:
        def tell(step: AttackStep | PurifyStep) -> None:
            self._shop.tell(f"{title(cell)}, step {step.step}/{step.steps}")

        return tell


def _clean(sees: str) -> str:
    """The name of the clean picture's version."""
    return f"clean {sees}"


def title(cell: Cell) -> str:
    """A cell as a progress bar shows it."""
    _, protection, strength, countermeasure = cell.key
    parts = [cell.subject.name]
    parts.append("clean" if protection == NONE else f"{protection} at {strength:g}")
    return " · ".join(parts + ([] if countermeasure == NONE else [countermeasure]))


def one_line(error: BaseException) -> str:
    """An error as a row keeps it."""
    told = " ".join(str(error).split()) or "no message"
    return told if isinstance(error, FixativeError) else f"{type(error).__name__}: {told}"
