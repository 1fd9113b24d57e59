"""Carries out one task of a mimicry test; what goes wrong in it stays in its row."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixative.errors import FixativeError
from fixative.evaluation.files import file_name
from fixative.evaluation.rows import FAILED
from fixative.evaluation.runner import one_line
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.editing import edit_pictures, saved_edits
from fixative.mimicry.imitation import imitate
from fixative.mimicry.prepared import (
    Prepared,
    Tell,
    load_prepared,
    prepare,
    protected_windows,
    purified_windows,
)
from fixative.mimicry.rows import MimicryRow, Stage, Task
from fixative.mimicry.sets import load_canvases
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.tools import MimicryTools

log = logging.getLogger(__name__)
#: Folders below the output folder.
PICTURES, SAMPLES, EDITS = "pictures", "samples", "edits"
CLEAN = Role.CLEAN.value


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The run is to end, and what was begun is not kept."""


@dataclass(frozen=True)
class Places:
    """Where a run's files lie.

    Attributes:
        out: the run's folder.
    """

    out: Path

    def pictures(self, name: str, arm: str) -> Path:
        """What an arm's imitators learn from."""
        return self._file(PICTURES, name, arm)

    def result(self, task: Task) -> Path:
        """What a task makes."""
        if task.stage is Stage.PICTURES:
            return self.pictures(task.pictures.name, task.arm.name)
        if task.stage is Stage.EDIT:
            return self._file(EDITS, task.pictures.name, task.arm.name)
        return self._file(SAMPLES, task.pictures.name, f"{task.arm.name} {task.seed}")

    def relative(self, path: Path) -> str:
        """As rows keep it."""
        return path.relative_to(self.out).as_posix()

    def _file(self, folder: str, name: str, what: str) -> Path:
        return self.out / folder / file_name(name) / f"{file_name(what)}.safetensors"


@dataclass(frozen=True)
class Workshop:
    """What every task is worked on with.

    Attributes:
        settings: of the run.
        tools: models.
        out: the run's folder.
    """

    settings: MimicrySettings
    tools: MimicryTools
    out: Path

    @property
    def places(self) -> Places:
        """Where files lie."""
        return Places(self.out)

    def attempt(
        self, task: Task, tell: Tell, stops: tuple[type[BaseException], ...] = ()
    ) -> MimicryRow:
        """Carry out a task, whatever becomes of it.

        Args:
            task: what to do; what it needs is done.
            tell: told of each step; may raise ``Stopped``.
            stops: further exceptions that end the run instead of being recorded.
        """
        began = time.perf_counter()
        start: dict[str, Any] = dict(zip(("stage", "set", "arm", "seed"), task.key, strict=True))
        try:
            found = self._carried_out(task, tell)
            return MimicryRow(**start, **found, seconds=time.perf_counter() - began)
        except (Stopped, *stops):
            raise
        except Exception as error:  # one task must not end the run; the row tells what it was
            if not isinstance(error, FixativeError):
                log.error("%s failed", task.key, exc_info=error)
            return MimicryRow(**start, status=FAILED, note=one_line(error))

    def _carried_out(self, task: Task, tell: Tell) -> dict[str, Any]:
        work = {
            Stage.PICTURES: self._pictures,
            Stage.LORA: self._imitation,
            Stage.EDIT: self._edits,
        }
        return work[task.stage](task, tell)

    def _pictures(self, task: Task, tell: Tell) -> dict[str, Any]:
        name, arm, remarks = task.pictures.name, task.arm, list[str]()
        if arm.role is Role.PURIFIED:
            given = self._prepared(name, arm.source)
            windows = purified_windows(arm, name, given.images, self.settings, self.tools, tell)
        else:
            side = max(self.settings.canvas, self.tools.denoiser.resolution)
            canvases = load_canvases(task.pictures, side)
            windows = protected_windows(arm, name, canvases, self.settings, self.tools, tell)
            remarks += canvases.notes
        done = prepare(windows, self.tools, features=arm.role is Role.CLEAN)
        path = self.places.result(task)
        done.save(path)
        return {"file": self.places.relative(path), "remarks": remarks}

    def _imitation(self, task: Task, tell: Tell) -> dict[str, Any]:
        name, arm = task.pictures.name, task.arm
        given = load_prepared(self.places.pictures(name, arm.pictures))
        originals = load_prepared(self.places.pictures(name, CLEAN)).images
        done = imitate(arm, name, task.seed, given, originals, self.settings, self.tools, tell)
        path = self.places.result(task)
        done.save(path, path.with_suffix(".png"))
        return {
            "file": self.places.relative(path),
            "picture": self.places.relative(path.with_suffix(".png")),
            "losses": [float(f"{loss:.6g}") for loss in done.losses],
        }

    def _edits(self, task: Task, tell: Tell) -> dict[str, Any]:
        given = load_prepared(self.places.pictures(task.pictures.name, task.arm.pictures))
        path = self.places.result(task)
        edits = edit_pictures(task.arm, task.pictures.name, given, self.settings, self.tools, tell)
        saved_edits(edits, path, path.with_suffix(".png"), self.tools)
        return {
            "file": self.places.relative(path),
            "picture": self.places.relative(path.with_suffix(".png")),
        }

    def _prepared(self, name: str, arm: Arm) -> Prepared:
        path = self.places.pictures(name, arm.name)
        if not path.is_file():
            raise FixativeError(f"{arm.name} was not made")
        return load_prepared(path)
