"""What LoRA Mimicry Test reports: a verdict, lines for a person, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from fixative.errors import FixativeError
from fixative.evaluation.statistics import Estimate
from fixative.mimicry.results import ArmResult
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.verdict import NO_LPIPS, SIGNIFICANT

from .mimic_numbers import results_of
from .mimic_windows import CLEAN, PROTECTED, PURIFIED
from .mimicking import NO_LORA, Imitator
from .training import duration

ANIMAL = "Model: the testbed, a laboratory animal. What it shows is no promise about a large model."


@dataclass(frozen=True)
class Story:
    """A whole run.

    Attributes:
        found: the imitators.
        settings: as they were carried out.
        tools: model, VAE and features, in JSON types.
        originals: (N, D) features of the clean windows, by space.
        testbed: whether the model is the laboratory animal.
        missing: arm and number of the imitators that a stop has left out.
    """

    found: list[Imitator]
    settings: MimicrySettings
    tools: dict[str, Any]
    originals: dict[str, Tensor]
    testbed: bool
    missing: tuple[tuple[str, int], ...] = ()


def mimicry_text(story: Story, windows: Mapping[str, Tensor], seconds: float) -> tuple[str, str]:
    """The report, and the same as JSON.

    Args:
        story: what was done.
        windows: (N, 3, R, R), what the model saw, by input.
        seconds: it took.
    """
    results = results_of(story.found, story.originals, story.settings)
    lora, clean = story.settings.lora, windows[CLEAN]
    lines = [
        *_stopped(story.missing),
        *_verdict(results),
        *_no_lpips(story.tools),
        "",
        ANIMAL if story.testbed else f"Model: {story.tools['model']['name']}",
        f"{len(clean)} pictures of {clean.shape[-1]} pixels, rank {lora.rank}, {lora.steps} steps "
        f"of {lora.batch}, learning rate {lora.rate:g}, {lora.targets} layers, "
        f"{_repetitions(story)}, {duration(seconds)}",
        "",
        f"Similarity to the clean pictures in {_features(story.tools)}:",
        "",
        *(_line(result) for result in results),
    ]
    facts = {
        "model": story.tools,
        "testbed": story.testbed,
        "settings": story.settings.to_dict(),
        "arms": [asdict(result) for result in results],
        "losses": [
            {"arm": one.arm, "repetition": one.number, "losses": _rounded(one.drawn.losses)}
            for one in story.found
            if one.drawn.losses
        ],
        "stopped": bool(story.missing),
        "missing": [{"arm": arm, "repetition": number} for arm, number in story.missing],
        "seconds": round(seconds, 1),
    }
    return "\n".join(lines), json.dumps(facts, indent=1)


def memory_error() -> FixativeError:
    """What to do where memory ran out."""
    return FixativeError(
        "the model does not fit into memory while it is trained: set batch to 1, make side "
        "smaller (512, 256), or use Load Testbed"
    )


def percent(share: Estimate) -> str:
    """``34 %``, with its interval where there is one."""
    ends = share.low is not None and share.high is not None
    told = f" (95 % interval {_whole(share.low)} to {_whole(share.high)})" if ends else ""
    return f"{_whole(share.value)} %{told}"


def _verdict(results: Sequence[ArmResult]) -> list[str]:
    by_arm = {result.arm: result for result in results}
    protected, chance = by_arm[PROTECTED].weaker, _chance(by_arm[CLEAN])
    if protected is None or chance > SIGNIFICANT:
        return [
            "No verdict: what the LoRA of the clean pictures draws cannot be told from what the "
            f"model draws without it (p = {chance:.3f}). Train for more steps, with more pictures, "
            "or draw more samples."
        ]
    lines = [f"Protected, the imitation is {_faithful(protected)}."]
    purified = by_arm[PURIFIED].weaker if PURIFIED in by_arm else None
    if purified is not None:
        lines.append(f"Purified, it is {_faithful(purified)}.")
    if protected.n < 2:
        lines.append("One repetition tells nothing about chance: set repetitions to 3 or more.")
    return lines


def _chance(clean: ArmResult) -> float:
    """That the clean LoRA's pictures and the model's own differ so much by accident."""
    return 1.0 if clean.main is None or clean.main.p_none is None else clean.main.p_none


def _faithful(weaker: Estimate) -> str:
    if weaker.value >= 0:
        return f"{percent(weaker)} less faithful"
    low, high = (None if end is None else -end for end in (weaker.high, weaker.low))
    return f"{percent(Estimate(-weaker.value, low, high, weaker.n))} more faithful"


def _line(result: ArmResult) -> str:
    main = result.main
    assert main is not None  # every arm of a graph has drawn
    told = f"- {result.arm}: mean {main.similarity.value:+.3f}, nearest {main.nearest.value:+.3f}"
    told += f", KID {main.kid.value:.3f} ± {main.kid.spread:.3f}"
    told += "" if result.lpips is None else f", LPIPS {result.lpips.value:.3f}"
    told += "" if result.loss is None else f", loss {result.loss:.4f}"
    if result.arm not in (NO_LORA, CLEAN) and result.imitation is not None:
        told += f"; imitation {percent(result.imitation)} of the clean LoRA's"
    chances = {"clean": main.p_clean, "no LoRA": main.p_none}
    tests = [f"{name} p = {p:.3f}" for name, p in chances.items() if p is not None]
    return told + (f"; differs from {', '.join(tests)}" if tests else "")


def _stopped(missing: Sequence[tuple[str, int]]) -> list[str]:
    """What a stop has left out, by repetition; nothing where nothing is missing."""
    if not missing:
        return []
    numbers = sorted({number for _, number in missing})
    told = "; ".join(
        f"{', '.join(arm for arm, own in missing if own == number)} (repetition {number + 1})"
        for number in numbers
    )
    return [
        f"Stopped before the end. Not there: {told}. All below is of what was finished. Run again "
        "to go on: the finished LoRAs are kept.",
        "",
    ]


def _repetitions(story: Story) -> str:
    asked = story.settings.seeds
    whole = asked - len({number for _, number in story.missing})
    return f"{asked} repetition(s)" if whole == asked else f"{whole} of {asked} repetition(s) whole"


def _no_lpips(tools: Mapping[str, Any]) -> list[str]:
    reason = tools["no lpips"]
    return [NO_LPIPS.format(reason=reason)] if reason else []


def _features(tools: Mapping[str, Any]) -> str:
    return str(tools["features"][0]["help"])


def _whole(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f}"


def _rounded(losses: Sequence[float]) -> list[float]:
    return [float(f"{loss:.6g}") for loss in losses]
