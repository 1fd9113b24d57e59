"""The list of nodes that the host asks for."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from typing import Any

from comfy_api.latest import ComfyExtension

from .apply import AdaptiveStrength, ApplyPerturbation
from .assign import AssignMixture, TargetPerturbationNode
from .compare import Compare
from .countermeasure import CountermeasureNode
from .edit import EditTest
from .evaluate import Evaluate
from .host.folders import register_folders
from .inspection import Inspect
from .iterative import IterativeProtection
from .load_mixture import LoadMixture
from .load_testbed import LoadTestbed
from .mimicry import LoraMimicryTest
from .protect import ProtectImage
from .protection_report import ProtectionReport
from .purify import Purify
from .refine import RefinePerturbation
from .save import SaveProtectedImage
from .train import TrainMixture


class FixativeExtension(ComfyExtension):
    """Everything this pack adds to the host."""

    async def get_node_list(self) -> list[Any]:
        """The nodes, in the order of the menu."""
        return [
            ProtectImage,
            LoadMixture,
            AssignMixture,
            TargetPerturbationNode,
            AdaptiveStrength,
            RefinePerturbation,
            ApplyPerturbation,
            Compare,
            SaveProtectedImage,
            ProtectionReport,
            TrainMixture,
            IterativeProtection,
            CountermeasureNode,
            Purify,
            Inspect,
            Evaluate,
            LoadTestbed,
            LoraMimicryTest,
            EditTest,
        ]


async def comfy_entrypoint() -> FixativeExtension:
    """Called by the host once, when it loads the pack."""
    register_folders()
    return FixativeExtension()
