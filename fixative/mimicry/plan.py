"""What a mimicry test has to do, in stages."""

from __future__ import annotations

from collections.abc import Sequence

from fixative.mimicry.arms import Role
from fixative.mimicry.rows import Stage, Task
from fixative.mimicry.sets import PictureSet
from fixative.mimicry.settings import MimicrySettings


def plan_tasks(sets: Sequence[PictureSet], settings: MimicrySettings) -> list[list[Task]]:
    """Everything to do, in stages: those of one stage need only what came in those before.

    The first seed of every set and arm comes before any second one, so that a run that was
    ended early has compared what it can.
    """
    own = [arm for arm in settings.arms if arm.pictures == arm.name and arm.role != Role.NONE]
    protected = [arm for arm in own if arm.role is not Role.PURIFIED]
    purified = [arm for arm in own if arm.role is Role.PURIFIED]
    edited = [arm for arm in settings.arms if arm.role is not Role.NONE] if settings.edit else []
    return [
        [Task(Stage.PICTURES, one, arm) for one in sets for arm in protected],
        [Task(Stage.PICTURES, one, arm) for one in sets for arm in purified],
        [Task(Stage.EDIT, one, arm) for one in sets for arm in edited]
        + [
            Task(Stage.LORA, one, arm, seed)
            for seed in range(settings.seeds)
            for one in sets
            for arm in settings.arms
        ],
    ]


def flat(stages: Sequence[Sequence[Task]]) -> list[Task]:
    """All tasks, in order."""
    return [task for tasks in stages for task in tasks]
