"""How far protections pull: while they descend, and of the pictures as they would be saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from fixative.codecs import Codec
from fixative.evaluation.goals import Goals, Place, aim_of
from fixative.metrics import pull
from fixative.mixture import Mixture
from fixative.protections.base import ChangeReport, Protected
from fixative.protections.iterative import AttackStep
from fixative.protections.noise import RandomNoise

from .live import LiveCurves

#: Side of the centre square that the pull of the saved picture is measured on, in pixels.
WINDOW = 512
#: What is told of a step beside the pull.
_BESIDE = ("inconsistency", "visible", "denoising")


class PullCurve:
    """The pull at each step, from what the iterative protections tell.

    They tell the distance that is left, before each step: the first is that of the picture.

    Args:
        live: shows the curve.
    """

    def __init__(self, live: LiveCurves) -> None:
        self._live = live
        self._first = 0.0

    @property
    def last(self) -> list[float]:
        """Of the picture that began last."""
        return self._live.curves[-1]

    def begin(self) -> None:
        """The next picture begins."""
        self._live.begin()

    def add(self, step: AttackStep) -> None:
        """One more step."""
        if not self.last:
            self._first = step.losses.get("distance", 0.0)
        reached = self._pull(step.losses)
        more = (f", {name} {value:.4f}" for name, value in step.losses.items() if name in _BESIDE)
        text = f"pull {reached:.3f}{''.join(more)}"
        self._live.add(step.step, step.steps, reached, text, None)

    def end(self, text: str) -> None:
        """The picture that began last is done."""
        self._live.end(text)

    def draw(self) -> Image.Image:
        """A curve a picture."""
        return self._live.draw()

    def _pull(self, losses: dict[str, float]) -> float:
        return 1 - losses["distance"] / self._first if self._first else 0.0


@dataclass(frozen=True)
class PulledPicture:
    """One protected picture.

    Attributes:
        protected: of one picture.
        pull: of the picture as it would be saved.
        noise: of random noise of the same strength.
        target: what it was pulled to.
        curve: the pull at each step.
        seconds: it took.
    """

    protected: Protected
    pull: float
    noise: float
    target: str
    curve: list[float]
    seconds: float

    @property
    def report(self) -> ChangeReport:
        """How much the picture changed."""
        return self.protected.reports[0]

    @property
    def line(self) -> str:
        """For a person."""
        told = f"pull {self.pull:.3f} to {self.target} (random noise {self.noise:.3f})"
        return f"{told}, {changed(self.report)}, {self.seconds:.1f} s"

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "pull": self.pull,
            "noise": self.noise,
            "target": self.target,
            "seconds": round(self.seconds, 3),
            **self.report.to_dict(),
            "pulls": [round(value, 5) for value in self.curve],
        }


def changed(report: ChangeReport) -> str:
    """How much a picture changed, for a person."""
    seen = "no change" if report.psnr is None else f"PSNR {report.psnr:.1f} dB"
    return f"largest change {report.max_change:.0f}/255, {seen}"


class Measured(Protocol):
    """One protected picture with what was measured of it."""

    @property
    def protected(self) -> Protected: ...
    @property
    def report(self) -> ChangeReport: ...
    @property
    def line(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...


class Meter(Protocol):
    """Measures what a protection did to a picture."""

    def measure(
        self,
        image: Tensor,
        protected: Protected,
        mask: Tensor | None,
        curve: list[float],
        seconds: float,
    ) -> Measured: ...


@dataclass(frozen=True)
class Asked:
    """A protection as somebody asked for it.

    Attributes:
        text: as the registry writes it.
        strength: in 1/255.
        seed: of all randomness.
    """

    text: str
    strength: float
    seed: int


class PullMeter:
    """Measures protected pictures beside random noise, on their centre of 512 pixels.

    Args:
        asked: the protection; the noise has its strength and seed.
        codec: whose latents are pulled.
        mixture: whose targets; None: the drawn ones.
    """

    def __init__(self, asked: Asked, codec: Codec, mixture: Mixture | None) -> None:
        self._aim, self._codec = aim_of(asked.text), codec
        self._goals = Goals(codec, mixture)
        self._noise = RandomNoise(strength=asked.strength, seed=asked.seed)
        self._place = Place((WINDOW,), self._aim.stretched)

    @torch.no_grad()
    def measure(
        self,
        image: Tensor,
        protected: Protected,
        mask: Tensor | None,
        curve: list[float],
        seconds: float,
    ) -> PulledPicture:
        """One picture (1, 3, H, W) and what was made of it in ``seconds``."""
        target = self._goals.target_of(self._aim, image)
        goal = self._goals.latents(self._codec, self._place, target, image)
        noisy = self._noise.protect(image, mask=mask).image
        before, after, beside = (
            self._codec.encode(self._place.cut_from(one)).cpu()
            for one in (image, protected.image, noisy)
        )
        return PulledPicture(
            protected,
            pull(after, before, goal).item(),
            pull(beside, before, goal).item(),
            target,
            list(curve),
            seconds,
        )


def pulled_text(done: Sequence[Measured], asked: Asked, *, family: str) -> str:
    """A line a picture, a blank line, and the same facts as JSON.

    Args:
        done: at least one.
        asked: the protection.
        family: of the VAE.
    """
    lines = [
        f"Protected: {len(done)} picture(s) by {asked.text}, strength {asked.strength:g}/255, VAE "
        f"family {family}"
    ]
    lines += [f"{number}: {one.line}" for number, one in enumerate(done, start=1)]
    pictures = [one.to_dict() for one in done]
    facts = {"protection": asked.text, "seed": asked.seed, "family": family, "pictures": pictures}
    return "\n".join(lines) + "\n\n" + json.dumps(facts, indent=1)
