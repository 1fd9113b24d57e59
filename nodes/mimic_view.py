"""What LoRA Mimicry Test shows while it runs: losses growing, and what the LoRAs draw so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from PIL import Image, ImageOps
from torch import Tensor

from fixative.plots import curve_picture

from .grids import GAP, PAPER, labelled_columns
from .live import CURVE_HEIGHT, PARTS, PREVIEW_WIDTH, Show, part
from .mimicking import NO_LORA
from .training import smoothed

#: Seconds between two curves: drawing one takes a tenth of a second.
CURVE_EVERY = 3.0
#: Of a picture in the preview, in pixels.
MOST_SIDE = 200
TITLE, LABEL = "Training the imitators", "loss"


class MimicView:
    """Curves of all LoRAs so far, below the newest picture of each.

    Args:
        show: of the node's progress, whose total is ``PARTS`` for each imitator.
    """

    def __init__(self, show: Show) -> None:
        self._show = show
        self._losses: dict[str, list[float]] = {}
        self._pictures: dict[str, Tensor] = {}
        self._done, self._drawn = 0, 0.0

    def tell(
        self,
        arm: str,
        what: str,
        step: int,
        steps: int,
        loss: float | None,
        picture: Tensor | None,
    ) -> None:
        """One more step of an arm; ``picture`` (3, R, R) is what it draws now."""
        if loss is not None:
            if step == 1:
                self._losses[arm] = []
            self._losses.setdefault(arm, []).append(loss)
        if picture is not None:
            self._pictures[arm] = picture
        finished = what == "drawn"
        self._done += finished
        fresh = picture is not None or time.monotonic() - self._drawn > CURVE_EVERY
        told = f"{arm}: {what}" + ("" if finished else f" {step}/{steps}")
        told += "" if loss is None else f", loss {smoothed(self._losses[arm])[-1]:.4f}"
        self._show(self._place(step, steps, finished), told, self._preview() if fresh else None)

    def _place(self, step: int, steps: int, finished: bool) -> int:
        """The bar moves while a LoRA is trained; drawing is little beside it."""
        return self._done * PARTS if finished else part(self._done, step, steps + 1)

    def _preview(self) -> Image.Image:
        self._drawn = time.monotonic()
        curves = loss_picture(self._losses)
        return _below(_strip(self._pictures), curves) if self._pictures else curves


def loss_picture(losses: Mapping[str, Sequence[float]]) -> Image.Image:
    """One curve a LoRA, smoothed: the loss of a step depends most on the time that it drew."""
    series = {arm: smoothed(values) for arm, values in losses.items()}
    return curve_picture(series, title=TITLE, y_label=f"{LABEL}, mean of the last 20 steps")


def _strip(pictures: Mapping[str, Tensor]) -> Image.Image:
    """The newest picture of each arm side by side, named."""
    order = sorted(pictures, key=lambda arm: arm != NO_LORA)
    side = min(MOST_SIDE, PREVIEW_WIDTH // len(order) - GAP)
    return labelled_columns([(arm, pictures[arm]) for arm in order], side=side)


def _below(strip: Image.Image, curves: Image.Image) -> Image.Image:
    """The curves under the pictures."""
    sheet = Image.new("RGB", (PREVIEW_WIDTH, strip.height + CURVE_HEIGHT), PAPER)
    sheet.paste(strip, ((PREVIEW_WIDTH - strip.width) // 2, 0))
    fitted = ImageOps.contain(curves, (PREVIEW_WIDTH, CURVE_HEIGHT))
    sheet.paste(fitted, ((PREVIEW_WIDTH - fitted.width) // 2, strip.height))
    return sheet
