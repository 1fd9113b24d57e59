"""Many pictures at once: a bad one is told of, and the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fixative.batch import FileTask, Plan, check_writable, plan_files
from fixative.codecs.gradient import OUT_OF_MEMORY
from fixative.errors import FixativeError, SettingError
from fixative.pictures import OUTPUT_FORMATS, read_picture, write_picture
from fixative.pictures.naming import shown
from fixative_webui import host
from fixative_webui import tab_html as html
from fixative_webui.settings import Options
from fixative_webui.tab_answer import Answer
from fixative_webui.tab_files import LIMITS, all_uploaded, folder_named, free_names
from fixative_webui.vae import Sight, codec_for
from fixative_webui.work import Done, OnStep, protect

log = logging.getLogger(__name__)

ENDING = "-protected.png"
PNG = OUTPUT_FORMATS["png"]
COLUMNS = ("picture", "target", "group", "largest change", "PSNR", "to know")
#: Longer tables are cut.
MOST_ROWS = 200
#: Of a picture, in the host's progress bar.
PARTS = 100


@dataclass
class Batch:
    """What a batch has come to; the pictures themselves are let go of.

    Attributes:
        total: pictures to do.
        outputs: files that were written, in order.
        rows: of the table, one for each of them.
        failures: a line each that names the picture.
        says: which VAE.
        interrupted: the user stopped it.
    """

    total: int
    outputs: list[Path] = field(default_factory=list[Path])
    rows: list[list[str]] = field(default_factory=list[list[str]])
    failures: list[str] = field(default_factory=list[str])
    says: str = ""
    interrupted: bool = False


def protect_uploaded(pictures: object, options: Options) -> Answer:
    """Protect uploaded files; the results are downloads.

    Raises:
        SettingError: there are none.
    """
    sources = all_uploaded(pictures)
    if not sources:
        raise SettingError("pictures: there are none; drop files on the field, or click on it")
    names = free_names(sources, host.allowed_output_dir(), ending=ENDING)
    tasks = [FileTask(source, out) for source, out in zip(sources, names, strict=True)]
    batch = _protect_all(Plan(tasks), options, overwrite=False)
    return Answer(_told(batch, Plan()), files=batch.outputs)


def protect_folder(source: str, out: str, options: Options, *, overwrite: bool) -> Answer:
    """Protect every picture of a folder, as the command line does.

    Raises:
        SettingError: no folder, or the host's administrator does not let folders be named.
    """
    if not host.folders_allowed():
        raise SettingError("folders: this web UI was started so that none can be named")
    folder = folder_named(source, what="folder with pictures")
    given = (out or "").strip()
    target = folder_named(given, what="folder for the results") if given else _own_folder(folder)
    plan = plan_files([folder], target, output=PNG)
    check_writable(target)
    batch = _protect_all(plan, options, overwrite=overwrite)
    return Answer(_told(batch, plan, target))


def _own_folder(source: Path) -> Path:
    """A folder among the host's outputs for the results of another."""
    return host.allowed_output_dir() / f"{source.resolve().name}-protected"


def _protect_all(plan: Plan, options: Options, *, overwrite: bool) -> Batch:
    batch = Batch(len(plan.tasks))
    if not plan.tasks:
        return batch
    with host.job("Protecting"), codec_for(options) as seen:
        batch.says = seen.says
        for number, task in enumerate(plan.tasks):
            try:
                tell = _telling(number, len(plan.tasks), task.source.name)
                batch.rows.append(_protected(task, options, seen, tell, overwrite=overwrite))
                batch.outputs.append(task.output)
            except host.Stopped:
                batch.interrupted = True
                break
            except Exception as error:  # one picture must not end the batch
                batch.failures.append(_reason(error, task))
    return batch


def _protected(
    task: FileTask, options: Options, seen: Sight, tell: OnStep, *, overwrite: bool
) -> list[str]:
    """Protect and save one picture; its row of the table."""
    _refuse_existing(task, overwrite=overwrite)
    picture = read_picture(task.source, limits=LIMITS)
    done = protect(picture, options, seen, tell)
    saved = write_picture(picture, done.pixels, task.output, output=PNG, overwrite=overwrite)
    return _row(task, done, task.notes + saved.notes)


def _refuse_existing(task: FileTask, *, overwrite: bool) -> None:
    if task.output.exists() and not overwrite:
        raise SettingError(
            f"{shown(task.source.name)}: its result is there already ({shown(task.output)}); tick "
            "“Replace results that exist”, or choose another folder for the results"
        )


def _telling(number: int, count: int, name: str) -> OnStep:
    """Progress of one picture as a part of all."""

    def tell(step: int, steps: int, text: str) -> None:
        at = number * PARTS + PARTS * step // max(1, steps)
        host.tell(at, count * PARTS, f"{number + 1} of {count}, {name}: {text}")

    return tell


def _reason(error: Exception, task: FileTask) -> str:
    name = shown(task.source.name)
    if isinstance(error, FixativeError):
        return str(error).replace(str(task.source), name)
    if isinstance(error, OUT_OF_MEMORY):
        return f"{name}: there is not enough memory; shrink it, or unload models"
    if isinstance(error, OSError):
        return f"{name}: cannot be saved: {error.strerror or error} ({shown(task.output)})"
    log.error("%s failed", name, exc_info=error)
    return f"{name}: failed for a reason not foreseen ({type(error).__name__}: {error})"


def _told(batch: Batch, plan: Plan, target: Path | None = None) -> str:
    planned = [line.replace("another --out", "another folder") for _, line in plan.failures]
    failures = planned + batch.failures
    rows = batch.rows
    parts = [html.heading(_summary(batch, plan, len(failures)))]
    parts += [html.problem(line) for line in failures[:MOST_ROWS]]
    if batch.says:
        parts.append(html.paragraph(f"Seen through {batch.says}"))
    if rows:
        parts.append(html.table(COLUMNS, rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        parts.append(html.paragraph(f"and {len(rows) - MOST_ROWS} more"))
    if target is not None and rows:
        parts.append(html.paragraph(f"Saved without loss in {target}"))
    return html.report(*parts)


def _summary(batch: Batch, plan: Plan, failed: int) -> str:
    parts = [f"{len(batch.outputs)} protected", f"{failed} failed"]
    if plan.skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(plan.skipped.items()))
        parts.append(f"{sum(plan.skipped.values())} skipped ({kinds})")
    if batch.interrupted:
        left = batch.total - len(batch.outputs) - len(batch.failures)
        parts.append(f"interrupted, {left} not done")
    return ", ".join(parts)


def _row(task: FileTask, done: Done, notes: Sequence[str]) -> list[str]:
    info = done.info
    psnr = info["psnr"]
    return [
        f"{shown(task.source.name)} → {shown(task.output.name)}",
        str(info["target"]),
        str(info["group"]),
        f"{info['max_change']:.0f}/255",
        "equal" if psnr is None else f"{psnr:.1f} dB",
        "; ".join([*done.notices, *notes]),
    ]
