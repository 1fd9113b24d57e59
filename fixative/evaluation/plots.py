"""The plots of an evaluation: trade-off, survival, IMPRESS's loss; for light and dark pages."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from fixative.evaluation.curves import STEP
from fixative.evaluation.protocol import NONE
from fixative.evaluation.results import ProtectionResult, Results
from fixative.evaluation.rows import Row
from fixative.evaluation.statistics import Estimate
from fixative.plots import COLOURS, as_picture, new_figure, say_in

LIGHT, DARK = "light", "dark"
THEMES = (LIGHT, DARK)
#: Ground, ink, grid.
_INKS = {LIGHT: ("#FFFFFF", "#1F2328", "#DDDDDD"), DARK: ("#16181D", "#E6E6E6", "#3A3F47")}
_EDGES = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: The curve whose name purifiers give to what they minimise.
_LOSS = "loss"


def trade_off(found: Results, theme: str = LIGHT) -> Image.Image:
    """Effect over visibility, a curve a protection with a point a strength.

    As FastProtect's figure 1b, with the pull in place of FID: left without a countermeasure,
    right what the worst one leaves. Up and to the left is better.
    """
    with themed_figure((1200, 560), theme) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_trade_off(left, found, worst=False)
        _draw_trade_off(right, found, worst=True)
        left.set(ylabel="pull (higher protects more)", title="no countermeasure")
        right.set_title("worst countermeasure")
        for axes in (left, right):
            axes.set_xlabel(f"{_seen(found)[1]} (lower is seen less)")
        legend_below(figure, left)
        return as_picture(figure)


def survival(found: Results, theme: str = LIGHT) -> Image.Image:
    """The pull after each countermeasure with its interval, at one strength."""
    results = strongest(found)
    names = list(dict.fromkeys(effect.countermeasure for effect in found.effects))
    height = 160 + len(names) * (14 * len(results) + 16)
    with themed_figure((1000, min(3000, max(320, height))), theme) as figure:
        axes = figure.add_subplot()
        for number, result in enumerate(results):
            _draw_survival(axes, found, result, names, number, len(results))
        axes.axvline(0, color=_INKS[theme][1], linewidth=1)
        axes.set_yticks(range(len(names)), [_told(found, name) for name in names])
        axes.invert_yaxis()
        axes.set(xlabel="pull that is left (higher protects more)", title=_strengths(results))
        legend_below(figure, axes)
        return as_picture(figure)


def purifier_loss(found: Results, theme: str = LIGHT) -> Image.Image | None:
    """Losses over the steps of the countermeasures that minimise one; None where none does."""
    rows = [row for row in found.rows if row.curve.get(_LOSS)]
    names = list(dict.fromkeys(row.countermeasure for row in rows))
    if not rows:
        return None
    with themed_figure((1000, 90 + 330 * len(names)), theme) as figure:
        places = figure.subplots(len(names), 1, squeeze=False)[:, 0]
        for axes, name in zip(places, names, strict=True):
            _draw_losses(axes, [row for row in rows if row.countermeasure == name])
            axes.set(xlabel="step", ylabel="loss (lowest so far)", title=name, yscale="log")
            axes.yaxis.set_major_formatter(_plain)
            axes.yaxis.set_minor_formatter(_plain)
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return as_picture(figure)


def all_plots(found: Results) -> Iterator[tuple[str, str, Image.Image]]:
    """Name, theme and picture of every plot that has something to show."""
    for theme in THEMES:
        yield "trade-off", theme, trade_off(found, theme)
        yield "survival", theme, survival(found, theme)
        losses = purifier_loss(found, theme)
        if losses is not None:
            yield "purifier-loss", theme, losses


def strongest(found: Results) -> list[ProtectionResult]:
    """Each protection once: at the strength that most of them have, or the last of its own."""
    by_strength: dict[float, list[ProtectionResult]] = {}
    for result in found.protections:
        by_strength.setdefault(result.strength, []).append(result)
    if not by_strength:
        return []
    common = max(by_strength, key=lambda strength: (len(by_strength[strength]), strength))
    chosen = {result.protection: result for result in found.protections}
    return list((chosen | {result.protection: result for result in by_strength[common]}).values())


@contextmanager
def themed_figure(size: tuple[int, int], theme: str) -> Generator[Any]:
    """An empty matplotlib Figure of ``size`` pixels in a theme's inks; draw inside the block."""
    ground, ink, grid = _INKS[theme]
    with new_figure(size) as figure:
        from matplotlib import style  # noqa: PLC0415 - takes a second

        figure.set_facecolor(ground)
        inks = {"axes.facecolor": ground, "grid.color": grid, **dict.fromkeys(_EDGES, ink)}
        with style.context(inks):
            yield figure


