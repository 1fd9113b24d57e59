"""The shipped strength map beside LPIPS-Alex: correlation and speed (README, Strength map).

python benchmarks/strength_map.py --images FOLDER [--backbone ALEXNET] [--encoder TAESD_ENCODER]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from common import SHARED_DATA, finish, held_out, parser, print_table
from torch import Tensor

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from fixative.codecs.tiny import frozen, load_tiny_network
from fixative.perceptual import LearnedMap, LpipsMap, VisibilityMap
from fixative.strength import adaptive_strength
from fixative.training import map_changes as changes

STRENGTHS = (2, 4, 8, 16)
#: Side of the pictures that the attacks of one picture are measured at, in pixels.
ATTACKED_SIDE = 256
Change = Callable[[Tensor, torch.Generator], Tensor]
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Agreement:
    """How one pair's learned map compares with LPIPS's.

    Attributes:
        correlation: Pearson's, over positions.
        scale: mean of the learned map over mean of LPIPS's.
        choice: share of positions to which adaptive strength gives the same factor.
    """

    correlation: float
    scale: float
    choice: float


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    backbone = SHARED_DATA / "lpips/alexnet_features.safetensors"
    options.add_argument("--backbone", type=Path, default=backbone)
    options.add_argument(
        "--encoder", type=Path, default=SHARED_DATA / "taesd/taesd_encoder.safetensors"
    )
    options.add_argument("--weights", type=Path, help="another map network than the shipped one")
    options.add_argument("--pictures", type=int, default=28)
    options.add_argument("--repeats", type=int, default=20)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    learned, reference = LearnedMap(chosen.weights), LpipsMap(chosen.backbone)
    pictures = list(held_out(chosen.images, chosen.pictures).split(1))
    rows = {
        name: [agreement(learned, reference, pair) for pair in pairs]
        for name, pairs in all_pairs(pictures, chosen.encoder, chosen.seed)
    }
    rows["all"] = [pair for pairs in rows.values() for pair in pairs]
    header = ("change", "pairs", "correlation, mean", "worst", "scale", "same strength")
    print_table(header, [_cells(name, found) for name, found in rows.items()])
    print(f"\n{len(pictures)} held-out pictures at 512, strength 8/255 unless named\n")
    times = timed(learned, reference, pictures[0], chosen.repeats)
    print_table(("map of one pair at 512", "median, ms", "fastest, ms"), _time_rows(times))
    ratios = sorted(a / b for a, b in zip(times["lpips"], times["learned"], strict=True))
    print(
        f"\nlearned is {ratios[len(ratios) // 2]:.1f} times as fast (median of the pairs of runs)"
    )
    finish(chosen, {"rows": {name: vars_of(row) for name, row in rows.items()}, "times": times})


def all_pairs(
    pictures: list[Tensor], encoder: Path, seed: int
) -> Iterator[tuple[str, Iterator[Pair]]]:
    """Pairs of each kind of change, by name."""
    encode = frozen(load_tiny_network(encoder))
    bank = _universal(encode, pictures, seed)
    drawn: dict[str, Change] = {
        "universal attack": lambda p, g: _add(p, changes.attack_texture(512, bank, g)),
        "periodic texture": lambda p, g: _add(p, changes.waves(512, g)),
        "sign noise": lambda p, g: _add(p, changes.sign_noise(512, g)),
        "smooth noise": lambda p, g: _add(p, changes.smooth_noise(512, g)),
        "JPEG, quality 60": lambda p, _: changes.jpeg(p, quality=60),
        "blur, σ 1 px": lambda p, _: changes.blur(p, sigma=1.0),
    }
    for name, change in drawn.items():
        yield name, _changed(pictures, change, seed)
    yield "the shipped mixture", _mixed(pictures)
    yield f"PGD on the encoder, {ATTACKED_SIDE} px", _attacked(encode, pictures[::2], seed)
    for strength in STRENGTHS:

        def add(p: Tensor, g: torch.Generator, eps: float = strength / 255) -> Tensor:
            return _add(p, changes.attack_texture(512, bank, g), eps)

        yield f"universal attack, {strength}/255", _changed(pictures[::2], add, seed + 1)


def agreement(learned: VisibilityMap, reference: VisibilityMap, pair: Pair) -> Agreement:
    """Compare the maps of one pair."""
    ours, theirs = learned(*pair), reference(*pair)
    table = torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))
    same = adaptive_strength(ours) == adaptive_strength(theirs)
    scale = (ours.mean() / theirs.mean()).item()
    return Agreement(table[0, 1].item(), scale, same.float().mean().item())


def timed(
    learned: VisibilityMap, reference: VisibilityMap, picture: Tensor, repeats: int
) -> dict[str, list[float]]:
    """Seconds a map, the two in turn, after one warm-up each."""
    after = _add(picture, changes.sign_noise(512, torch.Generator().manual_seed(0)))
    times: dict[str, list[float]] = {"lpips": [], "learned": []}
    for _ in range(repeats + 1):
        for found, visibility in zip(times.values(), (reference, learned), strict=True):
            start = time.perf_counter()
            visibility(picture, after)
            found.append(time.perf_counter() - start)
    return {name: found[1:] for name, found in times.items()}


def vars_of(row: list[Agreement]) -> list[dict[str, float]]:
    """The agreements as plain data."""
    return [vars(pair) for pair in row]


def _universal(encode: changes.Encode, pictures: list[Tensor], seed: int) -> list[changes.Attacked]:
    """Patterns of 192 px, each common to two held-out pictures and aimed at a third."""
    generator = torch.Generator().manual_seed(seed)
    crops = torch.cat([picture[..., 160:352, 160:352] for picture in pictures])
    bank: list[changes.Attacked] = []
    for index in range(0, min(12, len(crops) - 2), 3):
        start = changes.sign_noise(192, generator)
        pattern = changes.attack(encode, crops[index : index + 2], crops[index + 2 :][:1], start)
        bank.append((crops[index : index + 1], pattern))
    return bank


def _mixed(pictures: list[Tensor]) -> Iterator[Pair]:
    """What the map is asked in use: a picture and its first pass."""
    protector = Protector(load_codec(), load_mixture(), ProtectSettings(strength_map="off"))
    for picture in pictures:
        yield picture, protector.protect(picture).image


def _attacked(encode: changes.Encode, pictures: list[Tensor], seed: int) -> Iterator[Pair]:
    generator = torch.Generator().manual_seed(seed)
    low = (512 - ATTACKED_SIDE) // 2
    window = slice(low, low + ATTACKED_SIDE)
    for picture, target in zip(pictures, pictures[1:] + pictures[:1], strict=True):
        before, goal = picture[..., window, window], target[..., window, window]
        start = changes.sign_noise(ATTACKED_SIDE, generator)
        yield before, _add(before, changes.attack(encode, before, goal, start))


def _changed(pictures: list[Tensor], change: Change, seed: int) -> Iterator[Pair]:
    generator = torch.Generator().manual_seed(seed)
    return ((picture, change(picture, generator)) for picture in pictures)


def _add(picture: Tensor, pattern: Tensor, epsilon: float = changes.USUAL_STRENGTH) -> Tensor:
    return (picture + epsilon * pattern).clamp(0, 1)


def _cells(name: str, row: list[Agreement]) -> list[object]:
    correlations = [pair.correlation for pair in row]
    mean = sum(correlations) / len(row)
    scales = sorted(pair.scale for pair in row)
    same = sum(pair.choice for pair in row) / len(row)
    scale = f"{scales[len(row) // 2]:.2f} ({scales[0]:.2f} to {scales[-1]:.2f})"
    return [name, len(row), f"{mean:.3f}", f"{min(correlations):.3f}", scale, f"{same:.0%}"]


def _time_rows(times: dict[str, list[float]]) -> list[list[object]]:
    rows: list[list[object]] = []
    for name, found in times.items():
        median = sorted(found)[len(found) // 2]
        rows.append([name, f"{median * 1e3:.1f}", f"{min(found) * 1e3:.1f}"])
    return rows


if __name__ == "__main__":
    main()
