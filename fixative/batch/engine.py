"""From a person's choices to a Protector, and what the report says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fixative.codecs import EMBEDDED, load_codec
from fixative.codecs.learnt import in_learnt_space
from fixative.codecs.load import ENCODER_FILE
from fixative.devices import require_device
from fixative.mixture import find_mixture, load_mixture
from fixative.protector import Protector, ProtectSettings
from fixative.weights import file_sha256, verified_weights


@dataclass(frozen=True)
class EngineChoice:
    """What pictures are protected with.

    Attributes:
        codec: ``embedded``, or the path of an autoencoder.
        mixture: a mixture file; None for the shipped one of the codec's family.
        settings: strength, target and strength map.
        device: where it computes, as PyTorch names it.
    """

    codec: str = EMBEDDED
    mixture: Path | None = None
    settings: ProtectSettings = field(default_factory=ProtectSettings)
    device: str = "cpu"


def build_protector(choice: EngineChoice) -> Protector:
    """Load codec and mixture.

    Raises:
        FixativeError: something is unknown, damaged, out of range or does not fit together.
    """
    require_device(choice.device)
    codec = load_codec(choice.codec, device=choice.device)
    mixture = load_mixture(choice.mixture, family=codec.family)
    return Protector(in_learnt_space(codec, mixture.learnt()), mixture, choice.settings)


def describe_engine(choice: EngineChoice, protector: Protector) -> dict[str, Any]:
    """Say which files protected the pictures, in JSON types."""
    codec, mixture = protector.codec, protector.mixture
    encoder = verified_weights(ENCODER_FILE) if choice.codec == EMBEDDED else Path(choice.codec)
    return {
        "device": choice.device,
        "codec": {
            "name": codec.name,
            "family": codec.family,
            "sha256": _sha256(encoder),
        },
        "mixture": {
            "name": mixture.name,
            "family": mixture.family,
            "sha256": _sha256(choice.mixture or find_mixture(codec.family)),
        },
    }


def _sha256(path: Path) -> str | None:
    """The content's hash; None for a folder."""
    return file_sha256(path, path.stat().st_mtime_ns) if path.is_file() else None
