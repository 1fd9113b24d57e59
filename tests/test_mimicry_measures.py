"""The mimicry test's numbers: against sums by hand, and against what they must tell apart."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from fixative.evaluation.statistics import Estimate
from fixative.mimicry.aggregate import Aggregator, SetNumbers, Unit
from fixative.mimicry.arms import Role, plan_arms
from fixative.mimicry.features import AlexFeatures, Eyes, Nearness, correlations, moments
from fixative.mimicry.measures import (
    Numbers,
    Scale,
    distances,
    energy,
    kid,
    mmd,
    permutation_test,
    similarities,
    swap_test,
)
from fixative.mimicry.settings import MimicrySettings, derived_seed, quick
from fixative.perceptual import BACKBONE_VARIABLE
from fixative.perceptual.distance import LpipsDistance
from fixative.perceptual.lpips_map import LpipsMap
from tests.engine_parts import drawn_picture
from tests.evaluation_parts import cell_codec

needs_alexnet = pytest.mark.skipif(
    not os.environ.get(BACKBONE_VARIABLE), reason="needs AlexNet's weights"
)


def drawn(count: int, *, centre: float = 0.0, seed: int = 0, size: int = 5) -> Numbers:
    return np.random.default_rng(seed).normal(centre, 1, (count, size))


def test_mmd_is_the_unbiased_sum_over_pairs() -> None:
    first, second = drawn(4), drawn(3, centre=1, seed=1)

    def alike(one: Numbers, other: Numbers) -> float:
        return float((one @ other / len(one) + 1) ** 3)

    within = np.mean(
        [alike(a, b) for i, a in enumerate(first) for j, b in enumerate(first) if i != j]
    )
    beside = np.mean(
        [alike(a, b) for i, a in enumerate(second) for j, b in enumerate(second) if i != j]
    )
    across = np.mean([alike(a, b) for a in first for b in second])
    assert mmd(first, second) == pytest.approx(within + beside - 2 * across)


def test_kid_is_larger_for_what_is_farther_and_has_a_spread() -> None:
    originals = drawn(12)
    near, far = kid(drawn(12, seed=1), originals), kid(drawn(12, centre=1.5, seed=2), originals)
    assert far.value > near.value + 3 * near.spread
    assert near.spread > 0
    assert near == kid(drawn(12, seed=1), originals), "the same seed gives the same spread"


def test_the_permutation_test_finds_a_difference_and_no_other() -> None:
    same = permutation_test([(drawn(10), drawn(10, seed=1))], permutations=200)
    other = permutation_test([(drawn(10), drawn(10, centre=2, seed=2))], permutations=200)
    assert same > 0.1
    assert 1 / 201 <= other < 0.02
    # Two strata, each alone too small to be sure of.
    pairs = [(drawn(4, seed=s), drawn(4, centre=2, seed=s + 10)) for s in range(4)]
    assert permutation_test(pairs, permutations=200) < 0.02


def test_p_values_of_equal_sides_are_spread_evenly() -> None:
    values = [
        permutation_test([(drawn(6, seed=s), drawn(6, seed=s + 500))], permutations=60)
        for s in range(120)
    ]
    assert 0.01 <= np.mean(np.array(values) <= 0.1) <= 0.2
    assert 0.35 <= np.mean(values) <= 0.65


def imitators(count: int, *, centre: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    """What imitators draw: each its own way (spread 2), and little variety in it (spread 0.2)."""
    ways = drawn(count, centre=centre, seed=seed) * 2
    return [way + 0.2 * drawn(6, seed=seed + 1000 + n) for n, way in enumerate(ways)]


def test_swapping_imitators_does_not_take_another_seed_for_a_difference() -> None:
    """Samples of one LoRA are alike: as if they were independent, chance looks like a finding."""
    pairs = [list(zip(imitators(7), imitators(7, seed=50), strict=True))]
    pooled = [(np.concatenate([a for a, _ in p]), np.concatenate([b for _, b in p])) for p in pairs]
    assert permutation_test(pooled, permutations=200) < 0.05, "what the swap is there for"
    assert (swap_test(pairs, permutations=200) or 0) > 0.1
    other = [list(zip(imitators(7), imitators(7, centre=4, seed=50), strict=True))]
    assert (swap_test(other, permutations=500) or 1) < 0.05


def test_swap_p_values_of_equal_sides_are_spread_evenly() -> None:
    values = [
        swap_test(
            [
                list(zip(imitators(3, seed=s), imitators(3, seed=s + 500), strict=True)),
                list(zip(imitators(4, seed=s + 90), imitators(4, seed=s + 700), strict=True)),
            ],
            permutations=40,
        )
        for s in range(80)
    ]
    assert 0.02 <= np.mean(np.array(values) <= 0.1) <= 0.2
    assert 0.4 <= np.mean(np.array(values)) <= 0.65


def test_too_few_imitators_are_not_tested() -> None:
    """With five pairs the two arrangements of 32 that are as extreme are more than 5 %."""
    few = [list(zip(imitators(5), imitators(5, centre=9, seed=50), strict=True))]
    assert swap_test(few) is None
    six = [list(zip(imitators(6), imitators(6, centre=9, seed=50), strict=True))]
    assert (swap_test(six, permutations=2000) or 1) == pytest.approx(2 / 64, abs=0.015)


def test_energy_distance_by_hand() -> None:
    first, second = np.array([[0.0], [2.0]]), np.array([[1.0], [4.0]])
    assert distances(first, second) == pytest.approx(np.array([[1.0, 4.0], [1.0, 2.0]]))
    assert energy(first, second) == pytest.approx(2 * 2 - 2 - 3)
    wide = drawn(8, centre=9, size=40)
    assert energy(wide, drawn(8, seed=1, size=40)) == pytest.approx(2 * 9, rel=0.15)


def test_similarities_are_cosines() -> None:
    found = similarities(np.array([[3.0, 4.0]]), np.array([[4.0, 3.0], [-3.0, -4.0]]))
    assert found == pytest.approx(np.array([[0.96, -1.0]]))


def test_a_scale_takes_off_the_mean_and_survives_constants() -> None:
    vectors = np.array([[0.0, 5.0], [2.0, 5.0]])
    scale = Scale.of(vectors)
    assert scale.apply(vectors) == pytest.approx(np.array([[-1.0, 0.0], [1.0, 0.0]]))
    assert scale.apply(np.array([[2.5, 6.0]])) == pytest.approx(np.array([[1.5, 3.0]]))


def test_pooling_by_hand() -> None:
    level = torch.tensor([[[[1.0, 3.0]], [[2.0, 6.0]], [[5.0, 1.0]]]])
    assert moments(level).tolist() == [[2.0, 4.0, 3.0, 1.0, 2.0, 2.0]]
    assert correlations(level)[0].tolist() == pytest.approx([1.0, -1.0, -1.0])


def test_eyes_without_lpips_say_so() -> None:
    eyes = Eyes(cell_codec(), None, "not installed")
    found = eyes.vectors(torch.cat([drawn_picture(64, 64), drawn_picture(64, 64, seed=4)]))
    assert list(found) == ["codec"]
    assert found["codec"].shape == (2, 8 + 6)
    assert (eyes.nearness, eyes.missing) == (None, "not installed")


@needs_alexnet
def test_nearness_is_lpips_and_features_tell_pictures_apart() -> None:
    lpips = LpipsMap()
    images = torch.cat([drawn_picture(64, 64), drawn_picture(64, 64, seed=7)])
    found = Nearness(lpips)(images, images[:1])
    expected = LpipsDistance("alex")(images, images[:1].expand_as(images))
    assert found[:, 0] == pytest.approx(expected, abs=1e-5)
    vectors = AlexFeatures(lpips)(images)
    assert vectors.shape == (2, 2 * (64 + 192 + 384 + 256 + 256))
    assert not torch.allclose(vectors[0], vectors[1])


def made_set(
    name: str = "a", *, protected: float = 0.5, seeds: int = 3, with_lpips: bool = True
) -> SetNumbers:
    """Originals along one axis; what is drawn without a LoRA along another.

    The cosine with the originals is 1 of a clean imitator and ``protected`` of a protected one;
    LPIPS is 1 and 2 − ``protected``.
    """

    def unit(angle: float, seed: int) -> Unit:
        angles = angle + drawn(6, seed=seed, size=1) * 0.01
        vectors = np.concatenate([np.cos(angles), np.sin(angles)], 1)
        near = 2 - vectors[:, 0] if with_lpips else None
        return Unit({"toy": vectors}, near, 0.25)

    places = {"no LoRA": np.pi / 2, "clean": 0.0, "clean, other seed": 0.0, "noise": 0.0}
    places["mixture"] = float(np.arccos(protected))
    units = {
        (arm, seed): unit(place, 1 + seed + 7 * number)
        for number, (arm, place) in enumerate(places.items())
        for seed in range(seeds)
    }
    originals = np.array([[1.0, 0.0], [1.0, 0.001], [1.0, -0.001]])
    return SetNumbers(name, {"toy": originals}, units)


@pytest.mark.parametrize("with_lpips", [True, False])
def test_imitation_lies_between_no_lora_and_clean(with_lpips: bool) -> None:
    settings = MimicrySettings(arms=plan_arms(["mixture"], [], baseline=None), permutations=200)
    made = made_set(with_lpips=with_lpips, seeds=7)
    found = {(r.set, r.arm): r for r in Aggregator([made], settings).results()}
    mixture, control = found["a", "mixture"], found["a", "clean, other seed"]
    assert mixture.imitation is not None
    assert mixture.weaker is not None
    assert mixture.imitation.value == pytest.approx(0.5, abs=0.02)
    assert mixture.imitation.value + mixture.weaker.value == pytest.approx(1)
    assert mixture.imitation.low is not None
    assert 0.45 < mixture.imitation.low <= (mixture.imitation.high or 0) < 0.55
    assert control.imitation is not None
    assert control.imitation.value == pytest.approx(1, abs=0.02)
    assert mixture.main is not None
    assert control.main is not None
    assert (mixture.main.p_clean or 1) < 0.05 < (control.main.p_clean or 0)
    assert mixture.main.distance.value > 10 * abs(control.main.distance.value)
    assert (found["a", "clean"].main or mixture.main).p_none == pytest.approx(1 / 201)
    assert mixture.score is not None
    assert mixture.score.value == pytest.approx(-1.5 if with_lpips else 0.5, abs=0.02)
    assert isinstance(mixture.lpips, Estimate) == with_lpips
    assert mixture.loss == 0.25


def test_over_several_sets_every_imitator_counts() -> None:
    settings = MimicrySettings(arms=plan_arms(["mixture"], [], baseline=None), permutations=50)
    sets = [made_set("a", protected=0.2), made_set("b", protected=0.8, seeds=2)]
    found = {(r.set, r.arm): r for r in Aggregator(sets, settings).results()}
    overall = found["all sets", "mixture"]
    assert (overall.used, overall.asked) == (5, 6)
    assert "1 of 6" in overall.note
    assert overall.imitation is not None
    assert overall.imitation.value == pytest.approx((3 * 0.2 + 2 * 0.8) / 5, abs=0.02)
    assert overall.imitation.n == 5


def test_a_seed_without_its_clean_imitator_does_not_count() -> None:
    settings = MimicrySettings(arms=plan_arms(["mixture"], [], baseline=None), permutations=50)
    partial = made_set()
    del partial.units["clean", 2]
    found = {r.arm: r for r in Aggregator([partial], settings).results()}
    assert found["mixture"].used == 2
    assert found[Role.NONE.value].used == 2


def test_quick_is_shorter_and_seeds_depend_on_all_parts() -> None:
    whole = MimicrySettings()
    short = quick(whole)
    assert quick(whole, sets=4).seeds < short.seeds < whole.seeds
    assert short.lora.steps < whole.lora.steps
    assert len({derived_seed(*parts) for parts in ((0, "a"), (1, "a"), (0, "b"), (0, "a", 1))}) == 4
    assert derived_seed(0, "a") == derived_seed(0, "a") >= 0
