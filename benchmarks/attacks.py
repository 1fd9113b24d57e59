"""The learnt attacks on the shipped mixture: how many known pairs undo it on unseen pictures.

python benchmarks/attacks.py --runs RUNS
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from common import SHARED_DATA, finish, held_out, load_square, parser, print_table
from torch import Tensor

from fixative.codecs import load_codec
from fixative.countermeasures import Averaging, Countermeasure, LearnedRemover, make_countermeasure
from fixative.metrics import psnr
from fixative.mixture import SIDE, load_mixture
from fixative.protections.noise import RandomNoise
from fixative.protector import Protector
from fixative.training.averaging import learn_shared
from fixative.training.pairs import Pair, pair_images
from fixative.training.remover import train_remover
from fixative.training.splits import training_pictures

HEADER = ["attack", "known pairs", "perturbation left", "pull", "PSNR dB", "clean ones: PSNR dB"]


class Judge:
    """Measures what an attack leaves of the protection of pictures that it never saw.

    Args:
        protector: the mixture as shipped.
        clean: (N, 3, 512, 512), held out.
    """

    def __init__(self, protector: Protector, clean: Tensor) -> None:
        self._protector, self._clean = protector, clean
        self.protected = protector.protect(clean).image

    def row(self, name: str, pairs: int | str, method: Countermeasure | None) -> list[object]:
        """Cells for the table; None attacks nothing."""
        after = self.protected if method is None else method.purify(self.protected).image
        damaged = self._clean if method is None else method.purify(self._clean).image
        change = (self.protected - self._clean).square().mean((1, 2, 3))
        left = ((after - self._clean).square().mean((1, 2, 3)) / change).mean().item()
        pulls = self._protector.measure_pull(self._clean, after)
        damage = psnr(damaged, self._clean)
        unharmed = "unchanged" if damage.isinf().all() else f"{damage.mean().item():.1f}"
        decibel = psnr(after, self._clean).mean().item()
        return [
            name,
            pairs,
            f"{left:.2f}",
            f"{pulls.mean().item():.3f}",
            f"{decibel:.1f}",
            unharmed,
        ]


def known_pictures(folder: Path, count: int) -> Tensor:
    """(count, 3, 512, 512) training pictures, kinds in turn."""
    kinds = [paths for _, paths in sorted(training_pictures(folder).items())]
    chosen = [kinds[i % len(kinds)][i // len(kinds)] for i in range(count)]
    return torch.cat([load_square(path, SIDE) for path in chosen])


def drawn_noise(clean: Tensor) -> list[Pair]:
    """Pairs of a tool that draws new noise for each picture."""
    noisy = [RandomNoise(seed=i).protect(one[None]).image[0] for i, one in enumerate(clean)]
    return pair_images(clean, noisy)


def averaging_rows(
    judge: Judge, pairs: Sequence[Pair], counts: Sequence[int]
) -> list[list[object]]:
    """The averaging attack with more and more known pairs."""
    rows: list[list[object]] = []
    for count in counts:
        shared = learn_shared(pairs[:count])
        name = f"average ({len(shared)} found: {shared.pairs.tolist()})"
        rows.append(judge.row(name, count, Averaging(shared)))
        print(f"  {rows[-1]}", flush=True)
    return rows


def main() -> None:
    """Protect, learn, attack, print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    options.add_argument(
        "--runs", type=Path, required=True, help="folder of the remover's training"
    )
    options.add_argument("--counts", type=int, nargs="+", default=[4, 8, 16])
    options.add_argument("--pictures", type=int, default=8)
    options.add_argument("--remover-steps", type=int, default=300)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    protector = Protector(load_codec(), load_mixture())
    known = known_pictures(chosen.images, max(chosen.counts))
    pairs = pair_images(known, protector.protect(known).image)
    judge = Judge(protector, held_out(chosen.images, chosen.pictures))
    rows = [judge.row("none", "–", None)]
    rows.append(judge.row("jpeg:75", "–", make_countermeasure("jpeg:75")))
    rows += averaging_rows(judge, pairs, chosen.counts)
    steps = chosen.remover_steps
    remover = train_remover(
        pairs,
        chosen.runs / "remover.safetensors",
        checkpoint=chosen.runs / "remover.pt",
        steps=steps,
    )
    rows.append(judge.row(f"remover ({steps} steps)", len(pairs), LearnedRemover(remover)))
    print_table(HEADER, rows)
    shares = len(learn_shared(drawn_noise(known)))
    print(
        f"\n{chosen.pictures} held-out pictures of {SIDE} px, the shipped mixture at 8/255 with "
        f"its map. Of a tool that draws new ±8/255 noise for each of {len(known)} pictures the "
        f"averaging attack finds {shares} perturbations"
    )
    finish(chosen, {"rows": rows})


if __name__ == "__main__":
    main()
