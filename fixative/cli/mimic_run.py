"""The run behind ``fixative mimic``: plan, train and draw with one progress bar, report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fixative.cli.console import BAD_INPUT, INTERRUPTED, messages, results, say
from fixative.cli.progress import tasks_progress
from fixative.errors import SettingError
from fixative.mimicry.arms import DEFAULT_COUNTERMEASURES, DEFAULT_PROTECTIONS, plan_arms
from fixative.mimicry.load import is_testbed
from fixative.mimicry.markdown import main_table, markdown_tables, verdict_lines
from fixative.mimicry.report import write_report
from fixative.mimicry.results import MimicryResults
from fixative.mimicry.run import mimic
from fixative.mimicry.sets import PictureSet, sets_of_folders
from fixative.mimicry.settings import EditSettings, MimicrySettings, full_size, quick
from fixative.mimicry.tools import FileTools
from fixative.pictures.naming import shown

NO_BASELINE = "none"


@dataclass(frozen=True)
class Request:
    """What the person asked for; names as on the command line."""

    images: tuple[Path, ...]
    out: Path
    protections: tuple[str, ...]
    countermeasures: tuple[str, ...]
    baseline: str
    strength: float
    model: str
    config: Path | None
    codec: str
    mixture: Path | None
    captions: tuple[str, ...]
    prompts: tuple[str, ...]
    seeds: int | None
    samples: int | None
    lora: Mapping[str, Any]
    draw: Mapping[str, Any]
    seed: int
    edit: bool
    edit_prompt: str
    edit_level: float
    quick: bool
    workers: int | None
    device: str | None
    markdown: bool
    fresh: bool


def run(request: Request) -> int:
    """Carry it out, print the verdict and tables, and return the exit code.

    Raises:
        FixativeError: pictures, model, settings or folder cannot be used.
        OSError: the folder cannot be written to.
    """
    sets = sets_of_folders(request.images, out=request.out)
    settings = _settings(request, sets)
    source = FileTools(
        request.model, request.codec, request.mixture, request.device, request.config
    )
    try:
        with tasks_progress("imitating", line_every=1) as on_progress:
            found = mimic(
                sets,
                request.out,
                source,
                settings,
                workers=request.workers or os.cpu_count() or 1,
                on_progress=on_progress,
                fresh=request.fresh,
            )
    except KeyboardInterrupt:
        say(messages(), "interrupted; nothing is lost: the same command goes on from here")
        return INTERRUPTED
    return _conclude(found, write_report(found, request.out), markdown=request.markdown)


def _settings(request: Request, sets: Sequence[PictureSet]) -> MimicrySettings:
    arms = plan_arms(
        request.protections or DEFAULT_PROTECTIONS,
        request.countermeasures or DEFAULT_COUNTERMEASURES,
        baseline=None if request.baseline == NO_BASELINE else request.baseline,
    )
    caption, captions = _captions(request.captions, [one.name for one in sets])
    settings = MimicrySettings(
        arms=arms,
        strength=request.strength,
        seed=request.seed,
        caption=caption,
        captions=captions,
        prompts=request.prompts,
        edit=EditSettings(request.edit_prompt, request.edit_level) if request.edit else None,
    )
    settings = settings if is_testbed(request.model) else full_size(settings)
    settings = quick(settings, sets=len(sets)) if request.quick else settings
    return replace(
        settings,
        lora=replace(settings.lora, **_given(request.lora)),
        draw=replace(settings.draw, **_given(request.draw)),
        **_given({"seeds": request.seeds, "samples": request.samples}),
    )


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the person set."""
    return {key: value for key, value in options.items() if value is not None}


def _captions(
    texts: Sequence[str], names: Sequence[str]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The caption of all sets, and those of single ones, ``SET=TEXT``."""
    common, own = "", dict[str, str]()
    for text in texts:
        name, equals, words = text.partition("=")
        if not equals:
            common = text.strip()
        elif name.strip() in names and words.strip():
            own[name.strip()] = words.strip()
        else:
            raise SettingError(
                f"caption {text!r}: expected TEXT, or SET=TEXT with one of the sets "
                f"{', '.join(names)}"
            )
    return common, tuple(own.items())


def _conclude(found: MimicryResults, report: Path, *, markdown: bool) -> int:
    console = results()
    for line in (markdown_tables(found) if markdown else main_table(found)).splitlines():
        say(console, line)
    say(console, "")
    for line in verdict_lines(found):
        say(console, line)
    for remark in dict.fromkeys(r for one in found.sets for r in one.remarks):
        say(console, f"note: {remark}")
    for note in dict.fromkeys(f"{row.set}, {row.arm}: {row.note}" for row in found.failures):
        say(console, f"failed: {note}")
    parts = [f"{len(found.rows)} tasks", f"{len(found.failures)} failed"]
    say(console, f"{', '.join(parts)}; report: {shown(report)}")
    return BAD_INPUT if found.failures else 0
