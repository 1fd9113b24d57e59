"""The shipped weights: as the manifest says, loaded strictly, doing what they are for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from fixative.codecs.families import probe_picture
from fixative.errors import WeightsError
from fixative.protections.noise import RandomNoise
from fixative.protector import PictureReport
from fixative.training.manifest import FILES
from fixative.weights import read_manifest, verified_weights, weights_folder
from tests.engine_parts import drawn_picture

#: Mean and standard deviation of each latent channel of the probe picture.
GOLDEN_MEAN = (0.3450, -0.5084, 0.2808, 0.2135)
GOLDEN_STD = (0.5976, 0.6687, 0.8134, 0.4979)
#: Mean change in 1/255 of ``drawn_picture(200, 264)`` without a strength map, and its group.
GOLDEN_CHANGE, GOLDEN_GROUP, GOLDEN_TARGET = 4.470, 3, "low"


def test_manifest_and_folder_agree() -> None:
    manifest = read_manifest()
    shipped = {path.name for path in weights_folder().glob("*.safetensors")}
    assert set(manifest) == shipped == set(FILES)
    for name, entry in manifest.items():
        path = verified_weights(name)
        assert path.stat().st_size == entry["bytes"]
        assert entry["licence"] == "MIT"
        assert entry["origin"]


def test_files_stay_small() -> None:
    sizes = {name: entry["bytes"] for name, entry in read_manifest().items()}
    assert sizes["strength_map.safetensors"] <= 1_000_000
    assert sizes["mixture_sd1.safetensors"] <= 13_000_000
    assert sizes["taesd_encoder.safetensors"] + sizes["taesd_decoder.safetensors"] < 5_200_000


def test_a_damaged_or_missing_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(weights_folder(), folder)
    monkeypatch.setattr("fixative.weights.weights_folder", lambda: folder)
    with (folder / "taesd_encoder.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(WeightsError, match=r"taesd_encoder.*is damaged.*install Fixative again"):
        load_codec()
    (folder / "taesd_decoder.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"taesd_decoder.*is missing"):
        verified_weights("taesd_decoder.safetensors")
    with pytest.raises(WeightsError, match="not in the manifest"):
        verified_weights("other.safetensors")


def test_recipes_are_in_the_files() -> None:
    recipe = load_mixture().recipe
    assert recipe["codecs"] == ["taesd", "embedded"]
    assert recipe["steps"] >= 500
    assert read_manifest()["taesd_encoder.safetensors"]["recipe"]["teacher"]


@torch.no_grad()
def test_embedded_codec_is_the_golden_one() -> None:
    latents = load_codec().encode(probe_picture())[0].flatten(1)
    torch.testing.assert_close(latents.mean(1), torch.tensor(GOLDEN_MEAN), atol=5e-3, rtol=0)
    torch.testing.assert_close(latents.std(1), torch.tensor(GOLDEN_STD), atol=5e-3, rtol=0)


@torch.no_grad()
def test_embedded_codec_restores_a_picture() -> None:
    codec, picture = load_codec(), drawn_picture(160, 200)
    restored = codec.decode(codec.encode(picture), size=(160, 200))
    error = (restored - picture).square().mean().item()
    assert error < 0.25 * picture.var().item()
    assert error < 0.01


def test_shipped_mixture_pulls_and_noise_does_not() -> None:
    protector = Protector(load_codec(), load_mixture(), ProtectSettings(strength_map="off"))
    picture = drawn_picture(200, 264)
    result = protector.protect(picture)
    noise = RandomNoise().protect(picture).image
    pulled = protector.measure_pull(picture, result.image).item()
    control = protector.measure_pull(picture, noise).item()
    assert pulled > 0.1
    assert pulled > control + 0.1
    report = result.reports[0]
    assert isinstance(report, PictureReport)
    assert (report.group, report.target) == (GOLDEN_GROUP, GOLDEN_TARGET)
    assert report.mean_change == pytest.approx(GOLDEN_CHANGE, abs=0.02)


def test_shipped_map_keeps_the_effect_and_shows_less_where_it_is_seen() -> None:
    picture = drawn_picture(200, 264)
    codec, mixture = load_codec(), load_mixture()
    even = Protector(codec, mixture, ProtectSettings(strength_map="off")).protect(picture)
    mapped = Protector(codec, mixture).protect(picture)
    low, high = mapped.strength_map.aminmax()
    assert low.item() == pytest.approx(0.91, abs=1e-4)
    assert high.item() == pytest.approx(1.183, abs=1e-4)
    assert mapped.perturbation.abs().mean() < even.perturbation.abs().mean()
    assert mapped.perturbation.abs().max().item() * 255 <= 8 + 1e-3
