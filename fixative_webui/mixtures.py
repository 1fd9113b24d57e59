"""The mixtures there are: those in the person's folder first, then the shipped ones."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.errors import FixativeError, MixtureError, WeightsError
from fixative.mixture import Mixture, load_mixture, read_family, read_learnt
from fixative.weights import MANIFEST, file_sha256, read_manifest, verified_weights

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shelf:
    """What a folder and the package offer.

    Attributes:
        folder: of the person's own files; it need not exist.
    """

    folder: Path

    def families(self) -> list[str]:
        """The latent families that have a mixture."""
        return sorted({family for family, _ in self._all()})

    def learnt(self) -> dict[str, Tensor]:
        """The probe of every latent space that a mixture in the folder has learnt, by name."""
        found: dict[str, Tensor] = {}
        for path in self._own():
            found |= _learnt(path, path.stat().st_mtime_ns)
        return found

    def mixture(self, family: str) -> Mixture:
        """The first mixture of a family.

        Raises:
            MixtureError: there is none.
            WeightsError: its file is damaged.
        """
        for found, path in self._all():
            if found == family:
                self._verify(path)
                return _loaded(path, path.stat().st_mtime_ns)
        raise MixtureError(
            f"vae: its latent family is {family!r}, for which there is no mixture (there is one "
            f"for {', '.join(self.families())}); choose the VAE 'auto' or 'embedded', or put a "
            f"mixture trained for this VAE into {self.folder}"
        )

    def first(self) -> Path:
        """The file of the first mixture of any family.

        Raises:
            WeightsError: it is damaged.
        """
        _, path = next(self._all())  # one is always shipped
        self._verify(path)
        return path

    def _all(self) -> Iterator[tuple[str, Path]]:
        """Family and file of every mixture, in the order of preference."""
        for path in self._own():
            family = _family(path, path.stat().st_mtime_ns)
            if family is not None:
                yield family, path
        for name, entry in read_manifest().items():
            if entry["kind"] == "mixture":
                yield str(entry["family"]), verified_weights(name)

    def _own(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors")) if self.folder.is_dir() else []

    def _verify(self, path: Path) -> None:
        """Hold a file against the manifest beside it, where there is one that names it.

        Raises:
            WeightsError: it is not what the manifest promises.
        """
        manifest = path.parent / MANIFEST
        if not manifest.is_file():
            return
        try:
            files: dict[str, Any] = json.loads(manifest.read_text("utf-8"))["files"]
            promised = files.get(path.name, {}).get("sha256")
        except (ValueError, KeyError, AttributeError, OSError) as error:
            raise WeightsError(
                f"weights folder: {manifest} is not a manifest ({error}); get it again or take it "
                "away"
            ) from error
        if promised and promised != file_sha256(path, path.stat().st_mtime_ns):
            raise WeightsError(
                f"weights folder: {path} is not what {MANIFEST} promises; get it again"
            )


@lru_cache(maxsize=256)
def _family(path: Path, changed_ns: int) -> str | None:
    """A mixture's family; None where the file is none."""
    del changed_ns
    try:
        return read_family(path)
    except FixativeError as error:
        logger.warning("Fixative: passing over a file in the weights folder: %s", error)
        return None


@lru_cache(maxsize=256)
def _learnt(path: Path, changed_ns: int) -> dict[str, Tensor]:
    del changed_ns
    try:
        return read_learnt(path)
    except FixativeError:  # said by _family
        return {}


@lru_cache(maxsize=2)
def _loaded(path: Path, changed_ns: int) -> Mixture:
    """A loaded mixture, kept until its file changes; never made of inference tensors."""
    del changed_ns
    with torch.inference_mode(False):
        return load_mixture(path)
