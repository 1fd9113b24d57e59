"""Training: held-out pictures stay out, runs resume bit-exactly, losses fall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.codecs.tiny import Block
from fixative.errors import ImageError, SettingError
from fixative.training.crops import CropSampler, step_generator
from fixative.training.loop import LoopSettings, cosine_rate, run_training
from fixative.training.splits import held_out_pictures, training_pictures
from fixative.training.targets import PERIODS, draw_targets
from tests.engine_parts import random_codec

HELD_OUT = ["objects/dog6/00.png", "cartoons/p_E17P01.png", "photos/kodak_kodim20.png"]
TRAINED = ["objects/cat/00.png", "cartoons/p_E16P01.png", "photos/kodak_kodim03.png"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in (*HELD_OUT, *TRAINED):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (160, 180, 3), dtype=np.uint8)).save(path)
    return tmp_path / "pictures"


def names(chosen: dict[str, list[Path]], folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for paths in chosen.values() for p in paths}


def test_held_out_pictures_are_never_trained_on(pictures: Path) -> None:
    assert names(held_out_pictures(pictures), pictures) == set(HELD_OUT)
    assert names(training_pictures(pictures), pictures) == set(TRAINED)


def test_crops_depend_on_seed_and_step_only(pictures: Path) -> None:
    sampler = CropSampler(pictures)
    first = sampler.sample(3, 48, step_generator(1, 7))
    sampler.sample(5, 48, step_generator(1, 8))
    assert torch.equal(first, sampler.sample(3, 48, step_generator(1, 7)))
    assert not torch.equal(first, sampler.sample(3, 48, step_generator(2, 7)))
    assert first.shape == (3, 3, 48, 48)


def test_no_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no folder"):
        CropSampler(tmp_path / "absent")
    with pytest.raises(ImageError, match="none found"):
        CropSampler(tmp_path)


def test_cosine_rate_warms_up_and_ends_at_zero() -> None:
    assert cosine_rate(1.0, 0.0) < 0.1
    assert cosine_rate(1.0, 0.02) == pytest.approx(1)
    assert cosine_rate(1.0, 1.0) == pytest.approx(0, abs=1e-9)


def test_targets_are_periodic_as_told() -> None:
    for target, period in zip(draw_targets(), PERIODS.values(), strict=True):
        assert target.shape == (3, 512, 512)
        assert torch.equal(target, target.roll(period, 1))
        assert torch.equal(target, target.roll(period, 2))
        assert not torch.equal(target, target.roll(period // 2, 2))


class StopError(Exception):
    pass


def encoder_recipe(pictures: Path) -> Any:
    pytest.importorskip("pytorch_optimizer", reason="the training extra is not installed")
    from fixative.training.distill_codec import EncoderDistillation

    teacher = random_codec(seed=3)
    return EncoderDistillation(teacher._encoder, CropSampler(pictures), seed=1)  # pyright: ignore[reportPrivateUsage]


def mixture_recipe(pictures: Path) -> Any:
    from fixative.training.mixture_set import MixtureSet
    from fixative.training.train_mixture import MixtureRecipe, MixtureTraining

    sampler, generator = CropSampler(pictures), step_generator(0, 0)
    data = MixtureSet(
        (sampler.sample(4, 512 // 4, generator).repeat(1, 1, 4, 4) * 255).byte(),
        group=torch.tensor([0, 1, 2, 3]),
        target=torch.tensor([0, 1, 2, 0]),
        entropies=torch.zeros(4),
        centroids=torch.zeros(4, 4, 64, 64),
        target_latents=torch.zeros(3, 4, 64, 64),
        target_entropies=torch.zeros(3),
    )
    codecs = [random_codec(seed=1), random_codec(seed=2)]
    recipe = MixtureRecipe(crop=64, batch=2)
    return MixtureTraining(codecs, data, draw_targets(), list(PERIODS.values()), recipe)


def tensors(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state]
    if isinstance(state, dict):
        return [t for key in sorted(state, key=str) for t in tensors(state[key])]
    return [t for item in state for t in tensors(item)] if isinstance(state, list | tuple) else []


@pytest.mark.parametrize("make", [encoder_recipe, mixture_recipe])
def test_an_interrupted_run_resumes_bit_exactly(make: Any, pictures: Path, tmp_path: Path) -> None:
    def stop_at_three(step: int, _steps: int, _losses: dict[str, float]) -> None:
        if step == 3:
            raise StopError

    whole = make(pictures)
    run_training(whole, LoopSettings(6, tmp_path / "whole.pt"))
    with pytest.raises(StopError):
        run_training(make(pictures), LoopSettings(6, tmp_path / "cut.pt"), stop_at_three)
    resumed = make(pictures)
    assert run_training(resumed, LoopSettings(6, tmp_path / "cut.pt")) == 3
    pairs = list(zip(tensors(whole.state()), tensors(resumed.state()), strict=True))
    assert len(pairs) >= 6
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_checkpoint_of_other_settings_is_refused(pictures: Path) -> None:
    from dataclasses import replace

    recipe = mixture_recipe(pictures)
    state = recipe.state()
    recipe.recipe = replace(recipe.recipe, feature_weight=0.7)
    with pytest.raises(SettingError, match="checkpoint: made with other settings"):
        recipe.load_state(state)


def test_mixture_training_lowers_its_loss_within_the_bound(pictures: Path, tmp_path: Path) -> None:
    recipe = mixture_recipe(pictures)
    losses: list[float] = []
    run_training(
        recipe,
        LoopSettings(24, tmp_path / "m.pt"),
        lambda _step, _steps, found: losses.append(found["latent"]),
    )
    assert recipe.shared.abs().max() <= 4 / 255 + 1e-7
    assert recipe.shared.abs().max() > 1 / 255
    assert sum(losses[-6:]) < sum(losses[:6])


def test_periodic_phase_keeps_perturbations_periodic(pictures: Path) -> None:
    recipe = mixture_recipe(pictures)
    for step in range(3):
        recipe.train_step(step, 0.1)
    for target, period in enumerate(PERIODS.values()):
        assert torch.equal(recipe.shared[target], recipe.shared[target].roll(period, 2))
    recipe.train_step(3, 0.9)
    moved = [
        not torch.equal(recipe.shared[t], recipe.shared[t].roll(p, 2))
        for t, p in enumerate(PERIODS.values())
    ]
    assert any(moved)


def test_a_group_without_pictures_gets_the_mean_of_its_target() -> None:
    from fixative.training.perturbations import filled

    group = torch.zeros(2, 3, 3, 4, 4)
    group[0, 0], group[0, 1] = 1.0, 3.0
    whole = filled(group)
    assert whole[0].mean((1, 2, 3)).tolist() == [1, 3, 2]
    assert whole[1].abs().max() == 0


def test_student_starts_from_random_weights_not_the_teachers(pictures: Path) -> None:
    recipe = encoder_recipe(pictures)
    for own, theirs in zip(
        recipe.student.parameters(),
        random_codec(seed=3)._encoder.parameters(),
        strict=True,  # pyright: ignore[reportPrivateUsage]
    ):
        if own.dim() > 1:
            cosine = torch.cosine_similarity(own.flatten(), theirs.flatten(), dim=0)
            assert cosine.abs() < 0.2
    assert isinstance(recipe.student[1], Block)
