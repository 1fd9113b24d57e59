"""What a mimicry test says, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fixative.evaluation.statistics import Estimate
from fixative.evaluation.tables import signed
from fixative.mimicry.arms import Arm, Role
from fixative.mimicry.measures import LEAST_PAIRS
from fixative.mimicry.results import ALL, ArmResult, MimicryResults
from fixative.mimicry.workshop import CLEAN

#: A difference that chance makes less often than this counts as one.
SIGNIFICANT = 0.05
#: What the other features miss, as seen on the testbed.
NO_LPIPS = (
    "There is no LPIPS ({reason}), so imitation is measured in the codec's own features. They tell "
    "imitators from none, but hardly see what a protection disturbs: look at the grid."
)


@dataclass(frozen=True)
class Verdict:
    """One set, or all of them, in words.

    Attributes:
        set: its name, or ``all sets``.
        says: whether the imitator learnt enough for anything to be said.
        lines: the sentences, the protections' first.
    """

    set: str
    says: bool
    lines: list[str]


def verdicts(found: MimicryResults) -> list[Verdict]:
    """Over all sets first, where there are several, then each set."""
    names = [one.name for one in found.sets if found.of(one.name)]
    if len(found.sets) > 1 and found.of(ALL):
        names = [ALL, *names]
    return [_verdict(found, name) for name in names]


def main_verdict(found: MimicryResults) -> str:
    """The first line: what the protections do to the imitation, over all sets."""
    told = verdicts(found)
    return told[0].lines[0] if told else "nothing was measured: see what failed"


def _verdict(found: MimicryResults, name: str) -> Verdict:
    doubt = _doubt(found, name)
    if doubt:
        return Verdict(name, says=False, lines=[f"{name}: {doubt}"])
    lines = [*_protections(found, name), *_comparisons(found, name), *_controls(found, name)]
    clean = found.arm(name, CLEAN)
    if clean is not None and clean.main is not None:
        told = "what it draws is not what the model draws without it"
        lines.append(f"The clean imitator learnt something: {told} (p = {_p(clean.main.p_none)}).")
    if found.tools["no lpips"]:
        lines.append(NO_LPIPS.format(reason=found.tools["no lpips"]))
    return Verdict(name, says=True, lines=lines)


def _doubt(found: MimicryResults, name: str) -> str:
    """Why nothing can be said of a set; empty where something can."""
    clean, none = found.arm(name, CLEAN), found.arm(name, Role.NONE.value)
    if clean is None or none is None or clean.main is None or none.main is None:
        return "nothing can be said yet: no clean imitator to compare with"
    gained = clean.score and none.score and clean.score.value > none.score.value
    if not gained or (clean.main.p_none or 0) > SIGNIFICANT:
        return (
            "nothing can be said: what the clean imitator draws cannot be told from what the model "
            f"draws without it (p = {_p(clean.main.p_none)}); give more pictures, steps or seeds"
        )
    if any(_no_scale(result) for result in found.of(name)):
        return (
            "nothing can be said in percent: the clean imitator comes closer to the originals than "
            "the model without it by no more than chance would; give more pictures, steps or seeds"
        )
    return ""


def _no_scale(result: ArmResult) -> bool:
    """Whether 100 %, what a clean imitator gains, may as well be none: an end is infinite."""
    weaker = result.weaker
    return weaker is not None and weaker.n > 1 and None in (weaker.low, weaker.high)


def _protections(found: MimicryResults, name: str) -> Iterator[str]:
    strength = f"{found.settings['strength']:g}/255"
    for arm in found.arms:
        if arm.role is not Role.PROTECTED:
            continue
        result = found.arm(name, arm.name)
        lead = f"{name}: with {arm.name} at {strength} the imitation is"
        parts = [f"{lead} {_weaker(result, first=True)}", *_purified(found, name, arm)]
        yield "; ".join(parts) + "."


def _purified(found: MimicryResults, name: str, arm: Arm) -> Iterator[str]:
    for other in found.arms:
        if other.role is Role.PURIFIED and other.protection == arm.protection:
            result = found.arm(name, other.name)
            yield f"after {other.countermeasure} {_weaker(result, first=False)}"


def _comparisons(found: MimicryResults, name: str) -> Iterator[str]:
    labels = {Role.NOISE: "random noise of the same budget", Role.BASELINE: "for comparison, "}
    for arm in found.arms:
        if arm.role in labels:
            result = found.arm(name, arm.name)
            label = labels[arm.role] + (arm.name if arm.role is Role.BASELINE else "")
            yield f"{label[0].upper()}{label[1:]}: {_weaker(result, first=True)}."
            yield from (f"{part[0].upper()}{part[1:]}." for part in _purified(found, name, arm))


def _controls(found: MimicryResults, name: str) -> Iterator[str]:
    for arm in found.arms:
        result = found.arm(name, arm.name)
        if arm.role is not Role.CONTROL or result is None or result.main is None:
            continue
        yield (
            f"Control, clean pictures with another seed: {_weaker(result, first=True)}, "
            f"{_told_apart(result.main.p_clean)}."
        )


def _told_apart(p: float | None) -> str:
    if p is None:
        return f"fewer than {LEAST_PAIRS} imitators, too few to test for a difference"
    sound = p > SIGNIFICANT
    told = "no significant difference" if sound else "a significant difference: be careful"
    return f"p = {_p(p)}: {told}"


def _weaker(result: ArmResult | None, *, first: bool) -> str:
    """``34 % less faithful (95 % interval 21 to 46, 15 imitators)``.

    Over 100 %: what was drawn is farther from the originals than without a LoRA.
    """
    found = None if result is None else result.weaker
    if result is None or found is None:
        return "not measured"
    percent = round(100 * found.value)
    words = f"{abs(percent)} % {'less' if percent >= 0 else 'more'}"
    if percent > 100:
        words = "over 100 % less"
    words += " faithful" if first else ""
    parts = [_interval(found, first=first)]
    if first:
        parts.append(f"{found.n} imitator{'s' if found.n != 1 else ''}")
    told = ", ".join(part for part in parts if part)
    return f"{words} ({told})" if told else words


def _interval(found: Estimate, *, first: bool) -> str:
    if found.low is None or found.high is None:
        return "no interval" if first else ""
    low, high = (signed(100 * end, 0) for end in (found.low, found.high))
    zero = ", which includes none" if found.low <= 0 <= found.high else ""
    return f"{'95 % interval ' if first else ''}{low} to {high}{zero}"


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value >= 0.001 else "< 0.001"
