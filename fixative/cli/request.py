"""What the person asked ``fixative protect`` for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fixative.batch import EngineChoice
from fixative.batch.filters import Filters


@dataclass(frozen=True)
class Request:
    """Names as on the command line; the last four are for folders."""

    inputs: tuple[Path, ...]
    out: Path
    engine: EngineChoice
    output: str
    mask: Path | None
    report: Path | None
    overwrite: bool
    max_megapixels: float
    filters: Filters = field(default_factory=Filters)
    workers: int | None = None
    lines: Path | None = None
    batch: int | None = None
