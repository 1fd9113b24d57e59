"""The strength maps: the shipped network and the reference."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from fixative.errors import FixativeError, ImageError, SettingError, WeightsError
from fixative.perceptual import LearnedMap, LpipsMap, load_visibility_map
from fixative.weights import load_tensors, read_metadata
from tests.map_pairs import changed, drawn_pair, half_textured, noise, save_random_backbone

#: Means of the shipped network's map over the 4 × 4 cells of `drawn_pair`.
GOLDEN = [
    [0.0078, 0.0092, 0.0067, 0.0042],
    [0.0138, 0.0149, 0.0105, 0.0070],
    [0.0172, 0.0227, 0.0123, 0.0071],
    [0.0118, 0.0123, 0.0076, 0.0049],
]


@pytest.fixture(scope="session")
def weights(checkout: Path) -> Path:
    return checkout / "weights" / "strength_map.safetensors"


@pytest.fixture(scope="session")
def learned(weights: Path) -> LearnedMap:
    return LearnedMap(weights)


@pytest.fixture(scope="session")
def reference(checkout: Path) -> LpipsMap:
    pytest.importorskip("lpips", reason="the lpips package is not installed")
    backbone = checkout.parent / "shared/data/lpips/alexnet_features.safetensors"
    if not backbone.is_file():
        pytest.skip("no AlexNet backbone in ../shared/data/lpips")
    return LpipsMap(backbone)


@pytest.fixture
def random_backbone(tmp_path: Path) -> Path:
    pytest.importorskip("lpips", reason="the lpips package is not installed")
    return save_random_backbone(tmp_path / "backbone.safetensors")


def test_the_shipped_network_gives_its_golden_map(learned: LearnedMap) -> None:
    found = F.adaptive_avg_pool2d(learned(*drawn_pair()), 4)[0, 0]
    difference = (found - torch.tensor(GOLDEN)).abs()
    assert difference.max() < 2e-4, f"map now:\n{found}\ndifference:\n{difference}"


def test_the_weights_are_small_half_precision_and_say_their_recipe(weights: Path) -> None:
    assert weights.stat().st_size <= 1_000_000
    assert {tensor.dtype for tensor in load_tensors(weights).values()} == {torch.float16}
    recipe = json.loads(read_metadata(weights)["fixative"])
    assert recipe["kind"] == "strength map"
    assert recipe["steps"] > 0
    assert sum(recipe["pictures"].values()) > 0


def test_the_default_map_is_the_shipped_network(learned: LearnedMap) -> None:
    default = load_visibility_map("learned")
    assert default.name == "learned"
    assert torch.equal(default(*drawn_pair()), learned(*drawn_pair()))


@pytest.mark.parametrize("size", [(1, 1), (17, 300), (31, 31), (97, 130), (64, 4096), (512, 512)])
def test_the_map_has_the_pictures_size(learned: LearnedMap, size: tuple[int, int]) -> None:
    picture = noise(*size).mul(0.1).add(0.5).clamp(0, 1)
    found = learned(picture, changed(picture))
    assert found.shape == (1, 1, *size)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    assert found.min() >= 0
    assert found.max() > 0


def test_a_batch_gives_the_bits_of_its_singles(learned: LearnedMap) -> None:
    before = torch.cat([half_textured(96), noise(96, 96).mul(0.2).add(0.5).clamp(0, 1)])
    after = changed(before)
    singles = [learned(a[None], b[None]) for a, b in zip(before, after, strict=True)]
    assert torch.equal(learned(before, after), torch.cat(singles))


def test_identical_pictures_differ_nowhere(learned: LearnedMap) -> None:
    picture = half_textured()
    assert learned(picture, picture.clone()).abs().max() == 0


def test_a_bigger_change_is_seen_more(learned: LearnedMap) -> None:
    picture = half_textured()
    means = [learned(picture, changed(picture, n / 255)).mean() for n in (2, 4, 8, 16)]
    assert all(bigger > 1.3 * smaller for smaller, bigger in pairwise(means))


def test_texture_hides_what_a_flat_area_shows(learned: LearnedMap) -> None:
    picture = half_textured()
    found = learned(picture, changed(picture))
    assert found[..., :96].mean() > 2 * found[..., 160:].mean()


def test_a_change_is_found_where_it_is(learned: LearnedMap) -> None:
    picture = noise(256, 256).mul(0.05).add(0.5)
    after = picture.clone()
    after[..., 32:96, 160:224] = changed(picture)[..., 32:96, 160:224]
    found = learned(picture, after)
    assert found[..., 32:96, 160:224].mean() > 10 * found[..., 128:, :96].mean()


def test_inputs_are_left_alone_and_checked(learned: LearnedMap) -> None:
    picture = half_textured(64)
    copy, after = picture.clone(), changed(picture)
    learned(picture, after)
    assert torch.equal(picture, copy)
    with pytest.raises(ImageError, match="after: expected the shape of before"):
        learned(picture, after[..., :32])
    with pytest.raises(ImageError, match=r"before: expected values in \[0, 1\]"):
        learned(picture * 255, after)


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    save_file({"stem.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not a strength map network"):
        LearnedMap(tmp_path / "other.safetensors")


def test_an_unknown_map_is_refused() -> None:
    with pytest.raises(SettingError, match="expected learned or lpips; got 'ssim'"):
        load_visibility_map("ssim")


def test_without_the_package_the_reference_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(FixativeError, match="pip install lpips"):
        load_visibility_map("lpips")


def test_a_wrong_backbone_is_refused(random_backbone: Path, tmp_path: Path) -> None:
    tensors = load_tensors(random_backbone)
    del tensors["10.bias"]
    save_file(tensors, tmp_path / "short.safetensors")
    with pytest.raises(WeightsError, match=r"differs in 10\.bias"):
        LpipsMap(tmp_path / "short.safetensors")


def test_the_backbone_is_found_by_the_environment(
    random_backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXATIVE_LPIPS_BACKBONE", str(random_backbone))
    pair = drawn_pair()
    assert torch.equal(load_visibility_map("lpips")(*pair), LpipsMap(random_backbone)(*pair))


def test_the_reference_is_the_sum_of_its_levels(random_backbone: Path) -> None:
    lpips_map, (before, after) = LpipsMap(random_backbone), drawn_pair()
    levels = lpips_map.level_maps(lpips_map.features(before), lpips_map.features(after))
    total = sum(F.interpolate(level, (128, 128), mode="bilinear") for level in levels)
    torch.testing.assert_close(lpips_map(before, after), total)


def test_the_reference_refuses_what_its_backbone_cannot_see(random_backbone: Path) -> None:
    with pytest.raises(ImageError, match="sides of 31 pixels or more, got 40 × 30"):
        LpipsMap(random_backbone)(torch.zeros(1, 3, 30, 40), torch.ones(1, 3, 30, 40))


def test_the_learned_map_follows_the_reference(
    learned: LearnedMap, reference: LpipsMap, checkout: Path
) -> None:
    folder = checkout.parent / "shared/data/images/objects/dog6"
    if not folder.is_dir():
        pytest.skip("no held-out pictures in ../shared/data/images")
    for path in sorted(folder.iterdir())[:3]:
        with Image.open(path) as file:
            pixels = np.array(file.convert("RGB").resize((512, 512)))
        picture = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        after = changed(picture)
        ours, theirs = learned(picture, after), reference(picture, after)
        table = torch.corrcoef(torch.stack([ours.flatten(), theirs.flatten()]))
        assert table[0, 1] > 0.7, f"{path.name}: {table[0, 1]:.3f}"
        assert 0.6 < ours.mean() / theirs.mean() < 1.6
