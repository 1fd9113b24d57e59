"""The training loop that every recipe shares: schedule, checkpoints, exact resume, progress."""

from __future__ import annotations

import logging
import math
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch

from fixative.training.distributed import ALONE, SHARED_FOLDER, Team

#: After so many steps, and at the end, processes check that they hold the same.
CHECK_EVERY = 100

log = logging.getLogger(__name__)

Losses = dict[str, float]
ProgressCallback = Callable[[int, int, Losses], None]


class Recipe(Protocol):
    """What the loop needs of a recipe; its batches must depend on (seed, step) only."""

    def train_step(self, step: int, progress: float) -> Losses:
        """Do step ``step``; ``progress`` runs from 0 to 1 over the whole training."""
        ...

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class LoopSettings:
    """How long to train and how often to save.

    Attributes:
        steps: length of the whole training; the learning-rate schedule spans it.
        checkpoint: file to save to and resume from.
        save_every_s: seconds between checkpoints.
    """

    steps: int
    checkpoint: Path
    save_every_s: float = 60.0


def run_training(
    recipe: Recipe,
    settings: LoopSettings,
    on_step: ProgressCallback | None = None,
    *,
    team: Team = ALONE,
) -> int:
    """Train up to ``settings.steps``, resuming from the checkpoint; returns steps done now.

    An interrupt saves before it is passed on, so that nothing is lost. Of several processes the
    main one saves, and all go on from what it saved.

    Raises:
        SettingError: the processes do not find the same checkpoint, or computed something else.
    """
    first = _resume(recipe, settings.checkpoint)
    team.same_everywhere(first, f"checkpoint {settings.checkpoint.name}, its step", SHARED_FOLDER)
    step, saved_at = first, time.monotonic()
    try:
        while step < settings.steps:
            losses = recipe.train_step(step, step / settings.steps)
            step += 1
            if on_step is not None:
                on_step(step, settings.steps, losses)
            if team.size > 1 and (step % CHECK_EVERY == 0 or step == settings.steps):
                _check_replicas(recipe, step, team)
            if team.main and time.monotonic() - saved_at > settings.save_every_s:
                save_checkpoint(recipe, step, settings.checkpoint)
                saved_at = time.monotonic()
    finally:
        if step > first and team.main:
            save_checkpoint(recipe, step, settings.checkpoint)
    return step - first


def save_checkpoint(recipe: Recipe, step: int, path: Path) -> None:
    """Write the checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"step": step, "recipe": recipe.state()}, partial)
    os.replace(partial, path)


def _resume(recipe: Recipe, path: Path) -> int:
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True, map_location="cpu")
    recipe.load_state(saved["recipe"])
    log.info("resumed %s at step %d", path, saved["step"])
    return int(saved["step"])


def _check_replicas(recipe: Recipe, step: int, team: Team) -> None:
    """Refuse to go on with weights that are not those of the other processes."""
    team.same_everywhere(
        _checksum(recipe.state()),
        f"weights after step {step}, their checksum",
        "start processes on machines of one kind with the same packages, and give another --runs",
    )


def _checksum(found: Any, so_far: int = 0) -> int:
    """Of every tensor in a recipe's state."""
    if isinstance(found, torch.Tensor):
        return zlib.crc32(found.detach().cpu().contiguous().numpy().tobytes(), so_far)
    parts: list[Any] = []
    if isinstance(found, dict):
        parts = list(cast("dict[Any, Any]", found).values())
    elif isinstance(found, (list, tuple)):
        parts = list(cast("list[Any]", found))
    for part in parts:
        so_far = _checksum(part, so_far)
    return so_far


def cosine_rate(peak: float, progress: float, *, warmup: float = 0.02) -> float:
    """Learning rate at ``progress`` in [0, 1]: linear warm-up, then half a cosine down to 0."""
    if progress < warmup:
        return peak * (progress + 1e-3) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
