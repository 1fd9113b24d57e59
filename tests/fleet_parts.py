"""What the tests of fleets share: requests that are quick, and trees of pictures."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from fixative.batch import EngineChoice
from fixative.batch.filters import Filters
from fixative.codecs import CallableCodec
from fixative.errors import SettingError
from fixative.fleet import FleetRequest
from fixative.protector import Protector, ProtectSettings
from tests.picture_files import save_photo
from tests.toy_models import toy_codec, toy_mixture, toy_protector


def load_slow(choice: EngineChoice) -> tuple[Protector, dict[str, Any]]:
    """As ``load_toy``, but a picture takes a tenth of a second, so that a kill finds it at work."""
    codec = toy_codec()

    def encode(images: torch.Tensor) -> torch.Tensor:
        time.sleep(0.1)
        return codec.encode(images)

    slow = CallableCodec(encode, codec.decode, name="slow", latent_channels=4, downscale=8)
    settings = choice.settings
    return Protector(slow, toy_mixture(), settings), {"codec": "toy"}


def load_here_only(choice: EngineChoice) -> tuple[Protector, dict[str, Any]]:
    """As ``load_toy`` in the process that ``codec`` names; refused elsewhere."""
    if Path(choice.codec).name != str(os.getpid()):
        raise SettingError("codec: is not on this machine; copy it there")
    return load_toy(choice)


def load_toy(choice: EngineChoice) -> tuple[Protector, dict[str, Any]]:
    """Stands for ``load_engine``; workers find it by its name."""
    return toy_protector(choice.settings.strength), {"codec": "toy"}


def quick_request(
    source: str | Path,
    out: str | Path,
    *,
    strength: float = 8.0,
    overwrite: bool = False,
    check: bool = False,
    filters: Filters | None = None,
    results: Path | str | None = None,
    workers: tuple[int, int] = (2, 2),
    storage_options: Mapping[str, Mapping[str, Any]] | None = None,
) -> FleetRequest:
    """A toy engine, which takes milliseconds."""
    return FleetRequest(
        source=str(source),
        out=str(out),
        engine=EngineChoice(settings=ProtectSettings(strength=strength, strength_map="off")),
        overwrite=overwrite,
        check=check,
        filters=filters or Filters(),
        results=None if results is None else str(results),
        workers=workers,
        storage_options=storage_options or {},
        load=load_toy,
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
