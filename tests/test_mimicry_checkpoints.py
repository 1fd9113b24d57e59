"""Real models' formats, with tiny ones of random weights: against diffusers' own arithmetic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fixative.errors import FixativeError, SettingError, WeightsError
from fixative.mimicry import checkpoint, single_file
from fixative.mimicry.checkpoint import load_checkpoint, parameters_of
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.load import load_denoiser
from tests.tiny_models import (
    HIDDEN,
    VOCABULARY,
    count,
    save_folder,
    save_single_file,
    save_tokenizer,
    tiny_text,
    tiny_unet,
)

pytest.importorskip("diffusers")
pytest.importorskip("transformers")
CAPTIONS = ["a cat", ""]
#: As the network counts times.
TIMES = torch.tensor([3, 711])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("models")
    return {
        "sd1": save_folder(place / "sd1"),
        "velocity": save_folder(place / "velocity", predicts="v_prediction"),
        "sdxl": save_folder(place / "sdxl", extended=True),
    }


def drawn() -> tuple[Tensor, Tensor, Tensor]:
    """Latents, noise, and times in [0, 1]."""
    latents, noise = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return latents, noise, TIMES / 999


def scheduler(folder: Path) -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler.from_pretrained(folder / "scheduler", clip_sample=False)


@pytest.mark.parametrize("name", ["sd1", "velocity"])
def test_it_sees_what_diffusers_sees(folders: dict[str, Path], name: str) -> None:
    folder = folders[name]
    denoiser, by = load_denoiser(folder), scheduler(folder)
    latents, noise, times = drawn()
    ids = [[VOCABULARY["<|startoftext|>"]], [VOCABULARY["<|startoftext|>"]]]
    ids[0] += [VOCABULARY[part] for part in ("a</w>", "c", "a", "t</w>")]
    padded = [row + [VOCABULARY["<|endoftext|>"]] * (12 - len(row)) for row in ids]
    words = tiny_text()(torch.tensor(padded)).last_hidden_state
    noisy = by.add_noise(latents, noise, TIMES)
    with torch.no_grad():
        predicted = tiny_unet()(noisy, TIMES, words).sample
        condition = denoiser.condition(CAPTIONS)
        torch.testing.assert_close(denoiser.noised(latents, noise, times), noisy)
        found = denoiser.denoised(noisy, times, condition)
        losses = denoiser.loss(latents, noise, times, condition)
    by.set_timesteps(1000)
    wanted = [
        by.step(predicted[n : n + 1], int(time), noisy[n : n + 1]).pred_original_sample
        for n, time in enumerate(TIMES)
    ]
    torch.testing.assert_close(found, torch.cat(wanted), rtol=1e-3, atol=1e-4)
    goal = noise if name == "sd1" else by.get_velocity(latents, noise, TIMES)
    torch.testing.assert_close(
        losses, (predicted - goal).square().mean((1, 2, 3)), rtol=1e-3, atol=1e-4
    )
    assert (denoiser.family, denoiser.latent_channels, denoiser.resolution) == ("sd1", 4, 64)


def test_xl_is_told_sizes_and_both_encoders_words(folders: dict[str, Path]) -> None:
    denoiser = load_denoiser(folders["sdxl"])
    latents, noise, times = drawn()
    condition = denoiser.condition(CAPTIONS)
    assert condition["words"].shape == (2, 12, 2 * HIDDEN)
    assert condition["sizes"].tolist() == [[64, 64, 0, 0, 64, 64]] * 2
    told = {"text_embeds": condition["pooled"], "time_ids": condition["sizes"]}
    with torch.no_grad():
        noisy = denoiser.noised(latents, noise, times)
        found = denoiser.denoised(noisy, times, condition)
        unet = tiny_unet(extended=True)
        predicted = unet(noisy, TIMES, condition["words"], added_cond_kwargs=told).sample
        again = denoiser.noised(found, predicted, times)
    torch.testing.assert_close(again, noisy, rtol=1e-3, atol=1e-4)
    assert denoiser.family == "sdxl"
    assert not torch.equal(condition["pooled"][0], condition["pooled"][1])


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_gradients_pass_also_when_loaded_by_a_host(folders: dict[str, Path], name: str) -> None:
    with torch.inference_mode():
        denoiser = load_denoiser(folders[name])
        condition = denoiser.condition(CAPTIONS)
    condition = {key: value.clone() for key, value in condition.items()}
    latents, noise, times = drawn()
    leaf = latents.requires_grad_(True)
    denoiser.loss(leaf, noise, times, condition).sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.abs().min() > 0
    assert not any(each.requires_grad for each in denoiser.network.parameters())


def same(one: Denoiser, other: Denoiser) -> bool:
    latents, noise, times = drawn()
    with torch.no_grad():
        losses = [
            each.loss(latents, noise, times, each.condition(CAPTIONS)) for each in (one, other)
        ]
    return torch.allclose(*losses)


class TestSingleFile:
    @pytest.fixture
    def file(self, folders: dict[str, Path], tmp_path: Path) -> Path:
        return save_single_file(tmp_path / "mine.safetensors", folders["sd1"])

    def test_with_its_settings_it_is_the_folders_model(
        self, folders: dict[str, Path], file: Path
    ) -> None:
        found = load_denoiser(file, config=folders["sd1"])
        assert same(found, load_denoiser(folders["sd1"]))
        assert found.name == "mine.safetensors"

    def test_they_are_found_beside_it(self, folders: dict[str, Path], file: Path) -> None:
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
        self, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(single_file, "_CACHED", str(tmp_path / "nowhere"))
        with pytest.raises(SettingError, match=r"no tokenizer.*mine/tokenizer/.*sd1_tokenizer"):
            load_denoiser(file)

    def test_what_is_missing_is_named(self, folders: dict[str, Path], file: Path) -> None:
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

    def test_a_damaged_one_is_told(self, file: Path) -> None:
        file.write_bytes(file.read_bytes()[:-1000])
        with pytest.raises(WeightsError, match="not a whole safetensors file"):
            load_denoiser(file)


def test_the_shipped_settings_are_those_of_the_real_models() -> None:
    """By the published numbers of parameters, without their memory."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    configs = Path(single_file.__file__).parent / "configs"
    published = {"sd1": (859_520_964, 123_060_480), "sdxl": (2_567_463_684, 123_060_480)}
    for name, (unet, text) in published.items():
        with torch.device("meta"):
            network = UNet2DConditionModel.from_config(read(configs / name / "unet"))
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


