"""What an evaluation works with: codecs, a mixture, a perceptual distance; and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.codecs import EMBEDDED, Codec, load_codec
from fixative.codecs.learnt import in_learnt_space
from fixative.codecs.load import ENCODER_FILE
from fixative.countermeasures.registry import Resources
from fixative.errors import CodecError, MixtureError, SettingError
from fixative.evaluation.protocol import Protocol
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.load import TESTBED, load_denoiser
from fixative.mimicry.space import require_same_space
from fixative.mimicry.testbed import FILE as TESTBED_FILE
from fixative.mixture import Mixture, load_mixture
from fixative.perceptual.distance import PerceptualDistance, load_distance
from fixative.protections.method import ProtectionResources
from fixative.reporting import mixture_digest
from fixative.training.targets import draw_discs
from fixative.weights import file_sha256, verified_weights

PROBE_SIDE, PROBE_PERIOD = 64, 32


@dataclass(frozen=True)
class Tools:
    """Everything that is loaded once.

    Attributes:
        codecs: the first is protected, purified and measured with; the others only measure.
        distance: LPIPS or its stand-in.
        mixture: of the first codec's family; None where there is none.
        hashes: sha256 of the files that were loaded, by name.
        denoiser: of the first codec's family; None where there is none.
    """

    codecs: tuple[Codec, ...]
    distance: PerceptualDistance
    mixture: Mixture | None = None
    hashes: tuple[tuple[str, str], ...] = ()
    denoiser: Denoiser | None = None

    def __post_init__(self) -> None:
        """Refuse what results could not tell apart.

        Raises:
            SettingError: no codec, or two of the same name.
        """
        names = [codec.name for codec in self.codecs]
        if not names or len(set(names)) < len(names):
            raise SettingError(f"codecs: expected one or more with different names, got {names}")

    @property
    def codec(self) -> Codec:
        """The one that is protected with."""
        return self.codecs[0]

    @cached_property
    def no_decoder(self) -> str:
        """Why the first codec cannot decode; empty where it can."""
        try:
            with torch.no_grad():
                self.codec.reconstruct(_probe())
        except CodecError as error:
            return str(error)
        return ""

    def for_protections(self) -> ProtectionResources:
        """What ``make_protection`` is given."""
        return ProtectionResources(self.codec, self.mixture, self.distance, denoiser=self.denoiser)

    def for_countermeasures(self) -> Resources:
        """What ``make_countermeasure`` is given, without what is learnt from pairs."""
        return Resources(self.codec, self.distance, denoiser=self.denoiser)

    def describe(self) -> dict[str, Any]:
        """What they are, in JSON types."""
        mixture = self.mixture
        described = {
            "name": None if mixture is None else mixture.name,
            "sha256": None if mixture is None else mixture_digest(mixture),
        }
        return {
            "codecs": [{"name": c.name, "family": c.family} for c in self.codecs],
            "mixture": described,
            "distance": self.distance.name,
            "denoiser": None if self.denoiser is None else _described(self.denoiser),
            "sha256": dict(self.hashes),
        }

    @torch.no_grad()
    def probe(self) -> list[float]:
        """Latents of a drawn picture, which tell one codec from another of the same name."""
        found = [codec.encode(_probe()).flatten()[::37][:8].tolist() for codec in self.codecs]
        return [value for values in found for value in values]


def load_tools(
    protocol: Protocol,
    *,
    codecs: Sequence[str] = (),
    mixture: Path | None = None,
    denoiser: str | None = None,
    device: str | None = None,
) -> Tools:
    """Load what a protocol needs.

    Args:
        protocol: names the codecs.
        codecs: instead of the protocol's.
        mixture: a mixture file; None for the shipped one of the first codec's family.
        denoiser: ``testbed`` or a path, instead of the protocol's; loaded only where one of the
            protocol's methods needs it.
        device: where everything runs; None: the processor, and a full-size denoiser on CUDA.

    Raises:
        FixativeError: something is unknown, damaged, or does not fit together.
    """
    sources = tuple(codecs) or protocol.codecs
    home = device or "cpu"
    loaded = [load_codec(source, device=home) for source in sources]
    found = mixture_for(loaded[0], mixture)
    if found is not None:
        loaded[0] = in_learnt_space(loaded[0], found.learnt())
    named = (denoiser or protocol.denoiser) if protocol.needs_denoiser else ""
    if denoiser and not named:
        raise SettingError(
            f"denoiser: no method of protocol {protocol.name} needs one; leave it out, or name one "
            "that does (advdm, mist-fused, sds, img2img, diffpure, gridpure)"
        )
    model = load_denoiser(named, device=device) if named else None
    if denoiser and model is not None:  # the protocol's own may be for another codec: not run then
        require_same_space(model, loaded[0])
    files = [*((source, _file(source)) for source in sources), (named, _denoiser_file(named))]
    hashes = {source: file_sha256(path) for source, path in files if path is not None}
    distance = load_distance(device=home)
    return Tools(tuple(loaded), distance, found, tuple(hashes.items()), model)


def mixture_for(codec: Codec, path: Path | None) -> Mixture | None:
    """The mixture asked for; the shipped one, or None where there is none of this family.

    Raises:
        MixtureError: the file is none, or is of another family.
    """
    if path is not None:
        return load_mixture(path, family=codec.family)
    try:
        return load_mixture(None, family=codec.family)
    except MixtureError:
        return None  # the protections that need one are reported as not run, with the reason


def _file(source: str) -> Path | None:
    path = verified_weights(ENCODER_FILE) if source == EMBEDDED else Path(source)
    return path if path.is_file() else None


def _denoiser_file(source: str) -> Path | None:
    path = verified_weights(TESTBED_FILE) if source == TESTBED else Path(source)
    return path if path.is_file() else None


def _described(denoiser: Denoiser) -> dict[str, Any]:
    return {
        "name": denoiser.name,
        "family": denoiser.family,
        "resolution": denoiser.resolution,
    }


def _probe() -> Tensor:
    return draw_discs(PROBE_PERIOD)[None, :, :PROBE_SIDE, :PROBE_SIDE].contiguous()
