"""What a job knows of one picture: before it is done, and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

PROTECTED, KEPT, FAILED = "protected", "kept", "failed"


@dataclass(frozen=True)
class FleetTask:
    """One picture to protect; names are relative to the stores.

    Attributes:
        source: the picture.
        output: its protected copy.
        stamp: of the source, from the listing: tells a changed file without reading it; "" where
            the store has none.
        note: what the person should know about the name; "" for nothing.
    """

    source: str
    output: str
    stamp: str = ""
    note: str = ""


@dataclass(frozen=True)
class FleetRow:
    """What became of one picture.

    Attributes:
        source: relative to the store of the sources.
        output: relative to the store of the results; "" if there is none.
        status: ``protected``, ``kept`` (was done already) or ``failed``.
        error: one line that says why it failed.
        seconds: fetching, reading, protecting, saving, checking and putting.
        width: in pixels.
        height: in pixels.
        source_sha256: of the file.
        output_sha256: of the file.
        max_change: of any channel, in 1/255, measured on the saved file.
        mean_change: absolute, over all channels, in 1/255, measured likewise.
        psnr: in dB; None if nothing changed.
        warnings: what the person should know, one sentence each, by "; ".
        worker: machine and process that did it.
    """

    source: str
    output: str = ""
    status: str = FAILED
    error: str = ""
    seconds: float = 0.0
    width: int = 0
    height: int = 0
    source_sha256: str = ""
    output_sha256: str = ""
    max_change: int = 0
    mean_change: float = 0.0
    psnr: float | None = None
    warnings: str = ""
    worker: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> FleetRow:
        """Take the fields from a record or a table; others are passed over."""
        names = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in row.items() if name in names})