class TestRefused:
    def test_a_full_size_model_without_a_gpu(
        self, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = save_single_file(tmp_path / "mine.safetensors", folders["sd1"])
        size = count(tiny_unet())
        assert parameters_of(folders["sd1"]) == parameters_of(file) == size
        monkeypatch.setattr(checkpoint, "FULL_SIZE", size - 1)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        for place in (folders["sd1"], file):
            with pytest.raises(SettingError, match=r"full-size model.*no GPU here.*--device cpu"):
                load_denoiser(place)
        assert load_denoiser(folders["sd1"], device="cpu").device.type == "cpu"

    def test_a_folder_of_something_else(self, folders: dict[str, Path], tmp_path: Path) -> None:
        with pytest.raises(SettingError, match="it lacks unet, scheduler, text_encoder, tokenizer"):
            load_denoiser(tmp_path)
        with pytest.raises(SettingError, match=r"no such file; give 'testbed'"):
            load_denoiser(tmp_path / "nothing")
        with pytest.raises(SettingError, match=r"no folder .* for its settings"):
            load_denoiser(folders["sd1"], config=tmp_path / "nothing")

    def test_another_prediction_and_a_broken_file(self, tmp_path: Path) -> None:
        folder = save_folder(tmp_path / "model", predicts="sample")
        with pytest.raises(SettingError, match="predicts 'sample'"):
            load_denoiser(folder)
        (folder / "unet" / "config.json").write_text("{", "utf-8")
        with pytest.raises(WeightsError, match="model: cannot be read as Stable Diffusion"):
            load_denoiser(folder)

    def test_a_device_that_is_not_there(self, folders: dict[str, Path]) -> None:
        with pytest.raises(SettingError, match="device: 'abacus' cannot be used here"):
            load_denoiser(folders["sd1"], device="abacus")

    def test_a_caption_that_is_too_long(self, folders: dict[str, Path]) -> None:
        denoiser = load_denoiser(folders["sd1"])
        with pytest.raises(SettingError, match=r"caption: has 16 tokens.* takes 12"):
            denoiser.condition(["a bc def ghij klmn"])

    def test_without_diffusers(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(
            FixativeError, match=r"needs transformers; pip install 'fixative\[mimic"
        ):
            load_checkpoint(folders["sd1"])
