"""What tries to remove a protection: one base class, one registry."""

from fixative.countermeasures.averaging import Averaging, SharedPerturbations, load_shared
from fixative.countermeasures.base import Countermeasure, Need, Purified, PurifyStep, StepCallback
from fixative.countermeasures.chain import Chain
from fixative.countermeasures.impress import PRESETS, Impress, ImpressSettings
from fixative.countermeasures.registry import (
    COUNTERMEASURES,
    Resources,
    make_countermeasure,
    needed_resources,
)
from fixative.countermeasures.remover import LearnedRemover, Remover, load_remover
from fixative.countermeasures.roundtrip import RoundTrip

__all__ = [
    "COUNTERMEASURES",
    "PRESETS",
    "Averaging",
    "Chain",
    "Countermeasure",
    "Impress",
    "ImpressSettings",
    "LearnedRemover",
    "Need",
    "Purified",
    "PurifyStep",
    "Remover",
    "Resources",
    "RoundTrip",
    "SharedPerturbations",
    "StepCallback",
    "load_remover",
    "load_shared",
    "make_countermeasure",
    "needed_resources",
]
