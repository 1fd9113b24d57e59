"""Several countermeasures, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fixative.countermeasures.base import Countermeasure, Outcome, StepCallback


class Chain(Countermeasure):
    """Apply each to what the one before it left.

    Args:
        links: in order; at least one.
        seed: unused: each link has its own.
    """

    name = "chain"

    def __init__(self, links: Sequence[Countermeasure], *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        assert links
        self.links = tuple(links)

    def describe(self) -> str:
        """As the links describe themselves: ``jpeg:75+resize:0.5``."""
        return "+".join(link.describe() for link in self.links)

    def _purify(
        self, image: Tensor, generator: torch.Generator, on_step: StepCallback | None
    ) -> Outcome:
        del generator
        details: list[dict[str, object]] = []
        for link in self.links:
            done = link.purify(image, on_step=on_step)
            image = done.image
            details.append({"name": link.describe(), **done.details[0]})
        return image, {"links": details}
