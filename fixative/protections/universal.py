"""One perturbation for every picture: FastProtect's ablation without mixture and target choice."""

from __future__ import annotations

from torch import Tensor

from fixative.errors import SettingError
from fixative.mixture import Mixture
from fixative.protections.ablated import ungrouped
from fixative.protections.base import Proposal, Protection
from fixative.protections.method import Method, Request
from fixative.registry import Parameter
from fixative.training.targets import PERIODS


class Universal(Protection):
    """A mixture's global perturbation δg of one target, brought from its η/2 to the budget.

    The paper trained one for its ablation; δg was trained beside the groups' and so is a little
    weaker than one trained alone. No picture is looked at, and no codec is needed.

    Args:
        mixture: whose δg.
        target: of the mixture's targets.
        strength: budget in 1/255.

    Raises:
        SettingError: no such target, or strength outside its range.
    """

    name = "universal"

    def __init__(self, mixture: Mixture, *, target: str = "mid", strength: float = 8.0) -> None:
        super().__init__(strength=strength)
        if target not in mixture.target_names:
            names = ", ".join(mixture.target_names)
            raise SettingError(f"target: expected one of {names}; got {target!r}")
        index = mixture.target_names.index(target)
        self._perturbation = ungrouped(mixture, mean=False, strength=strength)[index][None]

    def _propose(self, images: Tensor) -> Proposal:
        return Proposal(self._perturbation.expand(len(images), -1, -1, -1))


def _make(request: Request) -> Protection:
    return Universal(request.mixture, target=request.word("target"), strength=request.strength)


METHOD = Method(
    Universal.name,
    "one perturbation for all pictures: the mixture's global one of a target",
    _make,
    (Parameter("target", "mid", help="whose global perturbation", choices=tuple(PERIODS)),),
    needs=("mixture",),
)
