"""Which host this is."""

# pyright: reportMissingImports=false
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from modules import launch_utils, sd_models


@dataclass(frozen=True)
class HostInfo:
    """A host and its version.

    Attributes:
        kind: ``forge``, or ``a1111`` for AUTOMATIC1111's and what is built like it.
        version: as the host itself says it at the foot of its page.
    """

    kind: Literal["a1111", "forge"]
    version: str


def describe() -> HostInfo:
    """The host that runs this."""
    tag: Any = getattr(launch_utils, "git_tag", None)
    return HostInfo("forge" if is_forge() else "a1111", str(tag()) if tag else "unknown")


def is_forge() -> bool:
    """Whether models are loaded Forge's way: late, and in inference mode."""
    return hasattr(sd_models, "forge_model_reload")
