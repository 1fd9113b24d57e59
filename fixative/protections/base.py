"""The base class of every protection: it checks the input and enforces what it promises.

No method can break range, budget or shape, because the last word is the base class's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from fixative.errors import ImageError, SettingError
from fixative.images import LEVELS, check_images, resize
from fixative.metrics import psnr

MAX_STRENGTH = 32.0


@dataclass(frozen=True)
class ChangeReport:
    """What happened to one picture.

    Attributes:
        strength: the budget asked for, in 1/255.
        max_change: largest change of a channel, in 1/255.
        mean_change: mean absolute change, in 1/255.
        psnr: dB, of the protected picture against the original; None if they are equal.
        cut_share: share of values, 0 to 1, where the budget cut off what the method wanted.
    """

    strength: float
    max_change: float
    mean_change: float
    psnr: float | None
    cut_share: float

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


@dataclass(frozen=True)
class Protected:
    """The outcome for a batch.

    Attributes:
        image: (B, 3, H, W) float32 on the k/255 grid; at strength 0 the input, bit for bit.
        perturbation: (B, 3, H, W) the realised change.
        strength_map: (B, 1, H, W) the factors that the perturbation was scaled by, 0 to 1.183.
        reports: one a picture.
    """

    image: Tensor
    perturbation: Tensor
    strength_map: Tensor
    reports: list[Any]


@dataclass(frozen=True)
class Proposal:
    """What a method wants to add, before the base class has its say.

    Attributes:
        perturbation: (B, 3, h, w), resized to the pictures' size if it differs.
        factors: (B, 1, h', w') on the perturbation, or None for 1.
        details: facts of each picture for its report.
    """

    perturbation: Tensor
    factors: Tensor | None = None
    details: list[dict[str, Any]] | None = None

    def of(self, i: int) -> Proposal:
        """What is wanted for picture ``i`` alone."""
        factors = None if self.factors is None else self.factors[i : i + 1]
        details = None if self.details is None else self.details[i : i + 1]
        return Proposal(self.perturbation[i : i + 1], factors, details)


class Protection(ABC):
    """A method that adds a bounded perturbation to pictures.

    Args:
        strength: L-infinity budget in 1/255, 0 to 32; 0 changes nothing.

    Raises:
        SettingError: strength outside its range.
    """

    name: str = ""

    def __init__(self, *, strength: float = 8.0) -> None:
        if not 0 <= strength <= MAX_STRENGTH:
            raise SettingError(
                f"strength: expected 0 to {MAX_STRENGTH:g} (in 1/255), got {strength}"
            )
        self.strength = float(strength)

    @property
    def epsilon(self) -> float:
        """The budget on [0, 1]."""
        return self.strength / LEVELS

    def protect(self, images: Tensor, *, mask: Tensor | None = None) -> Protected:
        """Protect a batch; deterministic, and a batch equals its singles.

        Args:
            images: (B, 3, H, W) in [0, 1], never changed in place.
            mask: (B or 1, 1, H, W) in [0, 1], 1 = protect, 0 = leave as it is.

        Raises:
            ImageError: images or mask are not of that form.
        """
        check_images(images)
        mask = None if mask is None else _checked_mask(mask, images)
        return self._finish(images, self._propose(images), mask)

    def protect_many(
        self, pictures: Sequence[Tensor], masks: Sequence[Tensor | None] | None = None
    ) -> list[Protected]:
        """Protect pictures of any sizes; each comes out as alone.

        Args:
            pictures: (1, 3, H, W) in [0, 1] each, H and W as they come.
            masks: (1, 1, H, W) in [0, 1] or None each; 1 = protect.

        Raises:
            ImageError: pictures or masks are not of that form.
        """
        pairs = checked_pairs(pictures, masks)
        return [self.protect(images, mask=mask) for images, mask in pairs]

    def _finish(self, images: Tensor, proposal: Proposal, mask: Tensor | None) -> Protected:
        """Range, budget and mask have the last word on what a method proposes."""
        pieces = [
            _apply(images[i], proposal.of(i), None if mask is None else mask[i], self.epsilon)
            for i in range(len(images))
        ]
        image = torch.stack([piece[0] for piece in pieces])
        factors = torch.stack([piece[1] for piece in pieces])
        details = proposal.details or [{} for _ in pieces]
        measured = [
            self._report(images[i : i + 1], image[i : i + 1], {**details[i], "cut_share": piece[2]})
            for i, piece in enumerate(pieces)
        ]
        return Protected(image, image - images, factors, measured)

    @abstractmethod
    def _propose(self, images: Tensor) -> Proposal: ...

    def _report(self, before: Tensor, after: Tensor, details: dict[str, Any]) -> ChangeReport:
        """Measure one picture; a subclass with a report of its own adds the other ``details``."""
        measured = measure_change(before, after, self.strength)
        return ChangeReport(**measured, cut_share=details["cut_share"])


def measure_change(before: Tensor, after: Tensor, strength: float) -> dict[str, Any]:
    """What a ChangeReport tells of (1, 3, H, W) before and after."""
    change = (after - before).abs_()
    largest = change.max().item() * LEVELS
    decibel = psnr(after, before).item() if largest > 0 else None
    mean = change.mean().item() * LEVELS
    return {"strength": strength, "max_change": largest, "mean_change": mean, "psnr": decibel}


def enforce_budget(image: Tensor, perturbation: Tensor, epsilon: float) -> Tensor:
    """Add a perturbation so that range and budget hold in 8 bits.

    The change is rounded to whole levels and cut to ⌊255 ε⌋ of them, against the 8-bit picture.

    Args:
        image: (…) in [0, 1].
        perturbation: of the same shape.
        epsilon: L-infinity budget on [0, 1].

    Returns:
        On the k/255 grid; ``image`` itself, bit for bit, if the budget is under one level.
    """
    levels = _whole_levels(epsilon)
    if levels == 0:
        return image.clone()
    change = (perturbation * LEVELS).round_().clamp_(-levels, levels)
    return change.add_((image * LEVELS).round_()).clamp_(0, LEVELS).div_(LEVELS)


def cut_share(perturbation: Tensor, epsilon: float) -> float:
    """The share of values that ``enforce_budget`` cuts, 0 to 1."""
    limit = (_whole_levels(epsilon) + 0.5) / LEVELS
    return torch.count_nonzero(perturbation.abs() > limit).item() / perturbation.numel()


def _whole_levels(epsilon: float) -> int:
    return int(epsilon * LEVELS + 1e-4)


def _apply(
    image: Tensor, proposal: Proposal, mask: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, float]:
    """One picture (3, H, W): protected, the factors used (1, H, W), and the share cut."""
    height, width = image.shape[-2:]
    perturbation = resize(proposal.perturbation.to(image), height, width)[0]
    if proposal.factors is None:
        factors = torch.ones(1, height, width, dtype=image.dtype, device=image.device)
    else:
        factors = resize(proposal.factors.to(image), height, width)[0]
    factors = factors if mask is None else factors * mask
    wanted = perturbation * factors
    return enforce_budget(image, wanted, epsilon), factors, cut_share(wanted, epsilon)


def checked_pairs(
    pictures: Sequence[Tensor], masks: Sequence[Tensor | None] | None
) -> list[tuple[Tensor, Tensor | None]]:
    """Single pictures (1, 3, H, W), each with its mask (1, 1, H, W) or None.

    Raises:
        ImageError: pictures or masks are not of that form, or not as many.
    """
    masks = [None] * len(pictures) if masks is None else masks
    if len(masks) != len(pictures):
        raise ImageError(f"masks: expected one for each of {len(pictures)}, got {len(masks)}")
    pairs: list[tuple[Tensor, Tensor | None]] = []
    for image, mask in zip(pictures, masks, strict=True):
        check_images(image)
        if len(image) != 1:
            raise ImageError(f"pictures: expected (1, 3, H, W) each, got {tuple(image.shape)}")
        pairs.append((image, None if mask is None else _checked_mask(mask, image)))
    return pairs


def _checked_mask(mask: Tensor, images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    if mask.dim() != 4 or mask.shape[1:] != (1, height, width) or len(mask) not in (1, count):
        raise ImageError(
            f"mask: expected shape ({count} or 1, 1, {height}, {width}), got {tuple(mask.shape)}"
        )
    low, high = (value.item() for value in torch.aminmax(mask))
    if not (low >= 0 and high <= 1):
        raise ImageError(f"mask: expected values in [0, 1], got {low:.4g} to {high:.4g}")
    return mask.to(images).expand(count, -1, -1, -1)
