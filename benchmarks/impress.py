"""IMPRESS as published against its fast preset, on protected held-out pictures.

python benchmarks/impress.py --threads 1 --pictures 10 --side 48
"""

from __future__ import annotations

import hashlib
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
    "CPU s a picture",
    "pull",
    "PSNR dB to the clean",
]
REFERENCE = "photoguard"


@dataclass(frozen=True)
class Outcome:
    """One countermeasure on all pictures, a value a picture.

    Attributes:
        name: the row's.
        losses: where it ended, on the preset's own objective; None where it has none.
        steps: done.
        seconds: of processor time on each picture; other programs do not count.
        pulls: towards the protection's target, afterwards.
        decibel: of the purified picture against the clean original.
    """

    name: str
    losses: list[float] | None
    steps: list[int]
    seconds: list[float]
    pulls: list[float]
    decibel: list[float]

    def cells(self) -> list[object]:
        """For the table."""
        losses = "–" if self.losses is None else f"{mean(self.losses):.5f}"
        cells: list[object] = [self.name, losses, f"{mean(self.steps):.0f}"]
        cells += [f"{mean(self.seconds):.2f}", f"{mean(self.pulls):.3f}"]
        return [*cells, f"{mean(self.decibel):.1f}"]


class Judge:
    """Protects the pictures once and measures what countermeasures leave.

    Args:
        codec: attacked, purified with, and measured with.
        clean: (N, 3, S, S).
        steps: of the protection (PhotoGuard, 8/255).
        keep: folder of results; those that are there are not computed again.
    """

    def __init__(self, codec: Codec, clean: Tensor, *, steps: int, keep: Path | None) -> None:
        self.codec, self.clean, self._keep = codec, clean, keep
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

    def run(self, method: Impress | RoundTrip) -> Outcome:
        """Purify every protected picture."""
        done = [self._one(method, image) for image in self.protected.split(1)]
        images = torch.cat([each["image"] for each in done])
        details = [each["details"] for each in done]
        return Outcome(
            name=method.describe(),
            losses=[each["loss"] for each in details] if "loss" in details[0] else None,
            steps=[each.get("steps", 0) for each in details],
            seconds=[each["seconds"] for each in done],
            pulls=self.pulls(images),
            decibel=psnr(images, self.clean).tolist(),
        )

    def _one(self, method: Impress | RoundTrip, image: Tensor) -> dict[str, Any]:
        """The purified picture, what is told of it, and the processor seconds it took."""
        path = None if self._keep is None else self._keep / f"{_key(method, image)}.pt"
        if path is not None and path.is_file():
            return torch.load(path, weights_only=True)
        start = time.process_time()
        result = method.purify(image)
        seconds = time.process_time() - start
        found = {"image": result.image, "details": result.details[0], "seconds": seconds}
        print(f"  {method.describe()}: {seconds:.1f} s", flush=True)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(found, path)
        return found

    def untouched(self) -> Outcome:
        """The protected pictures as they are."""
        count = len(self.clean)
        decibel = psnr(self.protected, self.clean).tolist()
        zeros = [0.0] * count
        return Outcome("none", None, [0] * count, zeros, self.pulls(self.protected), decibel)


def _key(method: Impress | RoundTrip, image: Tensor) -> str:
    """Of everything that the result depends on, apart from the code."""
    settings = repr(method.settings) if isinstance(method, Impress) else ""
    told = f"{method.describe()} {settings} {method.seed} {tuple(image.shape)}".encode()
    return hashlib.sha256(told + image.numpy().tobytes()).hexdigest()[:16]


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
    options.add_argument("--side", type=int, default=48)
    options.add_argument("--protection-steps", type=int, default=50)
    options.add_argument("--keep", type=Path, help="folder of results, to go on from")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    codec, distance = load_codec(chosen.codec), load_distance(chosen.distance)
    clean = held_out(chosen.images, chosen.pictures, side=chosen.side)
    judge = Judge(codec, clean, steps=chosen.protection_steps, keep=chosen.keep)
    trip = RoundTrip(codec)
    fast_preset = Impress(codec, distance, preset="fast", seed=chosen.seed)
    slow_preset = Impress(codec, distance, preset=REFERENCE, seed=chosen.seed)
    fast = judge.run(fast_preset)
    published = judge.run(slow_preset)
    rows = [judge.untouched(), judge.run(trip), published, fast]
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
