"""The run behind the sub-tab Mimicry test: loads the engine's part when it is asked for."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fixative.evaluation.subjects import Subject
from fixative.mimicry.arms import plan_arms
from fixative.mimicry.markdown import verdict_lines
from fixative.mimicry.report import GRIDS, write_report
from fixative.mimicry.results import NAME, MimicryResults
from fixative.mimicry.run import MimicryProgress, mimic
from fixative.mimicry.sets import PictureSet
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.tables import arm_table
from fixative.mimicry.tools import FileTools
from fixative.pictures.naming import shown
from fixative_webui import host
from fixative_webui import tab_html as html
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import page_folder
from fixative_webui.tab_view import picture_view

SET = "pictures"
INTERRUPTED = "Interrupted; nothing is lost: run it again with the same fields, and it goes on."


@dataclass(frozen=True)
class Wanted:
    """The fields of the sub-tab, in their order."""

    protections: str
    countermeasures: str
    baseline: str
    strength: float
    seeds: float
    samples: float
    steps: float
    fresh: bool

    def settings(self) -> MimicrySettings:
        """As the engine has them.

        Raises:
            SettingError: an unknown method, or a number out of range.
        """
        usual = MimicrySettings()
        arms = plan_arms(
            self.protections.split(),
            self.countermeasures.split(),
            baseline=self.baseline.strip() or None,
        )
        return replace(
            usual,
            arms=arms,
            strength=float(self.strength),
            seeds=int(self.seeds or 0),
            samples=int(self.samples or 0),
            lora=replace(usual.lora, steps=int(self.steps or 0)),
        )


def run(sources: Sequence[Path], wanted: Wanted) -> Answer:
    """Carry out a test, or go on where an interrupted one of the same was.

    Raises:
        FixativeError: pictures or settings cannot be used.
        OSError: results cannot be written.
    """
    settings = wanted.settings()
    one = PictureSet(SET, tuple(_subjects(sources)))
    out = host.allowed_output_dir() / f"mimicry-{_mark(one, settings)}"
    with host.job("Imitating"):
        try:
            found = mimic(
                [one],
                out,
                FileTools(),
                settings,
                on_progress=_tell,
                fresh=wanted.fresh,
                stops=(host.Stopped,),
            )
            page = write_report(found, out)
        except host.Stopped:
            return Answer(html.report(html.problem(INTERRUPTED)))
    return Answer(_told(found, out), _grid(out), [page, out / NAME])


def _subjects(sources: Sequence[Path]) -> list[Subject]:
    """Every file under a name of its own."""
    counts = Counter(source.name for source in sources)
    return [
        Subject(
            shown(source.name) if counts[source.name] == 1 else f"{number} {source.name}", source
        )
        for number, source in enumerate(sources, start=1)
    ]


def _mark(one: PictureSet, settings: MimicrySettings) -> str:
    """The same for the same test, so that an interrupted one is found again."""
    told = [subject.name + subject.digest() for subject in one.subjects] + [repr(settings)]
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _tell(progress: MimicryProgress) -> None:
    host.tell(
        progress.done, progress.total, f"{progress.done} of {progress.total}: {progress.doing}"
    )


def _told(found: MimicryResults, out: Path) -> str:
    table = arm_table(found, found.scope)
    rows = [[entry.text for entry in row] for row in table.rows]
    remarks = dict.fromkeys(remark for one in found.sets for remark in one.remarks)
    failures = dict.fromkeys(f"{row.arm}: {row.note}" for row in found.failures)
    first, *others = verdict_lines(found) or ["Nothing was measured: see what failed"]
    return html.report(
        html.heading(first),
        *(html.paragraph(line) for line in others),
        *(html.problem(line) for line in failures),
        html.table([column.label for column in table.columns], rows),
        html.paragraph(table.note),
        html.bullets(remarks),
        html.paragraph(f"Everything is in {out}; report.html shows it all."),
    )


def _grid(out: Path) -> str:
    grids = sorted((out / GRIDS).glob("*.png"))
    if not grids:
        return ""
    copy = page_folder() / grids[0].name
    shutil.copyfile(grids[0], copy)
    return picture_view(copy, name="What each imitator drew")
