"""What a protection leaves behind in a picture: the numbers that the detector weighs.

IMPRESS's authors saw that a protected picture differs from its own reconstruction more than a
clean one does (Cao et al. 2023). That alone tells few pictures apart, because texture does the
same; what helps more is how far a slight blur moves the latents, which a perturbation that was
made for them feels first.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.images import resize
from fixative.mixture import SIDE, Mixture

#: Side of the windows looked at, in pixels, and of the cells that their quiet tenth is found by.
WINDOW, CELL = 128, 8
#: Traces of any protection, in order; logarithms of mean squares on [−1, 1] unless said.
GENERAL = (
    "round_trip",  # D(E(x)) − x
    "round_trip_detail",  # its finest detail, relative to the picture's
    "error_likeness",  # correlation of the two details, −1 to 1
    "blur_shift",  # E(x) − E(slightly blurred x)
    "blur_gain",  # the same, relative to the pixels' change
    "quiet_detail",  # finest detail of the quietest tenth of cells
    "colour_detail",  # the part of the detail that is not brightness
    "neighbours",  # correlation of the detail with its next pixel's, −1 to 1
)
#: The best correlation with a mixture's perturbations, in standard deviations of chance (1 / √N),
#: and its logarithm, log(1 + match), 0 below chance.
MATCH, FOUND = "mixture_match", "mixture_found"
#: A match that is past doubt. Clean pictures and noise reached 6; the mixture at strengths 4 and 8
#: had 92 or more, and 70 or more after JPEG 75 or halving.
SURE_MATCH = 25.0
#: Keeps smooth places from being all that counts in the match, on [0, 1].
_CALM = 2 / 255
_TINY = 1e-9


@torch.no_grad()
def region_traces(image: Tensor, codec: Codec) -> dict[str, float]:
    """Traces of any protection: means over windows, four where the picture has room for them.

    Args:
        image: (1, 3, H, W) in [0, 1].
        codec: with a decoder.

    Returns:
        A number for each name in ``GENERAL``.
    """
    rows = [_window_traces(window, codec) for window in windows(image)]
    return {name: sum(row[name] for row in rows) / len(rows) for name in GENERAL}


def windows(image: Tensor) -> list[Tensor]:
    """The centres of the four quarters, 128 × 128; the one in the middle of a small picture."""
    height, width = image.shape[-2:]
    if min(height, width) >= 2 * WINDOW:
        centres = [(y * height // 4, x * width // 4) for y in (1, 3) for x in (1, 3)]
    else:
        centres = [(height // 2, width // 2)]
    return [_window(image, y, x) for y, x in centres]


class MixtureMatch:
    """How much a picture looks like one of a mixture's perturbations.

    Both are whitened: only detail counts, and busy places count no more than quiet ones.

    Args:
        mixture: whose sums of a global and a group perturbation to look for.
    """

    def __init__(self, mixture: Mixture) -> None:
        targets, groups = mixture.group.shape[:2]
        index = torch.cartesian_prod(torch.arange(targets), torch.arange(groups))
        self._sums = mixture.combined(index[:, 0], index[:, 1])
        self._known: dict[tuple[int, int], Tensor] = {}

    @torch.no_grad()
    def __call__(self, image: Tensor) -> float:
        """The best match of (1, 3, H, W), in deviations; sides above 512 px are shrunk to that."""
        height, width = (min(side, SIDE) for side in image.shape[-2:])
        detail = _fine(resize(image.cpu().float(), height, width), 3)
        power = detail.square().mean(1, keepdim=True)
        calm = F.avg_pool2d(power, 9, 1, 4, count_include_pad=False).sqrt() + _CALM
        likeness = self._patterns(height, width) @ _unit(detail / calm)[0]
        return likeness.max().item() * math.sqrt(detail.numel())

    def _patterns(self, height: int, width: int) -> Tensor:
        """(T·K, 3·H·W), each of length 1."""
        if (height, width) not in self._known:
            drawn = resize(self._sums, height, width)
            self._known = {(height, width): _unit(_fine(drawn, 3))}
        return self._known[height, width]


def found(match: float) -> float:
    """The logarithm of a match, as the regression takes it."""
    return math.log1p(max(0.0, match))


def _window(image: Tensor, y: int, x: int) -> Tensor:
    top, left = max(0, y - WINDOW // 2), max(0, x - WINDOW // 2)
    return image[..., top : top + WINDOW, left : left + WINDOW].contiguous()


def _window_traces(window: Tensor, codec: Codec) -> dict[str, float]:
    window = window.to(codec.device)
    latents = codec.encode(window)
    again = codec.decode(latents, size=(window.shape[-2], window.shape[-1]))
    error, detail = 2 * (window - again), _fine(2 * window, 2)
    rest = _fine(error, 2)
    blurred = _soft(window, 1)
    shift = _log_power(latents - codec.encode(blurred))
    brightness = detail.mean(1, keepdim=True)
    cells = F.avg_pool2d(detail.square().mean(1, keepdim=True), CELL, ceil_mode=True)
    values = (
        _log_power(error),
        _log_power(rest) - _log_power(detail),
        _likeness(rest, detail),
        shift,
        shift - _log_power(2 * (window - blurred)),
        math.log(cells.flatten().quantile(0.1).item() + _TINY),
        _log_power(detail - brightness) - _log_power(brightness),
        _likeness(detail[..., 1:], detail[..., :-1]),
    )
    return dict(zip(GENERAL, values, strict=True))


def _soft(images: Tensor, times: int) -> Tensor:
    """Blur by a 3 × 3 binomial kernel so many times (σ = √(times / 2) pixels)."""
    images = F.pad(images, (times,) * 4, mode="replicate")
    for _ in range(2 * times):
        images = F.avg_pool2d(images, 2, 1)
    return images


def _fine(images: Tensor, times: int) -> Tensor:
    return images - _soft(images, times)


def _log_power(values: Tensor) -> float:
    return math.log(values.square().mean().item() + _TINY)


def _likeness(first: Tensor, second: Tensor) -> float:
    """Cosine of the angle between two, 0 where one of them is nothing."""
    both = first.square().sum() * second.square().sum()
    return ((first * second).sum() / both.sqrt().clamp_min(_TINY)).item()


def _unit(images: Tensor) -> Tensor:
    """(B, …) → (B, N), each of length 1; what is all zero stays so."""
    return F.normalize(images.flatten(1), dim=1)
