"""Outputs that several nodes have, with the same words everywhere."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .schema import build


def protected_output() -> Any:
    """The protected pictures."""
    return build(
        io.Image.Output,
        "protected",
        display_name="image",
        tooltip="The protected pictures, on exact 8-bit values. Save them without loss.",
    )


def difference_output() -> Any:
    """The change, amplified."""
    return build(
        io.Image.Output,
        "difference",
        display_name="difference ×10",
        tooltip="After minus before, ten times amplified: grey is no change.",
    )


def pull_curve_output() -> Any:
    """The pull over the steps of a descent."""
    return build(
        io.Image.Output,
        "curve",
        display_name="pull curve",
        tooltip="The pull of each picture at each step: 0 = no effect, 1 = target reached.",
    )


def report_output() -> Any:
    """What was chosen for each picture."""
    return build(
        io.String.Output,
        "report",
        display_name="report",
        tooltip="What was chosen and measured for each picture, and the same as JSON.",
    )
