"""What a node shows while it takes steps: a line each time, a picture every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from PIL import Image, ImageOps
from torch import Tensor

from fixative.plots import curve_picture

from .convert import to_pil

#: Drawing a curve takes a tenth of a second.
SECONDS_BETWEEN = 3.0
#: Parts of the progress bar for each picture.
PARTS = 1000
#: The preview: the picture above its curves.
PREVIEW_WIDTH, PICTURE_HEIGHT, CURVE_HEIGHT = 512, 384, 300

#: Takes parts done, a text and perhaps a picture; stops where the user stops.
Show = Callable[[int, str, Image.Image | None], None]


class LiveCurves:
    """Curves of values over steps, one a picture, shown while they grow.

    Args:
        show: of the node's progress, whose total is ``PARTS`` for each picture.
        pictures: how many there are.
        title: above the plot.
        label: what the values are; the axis has it.
    """

    def __init__(self, show: Show, pictures: int, *, title: str, label: str) -> None:
        self._show, self._pictures = show, pictures
        self._title, self._label = title, label
        self._drawn = 0.0
        self.curves: list[list[float]] = []

    def begin(self) -> None:
        """The next picture begins."""
        self.curves.append([])

    def add(self, step: int, steps: int, value: float, text: str, image: Tensor | None) -> None:
        """One more step of the picture that began last.

        Args:
            step: its number.
            steps: of how many.
            value: of the curve.
            text: what to say of it.
            image: (1, 3, h, w) in [0, 1], what the picture has become; or None.
        """
        self.curves[-1].append(value)
        preview = None
        if time.monotonic() - self._drawn > SECONDS_BETWEEN:
            preview = self._preview(image)
            self._drawn = time.monotonic()
        number = len(self.curves)
        told = f"picture {number}/{self._pictures}, step {step}/{steps}: {text}"
        self._show(part(number - 1, step, steps), told, preview)

    def end(self, text: str, image: Tensor | None = None) -> None:
        """The picture that began last is done."""
        number = len(self.curves)
        told = f"picture {number}/{self._pictures}: {text}"
        self._show(number * PARTS, told, self._preview(image))

    def draw(self) -> Image.Image:
        """The curves so far."""
        return draw_curves(self.curves, title=self._title, label=self._label)

    def _preview(self, image: Tensor | None) -> Image.Image:
        return self.draw() if image is None else above(to_pil(image[0].cpu()), self.draw())


def part(done: int, step: int, steps: int) -> int:
    """Where the progress bar is, ``step`` steps into picture number ``done`` (from 0)."""
    return done * PARTS + min(PARTS, round(step / max(1, steps) * PARTS))


def draw_curves(curves: Sequence[Sequence[float]], *, title: str, label: str) -> Image.Image:
    """One curve a picture over the steps."""
    names = [f"picture {number}" for number in range(1, len(curves) + 1)]
    return curve_picture(dict(zip(names, curves, strict=True)), title=title, y_label=label)


def above(picture: Image.Image, curve: Image.Image) -> Image.Image:
    """A picture with its curve below."""
    sheet = Image.new("RGB", (PREVIEW_WIDTH, PICTURE_HEIGHT + CURVE_HEIGHT), "white")
    fitted = ImageOps.contain(picture, (PREVIEW_WIDTH, PICTURE_HEIGHT))
    sheet.paste(fitted, ((PREVIEW_WIDTH - fitted.width) // 2, 0))
    sheet.paste(ImageOps.contain(curve, (PREVIEW_WIDTH, CURVE_HEIGHT)), (0, PICTURE_HEIGHT))
    return sheet
