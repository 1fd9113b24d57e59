"""The base class of every countermeasure: it checks the input and what comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

import torch
from torch import Tensor

from fixative.errors import SettingError
from fixative.images import check_images


class Need(str, Enum):
    """What a countermeasure cannot work without."""

    NOTHING = "nothing"
    CODEC = "codec"
    PAIRS = "pairs"
    DENOISER = "denoiser"


@dataclass(frozen=True)
class Parameter:
    """One number or word that a person may set.

    Attributes:
        name: as the constructor calls it.
        default: what it is otherwise.
        low: smallest value, of a number.
        high: largest value.
        help: unit and meaning, in a line.
        choices: the words there are, of a word.
    """

    name: str
    default: float | int | str
    low: float = 0.0
    high: float = 0.0
    help: str = ""
    choices: tuple[str, ...] = ()

    def checked(self, value: float | int | str, *, owner: str) -> float | int | str:
        """The value in this parameter's type.

        Raises:
            SettingError: not of the type, out of range, or an unknown word.
        """
        if self.choices:
            if value not in self.choices:
                raise SettingError(
                    f"{owner}: expected {self.name} to be one of {', '.join(self.choices)}; "
                    f"got {value!r}"
                )
            return value
        number = self._number(value, owner)
        if not self.low <= number <= self.high:
            raise SettingError(
                f"{owner}: expected {self.name} from {self.low:g} to {self.high:g}, got {value}"
            )
        return number

    def _number(self, value: float | int | str, owner: str) -> float | int:
        whole = isinstance(self.default, int)
        try:
            return int(value) if whole else float(value)
        except ValueError as error:
            kind = "a whole number" if whole else "a number"
            raise SettingError(
                f"{owner}: expected {self.name} to be {kind}, got {value!r}"
            ) from error


@dataclass(frozen=True)
class PurifyStep:
    """Where a purification is.

    Attributes:
        picture: number of the picture, from 0.
        step: steps done on it.
        steps: of how many.
        losses: what is minimised, by name.
    """

    picture: int
    step: int
    steps: int
    losses: dict[str, float]


#: Told of each step; may raise, to stop.
StepCallback = Callable[[PurifyStep], None]


@dataclass(frozen=True)
class Purified:
    """The outcome for a batch.

    Attributes:
        image: (B, 3, H, W) float32 in [0, 1].
        details: what there is to tell of each picture, JSON types only.
    """

    image: Tensor
    details: list[dict[str, Any]]


class Countermeasure(ABC):
    """Something that tries to remove a protection from pictures.

    Picture by picture, each from the same seed, so that a batch equals its singles.

    Args:
        seed: of all randomness.
    """

    name: ClassVar[str] = ""
    needs: ClassVar[Need] = Need.NOTHING
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
            done.append(result.to(images).clamp(0, 1))
            details.append(facts)
        return Purified(torch.cat(done), details)

    def describe(self) -> str:
        """How a person would write it: ``jpeg:75``."""
        values = [str(getattr(self, parameter.name)) for parameter in self.parameters]
        return self.name + (f":{','.join(values)}" if values else "")

    @abstractmethod
    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> tuple[Tensor, dict[str, Any]]:
        """One picture (1, 3, H, W), which is the method's to keep; and what to tell of it."""


def _numbered(on_step: StepCallback | None, picture: int) -> StepCallback | None:
    if on_step is None:
        return None

    def tell(step: PurifyStep) -> None:
        on_step(PurifyStep(picture, step.step, step.steps, step.losses))

    return tell