def legend_below(figure: Any, axes: Any) -> None:
    """A legend under the axes, of what they show; none where nothing is named."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        wide = 70 + 9 * max(map(len, labels))  # pixels of an entry, roughly
        fit = int(figure.get_figwidth() * figure.dpi / wide)
        columns = max(1, min(4, len(labels), fit))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def _draw_trade_off(axes: Any, found: Results, *, worst: bool) -> None:
    for number, name in enumerate(dict.fromkeys(r.protection for r in found.protections)):
        results = [result for result in found.protections if result.protection == name]
        points = sorted(point for r in results if (point := _point(found, r, worst=worst)))
        if not points:
            continue
        strengths, x, y = zip(*points, strict=True)
        label = _counted(name, max(result.used for result in results), found)
        axes.plot(x, y, label=label, markersize=6, linewidth=1.8, **series_style(number))
        for strength, place in zip(strengths, zip(x, y, strict=True), strict=True):
            axes.annotate(
                f"{strength:g}", place, xytext=(4, 4), textcoords="offset points", fontsize=8
            )
    if not axes.lines:
        say_in(axes, "nothing was measured")


def _point(
    found: Results, result: ProtectionResult, *, worst: bool
) -> tuple[float, float, float] | None:
    """Strength, visibility, pull."""
    seen, codec = result.visual.get(_seen(found)[0]), found.codecs[0]
    if worst:
        pull = next((each.pull for each in result.worst if each.codec == codec), None)
    else:
        pull = _pull(found, result, NONE)
    return (result.strength, seen.value, pull.value) if seen and pull else None


def _draw_survival(
    axes: Any,
    found: Results,
    result: ProtectionResult,
    names: Sequence[str],
    number: int,
    count: int,
) -> None:
    offset = (number - (count - 1) / 2) * 0.8 / max(count, 1)
    pulls = [(place, _pull(found, result, name)) for place, name in enumerate(names)]
    there = [(place + offset, pull) for place, pull in pulls if pull is not None]
    if not there:
        return
    ends = [
        (
            p.value - (p.value if p.low is None else p.low),
            (p.value if p.high is None else p.high) - p.value,
        )
        for _, p in there
    ]
    axes.errorbar(
        [pull.value for _, pull in there],
        [place for place, _ in there],
        xerr=np.maximum(np.transpose(ends), 0),
        label=_counted(result.protection, result.used, found),
        markersize=6,
        elinewidth=1.2,
        capsize=2,
        **{**series_style(number), "linestyle": "none"},
    )


def _draw_losses(axes: Any, rows: Sequence[Row]) -> None:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        label = "clean" if row.protection == NONE else f"{row.protection} at {row.strength:g}"
        groups.setdefault(label, []).append(row)
    for number, (label, members) in enumerate(groups.items()):
        steps = np.arange(int(max(row.curve[STEP][-1] for row in members)) + 1)
        # One that stopped early stays where it was.
        losses = [np.interp(steps, row.curve[STEP], row.curve[_LOSS]) for row in members]
        lowest = np.minimum.accumulate(np.array(losses), axis=1).mean(0)
        style = {**series_style(number), "marker": None}
        axes.plot(steps, lowest, label=f"{label} (n = {len(members)})", linewidth=1.8, **style)


def _plain(value: float, _place: int) -> str:
    """A tick of a logarithmic axis, without a formula; 1, 2 and 5 are enough."""
    told = f"{value:.1g}"
    return told if told.strip("0.")[:1] in "125" else ""


def _pull(found: Results, result: ProtectionResult, countermeasure: str) -> Estimate | None:
    effect = found.effect(result.protection, result.strength, countermeasure, found.codecs[0])
    return None if effect is None else effect.pull


def _told(found: Results, countermeasure: str) -> str:
    """A countermeasure's name on the axis."""
    if countermeasure == NONE:
        return "no countermeasure"
    used = [e.used for e in found.effects if e.countermeasure == countermeasure]
    return _counted(countermeasure, max(used), found)


def _counted(name: str, used: int, found: Results) -> str:
    """With the number of pictures where it is not all: other pictures, other numbers."""
    most = max((result.used for result in found.protections), default=used)
    return name if used == most else f"{name} (n = {used})"


def series_style(number: int) -> dict[str, Any]:
    """Told apart by colour and by mark."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": _MARKS[number % len(_MARKS)],
        "linestyle": "-" if number < len(COLOURS) else "--",
    }


def _seen(found: Results) -> tuple[str, str]:
    """The measure of visibility on the axis, and its label: the perceptual distance."""
    name = found.tools["distance"]
    return name, next((m.label for m in found.measures if m.name == name), name)


def _strengths(results: Sequence[ProtectionResult]) -> str:
    told = ", ".join(f"{strength:g}" for strength in sorted({r.strength for r in results}))
    return f"strength {told} of 255" if told else ""
