"""A protection report in words, and the same as JSON with what is needed to measure it again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fixative.codecs import FamilyMatch
from fixative.mixture import Mixture
from fixative.provenance import provenance
from fixative.reporting import (
    LABELS,
    NOISE,
    PGD,
    PROTECTED,
    Figures,
    PictureFigures,
    ReportSettings,
    mean_figures,
    mixture_digest,
)

FORMAT = "fixative-report-1"
#: What the mean of each visibility map is called.
VISIBILITY_NAMES = {"lpips": "LPIPS", "learned": "LPIPS (stand-in)"}


@dataclass(frozen=True)
class ReportContext:
    """What the pictures were measured with.

    Attributes:
        settings: target and controls.
        match: how well the codec matches its family.
        mixture: whose targets.
        visibility: name of the visibility map, ``learned`` or ``lpips``.
    """

    settings: ReportSettings
    match: FamilyMatch
    mixture: Mixture
    visibility: str


def report_lines(pictures: Sequence[PictureFigures], context: ReportContext) -> str:
    """What a person reads: a line a picture, the means, and what to make of them."""
    match, mixture = context.match, context.mixture
    lines = [
        f"Fixative report: {len(pictures)} picture(s), VAE family {match.family} (score "
        f"{match.score:.2f}), mixture {mixture.name}, target {context.settings.target}"
    ]
    lines += [
        f"{number}: target {picture.target}; {_versions(picture, context)}"
        for number, picture in enumerate(pictures, start=1)
    ]
    means = {name: mean_figures(pictures, name) for name in pictures[0].versions}
    if len(pictures) > 1:
        lines.append("mean: " + _pulls(means, context))
    return "\n".join([*lines, *_verdict(pictures), _READING])


def report_json(pictures: Sequence[PictureFigures], context: ReportContext) -> str:
    """Everything measured and everything it depends on, as one JSON object."""
    mixture = context.mixture
    report = {
        "format": FORMAT,
        "settings": {**asdict(context.settings), "visibility": context.visibility},
        "seeds": {"noise": context.settings.seed},
        "versions": provenance(),
        "vae": asdict(context.match),
        "mixture": {
            "name": mixture.name,
            "family": mixture.family,
            "eta_255": mixture.eta * 255,
            "sha256_of_tensors": mixture_digest(mixture),
        },
        "pictures": [picture.to_dict() for picture in pictures],
        "means": {name: asdict(mean_figures(pictures, name)) for name in pictures[0].versions},
    }
    return json.dumps(_plain(report), indent=1, allow_nan=False)


_READING = (
    "pull: 1 = the target reached, 0 = no effect. Random noise and PGD have the protection's "
    "largest change; everything is measured on 512 x 512 copies, as the protection sees them."
)


def _versions(picture: PictureFigures, context: ReportContext) -> str:
    figures = picture.versions[PROTECTED]
    psnr = "no change" if figures.psnr is None else f"PSNR {figures.psnr:.1f} dB"
    return (
        f"{_pulls(picture.versions, context)}; shift {figures.shift:.3f}; change at most "
        f"{figures.max_change:.1f}/255, mean {figures.mean_change:.2f}/255; {psnr}; "
        f"{VISIBILITY_NAMES[context.visibility]} {figures.visibility:.3f}"
    )


def _pulls(versions: dict[str, Figures], context: ReportContext) -> str:
    steps = {PGD: f" in {context.settings.pgd_steps} steps"}
    controls = ", ".join(
        f"{LABELS[name]}{steps.get(name, '')} {figures.pull:.3f}"
        for name, figures in versions.items()
        if name != PROTECTED
    )
    return f"pull {versions[PROTECTED].pull:.3f} ({controls})"


def _verdict(pictures: Sequence[PictureFigures]) -> list[str]:
    """Pictures whose protection is not worth its name, one line for each kind."""
    unchanged = [i for i, one in enumerate(pictures, 1) if one.versions[PROTECTED].max_change == 0]
    weak = [
        i
        for i, one in enumerate(pictures, 1)
        if i not in unchanged and one.versions[PROTECTED].pull <= one.versions[NOISE].pull
    ]
    told = {"NOT PROTECTED, nothing changed": unchanged, "NO MORE THAN RANDOM NOISE": weak}
    return [
        f"{text}: picture(s) {', '.join(map(str, numbers))}"
        for text, numbers in told.items()
        if numbers
    ]


def _plain(value: Any) -> Any:
    """JSON has no numbers that are not finite: they become null."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
