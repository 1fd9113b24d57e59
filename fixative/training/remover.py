"""Train a remover: a network that predicts what a tool added to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fixative.codecs.tiny import channels_last
from fixative.countermeasures.remover import Remover, load_remover, save_remover
from fixative.countermeasures.remover_network import (
    SHAPE,
    RemoverShape,
    random_remover,
)
from fixative.errors import SettingError
from fixative.images import on_8bit_grid
from fixative.provenance import provenance
from fixative.training.crops import step_generator
from fixative.training.loop import (
    LoopSettings,
    Losses,
    ProgressCallback,
    cosine_rate,
    run_training,
)
from fixative.training.mixture_recipe import OtherTrainingError
from fixative.training.pairs import Pair, digest


@dataclass(frozen=True)
class RemoverRecipe:
    """Settings of a remover's training.

    Attributes:
        crop: side of a crop in pixels; smaller pictures are taken as wide as they are.
        batch: crops a step.
        rate: Adam's learning rate after warm-up.
        untouched: share of crops that are clean, so that the network leaves such pictures alone.
        strengths: range by which a pair's change is multiplied, for tools with a strength.
        shape: of the network.
        seed: of weights and crops.
    """

    crop: int = 96
    batch: int = 8
    rate: float = 2e-3
    untouched: float = 0.15
    strengths: tuple[float, float] = (0.5, 1.5)
    shape: RemoverShape = SHAPE
    seed: int = 0


class RemoverTraining:
    """Mean square error of the predicted perturbation, relative to the perturbation's own.

    Args:
        pairs: of one tool.
        recipe: settings.

    Raises:
        SettingError: the pairs do not differ.
    """

    def __init__(self, pairs: Sequence[Pair], recipe: RemoverRecipe) -> None:
        self.recipe, self._pairs = recipe, pairs
        self._power = sum(_power(pair) for pair in pairs) / len(pairs)
        if self._power == 0:
            raise SettingError("pairs: the protected pictures equal the clean ones; give others")
        self.network = random_remover(recipe.seed, recipe.shape)
        channels_last(self.network)
        self._made_of = {"pairs_sha256": digest(pairs), "recipe": _plain(recipe)}
        parameters = self.network.parameters()
        self._adam = torch.optim.Adam(parameters, lr=recipe.rate, betas=(0.9, 0.99))

    def train_step(self, step: int, progress: float) -> Losses:
        protected, change = self._batch(step_generator(self.recipe.seed, step))
        error = (self.network(protected) - change).square().mean() / self._power
        self._adam.zero_grad(set_to_none=True)
        error.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self._adam.param_groups:
            group["lr"] = cosine_rate(self.recipe.rate, progress)
        self._adam.step()
        return {"left": error.item()}

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "adam": self._adam.state_dict(),
            "made_of": self._made_of,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        if state.get("made_of") != self._made_of:
            raise OtherTrainingError
        self.network.load_state_dict(state["network"])
        self._adam.load_state_dict(state["adam"])

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Protected crops (B, 3, S, S) on the 8-bit grid, and what was added to each."""
        side = min(self.recipe.crop, *(min(pair.clean.shape[-2:]) for pair in self._pairs))
        drawn = [self._crop(side, generator) for _ in range(self.recipe.batch)]
        clean, change = (torch.stack(each) for each in zip(*drawn, strict=True))
        protected = on_8bit_grid((clean + change).clamp(0, 1))
        return protected.contiguous(memory_format=torch.channels_last), protected - clean

    def _crop(self, side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        pair = self._pairs[_randint(len(self._pairs), generator)]
        height, width = pair.clean.shape[-2:]
        top, left = _randint(height - side + 1, generator), _randint(width - side + 1, generator)
        window = (slice(None), slice(top, top + side), slice(left, left + side))
        clean = pair.clean[window].float() / 255
        roll = float(torch.rand((), generator=generator))
        low, high = self.recipe.strengths
        factor = low + (high - low) * float(torch.rand((), generator=generator))
        factor = 0.0 if roll < self.recipe.untouched else factor
        return clean, (pair.protected[window].float() / 255 - clean) * factor


def train_remover(
    pairs: Sequence[Pair],
    out: Path,
    *,
    checkpoint: Path,
    steps: int = 1500,
    recipe: RemoverRecipe | None = None,
    on_step: ProgressCallback | None = None,
) -> Remover:
    """Train a remover, or go on from the checkpoint, bit for bit, and write it.

    Args:
        pairs: pictures before and after the tool.
        out: the .safetensors file to write, about 0.4 MB.
        checkpoint: file to save to and resume from.
        steps: length of the training.
        recipe: settings.
        on_step: told (step, steps, losses); ``left`` is the share of the perturbation's energy
            that is not predicted: 1 = nothing learnt, 0 = all.

    Raises:
        OtherTrainingError: the checkpoint is of other settings or pairs.
        SettingError: the pairs do not differ.
    """
    recipe = recipe or RemoverRecipe()
    training = RemoverTraining(pairs, recipe)
    run_training(training, LoopSettings(steps, checkpoint), on_step)
    facts = {
        "kind": "remover",
        "steps": steps,
        "pairs": len(pairs),
        "pairs_sha256": digest(pairs),
        **_plain(recipe),
        **provenance(),
    }
    save_remover(training.network, recipe.shape, out, facts)
    return load_remover(out)


def _plain(recipe: RemoverRecipe) -> dict[str, Any]:
    """JSON types only."""
    settings = asdict(recipe)
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()
    }


def _power(pair: Pair) -> float:
    """Mean square of what the tool added, on [0, 1]."""
    clean, protected = pair.images()
    return (protected - clean).square().mean().item()


def _randint(high: int, generator: torch.Generator) -> int:
    return int(torch.randint(high, (), generator=generator))
