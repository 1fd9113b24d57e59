"""The plots of a mimicry test: what is left of the imitation, and the losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from fixative.evaluation.plots import THEMES, legend_below, series_style, themed_figure
from fixative.evaluation.rows import DONE
from fixative.mimicry.arms import Role
from fixative.mimicry.results import ArmResult, MimicryResults
from fixative.mimicry.rows import Stage
from fixative.plots import as_picture, say_in

IMITATION, LOSSES = "imitation", "losses"
#: Losses are shown as means over so many steps.
SMOOTH = 5


def all_plots(found: MimicryResults) -> Iterator[tuple[str, str, Image.Image]]:
    """Name, theme and picture of every plot."""
    results = [result for result in found.of(found.scope) if result.imitation is not None]
    for theme in THEMES:
        with themed_figure((1000, 180 + 44 * max(2, len(results))), theme) as figure:
            _draw_imitation(figure.add_subplot(), results)
            yield IMITATION, theme, as_picture(figure)
        with themed_figure((1000, 460), theme) as figure:
            axes = figure.add_subplot()
            _draw_losses(axes, found)
            legend_below(figure, axes)
            yield LOSSES, theme, as_picture(figure)


def _draw_imitation(axes: Any, results: Sequence[ArmResult]) -> None:
    """What is left of the imitation by arm, with intervals."""
    if not results:
        say_in(axes, "nothing was measured")
        return
    for place, result in enumerate(results):
        found = result.imitation
        assert found is not None
        ends = [found.value if end is None else end for end in (found.low, found.high)]
        error = [[max(0, 100 * (found.value - ends[0]))], [max(0, 100 * (ends[1] - found.value))]]
        style = {**series_style(place), "linestyle": "none"}
        axes.errorbar([100 * found.value], [place], xerr=error, capsize=3, markersize=8, **style)
    axes.set_yticks(range(len(results)), [result.arm for result in results])
    axes.invert_yaxis()
    for mark, text in ((0, "no LoRA"), (100, "clean")):
        axes.axvline(mark, color="grey", linewidth=1, linestyle=":")
        axes.annotate(text, (mark, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom")
    axes.set_xlabel("imitation, % (lower protects more)")


def _draw_losses(axes: Any, found: MimicryResults) -> None:
    """The loss of each arm's training: means over sets and seeds, and over a few steps."""
    rows = [r for r in found.rows if (r.stage, r.status) == (Stage.LORA.value, DONE) and r.losses]
    for number, arm in enumerate(arm for arm in found.arms if arm.role is not Role.NONE):
        mine = [row.losses for row in rows if row.arm == arm.name]
        if mine:
            mean = np.mean(np.array(mine), axis=0)
            width = min(SMOOTH, len(mean))
            smooth = np.convolve(mean, np.ones(width) / width, "valid")
            style = {**series_style(number), "marker": None}
            axes.plot(np.arange(len(smooth)) + width, smooth, label=arm.name, **style)
    if not axes.lines:
        say_in(axes, "no LoRA was trained")
    axes.set(xlabel="step", ylabel="loss")
