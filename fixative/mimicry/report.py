"""The report of a mimicry test: one HTML file that needs nothing beside it, grids and plots."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fixative.evaluation.files import file_name
from fixative.evaluation.gallery import data_url
from fixative.evaluation.page import render_page
from fixative.evaluation.report import NAME, captioned, save_plots
from fixative.evaluation.rows import DONE
from fixative.mimicry.grid import draw_grid, sample_strips
from fixative.mimicry.plots import IMITATION, LOSSES, all_plots
from fixative.mimicry.results import MimicryResults
from fixative.mimicry.rows import Stage
from fixative.mimicry.tables import all_tables
from fixative.mimicry.verdict import verdicts
from fixative.pictures.atomic import atomic_file, write_text

TEMPLATE = "mimicry/report.html.j2"
GRIDS = "grids"
CAPTIONS = {
    IMITATION: (
        "What is left of the imitation, with intervals over imitators: to the left is better",
        "A mark an arm between 0, no LoRA, and 100, a LoRA on the clean pictures",
    ),
    LOSSES: (
        "The LoRAs' training losses; means over sets, seeds and five steps",
        "Losses over steps, one curve an arm",
    ),
}


@dataclass(frozen=True)
class Sheet:
    """A grid as the page shows it; ``source`` is a data URL."""

    title: str
    source: str
    width: int
    height: int


def write_report(found: MimicryResults, out: Path) -> Path:
    """Draw grids and plots and write the report.

    Args:
        found: the results.
        out: folder of the run, with what was drawn.

    Returns:
        The HTML file. Grids are ``grids/<set>.png``, plots ``plots/<name>.png``.

    Raises:
        FixativeError: jinja2 or matplotlib is not installed.
        OSError: ``out`` cannot be written to.
    """
    plots = save_plots(all_plots(found), out)
    sheets = save_grids(found, out)
    path = out / NAME
    write_text(path, _rendered(found, plots, sheets), overwrite=True)
    return path


def save_grids(found: MimicryResults, out: Path) -> list[Sheet]:
    """Write a PNG a set of what was drawn with the first seed, and of the edits."""
    sheets: list[Sheet] = []
    for stage, what in ((Stage.LORA, "samples"), (Stage.EDIT, "edits")):
        for one in found.sets:
            strips = sample_strips(found, one.name, out, stage=stage)
            if not strips:
                continue
            grid = draw_grid(strips)
            name = one.name if stage is Stage.LORA else f"{one.name} {what}"
            with atomic_file(out / GRIDS / f"{file_name(name)}.png", overwrite=True) as partial:
                grid.save(partial, "PNG", optimize=True)
            sheets.append(_sheet(f"{one.name}, {what}", grid))
    return sheets


def _sheet(title: str, grid: Image.Image) -> Sheet:
    buffer = io.BytesIO()
    grid.save(buffer, "WEBP", quality=88)
    return Sheet(title, data_url(buffer.getvalue(), "image/webp"), *grid.size)


def _rendered(found: MimicryResults, plots: dict[str, dict[str, str]], sheets: list[Sheet]) -> str:
    problems = Counter(f"{row.status}: {row.note}" for row in found.rows if row.status != DONE)
    return render_page(
        TEMPLATE,
        found=found,
        model=found.tools["model"],
        verdicts=verdicts(found),
        tables=all_tables(found),
        plots=captioned(plots, CAPTIONS),
        sheets=sheets,
        problems=problems.most_common(),
        facts=_facts(found),
    )


def _facts(found: MimicryResults) -> list[tuple[str, str]]:
    tools, settings = found.tools, found.settings
    lora, draw = settings["lora"], settings["draw"]
    model, codec, mixture = tools["model"], tools["codec"], tools["mixture"]
    features = "; ".join(f"{each['name']}: {each['help']}" for each in tools["features"])
    without = f"; no LPIPS: {tools['no lpips']}" if tools["no lpips"] else ""
    sets = "; ".join(f"{s.name}: {len(s.pictures)}, “{s.caption}”" for s in found.sets)
    return [
        ("model", f"{model['name']} ({model['family']}, {model['resolution']} px)"),
        ("codec", f"{codec['name']} ({codec['family']})"),
        ("mixture", f"{mixture['name']}, sha256 {mixture['sha256']}"),
        ("features", features + without),
        ("sets, pictures and captions", sets),
        ("strength", f"{settings['strength']:g}/255"),
        (
            "LoRA",
            f"rank {lora['rank']}, {lora['steps']} steps of {lora['batch']}, "
            f"rate {lora['rate']:g}, on {lora['targets']} layers; {settings['seeds']} seeds",
        ),
        (
            "samples",
            f"{settings['samples']} of each LoRA, {draw['steps']} steps of DDIM, "
            f"guidance {draw['guidance']:g}",
        ),
        ("sha256 of files", "; ".join(f"{k} {v}" for k, v in tools["sha256"].items()) or "none"),
        ("seed", str(settings["seed"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in found.provenance.items())),
    ]
