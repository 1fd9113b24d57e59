"""What a mimicry test works with: a diffusion model, its codec, a mixture, features."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from fixative.codecs import EMBEDDED, Codec, load_codec
from fixative.codecs.load import ENCODER_FILE
from fixative.countermeasures.registry import Resources
from fixative.evaluation.tools import mixture_for
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.features import Eyes, load_eyes
from fixative.mimicry.load import TESTBED, is_testbed, load_denoiser
from fixative.mimicry.space import require_same_space
from fixative.mimicry.testbed import FILE, TestbedDenoiser
from fixative.mixture import Mixture
from fixative.perceptual.distance import PerceptualDistance, load_distance
from fixative.protections.method import ProtectionResources
from fixative.reporting import mixture_digest
from fixative.weights import file_sha256, verified_weights

#: What an imitator calls a subject: a word that the model has no idea of.
TESTBED_CAPTION, USUAL_CAPTION = "new1", "a picture of sks"
#: What pictures are edited into.
TESTBED_EDIT, USUAL_EDIT = "painting", "an oil painting"


@dataclass(frozen=True)
class MimicryTools:
    """Everything that is loaded once.

    Attributes:
        denoiser: that the imitator trains LoRAs for.
        codec: of its latents; protects, purifies, encodes and decodes.
        distance: LPIPS or its stand-in.
        eyes: features that pictures are compared by.
        mixture: of the codec's family; None where there is none.
        hashes: sha256 of the files that were loaded, by name.
    """

    denoiser: Denoiser
    codec: Codec
    distance: PerceptualDistance
    eyes: Eyes
    mixture: Mixture | None = None
    hashes: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not fit together.

        Raises:
            SettingError: model and codec are of different latent spaces.
        """
        require_same_space(self.denoiser, self.codec)

    @property
    def is_testbed(self) -> bool:
        """Whether the model is the laboratory animal."""
        return isinstance(self.denoiser, TestbedDenoiser)

    @property
    def caption(self) -> str:
        """What an imitator calls a subject unless told otherwise."""
        return TESTBED_CAPTION if self.is_testbed else USUAL_CAPTION

    @property
    def edit_prompt(self) -> str:
        """What pictures are edited into unless told otherwise."""
        return TESTBED_EDIT if self.is_testbed else USUAL_EDIT

    def for_protections(self) -> ProtectionResources:
        """What ``make_protection`` is given."""
        resources = ProtectionResources(self.codec, self.mixture, self.distance)
        return replace(resources, denoiser=self.denoiser)

    def for_countermeasures(self) -> Resources:
        """What ``make_countermeasure`` is given."""
        return replace(Resources(self.codec, self.distance), denoiser=self.denoiser)

    def describe(self) -> dict[str, Any]:
        """What they are, in JSON types."""
        denoiser, codec, mixture = self.denoiser, self.codec, self.mixture
        return {
            "model": {
                "name": denoiser.name,
                "family": denoiser.family,
                "resolution": denoiser.resolution,
                "testbed": self.is_testbed,
                "device": denoiser.device.type,
            },
            "codec": {"name": codec.name, "family": codec.family},
            "mixture": {
                "name": None if mixture is None else mixture.name,
                "sha256": None if mixture is None else mixture_digest(mixture),
            },
            "distance": self.distance.name,
            "features": [{"name": s.name, "help": s.help} for s in self.eyes.spaces],
            "imitation by": self.eyes.measure,
            "no lpips": self.eyes.missing,
            "sha256": dict(self.hashes),
        }


class ToolSource(Protocol):
    """Where tools come from; a worker process loads its own."""

    @property
    def many(self) -> bool:
        """Whether several processes may load them."""
        ...

    def load(self) -> MimicryTools: ...


@dataclass(frozen=True)
class GivenTools:
    """Tools that are in memory already: a host's model, a test's."""

    tools: MimicryTools
    many: bool = False

    def load(self) -> MimicryTools:
        """The tools."""
        return self.tools


@dataclass(frozen=True)
class FileTools:
    """Tools by names and files.

    Attributes:
        model: ``testbed``, a testbed's file, or a checkpoint that diffusers reads.
        codec: ``embedded`` or a file.
        mixture: a mixture file; None for the shipped one of the codec's family.
        device: where everything runs; None: as ``load_denoiser`` decides.
        config: as ``load_denoiser``.
    """

    model: str = TESTBED
    codec: str = EMBEDDED
    mixture: Path | None = None
    device: str | None = None
    config: Path | None = None

    @property
    def many(self) -> bool:
        """Only the testbed is small enough; a GPU is not shared."""
        return is_testbed(self.model) and self.device in (None, "cpu")

    def load(self) -> MimicryTools:
        """Load them all.

        Raises:
            FixativeError: something is unknown, damaged, or does not fit together.
        """
        denoiser = load_denoiser(self.model, device=self.device, config=self.config)
        codec = load_codec(self.codec, device=denoiser.device)
        require_same_space(denoiser, codec)
        mixture = mixture_for(codec, self.mixture)
        distance = load_distance(device=denoiser.device)
        eyes = load_eyes(codec, device=denoiser.device)
        return MimicryTools(denoiser, codec, distance, eyes, mixture, self._hashes())

    def _hashes(self) -> tuple[tuple[str, str], ...]:
        files = {self.model: FILE if self.model == TESTBED else None}
        files[self.codec] = ENCODER_FILE if self.codec == EMBEDDED else None
        paths = {
            source: Path(source) if shipped is None else verified_weights(shipped)
            for source, shipped in files.items()
        }
        return tuple((name, file_sha256(path)) for name, path in paths.items() if path.is_file())
