"""IMPRESS as published against its fast preset, on protected held-out pictures.

python benchmarks/impress.py --pictures 10 --side 64
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import SHARED_DATA, finish, held_out, parser, print_table
from torch import Tensor

from fixative.codecs import load_codec
from fixative.codecs.base import Codec
from fixative.countermeasures import Impress, RoundTrip
from fixative.metrics import psnr, pull
from fixative.perceptual.distance import load_distance
from fixative.protections.photoguard import PhotoGuard
from fixative.training.targets import draw_targets

HEADER = [
    "countermeasure",
    "final loss",
    "steps",
    "s a picture",
    "pull",
    "PSNR dB to the clean",
    "clean ones: PSNR dB",
]
REFERENCE = "photoguard"


@dataclass(frozen=True)
class Outcome:
    """One countermeasure on all pictures, a value a picture.

    Attributes:
        name: the row's.
        losses: where it ended, on the preset's own objective; None where it has none.
        steps: done.
        seconds: on the protected picture.
        pulls: towards the protection's target, afterwards.
        decibel: of the purified protected picture against the clean original.
        damage: of the purified clean picture against itself, in dB.
    """

    name: str
    losses: list[float] | None
    steps: list[int]
    seconds: list[float]
    pulls: list[float]
    decibel: list[float]
    damage: list[float]

    def cells(self) -> list[object]:
        """For the table."""
        losses = "–" if self.losses is None else f"{mean(self.losses):.5f}"
        cells: list[object] = [self.name, losses, f"{mean(self.steps):.0f}"]
        cells += [f"{mean(self.seconds):.2f}", f"{mean(self.pulls):.3f}"]
        return [*cells, f"{mean(self.decibel):.1f}", f"{mean(self.damage):.1f}"]


class Judge:
    """Protects the pictures once and measures what countermeasures leave.

    Args:
        codec: attacked, purified with, and measured with.
        clean: (N, 3, S, S).
        steps: of the protection (PhotoGuard, 8/255).
    """

    def __init__(self, codec: Codec, clean: Tensor, *, steps: int) -> None:
        self.codec, self.clean = codec, clean
        side = clean.shape[-1]
        target = draw_targets()[1:2, :, :side, :side]
        with torch.no_grad():
            self.target, self.before = codec.encode(target), codec.encode(clean)
        protection = PhotoGuard(codec, self.target, strength=8.0, steps=steps)
        self.protected = protection.protect(clean).image

    def pulls(self, images: Tensor) -> list[float]:
        """Of each picture towards the protection's target."""
        with torch.no_grad():
            return pull(self.codec.encode(images), self.before, self.target).tolist()

    def run(self, name: str, method: Impress | RoundTrip) -> Outcome:
        """Purify every protected picture, and every clean one for the damage."""
        results, seconds = [], []
        for image in self.protected.split(1):
            start = time.perf_counter()
            results.append(method.purify(image))
            seconds.append(time.perf_counter() - start)
            print(f"  {name}: {len(results)}/{len(self.clean)}, {seconds[-1]:.1f} s", flush=True)
        images = torch.cat([result.image for result in results])
        details = [result.details[0] for result in results]
        return Outcome(
            name=name,
            losses=[each["loss"] for each in details] if "loss" in details[0] else None,
            steps=[each.get("steps", 0) for each in details],
            seconds=seconds,
            pulls=self.pulls(images),
            decibel=psnr(images, self.clean).tolist(),
            damage=psnr(method.purify(self.clean).image, self.clean).tolist(),
        )

    def untouched(self) -> Outcome:
        """The protected pictures as they are."""
        count = len(self.clean)
        decibel = psnr(self.protected, self.clean).tolist()
        zeros = [0.0] * count
        return Outcome(
            "none", None, [0] * count, zeros, self.pulls(self.protected), decibel, [float("inf")]
        )


def mean(values: list[float] | list[int]) -> float:
    """Of a list that is not empty."""
    return sum(values) / len(values)


def compare(published: Outcome, fast: Outcome) -> dict[str, Any]:
    """What the claim rests on, for the two rows."""
    assert published.losses is not None
    assert fast.losses is not None
    lower = sum(a <= b for a, b in zip(fast.losses, published.losses, strict=True))
    ratios = [a / b for a, b in zip(published.seconds, fast.seconds, strict=True)]
    return {
        "loss_ratio": mean(fast.losses) / mean(published.losses),
        "pictures_at_or_below": lower,
        "times_faster": sum(published.seconds) / sum(fast.seconds),
        "least_times_faster": min(ratios),
    }


def main() -> None:
    """Protect, purify, print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    options.add_argument("--codec", default="embedded")
    options.add_argument("--distance", default="best")
    options.add_argument("--pictures", type=int, default=10)
    options.add_argument("--side", type=int, default=64)
    options.add_argument("--protection-steps", type=int, default=50)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    codec, distance = load_codec(chosen.codec), load_distance(chosen.distance)
    clean = held_out(chosen.images, chosen.pictures, side=chosen.side)
    judge = Judge(codec, clean, steps=chosen.protection_steps)
    trip = RoundTrip(codec)
    fast_preset = Impress(codec, distance, preset="fast", seed=chosen.seed)
    slow_preset = Impress(codec, distance, preset=REFERENCE, seed=chosen.seed)
    fast = judge.run("impress:fast", fast_preset)
    published = judge.run(f"impress:{REFERENCE}", slow_preset)
    rows = [judge.untouched(), judge.run("roundtrip", trip), published, fast]
    print_table(HEADER, [row.cells() for row in rows])
    found = compare(published, fast)
    print(
        f"\n{chosen.pictures} held-out pictures of {chosen.side} px under PhotoGuard, 8/255, "
        f"{chosen.protection_steps} steps; codec {codec.name}, distance {distance.name}. fast: "
        f"{found['loss_ratio']:.2f} of the published preset's final loss (at or below it on "
        f"{found['pictures_at_or_below']} of {chosen.pictures}), {found['times_faster']:.1f} times "
        f"faster (at least {found['least_times_faster']:.1f})"
    )
    finish(chosen, {"rows": {row.name: vars(row) for row in rows}, "found": found})


if __name__ == "__main__":
    main()
