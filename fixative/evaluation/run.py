"""``evaluate``: protections × strengths × countermeasures × pictures × codecs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from fixative.errors import FixativeError
from fixative.evaluation.aggregate import Aggregator
from fixative.evaluation.files import Files, original_file
from fixative.evaluation.goals import Goals
from fixative.evaluation.journal import EVALUATION, PROBE, Journal
from fixative.evaluation.makers import Makers
from fixative.evaluation.plan import Cell, nested_order, plan_cells
from fixative.evaluation.protocol import Protocol
from fixative.evaluation.results import LATENT_MEASURES, SCHEMA, PictureSource, Results
from fixative.evaluation.rows import FAILED, Row
from fixative.evaluation.runner import PictureRun, Workshop, one_line, title
from fixative.evaluation.statistics import Bootstrap
from fixative.evaluation.subjects import Choice, Subject, choose_subjects, subjects_of_images
from fixative.evaluation.tools import Tools, load_tools
from fixative.evaluation.visual import Visual
from fixative.provenance import provenance


@dataclass(frozen=True)
class Progress:
    """Where an evaluation is.

    Attributes:
        done: cells that are done.
        total: all cells.
        doing: what is being done, in a line.
        row: the cell that was just done, if this tells of one.
    """

    done: int
    total: int
    doing: str
    row: Row | None = None


OnProgress = Callable[[Progress], None]


def evaluate(
    protocol: Protocol,
    pictures: Sequence[Subject] | Tensor | Sequence[Tensor],
    out: Path,
    *,
    tools: Tools | None = None,
    on_progress: OnProgress | None = None,
    fresh: bool = False,
    stops: tuple[type[BaseException], ...] = (),
) -> Results:
    """Carry out a protocol, or go on where an interrupted run of the same was.

    A picture that cannot be read, or a cell that fails, is recorded with its error and the rest
    goes on. ``results.json`` is written below ``out``; ``write_report`` makes the report of it.

    Args:
        protocol: what to measure.
        pictures: ``Subject``s, (B, 3, H, W) in [0, 1], or several (1, 3, H, W).
        out: folder; new, empty, or of the same evaluation.
        tools: codecs, mixture, distance, denoiser; otherwise those that the protocol names are
            loaded.
        on_progress: told of each cell and step; may raise between cells, to stop.
        fresh: remove what an earlier evaluation left in ``out``.
        stops: exceptions, beside KeyboardInterrupt, that end the run wherever they come from
            instead of being recorded: a host's interrupt.

    Raises:
        SettingError: ``out`` holds another evaluation, or there are no pictures.
        FixativeError: a codec or weights cannot be loaded.
        OSError: ``out`` cannot be written to.
    """
    tools = tools or load_tools(protocol)
    choice = choose_subjects(_subjects(pictures), protocol)
    journal = Journal(out, header(protocol, tools, choice), EVALUATION, fresh=fresh)
    plan = plan_cells(protocol, choice.measured)
    _Run(protocol, tools, choice, plan, out, journal, on_progress, stops).work()
    results = summarise(protocol, tools, choice, plan, journal.rows)
    results.save(out)
    return results


def header(protocol: Protocol, tools: Tools, choice: Choice) -> dict[str, Any]:
    """What rows depend on: an evaluation goes on only where all of it is the same."""
    code = provenance()
    return {
        "schema": SCHEMA,
        "protocol": protocol.digest(),
        "pictures": [[subject.name, subject.digest()] for subject in choice.measured],
        "pairs": [[subject.name, subject.digest()] for subject in choice.pairs],
        "codecs": tools.describe()["codecs"],
        "mixture": tools.describe()["mixture"],
        "perceptual distance": tools.distance.name,
        "denoiser": tools.describe()["denoiser"],
        "version of Fixative": [code["fixative"], code.get("commit")],
        PROBE: tools.probe(),
    }


def summarise(
    protocol: Protocol,
    tools: Tools,
    choice: Choice,
    plan: Sequence[Sequence[Cell]],
    rows: Sequence[Row],
) -> Results:
    """Results of the rows that there are."""
    names = [codec.name for codec in tools.codecs]
    bootstrap = Bootstrap(protocol.resamples, protocol.confidence, protocol.seed)
    planned = [cell for cells in plan for cell in cells]
    aggregator = Aggregator(planned, rows, names, bootstrap)
    effects = aggregator.effects()
    return Results(
        schema=SCHEMA,
        protocol=protocol.to_dict(),
        protocol_sha256=protocol.digest(),
        provenance=provenance(),
        tools=tools.describe(),
        given=choice.given,
        pictures=[PictureSource(subject.name, subject.digest()) for subject in choice.measured],
        pairs=[subject.name for subject in choice.pairs],
        measures=Visual(tools.distance).measures,
        latent_measures=list(LATENT_MEASURES),
        protections=aggregator.protections(effects),
        effects=effects,
        damages=aggregator.damages(),
        rows=list(rows),
    )


@dataclass
class _Run:
    """One call of ``evaluate``."""

    protocol: Protocol
    tools: Tools
    choice: Choice
    plan: list[list[Cell]]
    out: Path
    journal: Journal[Row]
    on_progress: OnProgress | None
    stops: tuple[type[BaseException], ...]

    def __post_init__(self) -> None:
        self._total = sum(len(cells) for cells in self.plan)
        self._done = 0

    def work(self) -> None:
        """Carry out every cell that is not done."""
        makers = Makers(self.protocol, self.tools, self.choice.pairs, self.out, self._say)
        shop = Workshop(
            makers,
            Goals(self.tools.codec, self.tools.mixture),
            Visual(self.tools.distance),
            Files(self.out),
            self.journal,
            self._say,
            self.stops,
        )
        shown = set(nested_order(len(self.plan))[: self.protocol.gallery])
        for number, cells in enumerate(self.plan):
            pending = [cell for cell in cells if self.journal.done(cell.key) is None]
            self._done += len(cells) - len(pending)
            if pending:
                self._picture(shop, number, pending, keep=number in shown)

    def _picture(self, shop: Workshop, number: int, cells: list[Cell], *, keep: bool) -> None:
        subject = self.choice.measured[number]
        try:
            image = subject.load(self.protocol.size)
        except FixativeError as error:
            for cell in cells:
                picture, protection, strength, countermeasure = cell.key
                note = one_line(error)
                row = Row(picture, protection, strength, countermeasure, FAILED, note)
                self._record(cell, row)
            return
        if keep:
            shop.files.save(original_file(subject.name), image)
        run = PictureRun(shop, image, number=number, keep=keep)
        for cell in cells:
            self._say(title(cell))
            self._record(cell, run.run(cell))

    def _record(self, cell: Cell, row: Row) -> None:
        self.journal.add(row)
        self._done += 1
        if self.on_progress is not None:
            self.on_progress(Progress(self._done, self._total, title(cell), row))

    def _say(self, doing: str) -> None:
        if self.on_progress is not None:
            self.on_progress(Progress(self._done, self._total, doing))


def _subjects(pictures: Sequence[Subject] | Tensor | Sequence[Tensor]) -> list[Subject]:
    if isinstance(pictures, Tensor):
        return subjects_of_images(pictures)
    found = [one for one in pictures if isinstance(one, Subject)]
    if len(found) == len(pictures):
        return found
    return subjects_of_images([one for one in pictures if isinstance(one, Tensor)])
