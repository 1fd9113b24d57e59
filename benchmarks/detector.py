"""Fit the detector's numbers on training pictures, and measure its ROC on held-out ones.

python benchmarks/detector.py --images FOLDER [--codec TAESD_ENCODER] [--fit weights/…]

The iterative protections run on the centre window of 128 px only, and all traces but the match are
taken from there, so that the whole takes minutes; ``fixative inspect`` looks at four windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from common import SHARED_DATA, finish, load_square, parser, print_table, spread_over_kinds
from torch import Tensor

from fixative import load_codec, load_mixture
from fixative.codecs import Codec
from fixative.countermeasures.transforms import Jpeg
from fixative.detector import WEIGHTS_FILE, WITH_MIXTURE, WITHOUT_MIXTURE, Logistic, load_numbers
from fixative.mixture import Mixture
from fixative.perceptual import VisibilityMap, load_visibility_map
from fixative.protections.registry import ProtectionResources, make_protection
from fixative.provenance import provenance
from fixative.steps import (
    PerturbationApplied,
    assign_pictures,
    strength_factors,
    target_perturbation,
)
from fixative.traces import FOUND, GENERAL, MATCH, WINDOW, MixtureMatch, found, region_traces
from fixative.training.detector_fit import area_under_roc, fit_logistic, save_numbers
from fixative.training.splits import held_out_pictures, training_pictures
from fixative.weights import verified_weights

SIDE = 512
CENTRE = slice((SIDE - WINDOW) // 2, (SIDE + WINDOW) // 2)
STRENGTH, STEPS, QUALITY = 8.0, 8, 75
JPEG = f"+jpeg:{QUALITY}"
#: The protections that are fitted on, and those that the detector never met.
FITTED = ("mixture4", "mixture8", f"mixture8{JPEG}", "photoguard8", f"photoguard8{JPEG}")
UNMET = ("pgzero8", "mist8", "adaptive8", "pgtaesd8")
CLEAN, OTHERS = "clean", (f"clean{JPEG}", "noise8")
BOOTSTRAPS = 2000
#: For each picture, each version's traces by name.
Traces = list[dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Kit:
    """What versions are made with; ``other`` attacks in the embedded codec's place."""

    codec: Codec
    other: Codec | None
    mixture: Mixture
    visibility: VisibilityMap


def main() -> None:
    """Fit where asked, measure, print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    options.add_argument("--codec", help="another codec to attack with")
    options.add_argument("--train", type=int, default=60)
    options.add_argument("--held-out", type=int, default=20)
    options.add_argument("--fit", type=Path, help="fit the numbers anew and write them here")
    options.add_argument("--cache", type=Path, help="folder that keeps the protected pictures")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    other = load_codec(chosen.codec) if chosen.codec else None
    kit = Kit(load_codec(), other, load_mixture(), load_visibility_map("learned"))
    if chosen.fit:
        pictures = spread_over_kinds(training_pictures(chosen.images), chosen.train)
        traces = list(all_traces(kit, pictures, "train", chosen.cache))
        recipe = {"pictures": len(traces), "protections": FITTED, "others": (CLEAN, *OTHERS)}
        save_numbers(chosen.fit, fit(traces), {**recipe, **provenance()})
    numbers = load_numbers(chosen.fit or verified_weights(WEIGHTS_FILE))
    pictures = spread_over_kinds(held_out_pictures(chosen.images), chosen.held_out)
    traces = list(all_traces(kit, pictures, "heldout", chosen.cache))
    finish(chosen, report(traces, numbers, chosen.seed))


def versions(kit: Kit, path: Path, *, seed: int, all_methods: bool) -> dict[str, Tensor]:
    """A picture and its versions: (1, 3, 512, 512), or the centre window of it."""
    picture = load_square(path, SIDE)
    made = {
        CLEAN: picture,
        "noise8": make_protection("noise", strength=STRENGTH, seed=seed).protect(picture).image,
    }
    assigned = assign_pictures(picture, kit.codec, kit.mixture)
    for strength in (4.0, 8.0):
        start = target_perturbation(kit.mixture, assigned, strength=strength)
        factors = strength_factors(picture, start, kit.visibility)
        applied = PerturbationApplied(start, factors).protect(picture).image
        made[f"mixture{strength:g}"] = applied
    goal = str(assigned.details()[0]["target"])
    for name, (text, codec) in attacks(kit, goal, all_methods=all_methods).items():
        method = make_protection(text, ProtectionResources(codec), strength=STRENGTH)
        made[name] = method.protect(centre(picture)).image
    return made


def attacks(kit: Kit, goal: str, *, all_methods: bool) -> dict[str, tuple[str, Codec]]:
    """The iterative protections by name: how they are written, and what they attack."""
    usual = f"photoguard:{STEPS},goal={goal}"
    found = {"photoguard8": (usual, kit.codec)}
    if all_methods:
        found["pgzero8"] = (f"photoguard:{STEPS},goal=zero", kit.codec)
        found["mist8"] = (f"mist:{STEPS}", kit.codec)
        found["adaptive8"] = (f"{usual},consistency=30", kit.codec)
    if all_methods and kit.other is not None:
        found["pgtaesd8"] = (usual, kit.other)
    return found


def all_traces(
    kit: Kit, pictures: list[Path], part: str, cache: Path | None
) -> Iterator[dict[str, dict[str, float]]]:
    """Each picture's traces; what is in the cache is not made again."""
    file = None if cache is None else cache / f"versions_{part}.pt"
    kept: dict[str, dict[str, Tensor]] = (
        torch.load(file) if file is not None and file.is_file() else {}
    )
    match = MixtureMatch(kit.mixture)
    window_match = MixtureMatch(kit.mixture)  # keeps its patterns at the windows' size
    for number, path in enumerate(pictures, 1):
        if str(path) not in kept:
            made = versions(kit, path, seed=number - 1, all_methods=part == "heldout")
            kept[str(path)] = {
                name: (image[0] * 255).round().byte() for name, image in made.items()
            }
            if file is not None:
                torch.save(kept, file)
        made = {name: image[None].float() / 255 for name, image in kept[str(path)].items()}
        for name in (CLEAN, "mixture8", "photoguard8"):
            made[name + JPEG] = Jpeg(quality=QUALITY).purify(made[name]).image
        row = {
            name: traces_of(image, kit.codec, match if image.shape[-1] == SIDE else window_match)
            for name, image in made.items()
        }
        print(f"{part} {number}/{len(pictures)} {path.name}", flush=True)
        yield row


