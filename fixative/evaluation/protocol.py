"""What an evaluation shall measure, as data: typed, with a version and a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from fixative.countermeasures.registry import COUNTERMEASURES
from fixative.countermeasures.registry import WHAT as COUNTERMEASURE
from fixative.errors import SettingError
from fixative.protections.registry import PROTECTIONS
from fixative.protections.registry import WHAT as PROTECTION
from fixative.registry import choose, parse, settings_of

#: The version of the format that this code reads.
VERSION = 1
#: The name under which pictures without protection, or without countermeasure, stand in results.
NONE = "none"
#: What a protection may get.
PICTURE, WINDOW = "picture", "window"


@dataclass(frozen=True)
class ProtectionEntry:
    """One protection to compare.

    Attributes:
        method: what ``make_protection`` reads.
        name: what tables call it.
        strengths: budgets in 1/255.
        pictures: how many of the pictures it is measured on; None for all.
        sees: ``picture``, or ``window`` for slow methods that work pixel by pixel: they then get
            only the square that is measured.
    """

    method: str
    name: str
    strengths: tuple[float, ...]
    pictures: int | None = None
    sees: str = PICTURE


@dataclass(frozen=True)
class CountermeasureEntry:
    """One countermeasure to compare.

    Attributes:
        method: what ``make_countermeasure`` reads.
        name: what tables call it.
        against: names of the protections that it is tried against; None for all.
        strengths: only these budgets of theirs, in 1/255; None for all.
        pictures: how many of the pictures it is measured on; None for all.
        window: side of the centre square that it gets, in pixels; None for the protocol's.
    """

    method: str
    name: str
    against: tuple[str, ...] | None = None
    strengths: tuple[float, ...] | None = None
    pictures: int | None = None
    window: int | None = None

    def meets(self, protection: str, strength: float) -> bool:
        """Whether it is tried against this protection at this strength."""
        wanted = self.against is None or protection in self.against
        return wanted and (self.strengths is None or strength in self.strengths)


@dataclass(frozen=True)
class Protocol:
    """A whole evaluation: protections × strengths × countermeasures × pictures × codecs.

    Attributes:
        name: of the protocol.
        protections: what protects.
        countermeasures: what tries to remove it; ``none`` is always measured and not listed.
        description: what it is for.
        codecs: ``embedded`` or files: the first is protected, purified and measured with, the
            others only measure (transfer to models that were not protected against).
        denoiser: ``testbed`` or a file, for the methods that need one; empty: none, and they are
            recorded as not run.
        pictures: how many are measured, evenly spread over those given; None for all.
        pairs: how many more are kept apart, for countermeasures that learn from known pairs.
        remover_steps: length of the training of the countermeasure ``remover``.
        size: longer side in pixels at most; larger pictures are reduced. None: as they are.
        window: side of the centre square that countermeasures get and that is measured and saved,
            in pixels; protections see the whole picture. None: the whole picture.
        seed: of all randomness.
        gallery: how many pictures the report shows.
        resamples: of the bootstrap.
        confidence: of the intervals, 0 to 1.
    """

    name: str
    protections: tuple[ProtectionEntry, ...]
    countermeasures: tuple[CountermeasureEntry, ...] = ()
    description: str = ""
    codecs: tuple[str, ...] = ("embedded",)
    denoiser: str = ""
    pictures: int | None = None
    pairs: int = 0
    remover_steps: int = 1500
    size: int | None = None
    window: int | None = None
    seed: int = 0
    gallery: int = 3
    resamples: int = 2000
    confidence: float = 0.95
    version: int = field(default=VERSION)

    def __post_init__(self) -> None:
        """Refuse what cannot be measured, before hours are spent.

        Raises:
            SettingError: an unknown method or setting, or a name that is there twice.
        """
        _require_unique([entry.name for entry in self.protections], "protections")
        _require_unique([entry.name for entry in self.countermeasures], "countermeasures")
        for entry in self.protections:
            check_protection(entry.method)
        for entry in self.countermeasures:
            check_countermeasure(entry.method)
            for name in entry.against or ():
                choose({p.name: p for p in self.protections}, name, what=f"{entry.name}: against")

    @property
    def needs_denoiser(self) -> bool:
        """Whether any of its methods needs one."""
        protections = (parse(entry.method)[0].name for entry in self.protections)
        links = (spec.name for entry in self.countermeasures for spec in parse(entry.method))
        return any("denoiser" in PROTECTIONS[name].needs for name in protections) or any(
            "denoiser" in COUNTERMEASURES[name].resources for name in links
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return json.loads(json.dumps(asdict(self)))

    def digest(self) -> str:
        """sha256 of what is measured: the description does not count."""
        content = {key: value for key, value in self.to_dict().items() if key != "description"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_protection(method: str) -> None:
    """Raise SettingError unless ``make_protection`` knows the method and its settings."""
    specs = parse(method, what=PROTECTION)
    if len(specs) != 1:
        raise SettingError(f"{PROTECTION} {method!r}: expected one method, not a chain")
    known = choose(PROTECTIONS, specs[0].name, what=PROTECTION)
    settings_of(specs[0], known.parameters, what=PROTECTION)


def check_countermeasure(method: str) -> None:
    """Raise SettingError unless ``make_countermeasure`` knows the methods and their settings."""
    for spec in parse(method, what=COUNTERMEASURE):
        kind = choose(COUNTERMEASURES, spec.name, what=COUNTERMEASURE)
        settings_of(spec, kind.parameters, what=COUNTERMEASURE)


def _require_unique(names: list[str], what: str) -> None:
    for name in names:
        if name == NONE:
            raise SettingError(
                f"{what}: {NONE!r} is always measured beside the others; leave it out of the list"
            )
        if names.count(name) > 1:
            raise SettingError(
                f"{what}: {name!r} is there twice; give one of them another name (name: …)"
            )
