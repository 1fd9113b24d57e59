"""``mimic``: one imitator's LoRA each on clean, protected and purified pictures, and what it draws.

The artist's pictures are brought to squares of 512 pixels (or the model's own side, where that is
more) and protected there. The imitator cuts the central window of the model's resolution out of
each, so that protections are met at their own scale, applies its countermeasure to the window,
encodes, and trains. Every arm has the same initial weights, batches, times and noise, and draws the
same prompts from the same noise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fixative.codecs.families import probe_picture
from fixative.evaluation.journal import PROBE, Journal, Kind
from fixative.evaluation.results import PictureSource
from fixative.evaluation.rows import NOT_RUN
from fixative.mimicry.aggregate import Aggregator, read_set
from fixative.mimicry.arms import Role
from fixative.mimicry.edits import edit_measures, edit_results
from fixative.mimicry.plan import flat, plan_tasks
from fixative.mimicry.results import SCHEMA, MimicryResults, SetSource
from fixative.mimicry.rows import MimicryRow, Stage, Task
from fixative.mimicry.sets import PictureSet
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.tools import MimicryTools, ToolSource
from fixative.mimicry.workers import Alone, Crew, pool
from fixative.mimicry.workshop import CLEAN, EDITS, PICTURES, SAMPLES, Places, Workshop
from fixative.provenance import provenance

MIMICRY = Kind(
    "a mimicry test",
    MimicryRow.from_dict,
    (PICTURES, SAMPLES, EDITS, "plots"),
    ("results.json", "report.html", "grid.png"),
)
#: Of the codec's latents of the probe picture, so many tell it from another of the same name.
PROBED = 8


@dataclass(frozen=True)
class MimicryProgress:
    """Where a run is.

    Attributes:
        done: tasks that are done.
        total: all tasks.
        doing: what is being done, in a line.
        row: the task that was just done, if this tells of one.
    """

    done: int
    total: int
    doing: str
    row: MimicryRow | None = None


OnProgress = Callable[[MimicryProgress], None]


def mimic(
    sets: Sequence[PictureSet],
    out: Path,
    source: ToolSource,
    settings: MimicrySettings | None = None,
    *,
    workers: int = 1,
    on_progress: OnProgress | None = None,
    fresh: bool = False,
    stops: tuple[type[BaseException], ...] = (),
) -> MimicryResults:
    """Carry out a mimicry test, or go on where an interrupted one of the same was.

    A picture that cannot be read is left out, a task that fails is recorded with its error, and
    the rest goes on. ``results.json`` is written below ``out``; ``write_report`` makes the report.

    Args:
        sets: pictures; one imitator's each.
        out: folder; new, empty, or of the same run.
        source: where model and codec come from.
        settings: arms, seeds, LoRAs, samples.
        workers: processes; results do not depend on how many. A GPU, or tools that are in memory
            already, are used by one.
        on_progress: told of each task and step; may raise, to stop.
        fresh: remove what an earlier run left in ``out``.
        stops: exceptions that end a run in this process wherever they come from, instead of being
            recorded: a host's interrupt.

    Raises:
        SettingError: ``out`` holds something else, or model and codec do not fit together.
        FixativeError: something cannot be loaded, or a worker died.
        OSError: ``out`` cannot be written to.
    """
    settings = settings or MimicrySettings()
    tools = source.load()
    journal = Journal(out, header(sets, settings, tools), MIMICRY, fresh=fresh)
    run = _Run(plan_tasks(sets, settings), Places(out), journal, on_progress)
    shop = Workshop(settings, tools, out)
    many = min(workers, run.pending) if source.many else 1
    with _crew(shop, source, workers=many, stops=stops) as crew:
        run.work(crew)
    results = summarise(sets, settings, tools, journal.rows, out)
    results.save(out)
    return results


@torch.no_grad()
def header(
    sets: Sequence[PictureSet], settings: MimicrySettings, tools: MimicryTools
) -> dict[str, Any]:
    """What rows depend on: a run goes on only where all of it is the same."""
    code, described = provenance(), tools.describe()
    found = {
        "schema": SCHEMA,
        "settings": settings.to_dict(),
        "sets": [[one.name, [s.name, s.digest()]] for one in sets for s in one.subjects],
        "model": described["model"],
        "codec": described["codec"],
        "mixture": described["mixture"],
        "features": described["features"],
        "files": described["sha256"],
        "version of Fixative": [code["fixative"], code.get("commit")],
        PROBE: tools.codec.encode(probe_picture()).flatten()[::97][:PROBED].tolist(),
    }
    return json.loads(json.dumps(found))  # as it is read back


def summarise(
    sets: Sequence[PictureSet],
    settings: MimicrySettings,
    tools: MimicryTools,
    rows: Sequence[MimicryRow],
    out: Path,
) -> MimicryResults:
    """Results of the rows that there are; a run that was stopped has some, too."""
    places = Places(out)
    read = [read_set(one.name, rows, places) for one in sets]
    found = [numbers for numbers in read if numbers is not None]
    order = {task.key: n for n, task in enumerate(flat(plan_tasks(sets, settings)))}
    return MimicryResults(
        schema=SCHEMA,
        settings=settings.to_dict(),
        provenance=provenance(),
        tools=tools.describe(),
        sets=[_source(one, settings, tools, rows) for one in sets],
        arms=list(settings.arms),
        results=list(Aggregator(found, settings).results()) if found else [],
        edit_measures=edit_measures(tools) if settings.edit else [],
        edits=edit_results(sets, settings, tools, rows, out) if settings.edit else [],
        rows=sorted(rows, key=lambda row: order.get(row.key, len(order))),
    )


@dataclass
class _Run:
    """One call of ``mimic``."""

    stages: list[list[Task]]
    places: Places
    journal: Journal[MimicryRow]
    on_progress: OnProgress | None

    def __post_init__(self) -> None:
        self._total = len(flat(self.stages))
        self._done = self._total - self.pending

    @property
    def pending(self) -> int:
        """How many tasks are not done."""
        return sum(not self._is_done(task) for task in flat(self.stages))

    def work(self, crew: Crew) -> None:
        """Carry out every task that is not done."""
        for tasks in self.stages:
            ready: list[Task] = []
            for task in tasks:
                if not self._is_done(task):
                    reason = self._hindrance(task)
                    if reason:
                        self._record(task, _not_run(task, reason))
                    else:
                        ready.append(task)
            if ready:
                crew.work(ready, self._record, self._say)

    def _is_done(self, task: Task) -> bool:
        """Its row is there and so are its files."""
        return self.journal.done(task.key) is not None and self.places.result(task).is_file()

    def _hindrance(self, task: Task) -> str:
        """Why a task cannot be done; empty where it can."""
        needed = [CLEAN, task.arm.pictures]
        if task.stage is Stage.PICTURES:
            needed = [task.arm.source.name] if task.arm.role is Role.PURIFIED else []
        for arm in needed:
            row = self.journal.newest((Stage.PICTURES.value, task.pictures.name, arm, 0))
            if row is None or self.journal.done(row.key) is None:
                told = "they were not made" if row is None else row.note
                return f"needs the pictures of {arm}: {told}"
        return ""

    def _record(self, task: Task, row: MimicryRow) -> None:
        self.journal.add(row)
        self._done += 1
        if self.on_progress is not None:
            self.on_progress(MimicryProgress(self._done, self._total, task.title, row))

    def _say(self, task: Task, label: str, step: int, steps: int) -> None:
        if self.on_progress is not None:
            doing = f"{task.title}, {label} {step}/{steps}"
            self.on_progress(MimicryProgress(self._done, self._total, doing))


@contextmanager
def _crew(
    shop: Workshop, source: ToolSource, *, workers: int, stops: tuple[type[BaseException], ...]
) -> Generator[Crew]:
    if workers <= 1:
        yield Alone(shop, stops)
        return
    with pool(shop.settings, source, shop.out, workers=workers) as crew:
        yield crew


def _source(
    one: PictureSet, settings: MimicrySettings, tools: MimicryTools, rows: Sequence[MimicryRow]
) -> SetSource:
    pictures = [PictureSource(subject.name, subject.digest()) for subject in one.subjects]
    remarks = [remark for row in rows if row.set == one.name for remark in row.remarks]
    caption = settings.caption_of(one.name, tools.caption)
    return SetSource(one.name, caption, pictures, list(dict.fromkeys(remarks)))


def _not_run(task: Task, reason: str) -> MimicryRow:
    stage, name, arm, seed = task.key
    return MimicryRow(stage, name, arm, seed, NOT_RUN, reason)
