"""An output that is not there."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

from comfy_execution.graph import ExecutionBlocker


def nothing() -> Any:
    """What makes the host leave out the nodes behind an output."""
    return ExecutionBlocker(None)
