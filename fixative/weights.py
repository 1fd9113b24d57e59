"""Where the project's own weights lie, and how they are checked before use."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file
from torch import Tensor

from fixative.errors import WeightsError

MANIFEST = "manifest.json"


def weights_folder() -> Path:
    """The folder of shipped weights: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    for folder in (package / "_weights", package.parent / "weights"):
        if (folder / MANIFEST).is_file():
            return folder
    raise WeightsError(
        f"weights: no {MANIFEST} in {package.parent / 'weights'}; install Fixative again"
    )


def read_manifest() -> dict[str, dict[str, Any]]:
    """What is known of each shipped file, by file name: sha256, recipe, data, licence."""
    return json.loads((weights_folder() / MANIFEST).read_text("utf-8"))["files"]


def verified_weights(name: str) -> Path:
    """The path of a shipped file whose sha256 is the manifest's.

    Raises:
        WeightsError: the file is unknown, missing, or its content is not what was shipped.
    """
    path = weights_folder() / name
    entry = read_manifest().get(name)
    if entry is None:
        raise WeightsError(f"weights: {name} is not in the manifest; known: {known_weights()}")
    if not path.is_file():
        raise WeightsError(f"weights: {path} is missing; install Fixative again")
    found = file_sha256(path, path.stat().st_mtime_ns)
    if found != entry["sha256"]:
        raise WeightsError(
            f"weights: {path} is damaged (sha256 {found[:12]}…, expected "
            f"{entry['sha256'][:12]}…); install Fixative again"
        )
    return path


def known_weights() -> str:
    """The shipped files' names, for messages."""
    return ", ".join(sorted(read_manifest()))


@lru_cache(maxsize=32)
def file_sha256(path: Path, changed_ns: int | None = None) -> str:
    """Hex digest of a file; ``changed_ns`` (its modification time) keys the cache."""
    del changed_ns
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file on the CPU.

    Raises:
        WeightsError: not there, or not a whole safetensors file.
    """
    if not path.is_file():
        raise WeightsError(f"weights: no file {path}; give an existing .safetensors file")
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(
            f"weights: {path} is not a whole safetensors file ({error}); get it again"
        ) from error


def read_metadata(path: Path) -> dict[str, str]:
    """The text metadata of a safetensors file ({} if it has none)."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(
            f"weights: {path} is not a whole safetensors file ({error}); get it again"
        ) from error
