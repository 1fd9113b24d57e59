"""Countermeasures by name, alone or in chains: ``jpeg:75+resize:0.5``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fixative.codecs.base import Codec
from fixative.countermeasures.averaging import Averaging, SharedPerturbations
from fixative.countermeasures.base import Countermeasure
from fixative.countermeasures.chain import Chain
from fixative.countermeasures.diffpure import DiffPure
from fixative.countermeasures.filters import AdverseCleaner, TvMinimisation
from fixative.countermeasures.gridpure import GridPure
from fixative.countermeasures.img2img import Img2Img
from fixative.countermeasures.impress import Impress
from fixative.countermeasures.remover import LearnedRemover, Remover
from fixative.countermeasures.roundtrip import RoundTrip
from fixative.countermeasures.transforms import (
    BitDepth,
    CropResize,
    GaussianNoise,
    Jpeg,
    Median,
    Resize,
)
from fixative.errors import SettingError
from fixative.mimicry.denoiser import Denoiser
from fixative.perceptual.distance import PerceptualDistance, load_distance
from fixative.registry import Spec, choose, parse, settings_of

WHAT = "countermeasure"
#: Every countermeasure; the order is the one in which tables list them.
COUNTERMEASURES: dict[str, type[Countermeasure]] = {
    kind.name: kind
    for kind in (
        GaussianNoise,
        Jpeg,
        Resize,
        CropResize,
        BitDepth,
        Median,
        TvMinimisation,
        AdverseCleaner,
        RoundTrip,
        Impress,
        Img2Img,
        DiffPure,
        GridPure,
        Averaging,
        LearnedRemover,
    )
}
#: What to do where a resource is missing.
MISSING = {
    "codec": "a codec with a decoder (a VAE); give one",
    "denoiser": "a denoiser (the testbed, or a model); give one",
    "distance": "a perceptual distance; give one",
    "shared": "what pictures of the tool share; learn it with fixative train averaging",
    "remover": "a network trained on pictures of the tool; make one with fixative train remover",
}


@dataclass(frozen=True)
class Resources:
    """What countermeasures may need beyond their settings; each may be missing.

    Attributes:
        codec: a latent autoencoder with a decoder and, for IMPRESS, gradients.
        distance: for IMPRESS; None takes the best there is offline (``load_distance``).
        shared: for the averaging attack.
        remover: for the learned one.
        denoiser: of the codec's family.
    """

    codec: Codec | None = None
    distance: PerceptualDistance | None = None
    shared: SharedPerturbations | None = None
    remover: Remover | None = None
    denoiser: Denoiser | None = None


def make_countermeasure(
    text: str, resources: Resources = Resources(), *, seed: int = 0
) -> Countermeasure:
    """Build what a person wrote.

    Args:
        text: ``name[:value[,key=value…]]``, chained with ``+``.
        resources: what the methods may use.
        seed: of all randomness; the n-th link of a chain gets seed + n.

    Raises:
        SettingError: an unknown name, a bad setting, or a resource that is missing.
    """
    specs = parse(text, what=WHAT)
    links = [_made(spec, resources, seed + number) for number, spec in enumerate(specs)]
    return links[0] if len(links) == 1 else Chain(links, seed=seed)


def needed_resources(text: str) -> frozenset[str]:
    """The fields of `Resources` that ``make_countermeasure`` of this text will ask for.

    Raises:
        SettingError: an unknown name.
    """
    kinds = [choose(COUNTERMEASURES, spec.name, what=WHAT) for spec in parse(text, what=WHAT)]
    return frozenset(name for kind in kinds for name in kind.resources)


def _made(spec: Spec, resources: Resources, seed: int) -> Countermeasure:
    kind: Any = choose(COUNTERMEASURES, spec.name, what=WHAT)
    settings = settings_of(spec, kind.parameters, what=WHAT)
    given = [_resource(name, spec.name, resources) for name in kind.resources]
    return kind(*given, **settings, seed=seed)


def _resource(name: str, owner: str, resources: Resources) -> Any:
    found = getattr(resources, name)
    if found is None and name == "distance" and resources.codec is not None:
        return load_distance(device=resources.codec.device)
    if found is None:
        raise SettingError(f"{WHAT} {owner}: needs {MISSING[name]}")
    return found
