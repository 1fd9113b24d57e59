"""A protection report at one glance: pulls beside their controls, the change, the means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from fixative.plots import COLOURS, as_picture, new_figure
from fixative.reporting import LABELS, NOISE, PGD, PROTECTED, PictureFigures, mean_figures

SIZE = (640, 640)
_COLOUR = {PROTECTED: COLOURS[0], NOISE: COLOURS[1], PGD: COLOURS[2]}
#: Above this many pictures the points are drawn small and faint.
_FEW = 12


def report_picture(
    pictures: Sequence[PictureFigures], *, visibility_name: str, size: tuple[int, int] = SIZE
) -> Image.Image:
    """Draw a report: a bar is a mean over the pictures, a point is one picture.

    Args:
        pictures: one or more, all with the same controls.
        visibility_name: what the visibility figure is called.
        size: width and height in pixels.

    Returns:
        An RGB picture of that size, the same for the same figures.
    """
    with new_figure(size) as figure:
        grid = figure.add_gridspec(2, 2, height_ratios=(1.25, 1), width_ratios=(1, 1.2))
        _draw_pulls(figure.add_subplot(grid[0, :]), pictures)
        _draw_change(figure.add_subplot(grid[1, 0]), pictures)
        _write_means(figure.add_subplot(grid[1, 1]), pictures, visibility_name)
        return as_picture(figure)


def _draw_pulls(axes: Any, pictures: Sequence[PictureFigures]) -> None:
    names = list(pictures[0].versions)
    for row, name in enumerate(reversed(names)):
        pulls = np.array([picture.versions[name].pull for picture in pictures])
        axes.barh(row, pulls.mean(), height=0.55, color=_COLOUR[name], alpha=0.45)
        # Spread in the order of the pictures, so that points of equal pull stay apart.
        offsets = np.linspace(-0.18, 0.18, len(pulls)) if len(pulls) > 1 else np.zeros(1)
        few = len(pulls) <= _FEW
        axes.scatter(
            pulls, row + offsets, s=36 if few else 12, color=_COLOUR[name], alpha=1 if few else 0.5
        )
        axes.annotate(
            f"{pulls.mean():.3f}", (0.99, row), xycoords=("axes fraction", "data"), ha="right"
        )
    axes.set_yticks(range(len(names)), [LABELS[name] for name in reversed(names)])
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color="black", linewidth=1)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.18 * (high - low))  # room for the numbers
    axes.set_xlabel("pull: 0 = no effect, 1 = target reached")
    axes.set_title(f"Pull towards the target, {len(pictures)} picture(s)")


def _draw_change(axes: Any, pictures: Sequence[PictureFigures]) -> None:
    shares = 100 * np.mean([picture.change for picture in pictures], axis=0)
    most = len(shares) // 2
    levels = np.arange(-most, most + 1)
    axes.bar(levels, shares, width=1, color=_COLOUR[PROTECTED])
    used = np.abs(levels[shares > 0]).max()
    axes.set_xlim(-used - 1.5, used + 1.5)
    axes.set(title="Change by the protection", xlabel="levels of 255", ylabel="% of the values")


def _write_means(axes: Any, pictures: Sequence[PictureFigures], visibility_name: str) -> None:
    axes.axis("off")
    axes.set_title("Means")
    labels = ("", "largest change", "mean change", "PSNR, dB", visibility_name, "latent shift")
    _write_column(axes, 0.0, labels, ha="left")
    for number, name in enumerate(reversed(list(pictures[0].versions))):
        x = 0.98 - 0.2 * number
        mean = mean_figures(pictures, name)
        told = (
            LABELS[name].split()[-1],
            f"{mean.max_change:.1f}",
            f"{mean.mean_change:.2f}",
            "–" if mean.psnr is None else f"{mean.psnr:.1f}",
            f"{mean.visibility:.3f}",
            f"{mean.shift:.3f}",
        )
        _write_column(axes, x, told, ha="right", color=_COLOUR[name])


def _write_column(axes: Any, x: float, texts: Sequence[str], **style: Any) -> None:
    for row, text in enumerate(texts):
        axes.text(x, 0.9 - 0.16 * row, text, fontsize=9, **style)
