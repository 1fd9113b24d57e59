"""The report a person reads, with everything in JSON below it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fixative.codecs import UNKNOWN_FAMILY, FamilyMatch
from fixative.protections.base import ChangeReport
from fixative.protections.refine import Refined, RefineSettings
from fixative.steps import AssignedPictures, PictureReport

#: Our own strength map asks for more than the budget at about a fifth of the values.
MOSTLY_CUT = 0.5
#: A family's own members match their probe at 1, the rough embedded codec at 0.94, and an encoder
#: whose weights are a fifth noise at 0.83 to 0.91.
WEAK_SCORE = 0.9


def report_text(reports: Sequence[PictureReport], *, shares: Sequence[float]) -> str:
    """A line a picture, a blank line, and the same facts as JSON.

    Args:
        reports: one a picture.
        shares: the part of each picture that the mask covers, 0 to 1.
    """
    first = reports[0]
    lines = [
        f"Fixative: {len(reports)} picture(s), VAE family {first.family}, "
        f"mixture {first.mixture}, strength {first.strength:g}/255"
    ]
    lines += [
        f"{number}: {picture_line(report, share)}"
        for number, (report, share) in enumerate(zip(reports, shares, strict=True), start=1)
    ]
    facts = [
        {**report.to_dict(), "masked_share": share}
        for report, share in zip(reports, shares, strict=True)
    ]
    return "\n".join(lines) + "\n\n" + json.dumps({"pictures": facts}, indent=1)


def assignment_text(assigned: AssignedPictures) -> str:
    """A line a picture, a blank line, and the same facts as JSON."""
    facts = assigned.details()
    lines = [f"Assigned by {assigned.mixture}, VAE family {assigned.family}"]
    lines += [
        f"{number}: group {one['group']} (distance {one['group_distances'][one['group']]:.3f}), "
        f"target {one['target']}, entropy {one['entropy']:.2f} bits"
        for number, one in enumerate(facts, start=1)
    ]
    return "\n".join(lines) + "\n\n" + json.dumps({"pictures": facts}, indent=1)


def refinement_text(refined: Refined, settings: RefineSettings) -> str:
    """A line a picture, what changed for want of memory, and the same facts as JSON."""
    start = refined.perturbation
    facts: list[dict[str, Any]] = [
        {"pull": max(curve), "best_step": curve.index(max(curve)), "pulls": curve, "memory": way}
        for curve, way in zip(refined.pulls, refined.ways, strict=True)
    ]
    lines = [
        f"Refined: {len(facts)} picture(s), VAE family {start.assigned.family}, strength "
        f"{start.strength:g}/255, {settings.steps} steps from {settings.step_size:g}/255"
    ]
    lines += [
        f"{number}: pull {one['pulls'][0]:.3f} at the start, {one['pull']:.3f} after step "
        f"{one['best_step']} ({one['memory']})"
        for number, one in enumerate(facts, start=1)
    ]
    whole = {**asdict(settings), "pictures": facts, "steps_down": refined.steps_down}
    return "\n".join([*lines, *refined.steps_down]) + "\n\n" + json.dumps(whole, indent=1)


def picture_line(report: PictureReport, share: float = 1.0) -> str:
    """One picture: what was chosen, how much it changed, and what to know about it."""
    psnr = "no change" if report.psnr is None else f"PSNR {report.psnr:.1f} dB"
    line = (
        f"group {report.group}, target {report.target} "
        f"(entropy {report.entropy:.2f} bits), largest change {report.max_change:.0f}/255, {psnr}"
    )
    return f"{line}{_warning(report, share)}"


def urgent(reports: Sequence[ChangeReport], shares: Sequence[float]) -> str | None:
    """What the user must see at once, in one or two sentences, or None.

    Args:
        reports: one a picture.
        shares: the part of each picture that the mask covers, 0 to 1.
    """
    for number, (report, share) in enumerate(zip(reports, shares, strict=True), start=1):
        warning = _warning(report, share).removeprefix(". ")
        if warning.startswith("NOT PROTECTED"):
            return f"Picture {number}: {warning}"
        if report.cut_share > MOSTLY_CUT:
            return (
                f"Picture {number}: the budget of {report.strength:g}/255 cut off "
                f"{report.cut_share:.0%} of what was asked for. Use a weaker map, or more strength"
            )
    return None


def weak_match(match: FamilyMatch) -> str | None:
    """What to tell of a VAE that is taken for a member of a family, but not a typical one."""
    if match.family == UNKNOWN_FAMILY or match.score >= WEAK_SCORE:
        return None
    return (
        f"The VAE looks like one of the family {match.family}, but not closely (match "
        f"{match.score:.2f} of 1): the protection may be weaker than usual. Use the VAE that the "
        "model came with, or train a mixture for this one"
    )


def _warning(report: ChangeReport, share: float) -> str:
    if report.strength == 0:
        return ". NOT PROTECTED: strength is 0"
    if share == 0:
        return ". NOT PROTECTED: the mask is empty (a picture without alpha loads with such a mask)"
    if report.max_change == 0:
        return ". NOT PROTECTED: nothing changed"
    return "" if share == 1 else f". Only the masked {share:.0%} of it is protected"
