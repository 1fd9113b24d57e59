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
from common import (
    SHARED_DATA,
    Kept,
    finish,
    load_square,
    parser,
    print_table,
    spread_over_kinds,
)
from torch import Tensor

from fixative import load_codec, load_mixture
from fixative.codecs import Codec
from fixative.countermeasures.transforms import Jpeg
from fixative.detector import ANY, OWN, TRACES_OF, WEIGHTS_FILE, Logistic, load_numbers, score_of
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
from fixative.traces import FOUND, MATCH, WINDOW, MixtureMatch, found, region_traces
from fixative.training.detector_fit import RIDGE, area_under_roc, fit_logistic, save_numbers
from fixative.training.splits import held_out_pictures, training_pictures
from fixative.weights import verified_weights

SIDE = 512
CENTRE = slice((SIDE - WINDOW) // 2, (SIDE + WINDOW) // 2)
STRENGTH, STEPS, QUALITY = 8.0, 8, 75
JPEG = f"+jpeg:{QUALITY}"
#: The protections that are fitted on, the mixture first; and those that the detector never met.
FITTED = ("mixture4", "mixture8", f"mixture8{JPEG}", "photoguard8", f"photoguard8{JPEG}")
UNMET = ("pgzero8", "mist8", "adaptive8", "pgtaesd8")
CLEAN, OTHERS = "clean", (f"clean{JPEG}", "noise8")
NOT = (CLEAN, *OTHERS)
#: The match parts the pictures wholly: with less of a ridge its chances are nearly 0 and 1.
OWN_RIDGE = 0.001
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
        recipe = {"pictures": len(traces), "protections": FITTED, "others": NOT}
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
    kept = Kept(cache, f"versions_{part}.pt")
    done = Kept(cache, f"traces_{part}.pt")
    match = MixtureMatch(kit.mixture)
    window_match = MixtureMatch(kit.mixture)  # keeps its patterns at the windows' size
    for number, path in enumerate(pictures, 1):
        if str(path) not in kept.things:
            made = versions(kit, path, seed=number - 1, all_methods=part == "heldout")
            kept.add(path, {name: (image[0] * 255).round().byte() for name, image in made.items()})
        if str(path) not in done.things:
            made = {n: image[None].float() / 255 for n, image in kept.things[str(path)].items()}
            for name in (CLEAN, "mixture8", "photoguard8"):
                made[name + JPEG] = Jpeg(quality=QUALITY).purify(made[name]).image
            traces = {
                name: traces_of(image, kit.codec, match if is_whole(image) else window_match)
                for name, image in made.items()
            }
            done.add(path, traces)
            print(f"{part} {number}/{len(pictures)} {path.name}", flush=True)
        yield done.things[str(path)]


def traces_of(image: Tensor, codec: Codec, match: MixtureMatch) -> dict[str, float]:
    """The centre window's traces, and the match of all there is."""
    traces = region_traces(centre(image), codec)
    traces[MATCH] = match(image)
    traces[FOUND] = found(traces[MATCH])
    return traces


def is_whole(image: Tensor) -> bool:
    """Not only a window."""
    return image.shape[-1] == SIDE


def centre(image: Tensor) -> Tensor:
    """The centre window of a 512 picture; a window as it is."""
    return image[..., CENTRE, CENTRE].contiguous() if is_whole(image) else image


def fit(traces: Traces) -> dict[str, Logistic]:
    """Both sets of numbers: on any protection's traces, and on the mixture's match."""
    fitted: dict[str, Logistic] = {}
    for kind, protections, ridge in ((ANY, FITTED, RIDGE), (OWN, FITTED[:3], OWN_RIDGE)):
        names = TRACES_OF[kind]
        rows = [(row[v], v in protections) for row in traces for v in (*protections, *NOT)]
        values = torch.tensor([[row[name] for name in names] for row, _ in rows])
        labels = torch.tensor([label for _, label in rows])
        fitted[kind] = fit_logistic(names, values, labels, ridge=ridge)
    return fitted


def report(traces: Traces, numbers: dict[str, Logistic], seed: int) -> dict[str, Any]:
    """Print the areas under the ROC curves against clean pictures; return all figures."""
    shown = [version for version in (*FITTED, *UNMET, *OTHERS) if version in traces[0]]
    ways = {
        "round trip alone": None,
        "without the mixture": {ANY: numbers[ANY]},
        "with it": numbers,
    }
    clean = {way: scores_of(traces, used, CLEAN) for way, used in ways.items()}
    rows: list[list[object]] = []
    result: dict[str, Any] = {}
    for version in shown:
        scores = {way: scores_of(traces, used, version) for way, used in ways.items()}
        areas = {way: area_and_interval(scores[way], clean[way], seed) for way in ways}
        called = {way: share_called(scores[way]) for way, used in ways.items() if used}
        rows.append([version, *map(area_text, areas.values()), *map(percent, called.values())])
        result[version] = {"areas": areas, "called": called}
    called = [share_called(clean[way]) for way, used in ways.items() if used]
    rows.append([CLEAN, "", "", "", *map(percent, called)])
    print_table(["version", *ways, "called protected without", "with it"], rows)
    matches = {version: [row[version][MATCH] for row in traces] for version in (CLEAN, *shown)}
    for version in (*NOT, *FITTED[:3]):
        print(f"match of {version}: {min(matches[version]):.1f} to {max(matches[version]):.1f}")
    print(f"{len(traces)} held-out pictures; area under the ROC curve against them clean")
    return {"pictures": len(traces), "rows": result, "matches": matches, "clean_called": called}


def scores_of(traces: Traces, numbers: dict[str, Logistic] | None, version: str) -> Tensor:
    """(N,) log odds of a version of every picture; without numbers the round trip's error."""
    rows = [row[version] for row in traces]
    return torch.tensor(
        [row["round_trip"] if numbers is None else score_of(numbers, row) for row in rows]
    )


def share_called(scores: Tensor) -> float:
    """The share of chances above one half."""
    return (scores > 0).double().mean().item()


def area_text(area: tuple[float, float, float]) -> str:
    """An area with its interval."""
    return f"{area[0]:.2f} ({area[1]:.2f} to {area[2]:.2f})"


def percent(share: float) -> str:
    """A share of 1 in percent."""
    return f"{100 * share:.0f} %"


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
