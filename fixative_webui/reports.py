"""What a person reads about one picture, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

import fixative
from fixative.countermeasures import Purified
from fixative.detector import Inspection
from fixative.evaluation.curves import loss_curve
from fixative.metrics import psnr
from fixative.protector import PictureReport
from fixative.reporting import NOISE, PROTECTED, PictureFigures
from fixative.traces import MATCH, SURE_MATCH

#: Our own strength map asks for more than the budget at about a fifth of the values.
MOSTLY_CUT = 0.5
READING = "pull: 1 = the target reached, 0 = no effect; measured on 512 x 512 copies"
CHANCE = (
    "The chance holds where every other picture is protected. A low one is no proof: a weak or "
    "unknown protection, or a picture that was resized or saved as JPEG, may show no trace."
)


def protected(facts: PictureReport, says: str, figures: PictureFigures | None) -> str:
    """Lines for a person."""
    lines = [
        f"Protected at strength {facts.strength:g}/255, target {facts.target} "
        f"(entropy {facts.entropy:.2f} bits), group {facts.group}",
        f"Seen through {says}; mixture {facts.mixture}",
        f"Largest change {facts.max_change:.0f}/255, mean {facts.mean_change:.2f}/255, "
        f"{_decibel(facts.psnr)}",
    ]
    if figures is not None:
        ours, noise = figures.versions[PROTECTED], figures.versions[NOISE]
        lines.append(
            f"Pull {ours.pull:.3f}, random noise of the same largest change {noise.pull:.3f} "
            f"({READING})"
        )
    return "\n".join(lines)


def protected_facts(
    facts: PictureReport, says: str, figures: PictureFigures | None
) -> dict[str, Any]:
    """JSON types only."""
    told = {"fixative": fixative.__version__, "seen_by": says, **facts.to_dict()}
    return told if figures is None else {**told, "measured": figures.to_dict()}


def parameters(facts: PictureReport) -> str:
    """A few words for the notes in a picture file."""
    return (
        f"strength {facts.strength:g}/255, target {facts.target}, {facts.mixture}, "
        f"VAE family {facts.family}, version {fixative.__version__}"
    )


def cautions(facts: PictureReport, figures: PictureFigures | None) -> list[str]:
    """What the person must know of a protection that is not worth its name."""
    if facts.strength == 0:
        return ["NOT PROTECTED: the strength is 0"]
    if facts.max_change == 0:
        return ["NOT PROTECTED: nothing changed, because the strength leaves no whole level"]
    told: list[str] = []
    if facts.cut_share > MOSTLY_CUT:
        told.append(
            f"The budget of {facts.strength:g}/255 cut off {facts.cut_share:.0%} of the change: "
            "use more strength"
        )
    if figures is not None and figures.versions[PROTECTED].pull <= figures.versions[NOISE].pull:
        told.append("NO MORE THAN RANDOM NOISE: this VAE is pulled no further by the protection")
    return told


def purified_facts(before: Tensor, done: Purified, written: str, says: str) -> dict[str, Any]:
    """JSON types only, the losses thinned to a curve.

    Args:
        before: (1, 3, H, W) in [0, 1].
        done: of one picture.
        written: the countermeasure as ``describe`` writes it.
        says: which VAE, empty for none.
    """
    details = done.details[0]
    kept = {key: value for key, value in details.items() if key not in ("losses", "links")}
    decibel = psnr(done.image, before).item()
    curve = loss_curve(details)
    return {
        "fixative": fixative.__version__,
        "countermeasure": written,
        **({"seen_by": says} if says else {}),
        "psnr": decibel if decibel < float("inf") else None,
        **kept,
        **({"curve": curve} if curve else {}),
    }


def purified(info: Mapping[str, Any]) -> str:
    """Lines for a person."""
    lines = [f"Purified by {info['countermeasure']}"]
    if "seen_by" in info:
        lines.append(f"Seen through {info['seen_by']}")
    if "curve" in info and "steps" in info:
        first, last = info["curve"]["loss"][0], info["loss"]
        lines.append(f"{info['steps']} steps, loss {first:.4f} at the start, {last:.4f} at the end")
    return "\n".join([*lines, f"Against the picture given: {_decibel(info['psnr'])}"])


def inspected(found: Inspection, mixture: str) -> str:
    """Lines for a person."""
    percent = 100 * found.probability
    told = "over 99 %" if percent > 99 else "under 1 %" if percent < 1 else f"{percent:.0f} %"
    lines = [f"{found.verdict[0].upper()}{found.verdict[1:]}: {told} (score {found.score:+.2f})"]
    match = found.features.get(MATCH)
    if match is not None and match > SURE_MATCH:
        lines.append(f"It carries the pattern of {mixture} ({match:.0f} deviations above chance)")
    return "\n".join([*lines, f"Looked for {mixture} and for any protection. {CHANCE}"])


def inspected_facts(found: Inspection, mixture: str) -> dict[str, Any]:
    """JSON types only."""
    verdict = found.verdict
    return {
        "fixative": fixative.__version__,
        "mixture": mixture,
        "verdict": verdict,
        **asdict(found),
    }


def _decibel(value: float | None) -> str:
    return "no change" if value is None else f"PSNR {value:.1f} dB"
