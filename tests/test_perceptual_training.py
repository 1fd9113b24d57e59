"""How the strength map network is learnt from the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fixative.perceptual import LearnedMap, LpipsMap
from fixative.training.crops import CropSampler
from fixative.training.loop import LoopSettings, run_training
from fixative.weights import read_metadata
from tests.map_pairs import EPSILON, drawn_pair, half_textured, noise, save_random_backbone


@pytest.fixture
def random_backbone(tmp_path: Path) -> Path:
    pytest.importorskip("lpips", reason="the lpips package is not installed")
    return save_random_backbone(tmp_path / "backbone.safetensors")


def test_training_resumes_exactly_and_learns(
    random_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pytorch_optimizer", reason="the extra 'train' is not installed")
    from fixative.training import distill_map

    monkeypatch.setattr(distill_map, "CROP", 48)
    folder = tmp_path / "images" / "drawn"
    folder.mkdir(parents=True)
    for seed in range(3):
        coarse = F.interpolate(noise(12, 12, seed), (96, 96), mode="bicubic")
        pixels = coarse.mul(60).add(128).clamp(0, 255).byte()[0].permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{seed}.png")

    def recipe() -> distill_map.MapDistillation:
        def encode(images: Tensor) -> Tensor:
            return F.avg_pool2d(images, 8)

        crops = CropSampler(folder.parent)
        return distill_map.MapDistillation(LpipsMap(random_backbone), crops, encode=encode)

    losses: list[float] = []
    whole, stopped, resumed = recipe(), recipe(), recipe()
    run_training(
        whole,
        LoopSettings(10, tmp_path / "whole.pt"),
        lambda _step, _steps, loss: losses.append(loss["total"]),
    )

    class StopError(Exception):
        pass

    def stop_at_four(step: int, _steps: int, _losses: dict[str, float]) -> None:
        if step == 4:
            raise StopError

    with pytest.raises(StopError):
        run_training(stopped, LoopSettings(10, tmp_path / "parts.pt"), stop_at_four)
    assert run_training(resumed, LoopSettings(10, tmp_path / "parts.pt")) == 6
    for key, tensor in whole.student.state_dict().items():
        assert torch.equal(tensor, resumed.student.state_dict()[key]), key
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_written_weights_load_and_carry_their_recipe(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_optimizer", reason="the extra 'train' is not installed")
    pytest.importorskip("lpips", reason="the lpips package is not installed")
    from fixative.perceptual.map_network import random_map_network
    from fixative.training.map_job import write_map_weights

    network, path = random_map_network(4), tmp_path / "map.safetensors"
    write_map_weights(network, path, {"steps": 7})
    assert json.loads(read_metadata(path)["fixative"])["steps"] == 7
    pair = drawn_pair()
    torch.testing.assert_close(LearnedMap(path)(*pair), network(*pair), rtol=0.02, atol=0.02)


def test_changes_keep_their_budget_and_attacks_reach_their_target() -> None:
    from fixative.training import map_changes

    def encode(images: Tensor) -> Tensor:
        return F.avg_pool2d(images, 8)

    picture, target = half_textured(64), torch.zeros(1, 3, 64, 64)
    start = noise(64, 64).sign()
    pattern = map_changes.attack(encode, picture, target, start)
    assert pattern.abs().max() <= 1
    distances = [encode(picture + EPSILON * p).square().sum() for p in (pattern, start)]
    assert distances[0] < 0.95 * distances[1]
    bank = [(picture, pattern)]
    for draw in (map_changes.sign_noise, map_changes.smooth_noise, map_changes.waves):
        assert 0.5 < draw(64, torch.Generator().manual_seed(2)).abs().max() <= 1
    generator = torch.Generator().manual_seed(5)
    for _ in range(40):
        assert map_changes.attack_texture(50, bank, generator).shape == (1, 3, 50, 50)
        after = map_changes.random_change(picture, bank, generator)
        assert after.shape == picture.shape
        assert 0 <= after.min() <= after.max() <= 1
        assert not torch.equal(after, picture)
