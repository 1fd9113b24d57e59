"""Train the mimicry testbed: a small latent diffusion model with a small vocabulary.

The velocity is predicted (Salimans & Ho 2022) on the levels of Stable Diffusion 1; what is kept is
the moving average of the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fixative.codecs import Codec
from fixative.codecs.tiny import channels_last
from fixative.mimicry.network import CONTEXT, build_unet, signal_levels
from fixative.mimicry.testbed import describe, read_testbed, save_testbed
from fixative.mimicry.vocabulary import NEW_WORDS, NOTHING, Vocabulary
from fixative.provenance import provenance
from fixative.training.crops import step_generator
from fixative.training.distributed import ALONE, Team
from fixative.training.loop import (
    LoopSettings,
    Losses,
    ProgressCallback,
    cosine_rate,
    run_training,
)
from fixative.training.mixture_recipe import OtherTrainingError
from fixative.training.testbed_latents import LatentSet, encode_crops


@dataclass(frozen=True)
class TestbedRecipe:
    """Settings of the testbed's training.

    Attributes:
        batch: latents a step.
        rate: AdamW's learning rate after warm-up.
        no_caption: share of latents whose caption is empty, for classifier-free guidance.
        no_instance: share whose caption does not say which one it is.
        average: how much of the moving average a step keeps, once it has warmed up.
        autocast: run the networks in bfloat16; slow on CPUs without it (avx512_bf16).
        seed: of weights, batches and noise.
    """

    __test__ = False  # no test, whatever pytest thinks of the name

    batch: int = 16
    rate: float = 6e-4
    no_caption: float = 0.1
    no_instance: float = 0.2
    average: float = 0.998
    autocast: bool = False
    seed: int = 0


class TestbedTraining:
    """One testbed in training, for ``run_training``.

    Args:
        data: latents and captions.
        recipe: settings.
        start: network to go on from, as ``read_testbed`` gives it; None: from nothing.
        team: the processes that share the latents of every step.
    """

    __test__ = False

    def __init__(
        self,
        data: LatentSet,
        recipe: TestbedRecipe,
        start: tuple[dict[str, Tensor], Vocabulary] | None = None,
        *,
        team: Team = ALONE,
    ) -> None:
        team.require(recipe.batch, "batch", "raise batch")
        self.recipe, self._data, self._team = recipe, data, team
        words = (*data.words(), *NEW_WORDS)
        torch.manual_seed(recipe.seed)
        self._model = nn.ModuleDict(
            {"unet": channels_last(build_unet()), "words": nn.Embedding(len(words), CONTEXT)}
        )
        if start is not None:
            self._begin_with(*start, words)
        self._model.to(team.device)
        self._averaged = copy.deepcopy(self._model).requires_grad_(False)
        self._rows = Vocabulary(words, torch.zeros(len(words), CONTEXT)).indices(data.captions)
        self._words, self._nothing = words, words.index(NOTHING)
        self._signal = signal_levels()
        self._adam = torch.optim.AdamW(
            self._model.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=1e-3
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """The averaged words."""
        vectors = self._averaged["words"].weight
        assert isinstance(vectors, Tensor)
        return Vocabulary(self._words, vectors.cpu().clone())

    @property
    def network(self) -> nn.Module:
        """The averaged network."""
        return self._averaged["unet"]

    def train_step(self, step: int, progress: float) -> Losses:
        generator = step_generator(self.recipe.seed, step)
        latents, rows = self._batch(generator)
        times = torch.randint(len(self._signal), (len(latents),), generator=generator)
        noise = torch.randn(latents.shape, generator=generator)
        mine = self._team.share(len(latents))
        batch = (tensor[mine].to(self._team.device) for tensor in (latents, rows, times, noise))
        loss = self._loss(*batch)
        weight = len(range(len(latents))[mine]) / len(latents)
        self._update(loss * weight, step, progress)
        return self._team.averaged({"loss": loss}, weight)

    def state(self) -> dict[str, Any]:
        return {
            "model": self._model.state_dict(),
            "averaged": self._averaged.state_dict(),
            "adam": self._adam.state_dict(),
            "made_of": self._made_of(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        if state["made_of"] != self._made_of():
            raise OtherTrainingError
        self._model.load_state_dict(state["model"])
        self._averaged.load_state_dict(state["averaged"])
        self._adam.load_state_dict(state["adam"])

    def _loss(self, latents: Tensor, rows: Tensor, times: Tensor, noise: Tensor) -> Tensor:
        signal = self._signal.to(times.device)[times][:, None, None, None]
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=self.recipe.autocast):
            context = self._model["words"](rows)
            found = self._model["unet"](
                noisy.contiguous(memory_format=torch.channels_last), times, context
            ).sample
        velocity = signal.sqrt() * noise - (1 - signal).sqrt() * latents
        return (found.float() - velocity).square().mean()

    def _begin_with(
        self, network: dict[str, Tensor], vocabulary: Vocabulary, words: tuple[str, ...]
    ) -> None:
        self._model["unet"].load_state_dict(network)
        known = [word for word in words if word in vocabulary.words]
        vectors = vocabulary.vectors[[vocabulary.words.index(word) for word in known]]
        embedding = self._model["words"]
        assert isinstance(embedding, nn.Embedding)
        with torch.no_grad():
            embedding.weight[[words.index(word) for word in known]] = vectors

    def _made_of(self) -> dict[str, Any]:
        return {"words": list(self._words), "recipe": asdict(self.recipe)}

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Latents (B, 4, h, w), perhaps mirrored, and the rows of their captions (B, 3)."""
        count = self.recipe.batch
        chosen = torch.randint(len(self._rows), (count,), generator=generator)
        latents, rows = self._data.latents[chosen].float(), self._rows[chosen].clone()
        rolls = torch.rand(count, generator=generator)
        rows[rolls < self.recipe.no_caption] = self._nothing
        rows[rolls > 1 - self.recipe.no_instance, -1] = self._nothing
        return latents, rows

    def _update(self, loss: Tensor, step: int, progress: float) -> None:
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        self._team.add_gradients(self._model.parameters())
        nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        for group in self._adam.param_groups:
            group["lr"] = cosine_rate(self.recipe.rate, progress)
        self._adam.step()
        keep = min(self.recipe.average, (step + 1) / (step + 10))
        with torch.no_grad():
            pairs = zip(self._averaged.parameters(), self._model.parameters(), strict=True)
            for averaged, parameter in pairs:
                averaged.lerp_(parameter, 1 - keep)


