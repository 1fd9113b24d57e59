"""What the shipped mixture does beside noise and PGD, on held-out pictures (README, Effect).

python benchmarks/effect.py --images FOLDER [--codec TAESD_ENCODER]
"""

from __future__ import annotations

from pathlib import Path

import torch
from common import SHARED_DATA, finish, held_out, parser, print_table
from measure import HEADER, Bench, Row, measure
from torch import Tensor

from fixative import Mixture, Protector, ProtectSettings, load_codec, load_mixture
from fixative.perceptual import load_visibility_map
from fixative.protections.noise import RandomNoise
from fixative.protections.photoguard import PhotoGuard
from fixative.protections.refine import Refinement, RefineSettings
from fixative.steps import assign_pictures, strength_factors, target_perturbation
from fixative.target import choose_target


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    options.add_argument("--codec", default=str(SHARED_DATA / "taesd/taesd_encoder.safetensors"))
    options.add_argument("--mixture", type=Path)
    options.add_argument("--pictures", type=int, default=12)
    options.add_argument("--window", type=int, default=256)
    options.add_argument("--pgd-steps", type=int, default=100)
    options.add_argument("--refine-steps", type=int, default=10, help="0 leaves it out")
    options.add_argument("--strength", type=float, default=8.0)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    codec, mixture = load_codec(chosen.codec), load_mixture(chosen.mixture)
    pictures = held_out(chosen.images, chosen.pictures)
    with torch.no_grad():
        latents = torch.cat([codec.encode(picture[None]) for picture in pictures])
    choice = choose_target(latents, mixture.target_entropies, mixture.target_names)
    bench = Bench(codec, pictures, choice.index, chosen.window, load_visibility_map("lpips"))
    noise = RandomNoise(strength=chosen.strength, seed=chosen.seed)
    rows = [
        measure(bench, "random ±ε noise", lambda x: noise.protect(x).image),
        _pgd(bench, chosen.strength, chosen.pgd_steps),
    ]
    for name, setting in (("mixture, map off", "off"), ("mixture, learned map", "learned")):
        protector = Protector(
            codec, mixture, ProtectSettings(chosen.strength, strength_map=setting)
        )
        rows.append(measure(bench, name, lambda x, p=protector: p.protect(x).image))
    if chosen.refine_steps:
        rows.append(_pgd(bench, chosen.strength, chosen.refine_steps))
        rows.append(_refined(bench, mixture, chosen.strength, chosen.refine_steps))
    reference = rows[1].mean
    print_table(HEADER, [row.cells(reference) for row in rows])
    aimed = choice.index.bincount(minlength=len(mixture.target_names)).tolist()
    print(
        f"\n{len(pictures)} held-out pictures, windows of {chosen.window} px, codec {codec.name}, "
        f"strength {chosen.strength:g}/255, targets "
        f"{dict(zip(mixture.target_names, aimed, strict=True))}"
    )
    result = {row.name: {"pull": row.mean, "pulls": row.pulls.tolist()} for row in rows}
    finish(chosen, {"rows": result, "share_of_pgd": rows[2].mean / reference})


def _pgd(bench: Bench, strength: float, steps: int) -> Row:
    goals = iter(bench.goals())

    def attack(window: Tensor) -> Tensor:
        goal = next(goals)[None]
        return PhotoGuard(bench.codec, goal, strength=strength, steps=steps).protect(window).image

    return measure(bench, f"PGD, {steps} steps", attack, windowed=True)


def _refined(bench: Bench, mixture: Mixture, strength: float, steps: int) -> Row:
    """The whole pictures, learned map, a few steps from the mixture's perturbation."""
    visibility = load_visibility_map("learned")

    def refine(pictures: Tensor) -> Tensor:
        assigned = assign_pictures(pictures, bench.codec, mixture)
        start = target_perturbation(mixture, assigned, strength=strength)
        factors = strength_factors(pictures, start, visibility)
        settings = RefineSettings(steps)
        refinement = Refinement(bench.codec, start, factors=factors, settings=settings)
        return refinement.protect(pictures).image

    return measure(bench, f"mixture, learned map, refined by {steps} steps", refine)


if __name__ == "__main__":
    main()
