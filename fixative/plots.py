"""Small plots as pictures: curves over steps, and what the plots of a report share.

matplotlib is drawn with by its objects, never by pyplot: no window, no state between two plots.
It is imported only when something is drawn, because that takes a second.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from fixative.errors import FixativeError, SettingError

#: Told apart by every kind of colour vision (Okabe and Ito 2008), darkest first.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DOTS_PER_INCH = 100
SMALLEST_SIDE = 128
#: Curves of more points are drawn without a mark at each.
MARKED_POINTS = 25
_LINES = ("-", "--", "-.", ":")
_STYLE = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "text.parse_math": False,
}


def curve_picture(
    series: Mapping[str, Sequence[float]],
    *,
    title: str,
    y_label: str,
    x_label: str = "step",
    size: tuple[int, int] = (640, 400),
) -> Image.Image:
    """Draw one curve a series over 0, 1, 2, …; the same input gives the same picture.

    A value that is not finite leaves a gap, and the plot says how many there are. Nothing to draw
    at all gives a plot that says so.

    Args:
        series: values by name, of any lengths; the names are shown if there are several.
        title: above the plot.
        y_label: what the values are, with their unit.
        x_label: what is counted.
        size: width and height in pixels, 128 or more each.

    Returns:
        An RGB picture of that size.

    Raises:
        SettingError: the size is too small.
        FixativeError: matplotlib is not installed.
    """
    curves = {name: np.asarray(values, np.float64).ravel() for name, values in series.items()}
    with new_figure(size) as figure:
        axes = figure.add_subplot()
        axes.set(title=title, xlabel=x_label, ylabel=y_label)
        for number, (name, values) in enumerate(curves.items()):
            _draw_curve(axes, name, values, number)
        _finish_curves(axes, list(curves.values()))
        return as_picture(figure)


@contextmanager
def new_figure(size: tuple[int, int]) -> Generator[Any]:
    """Give an empty matplotlib Figure of ``size`` pixels; draw it inside the block.

    Raises:
        SettingError: the size is too small.
        FixativeError: matplotlib is not installed.
    """
    if min(size) < SMALLEST_SIDE:
        raise SettingError(f"size: expected {SMALLEST_SIDE} pixels or more a side, got {size}")
    try:
        from matplotlib import style  # noqa: PLC0415 - takes a second
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise FixativeError(
            f"plot: needs the package matplotlib ({error}); install it (pip install matplotlib)"
        ) from error
    with style.context(["default", _STYLE]):  # whatever the person's own matplotlibrc says
        inches = (size[0] / DOTS_PER_INCH, size[1] / DOTS_PER_INCH)
        yield Figure(figsize=inches, dpi=DOTS_PER_INCH, layout="constrained")


def as_picture(figure: Any) -> Image.Image:
    """Draw a Figure of ``new_figure`` and return it as an RGB picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def say_in(axes: Any, text: str) -> None:
    """Write a remark in the middle of a plot that has nothing to show."""
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)


def _draw_curve(axes: Any, name: str, values: np.ndarray[Any, Any], number: int) -> None:
    finite = np.where(np.isfinite(values), values, np.nan)
    # A point between two gaps would be no line at all, so few points are marked.
    lonely = len(values) <= MARKED_POINTS or _has_lonely_points(finite)
    axes.plot(
        np.arange(len(values)),
        finite,
        label=name,
        color=COLOURS[number % len(COLOURS)],
        linestyle=_LINES[number % len(_LINES)],
        marker="o" if lonely else None,
        markersize=4,
        linewidth=2,
    )


def _has_lonely_points(values: np.ndarray[Any, Any]) -> bool:
    padded = np.pad(np.isfinite(values), 1)
    return bool((padded[1:-1] & ~padded[:-2] & ~padded[2:]).any())


def _finish_curves(axes: Any, curves: list[np.ndarray[Any, Any]]) -> None:
    missing = sum(int((~np.isfinite(values)).sum()) for values in curves)
    if sum(map(len, curves)) == missing:
        say_in(axes, "no values" if missing == 0 else "no value is a finite number")
        return
    longest = max(map(len, curves))
    margin = 0.5 if longest == 1 else 0.02 * (longest - 1)
    axes.set_xlim(-margin, longest - 1 + margin)
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=min(9, max(1, longest)))
    axes.yaxis.get_major_formatter().set_useOffset(False)
    if len(curves) > 1:
        axes.legend()
    if missing:
        axes.set_xlabel(f"{axes.get_xlabel()}  ({missing} value(s) not finite, left out)")