def train_testbed(
    images: Path,
    codec: Codec,
    out: Path,
    *,
    runs: Path,
    steps: int = 6000,
    crops: int = 4096,
    recipe: TestbedRecipe | None = None,
    start: Path | None = None,
    on_step: ProgressCallback | None = None,
    on_encode: Callable[[int, int], None] | None = None,
    team: Team = ALONE,
) -> None:
    """Train the testbed, or go on from the checkpoint, bit for bit, and write it.

    Args:
        images: pictures, one folder a kind; those held out for measuring are left out.
        codec: whose latents it learns.
        out: the .safetensors file to write.
        runs: folder of latents and checkpoint.
        steps: length of the training.
        crops: how many crops to encode, a multiple of 64.
        recipe: settings.
        start: a testbed's file to go on from; None: from nothing.
        on_step: told (step, steps, losses).
        on_encode: told (shards encoded, shards).
        team: the processes that share the work; the main one writes.

    Raises:
        OtherTrainingError: the checkpoint is of other settings or pictures.
    """
    recipe = recipe or TestbedRecipe()
    data = encode_crops(
        images,
        codec,
        runs,
        count=crops,
        seed=recipe.seed,
        autocast=recipe.autocast,
        on_shard=on_encode,
        team=team,
    )
    begun = None if start is None else read_testbed(start)
    training = TestbedTraining(data, recipe, begun, team=team)
    run_training(training, LoopSettings(steps, runs / "testbed.pt"), on_step, team=team)
    if not team.main:
        return
    facts = {
        "kind": "testbed",
        "codec": codec.name,
        "steps": steps,
        "crops": crops,
        "start": None if start is None else describe(start)["recipe"],
        **asdict(recipe),
        **provenance(),
    }
    save_testbed(training.network, training.vocabulary, out, facts)
