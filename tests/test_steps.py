"""The three adaptive steps and the metrics, by hand-computed cases."""

from __future__ import annotations

import math

import pytest
import torch

from fixative.assignment import assign
from fixative.errors import SettingError
from fixative.metrics import psnr, pull, shift
from fixative.strength import adaptive_strength
from fixative.target import choose_target, latent_entropy


def test_assignment_picks_the_nearest_and_tells_the_distance() -> None:
    centroids = torch.stack([torch.zeros(4, 8, 8), torch.full((4, 8, 8), 3.0)])
    latents = torch.stack([torch.full((4, 8, 8), 1.0), torch.full((4, 8, 8), 2.5)])
    assignment = assign(latents, centroids)
    assert assignment.group.tolist() == [0, 1]
    torch.testing.assert_close(assignment.distances, torch.tensor([[1.0, 2.0], [2.5, 0.5]]))


def test_entropy_of_one_value_is_zero_and_of_even_bins_is_eight() -> None:
    constant = torch.zeros(1, 4, 8, 8)
    centres = (torch.arange(256) + 0.5) / 32 - 4
    even = centres.reshape(1, 4, 8, 8)
    assert latent_entropy(constant).item() == 0
    assert latent_entropy(even).item() == pytest.approx(8, abs=1e-5)


def test_entropy_of_two_equal_halves_is_one_bit_and_far_values_share_the_end_bins() -> None:
    halves = torch.cat([torch.full((1, 2, 8, 8), -99.0), torch.full((1, 2, 8, 8), 1.0)], 1)
    assert latent_entropy(halves).item() == pytest.approx(1, abs=1e-6)


def test_adaptive_target_is_the_one_of_nearest_entropy() -> None:
    entropies = torch.tensor([1.0, 5.0, 7.0])
    names = ("low", "mid", "high")
    simple, busy = torch.zeros(1, 4, 8, 8), torch.randn(1, 4, 64, 64)
    both = choose_target(simple, entropies, names)
    assert both.index.tolist() == [0]
    assert choose_target(busy, entropies, names).index.tolist() == [2]
    assert choose_target(busy, entropies, names, target="mid").index.tolist() == [1]


def test_unknown_target_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match="target: expected one of auto, low; got 'lwo'"):
        choose_target(torch.zeros(1, 4, 8, 8), torch.zeros(1), ("low",), target="lwo")


def test_strength_presses_the_three_least_visible_tenths() -> None:
    visibility = torch.arange(100.0).reshape(1, 1, 10, 10)
    factors = adaptive_strength(visibility).flatten()
    strong = factors > 1
    assert strong.tolist() == [value < 29 for value in range(100)]
    assert factors[0].item() == pytest.approx(0.91 * 1.3)
    assert factors[99].item() == pytest.approx(0.91)
    assert factors.mean().item() == pytest.approx(0.992, abs=0.004)


def test_strength_of_a_constant_map_is_constant() -> None:
    assert adaptive_strength(torch.ones(2, 1, 8, 8)).unique().numel() == 1


def test_pull_runs_from_zero_to_one_and_below_when_pushed_away() -> None:
    original, target = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2)
    values = [0.0, 0.5, 1.0, -1.0]
    pulls = [pull(original + v, original, target).item() for v in values]
    assert pulls == pytest.approx([0, 0.75, 1, -3])


def test_shift_and_psnr_by_hand() -> None:
    original = torch.tensor([0.0, 2.0]).reshape(1, 1, 1, 2)
    assert shift(original + 1, original).item() == pytest.approx(1)
    image = torch.full((1, 3, 4, 4), 0.5)
    assert psnr(image + 0.1, image).item() == pytest.approx(20, abs=1e-4)
    assert math.isinf(psnr(image, image).item())
