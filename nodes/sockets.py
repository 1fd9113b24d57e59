"""The wires that only our nodes have; each carries one frozen dataclass of the engine."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from comfy_api.latest import io

#: Carries ``fixative.mixture.Mixture``.
MIXTURE = io.Custom("FIXATIVE_MIXTURE")
#: Carries ``fixative.steps.AssignedPictures``.
ASSIGNMENT = io.Custom("FIXATIVE_ASSIGNMENT")
#: Carries ``fixative.steps.TargetPerturbation``.
PERTURBATION = io.Custom("FIXATIVE_PERTURBATION")
