"""What tries to remove a protection: one base class, one registry."""

from fixative.countermeasures.base import Countermeasure, Need, Purified, PurifyStep, StepCallback
from fixative.countermeasures.chain import Chain
from fixative.countermeasures.impress import PRESETS, Impress, ImpressSettings
from fixative.countermeasures.registry import (
    COUNTERMEASURES,
    Resources,
    make_countermeasure,
    needed_resources,
)
from fixative.countermeasures.roundtrip import RoundTrip

__all__ = [
    "COUNTERMEASURES",
    "PRESETS",
    "Chain",
    "Countermeasure",
    "Impress",
    "ImpressSettings",
    "Need",
    "Purified",
    "PurifyStep",
    "Resources",
    "RoundTrip",
    "StepCallback",
    "make_countermeasure",
    "needed_resources",
]
