"""What the platform's nodes report: lines for a person, a blank line, and the facts as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from fixative.countermeasures import Impress
from fixative.evaluation.curves import loss_curve
from fixative.metrics import psnr

from .distances import told

#: Facts that are told as a curve of their own.
_CURVES = ("losses", "links")


@dataclass(frozen=True)
class PurifiedPicture:
    """One picture before and after a countermeasure.

    Attributes:
        before: (1, 3, H, W) in [0, 1].
        image: (1, 3, H, W), afterwards.
        facts: of ``Purified.details``.
        seconds: it took.
    """

    before: Tensor
    image: Tensor
    facts: Mapping[str, Any]
    seconds: float

    @property
    def curve(self) -> list[float]:
        """The loss at each step from the start on; empty where nothing is minimised."""
        return [losses["loss"] for losses in self.facts.get("losses", ())]

    @property
    def psnr(self) -> float | None:
        """dB against the picture before; None where nothing changed."""
        found = psnr(self.image, self.before).item()
        return found if found < float("inf") else None

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, curves thinned."""
        facts = {key: value for key, value in self.facts.items() if key not in _CURVES}
        links = [
            {key: value for key, value in link.items() if key not in _CURVES}
            for link in self.facts.get("links", ())
        ]
        told = {"seconds": round(self.seconds, 3), "psnr": self.psnr, **facts}
        return told | ({"links": links} if links else {}) | {"curve": loss_curve(self.facts)}


def purified_line(one: PurifiedPicture) -> str:
    """One picture that IMPRESS has purified."""
    facts, first, last = one.facts, one.facts["losses"][0], one.facts["losses"][-1]
    tiles = "" if facts["tiles"] == 1 else f", {facts['tiles']} tiles"
    return (
        f"{facts['steps']} steps{tiles}, loss {first['loss']:.4f} at the start, "
        f"{facts['loss']:.4f} at the end (perceptual distance {last['distance']:.3f}), "
        f"{_changed(one)}, {one.seconds:.1f} s"
    )


def purified_text(done: Sequence[PurifiedPicture], method: Impress, *, family: str) -> str:
    """All pictures that IMPRESS has purified."""
    settings, distance = method.settings, done[0].facts["distance"]
    head = (
        f"Purified: {len(done)} picture(s) by IMPRESS, preset {method.preset} (at most "
        f"{settings.iterations} steps), VAE family {family}, perceptual distance {told(distance)}, "
        f"of which {settings.delta:g} costs nothing"
    )
    facts = {"family": family, "seed": method.seed, "settings": asdict(settings)}
    return _text(head, [purified_line(one) for one in done], done, facts)


def countermeasure_line(one: PurifiedPicture) -> str:
    """One picture after any countermeasure."""
    return f"{_changed(one)}, {one.seconds:.2f} s"


def countermeasure_text(done: Sequence[PurifiedPicture], written: str, *, seed: int) -> str:
    """All pictures after any countermeasure.

    Args:
        done: at least one.
        written: the countermeasure as ``describe`` writes it.
        seed: of its randomness.
    """
    head = f"Countermeasure: {len(done)} picture(s), {written}"
    facts = {"countermeasure": written, "seed": seed}
    return _text(head, [countermeasure_line(one) for one in done], done, facts)


def _changed(one: PurifiedPicture) -> str:
    return "no change" if one.psnr is None else f"PSNR {one.psnr:.1f} dB to the input"


def _text(
    head: str, lines: Sequence[str], done: Sequence[PurifiedPicture], facts: Mapping[str, Any]
) -> str:
    numbered = [f"{number}: {line}" for number, line in enumerate(lines, start=1)]
    whole = {**facts, "pictures": [one.to_dict() for one in done]}
    return "\n".join([head, *numbered]) + "\n\n" + json.dumps(whole, indent=1)
