"""Checkpoints of one file, of tiny models: the same as their folders, and what may be missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from fixative.errors import SettingError, WeightsError
from fixative.mimicry import single_file
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.load import load_denoiser
from tests.tiny_models import count, save_folders, save_single_file, save_tokenizer

pytest.importorskip("diffusers")
pytest.importorskip("transformers")
CAPTIONS = ["a cat", ""]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_folders(tmp_path_factory.mktemp("models"))


def same(one: Denoiser, other: Denoiser) -> bool:
    latents, noise = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([0.01, 0.7])
    with torch.no_grad():
        first, second = (
            each.loss(latents, noise, times, each.condition(CAPTIONS)) for each in (one, other)
        )
    return torch.allclose(first, second)


@pytest.fixture
def file(folders: dict[str, Path], tmp_path: Path) -> Path:
    return save_single_file(tmp_path / "mine.safetensors", folders["sd1"])


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_with_its_settings_it_is_the_folders_model(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    file = save_single_file(tmp_path / "mine.safetensors", folders[name])
    found = load_denoiser(file, config=folders[name])
    assert same(found, load_denoiser(folders[name]))
    assert found.name == "mine.safetensors"


def test_they_are_found_beside_it(folders: dict[str, Path], file: Path) -> None:
    beside = file.with_suffix("")
    for name in ("unet", "text_encoder"):  # the scheduler is the shipped one
        (beside / name).mkdir(parents=True)
        told = (folders["velocity"] / name / "config.json").read_text("utf-8")
        (beside / name / "config.json").write_text(told, "utf-8")
    save_tokenizer(beside / "tokenizer")
    with pytest.raises(SettingError, match=r"settings.*scheduler.*beside the file as mine/"):
        load_denoiser(file)
    (beside / "scheduler").mkdir()
    usual = Path(single_file.__file__).parent / "configs" / "sd1" / "scheduler"
    for told in usual.iterdir():
        (beside / "scheduler" / told.name).write_text(told.read_text("utf-8"), "utf-8")
    assert same(load_denoiser(file), load_denoiser(folders["sd1"]))


def test_no_tokenizer_says_where_to_get_one(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(single_file, "_CACHED", str(tmp_path / "nowhere"))
    with pytest.raises(SettingError, match=r"no tokenizer.*mine/tokenizer/.*sd1_tokenizer"):
        load_denoiser(file)


def test_what_is_missing_is_named(folders: dict[str, Path], file: Path) -> None:
    tensors = load_file(file)
    cases = [
        ("model.diffusion_model.", "holds no UNet"),
        ("cond_stage_model.", "without its text encoder"),
        ("model.diffusion_model.out.2", "lacks 2 tensors of its unet"),
    ]
    for prefix, said in cases:
        part = {key: value for key, value in tensors.items() if not key.startswith(prefix)}
        save_file(part, file.with_name("part.safetensors"))
        with pytest.raises(SettingError, match=said):
            load_denoiser(file.with_name("part.safetensors"), config=folders["sd1"])


def test_a_damaged_one_is_told(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_denoiser(file)


def test_the_shipped_settings_are_those_of_the_real_models() -> None:
    """By the published numbers of parameters, without their memory."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    configs = Path(single_file.__file__).parent / "configs"
    published = {"sd1": (859_520_964, 123_060_480), "sdxl": (2_567_463_684, 123_060_480)}
    for name, (unet, text) in published.items():
        with torch.device("meta"):
            network: Any = UNet2DConditionModel.from_config(read(configs / name / "unet"))
            encoder = CLIPTextModel(CLIPTextConfig(**read(configs / name / "text_encoder")))
        assert count(network) == unet
        assert count(encoder) == text
    with torch.device("meta"):
        second = CLIPTextConfig(**read(configs / "sdxl" / "text_encoder_2"))
        assert count(CLIPTextModelWithProjection(second)) == 694_659_840
    levels = single_file.read_schedule(configs / "sd1" / "scheduler").levels
    assert len(levels) == 1000
    assert levels[-1].item() == pytest.approx(0.0047, abs=1e-4)


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text("utf-8"))
