"""The base class of every countermeasure: it checks the input and what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar

import torch
from torch import Tensor

from fixative.images import check_images, on_8bit_grid
from fixative.registry import Parameter, written


class Need(str, Enum):
    """What a countermeasure cannot work without."""

    NOTHING = "nothing"
    CODEC = "codec"
    PAIRS = "pairs"
    DENOISER = "denoiser"


@dataclass(frozen=True)
class PurifyStep:
    """Where a purification is.

    Attributes:
        picture: number of the picture, from 0.
        step: steps done on it.
        steps: of how many.
        losses: what is minimised, by name.
        image: what the picture, or the tile of it, has become: (1, 3, h, w) in [0, 1]; or None.
    """

    picture: int
    step: int
    steps: int
    losses: dict[str, float]
    image: Tensor | None = None


#: Told of each step; may raise, to stop.
StepCallback = Callable[[PurifyStep], None]
#: A picture (1, 3, H, W) and what there is to tell of it, JSON types only.
Outcome = tuple[Tensor, dict[str, Any]]


@dataclass(frozen=True)
class Purified:
    """The outcome for a batch.

    Attributes:
        image: (B, 3, H, W) in [0, 1] on the k/255 grid, as it would be saved.
        details: what there is to tell of each picture, JSON types only.
    """

    image: Tensor
    details: list[dict[str, Any]]


class Countermeasure(ABC):
    """Something that tries to remove a protection from pictures.

    The base class checks the input, cuts to the range and rounds to 8 bits.
    Picture by picture, each from the same seed, so that a batch equals its singles.

    Args:
        seed: of all randomness.
    """

    name: ClassVar[str] = ""
    needs: ClassVar[Need] = Need.NOTHING
    #: Which of `Resources` its constructor takes, by these names.
    resources: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def purify(self, images: Tensor, *, on_step: StepCallback | None = None) -> Purified:
        """Apply it to a batch.

        Args:
            images: (B, 3, H, W) in [0, 1], never changed in place.
            on_step: told of each step of each picture; may raise, to stop.

        Raises:
            ImageError: images are not of that form.
        """
        check_images(images)
        done: list[Tensor] = []
        details: list[dict[str, Any]] = []
        for number, image in enumerate(images):
            generator = torch.Generator().manual_seed(self.seed)
            tell = _numbered(on_step, number)
            result, facts = self._purify(image[None].clone().float(), generator, tell)
            assert result.shape == (1, *image.shape), (self.name, result.shape)
            done.append(on_8bit_grid(result.clamp(0, 1)).to(images))
            details.append(facts)
        return Purified(torch.cat(done), details)

    def describe(self) -> str:
        """How a person would write it: ``jpeg:75``; ``make_countermeasure`` reads it back."""
        settings = {parameter.name: getattr(self, parameter.name) for parameter in self.parameters}
        return written(self.name, settings, self.parameters)

    @abstractmethod
    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        """One picture (1, 3, H, W), which is the method's to keep; and what to tell of it."""


def _numbered(on_step: StepCallback | None, picture: int) -> StepCallback | None:
    if on_step is None:
        return None

    def tell(step: PurifyStep) -> None:
        on_step(replace(step, picture=picture))

    return tell
