"""One picture under test: what of it is measured, and where its versions lie in latent space."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fixative.codecs.base import Codec
from fixative.evaluation.goals import Aim, Goals, Place
from fixative.evaluation.protocol import WINDOW, CountermeasureEntry, Protocol
from fixative.evaluation.rows import Latent
from fixative.evaluation.subjects import cut
from fixative.evaluation.tools import Tools
from fixative.metrics import pull, shift

Windows = tuple[int, ...]
#: A window that cuts nothing.
_ALL = 1 << 30


@dataclass(frozen=True)
class Version:
    """A picture (1, 3, H, W), and a name if its latents are needed again."""

    image: Tensor
    name: str = ""


@dataclass(frozen=True)
class Versions:
    """What one cell compares.

    Attributes:
        original: the clean picture.
        protected: the protected one.
        reference: what the effect stands beside: ``original``, or it after the countermeasure.
        purified: ``protected`` after the countermeasure.
    """

    original: Version
    protected: Version
    reference: Version
    purified: Version


class Bench:
    """Measures versions of one picture in latents; each is encoded once a codec and window.

    Args:
        image: (1, 3, H, W) on the 8-bit grid.
        protocol: its window.
        tools: the codecs.
        goals: what protections pull to.
    """

    def __init__(self, image: Tensor, protocol: Protocol, tools: Tools, goals: Goals) -> None:
        self.image = image
        self._protocol, self._tools, self._goals = protocol, tools, goals
        self._targets: dict[tuple[Aim, str], str] = {}
        self._latents: dict[tuple[str, str, Windows], Tensor] = {}
        self._goal_latents: dict[tuple[str, str, str, Place], Tensor] = {}

    def seen(self, sees: str) -> Tensor:
        """What a protection gets."""
        return cut(self.image, self._protocol.window) if sees == WINDOW else self.image

    def windows(self, countermeasure: CountermeasureEntry | None) -> Windows:
        """The centre squares that lead to what is measured; again on what they gave, they cut
        nothing.
        """
        return tuple(sorted((self._protocol.window or _ALL, _own(countermeasure)), reverse=True))

    def given(self, image: Tensor, countermeasure: CountermeasureEntry) -> Tensor:
        """What a countermeasure gets of a picture that a protection saw."""
        own = _own(countermeasure)
        for side in self.windows(countermeasure):
            image = cut(image, side) if side >= own < _ALL else image
        return image

    def sees_alike(self, countermeasure: CountermeasureEntry) -> bool:
        """Whether it gets the same square, whether the protection saw the picture or the window."""
        return _own(countermeasure) <= (self._protocol.window or 0)

    def target(self, aim: Aim, sees: str) -> str:
        """The target's name for a protection of this picture."""
        if (aim, sees) not in self._targets:
            self._targets[aim, sees] = self._goals.target_of(aim, self.seen(sees))
        return self._targets[aim, sees]

    def clean_shift(
        self, original: Version, purified: Version, windows: Windows
    ) -> dict[str, Latent]:
        """How far a countermeasure moves the clean picture, by codec."""
        return {
            codec.name: Latent(
                shift=_finite(
                    shift(
                        self._encode(codec, purified, windows),
                        self._encode(codec, original, windows),
                    )
                )
            )
            for codec in self._tools.codecs
        }

    def effects(
        self, versions: Versions, aim: Aim, sees: str, windows: Windows
    ) -> dict[str, Latent]:
        """What is left of a protection, by codec."""
        return {
            codec.name: self._effect(codec, versions, aim, sees, windows)
            for codec in self._tools.codecs
        }

    def _effect(
        self, codec: Codec, versions: Versions, aim: Aim, sees: str, windows: Windows
    ) -> Latent:
        original, protected, reference, purified = (
            self._encode(codec, version, windows)
            for version in (
                versions.original,
                versions.protected,
                versions.reference,
                versions.purified,
            )
        )
        goal = self._goal(codec, aim, sees, windows)
        return Latent(
            pull=_finite(pull(purified, reference, goal)),
            pull_original=_finite(pull(purified, original, goal)),
            shift=_finite(shift(purified, reference)),
            pull_before=_finite(pull(protected, original, goal)),
            shift_before=_finite(shift(protected, original)),
        )

    @torch.no_grad()
    def _encode(self, codec: Codec, version: Version, windows: Windows) -> Tensor:
        """Latents (1, C, h, w) on the CPU."""
        key = (codec.name, version.name, windows)
        if version.name and key in self._latents:
            return self._latents[key]
        image = version.image
        for side in windows:
            image = cut(image, side)
        found = codec.encode(image).cpu()
        if version.name:
            self._latents[key] = found
        return found

    def _goal(self, codec: Codec, aim: Aim, sees: str, windows: Windows) -> Tensor:
        """z, (1, C, h, w) or (1, 1, 1, 1)."""
        place, target = Place(windows, aim.stretched), self.target(aim, sees)
        key = (codec.name, target, sees, place)
        if key not in self._goal_latents:
            found = self._goals.latents(codec, place, target, self.seen(sees))
            self._goal_latents[key] = found
        return self._goal_latents[key]


def _own(countermeasure: CountermeasureEntry | None) -> int:
    """Side of the countermeasure's own window."""
    return (None if countermeasure is None else countermeasure.window) or _ALL


def _finite(value: Tensor) -> float | None:
    """None of what JSON cannot hold: a flat picture has no spread, one at its goal no way left."""
    number = value.item()
    return number if math.isfinite(number) else None