def traces_of(image: Tensor, codec: Codec, match: MixtureMatch) -> dict[str, float]:
    """The centre window's traces, and the match of all there is."""
    traces = region_traces(centre(image), codec)
    traces[MATCH] = match(image)
    traces[FOUND] = found(traces[MATCH])
    return traces


def centre(image: Tensor) -> Tensor:
    """The centre window of a 512 picture; a window as it is."""
    return image if image.shape[-1] == WINDOW else image[..., CENTRE, CENTRE].contiguous()


def fit(traces: Traces) -> dict[str, Logistic]:
    """Both sets of numbers."""
    fitted: dict[str, Logistic] = {}
    for kind, names in {WITHOUT_MIXTURE: GENERAL, WITH_MIXTURE: (*GENERAL, FOUND)}.items():
        rows = [(row[v], v in FITTED) for row in traces for v in (*FITTED, CLEAN, *OTHERS)]
        values = torch.tensor([[row[name] for name in names] for row, _ in rows])
        fitted[kind] = fit_logistic(names, values, torch.tensor([label for _, label in rows]))
    return fitted


def report(traces: Traces, numbers: dict[str, Logistic], seed: int) -> dict[str, Any]:
    """Print the areas under the ROC curves against clean pictures; return all figures."""
    rows: list[list[object]] = []
    result: dict[str, Any] = {}
    for version in (*FITTED, *UNMET, *OTHERS):
        if version not in traces[0]:
            continue
        row, shown = compare(traces, numbers, version, seed)
        called = [f"{100 * row[f'{kind} above half']:.0f} %" for kind in numbers]
        rows.append([version, *shown, *called])
        result[version] = row
    header = ["version", "round trip alone", "without the mixture", "with the mixture"]
    print_table([*header, "called protected without", "with"], rows)
    matches = {name: [row[name][MATCH] for row in traces] for name in traces[0]}
    for name in (CLEAN, *OTHERS, *FITTED[:3]):
        print(f"match of {name}: {min(matches[name]):.1f} to {max(matches[name]):.1f}")
    called = [
        (scores_of(traces, log, CLEAN) > 0).double().mean().item() for log in numbers.values()
    ]
    print(
        f"clean pictures called protected: {called[0]:.0%} without the mixture, "
        f"{called[1]:.0%} with it"
    )
    print(f"{len(traces)} held-out pictures; area under the ROC curve against them clean")
    return {"pictures": len(traces), "rows": result, "matches": matches, "clean_called": called}


def compare(
    traces: Traces, numbers: dict[str, Logistic], version: str, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """One version against the clean pictures: all figures, and the areas to print."""
    before, after = (
        torch.tensor([row[name]["round_trip"] for row in traces]) for name in (CLEAN, version)
    )
    row: dict[str, Any] = {"round trip alone": area_and_interval(after, before, seed)}
    for kind, logistic in numbers.items():
        before, after = (scores_of(traces, logistic, name) for name in (CLEAN, version))
        row[kind] = area_and_interval(after, before, seed)
        row[f"{kind} above half"] = (after > 0).double().mean().item()
    areas = (row["round trip alone"], *(row[kind] for kind in numbers))
    return row, [f"{area:.2f} ({low:.2f} to {high:.2f})" for area, low, high in areas]


def scores_of(traces: Traces, logistic: Logistic, version: str) -> Tensor:
    """(N,) log odds of a version of every picture."""
    return torch.tensor([logistic.score(row[version]) for row in traces])


def area_and_interval(protected: Tensor, others: Tensor, seed: int) -> tuple[float, float, float]:
    """The area, and its 95 % bootstrap interval over pictures, each with both its versions."""
    generator = torch.Generator().manual_seed(seed)
    count = len(protected)
    picks = torch.randint(count, (BOOTSTRAPS, count), generator=generator)
    areas = torch.tensor([area_under_roc(protected[pick], others[pick]) for pick in picks])
    low, high = areas.quantile(torch.tensor([0.025, 0.975])).tolist()
    return area_under_roc(protected, others), low, high


if __name__ == "__main__":
    main()
