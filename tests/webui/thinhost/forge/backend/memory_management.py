"""Where Forge makes room on the device."""

from __future__ import annotations

from typing import Any

#: What was asked for; tests read it.
asked: list[tuple[float, Any]] = []


def free_memory(
    memory_required: float,
    device: Any,
    keep_loaded: list[Any] | None = None,
    free_all: bool = False,
) -> None:
    """Note it: nothing lies on a device here."""
    asked.append((memory_required, device))
