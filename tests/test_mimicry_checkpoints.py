"""Real models' formats, with tiny ones of random weights: against diffusers' own arithmetic."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fixative.errors import FixativeError, SettingError, WeightsError
from fixative.mimicry import checkpoint
from fixative.mimicry.checkpoint import load_checkpoint, parameters_of
from fixative.mimicry.load import load_denoiser
from tests.tiny_models import (
    HIDDEN,
    HIDDEN_2,
    VOCABULARY,
    count,
    save_folder,
    save_folders,
    save_single_file,
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
    return save_folders(tmp_path_factory.mktemp("models"))


def drawn() -> tuple[Tensor, Tensor, Tensor]:
    """Latents, noise, and times in [0, 1]."""
    latents, noise = torch.randn(2, 2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return latents, noise, TIMES / 999


def scheduler(folder: Path) -> Any:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

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
    assert condition["words"].shape == (2, 12, HIDDEN + HIDDEN_2)
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

    def test_a_caption_that_is_too_long(self, tmp_path: Path) -> None:
        folder = save_folder(tmp_path / "model")
        told = folder / "tokenizer" / "tokenizer_config.json"
        settings = json.loads(told.read_text("utf-8")) | {"model_max_length": 8192}
        told.write_text(json.dumps(settings), "utf-8")
        denoiser = load_denoiser(folder)
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
