"""The report: one HTML file that needs nothing beside it, and its plots as PNG."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from fixative.evaluation.gallery import data_url, gallery
from fixative.evaluation.page import render_page
from fixative.evaluation.plots import LIGHT, all_plots
from fixative.evaluation.protocol import NONE
from fixative.evaluation.results import Results
from fixative.evaluation.rows import DONE
from fixative.evaluation.tables import all_tables, by_worst, signed
from fixative.pictures.atomic import atomic_file, write_text

NAME, PLOTS, TEMPLATE = "report.html", "plots", "evaluation/report.html.j2"
#: What each plot shows, for those who cannot see it.
CAPTIONS = {
    "trade-off": (
        "Effect over visibility, a point a strength: up and to the left is better",
        "Curves of pull over visibility, one a protection: without a countermeasure, and at worst",
    ),
    "survival": (
        "What is left after each countermeasure, with intervals over pictures",
        "Pull after each countermeasure, one mark a protection",
    ),
    "purifier-loss": (
        "What the purifier minimises, over its steps; means over pictures",
        "Losses over steps, one curve a protection",
    ),
}


def write_report(found: Results, out: Path) -> Path:
    """Draw the plots and write the report.

    Args:
        found: the results.
        out: folder of the evaluation, with the pictures that it kept.

    Returns:
        The HTML file. The plots are ``plots/<name>.png``, those for dark pages
        ``plots/<name>-dark.png``.

    Raises:
        FixativeError: jinja2 or matplotlib is not installed.
        OSError: ``out`` cannot be written to.
    """
    plots = save_plots(all_plots(found), out)
    path = out / NAME
    write_text(path, render(found, out, plots), overwrite=True)
    return path


def save_plots(
    drawn: Iterable[tuple[str, str, Image.Image]], out: Path
) -> dict[str, dict[str, str]]:
    """Write plots (name, theme, picture) below ``out``; data URLs by name and theme."""
    plots: dict[str, dict[str, str]] = {}
    for name, theme, picture in drawn:
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        file = f"{name}.png" if theme == LIGHT else f"{name}-{theme}.png"
        with atomic_file(out / PLOTS / file, overwrite=True) as temporary:
            temporary.write_bytes(buffer.getvalue())
        plots.setdefault(name, {})[theme] = data_url(buffer.getvalue(), "image/png")
    return plots


def captioned(
    plots: dict[str, dict[str, str]], captions: Mapping[str, tuple[str, str]]
) -> list[dict[str, str]]:
    """Plots as the page's template shows them; captions are a text and an alternative for it."""
    return [
        {**urls, "caption": captions[name][0], "alt": captions[name][1]}
        for name, urls in plots.items()
    ]


def render(found: Results, out: Path, plots: dict[str, dict[str, str]]) -> str:
    """The HTML; ``plots`` are data URLs by name and theme."""
    return render_page(
        TEMPLATE,
        found=found,
        summary=summary(found),
        tables=all_tables(found),
        plots=captioned(plots, CAPTIONS),
        exhibits=list(gallery(found, out)),
        problems=_problems(found),
        missing=[measure for measure in found.measures if measure.missing],
        protocol=found.protocol,
        facts=_facts(found),
    )


def summary(found: Results) -> list[str]:
    """What the tables say, in a few sentences."""
    if not found.protections:
        return []
    codec = found.codecs[0]
    strength = max(result.strength for result in found.protections)
    ranked = [r for r in by_worst(found, codec) if r.strength == strength and r.worst]
    told: list[str] = []
    for result in reversed(ranked):
        worst = result.worst[0]
        name = "no countermeasure" if worst.countermeasure == NONE else worst.countermeasure
        alone = found.effect(result.protection, strength, NONE, codec)
        before = "–" if alone is None or alone.pull is None else signed(alone.pull.value, 2)
        least = f"at its worst {signed(worst.pull.value, 2)} ({name}, n = {worst.pull.n})"
        told.append(f"{result.protection}: pull {before}, {least}")
    return told


def _facts(found: Results) -> list[tuple[str, str]]:
    tools = found.tools
    codecs = ", ".join(f"{codec['name']} ({codec['family']})" for codec in tools["codecs"])
    return [
        ("protocol", f"{found.protocol['name']}, sha256 {found.protocol_sha256}"),
        ("pictures", f"{len(found.pictures)} of {found.given} given"),
        ("kept apart for pairs", str(len(found.pairs))),
        ("codecs", codecs),
        ("mixture", f"{tools['mixture']['name']}, sha256 {tools['mixture']['sha256']}"),
        ("perceptual distance", tools["distance"]),
        ("denoiser", _told_denoiser(tools.get("denoiser"))),
        ("sha256 of files", "; ".join(f"{k} {v}" for k, v in tools["sha256"].items()) or "none"),
        ("seed", str(found.protocol["seed"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in found.provenance.items())),
    ]


def _told_denoiser(described: dict[str, Any] | None) -> str:
    if described is None:
        return "none"
    return f"{described['name']} ({described['family']}, {described['resolution']} px)"


def _problems(found: Results) -> list[tuple[str, int]]:
    """What was not done and why, with how often."""
    counts = Counter(f"{row.status}: {row.note}" for row in found.rows if row.status != DONE)
    return counts.most_common()
