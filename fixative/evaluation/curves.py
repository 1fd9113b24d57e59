"""Losses over the steps of a countermeasure, thinned to what a plot shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: A curve keeps about so many points: the first, the last, and evenly between.
MOST_POINTS = 200
STEP = "step"


def loss_curve(details: Mapping[str, Any]) -> dict[str, list[float]]:
    """The losses that a countermeasure tells of one picture.

    Args:
        details: as ``Purified.details`` has them; of a chain, the first link with losses counts.

    Returns:
        By loss, with the numbers of the steps under ``step``; empty where there are no losses.
    """
    losses: list[Mapping[str, float]] = details.get("losses") or []
    if losses:
        kept = sorted({_at(number, len(losses)) for number in range(MOST_POINTS)})
        curve = {STEP: [float(number) for number in kept]}
        return curve | {name: [_rounded(losses[n][name]) for n in kept] for name in losses[0]}
    curves = [loss_curve(link) for link in details.get("links") or []]
    return next((curve for curve in curves if curve), {})


def _at(number: int, count: int) -> int:
    return round(number * (count - 1) / (MOST_POINTS - 1))


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
