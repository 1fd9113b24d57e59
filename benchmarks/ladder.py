"""The paper's ablation ladder, every rung trained equally long (README, Ablation).

python benchmarks/ladder.py --images FOLDER --runs FOLDER [--steps 160]

Rungs are trained on one codec and measured on it, as in the paper. They are short trainings: the
figures compare rungs with each other, not with the shipped mixture.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import SHARED_DATA, finish, held_out, parser, print_table
from measure import HEADER, Bench, Row, measure
from torch import Tensor

from fixative import Mixture, Protector, ProtectSettings, load_codec
from fixative.assignment import assign
from fixative.codecs.base import Codec
from fixative.perceptual import load_visibility_map
from fixative.protections.base import enforce_budget
from fixative.target import choose_target
from fixative.training.crops import CropSampler
from fixative.training.loop import LoopSettings, run_training
from fixative.training.mixture_set import MixtureSet, prepare_set
from fixative.training.targets import PERIODS, draw_targets
from fixative.training.train_mixture import MixtureRecipe, MixtureTraining

NAMES = tuple(PERIODS)
FIXED = NAMES.index("mid")


class Ladder:
    """Trains rungs on one set and measures them on one bench."""

    def __init__(self, codec: Codec, data: MixtureSet, bench: Bench, options: Any) -> None:
        self._codec, self._data, self._bench, self._options = codec, data, bench, options
        latents = bench.encode(bench.pictures)
        self._group = assign(latents, data.centroids).group
        self.adaptive = choose_target(latents, data.target_entropies, NAMES).index
        self._fixed = torch.full_like(self.adaptive, FIXED)

    def train(self, name: str, recipe: MixtureRecipe) -> MixtureTraining:
        """Train one rung, from its checkpoint if there is one."""
        training = MixtureTraining(
            [self._codec], self._data, draw_targets(), list(PERIODS.values()), recipe
        )
        path = self._options.runs / f"{name}.pt"
        run_training(training, LoopSettings(self._options.steps, path))
        return training

    def universal(self, training: MixtureTraining) -> Row:
        """One perturbation for every picture."""
        change = training.shared[FIXED : FIXED + 1]
        return measure(
            self._bench,
            "one universal perturbation",
            lambda x: enforce_budget(x, change, 8 / 255),
            target=self._fixed,
        )

    def mixture(
        self, name: str, training: MixtureTraining, *, target: Tensor, group: Tensor | None = None
    ) -> Row:
        """Global plus group perturbations, of the assigned or the given groups."""
        groups = iter(self._group if group is None else group)
        targets = iter(target)

        def protect(picture: Tensor) -> Tensor:
            t, k = next(targets), next(groups)
            change = training.shared[t] + training.group[t, k]
            return enforce_budget(picture, change[None], 8 / 255)

        return measure(self._bench, name, protect, target=target)

    def composed(self, name: str, mixture: Mixture, strength_map: str) -> Row:
        """The whole Protector, quantised as shipped."""
        settings = ProtectSettings(strength_map=strength_map)
        protector = Protector(self._codec, mixture, settings)
        return measure(
            self._bench, name, lambda x: protector.protect(x).image, target=self.adaptive
        )

    def rungs(self) -> list[Row]:
        """All rungs, in the paper's order."""
        base = MixtureRecipe(
            batch=4,
            feature_weight=0.0,
            adaptive_target=False,
            fixed_target=FIXED,
            seed=self._options.seed,
        )
        one = self.train("universal", replace(base, grouped=False))
        grouped = self.train("mixture", base)
        layered = self.train("layers", replace(base, feature_weight=self._options.feature_weight))
        adaptive = self.train(
            "adaptive",
            replace(base, feature_weight=self._options.feature_weight, adaptive_target=True),
        )
        wrong = (self._group + 1 + torch.arange(len(self._group)) % 3) % 4
        final = adaptive.mixture(self._codec.family, NAMES, {})
        return [
            self.universal(one),
            self.mixture("mixture, wrong group", grouped, target=self._fixed, group=wrong),
            self.mixture("mixture, with assignment", grouped, target=self._fixed),
            self.mixture("+ multi-layer loss", layered, target=self._fixed),
            self.mixture("+ adaptive target", adaptive, target=self.adaptive),
            self.composed("the same, 8-bit as shipped", final, "off"),
            self.composed("+ adaptive strength (learned map)", final, "learned"),
            self.composed("+ adaptive strength (LPIPS map)", final, "lpips"),
        ]


def main() -> None:
    """Train, measure and print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    options.add_argument("--codec", default=str(SHARED_DATA / "taesd/taesd_encoder.safetensors"))
    options.add_argument("--runs", type=Path, required=True)
    options.add_argument("--steps", type=int, default=160)
    options.add_argument("--pictures", type=int, default=14)
    options.add_argument("--square-crops", type=int, default=350)
    options.add_argument("--window", type=int, default=256)
    options.add_argument("--feature-weight", type=float, default=0.1)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    codec = load_codec(chosen.codec)
    data = prepare_set(
        CropSampler(chosen.images),
        codec,
        draw_targets(),
        count=chosen.square_crops,
        seed=chosen.seed,
        cache=chosen.runs / "latents.pt",
    )
    pictures = held_out(chosen.images, chosen.pictures)
    nowhere = torch.zeros(len(pictures), dtype=torch.long)
    bench = Bench(codec, pictures, nowhere, chosen.window, load_visibility_map("lpips"))
    rows = Ladder(codec, data, bench, chosen).rungs()
    print_table(HEADER[:2] + HEADER[3:5], [[*row.cells(1)[:2], *row.cells(1)[3:5]] for row in rows])
    print(f"\n{len(pictures)} held-out pictures, {chosen.steps} steps a rung, codec {codec.name}")
    finish(chosen, {"rows": {row.name: row.pulls.tolist() for row in rows}})


if __name__ == "__main__":
    main()
