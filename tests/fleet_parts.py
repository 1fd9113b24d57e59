"""What the tests of fleets share: requests that are quick, and trees of pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fixative.batch import EngineChoice
from fixative.batch.filters import Filters
from fixative.fleet import FleetRequest
from fixative.protector import ProtectSettings
from tests.picture_files import save_photo


def quick_request(
    source: str | Path,
    out: str | Path,
    *,
    strength: float = 8.0,
    overwrite: bool = False,
    filters: Filters | None = None,
    results: Path | str | None = None,
    workers: tuple[int, int] = (2, 2),
    storage_options: Mapping[str, Mapping[str, Any]] | None = None,
) -> FleetRequest:
    """The shipped engine without its map, which takes most of the time."""
    return FleetRequest(
        source=str(source),
        out=str(out),
        engine=EngineChoice(settings=ProtectSettings(strength=strength, strength_map="off")),
        overwrite=overwrite,
        filters=filters or Filters(),
        results=None if results is None else str(results),
        workers=workers,
        storage_options=storage_options or {},
    )


def picture_tree(folder: Path, count: int) -> list[str]:
    """Small pictures in two sub-folders; gives their relative names."""
    names = [f"{'even' if number % 2 == 0 else 'odd'}/{number:03d}.png" for number in range(count)]
    for number, name in enumerate(names):
        save_photo(folder / name, 40 + number % 3, 32, seed=number)
    return names


def hashes(folder: Path) -> dict[str, str]:
    """The sha256 of each file whose name and folders are not hidden, by relative name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in sorted(names.items())
        if not name.startswith(".") and "/." not in name
    }
