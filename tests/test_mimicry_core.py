"""The mimicry test's foundation: words, denoisers, sampling, LoRAs and the testbed's training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fixative.errors import FixativeError, SettingError, WeightsError
from fixative.mimicry.denoiser import Condition, Denoiser
from fixative.mimicry.lora import Lora, LoraSettings, applied, save_lora, train_lora
from fixative.mimicry.network import CONTEXT, build_unet, signal_levels
from fixative.mimicry.sampling import SampleSettings, sample
from fixative.mimicry.testbed import Testbed, TestbedDenoiser, load_testbed, save_testbed
from fixative.mimicry.vocabulary import NEW_WORDS, Vocabulary, parse_caption
from fixative.training.captions import caption_of
from fixative.training.loop import LoopSettings, run_training
from fixative.training.testbed import TestbedRecipe, TestbedTraining
from fixative.training.testbed_latents import LatentSet

pytest.importorskip("diffusers")
pytest.importorskip("peft")

WORDS = ("", "photo", "dog", "new1")
LORA = LoraSettings(rank=4, steps=4, batch=2, rate=5e-3)


class PointDenoiser(Denoiser):
    """Every picture is one point: what a perfect model of a single picture would say."""

    def __init__(self, point: Tensor) -> None:
        super().__init__(
            nn.Identity(), name="point", family="sd1", latent_channels=4, resolution=64
        )
        self.point = point

    def condition(self, captions: object) -> Condition:
        return {"words": torch.zeros(1, 1)}

    def scales(self, times: Tensor) -> tuple[Tensor, Tensor]:
        return (1 - times).sqrt(), times.sqrt()

    def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
        return self.point.expand_as(noisy)


@pytest.fixture(scope="module")
def denoiser() -> TestbedDenoiser:
    torch.manual_seed(0)
    vectors = torch.randn(len(WORDS), CONTEXT)
    unet = build_unet().requires_grad_(False).eval()
    return TestbedDenoiser(Testbed(unet, Vocabulary(WORDS, vectors)))


def latents(count: int = 3, seed: int = 1) -> Tensor:
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def drawn(denoiser: Denoiser, *, steps: int = 2) -> Tensor:
    captions, empty = denoiser.condition(["photo dog"]), denoiser.condition([""])
    return sample(denoiser, latents(1, 5), captions, empty, SampleSettings(steps, 2.0))


@torch.no_grad()
def mean_loss(denoiser: Denoiser, pictures: Tensor) -> float:
    times, words = torch.tensor([0.2, 0.5, 0.9]), denoiser.condition(["photo new1"] * 3)
    return float(denoiser.loss(pictures, latents(seed=6), times, words).mean())


def test_unknown_words_are_answered_with_the_nearest(denoiser: TestbedDenoiser) -> None:
    with pytest.raises(FixativeError, match=r"'dogg'; did you mean 'dog'.*photo"):
        denoiser.condition(["photo dogg"])
    with pytest.raises(FixativeError, match="at most 3 words"):
        denoiser.condition(["photo dog dog dog"])
    assert denoiser.condition(["photo", "photo dog new1"])["words"].shape == (2, 3, CONTEXT)


def test_the_levels_are_those_of_stable_diffusion() -> None:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    expected, product = [], 1.0
    for beta in betas.tolist():
        product *= 1 - beta
        expected.append(product)
    assert torch.allclose(signal_levels().double(), torch.tensor(expected).double(), atol=1e-6)


def test_the_loss_is_the_error_of_the_velocity(denoiser: TestbedDenoiser) -> None:
    clean, noise, times = latents(), latents(seed=2), torch.tensor([0.1, 0.5, 0.9])
    words = denoiser.condition(["photo dog", "photo", ""])
    level = signal_levels()[(times * 999).round().long()][:, None, None, None]
    noisy = level.sqrt() * clean + (1 - level).sqrt() * noise
    with torch.no_grad():
        found = denoiser.network(noisy, (times * 999).round().long(), words["words"]).sample
        velocity = level.sqrt() * noise - (1 - level).sqrt() * clean
        expected = (found - velocity).square().mean((1, 2, 3))
        assert torch.allclose(denoiser.loss(clean, noise, times, words), expected, rtol=1e-3)


def test_sampling_ends_at_what_a_perfect_model_knows() -> None:
    point = latents(1, 7)
    words = {"words": torch.zeros(2, 1)}
    found = sample(PointDenoiser(point), latents(2), words, words, SampleSettings(5, 3.0))
    assert torch.allclose(found, point.expand(2, -1, -1, -1), atol=1e-5)


def test_sampling_moves_along_the_same_noise() -> None:
    """One DDIM step, recomputed: the noise that is left is put back at the lower level."""
    point, noise = latents(1, 7), latents(1, 8)
    seen: list[Tensor] = []

    class Watched(PointDenoiser):
        def denoised(self, noisy: Tensor, times: Tensor, condition: Condition) -> Tensor:
            seen.append(noisy)
            return super().denoised(noisy, times, condition)

    words = {"words": torch.zeros(1, 1)}
    start = latents(1, 9)
    sample(Watched(point), noise, words, words, SampleSettings(2, 1.0), start=start, level=0.5)
    left = (seen[0] - 0.5**0.5 * point) / 0.5**0.5
    assert torch.allclose(seen[0], 0.5**0.5 * start + 0.5**0.5 * noise, atol=1e-6)
    assert torch.allclose(seen[1], 0.75**0.5 * point + 0.25**0.5 * left, atol=1e-5)


def test_a_lora_learns_and_leaves_the_network_as_it_was(denoiser: TestbedDenoiser) -> None:
    before, names = drawn(denoiser), [name for name, _ in denoiser.network.named_modules()]
    pictures = torch.full((3, 4, 8, 8), 2.0)
    lora = train_lora(denoiser, pictures, ["photo new1"] * 3, replace(LORA, steps=12))
    without = mean_loss(denoiser, pictures)
    with applied(denoiser, lora):
        assert mean_loss(denoiser, pictures) < 0.95 * without
    assert names == [name for name, _ in denoiser.network.named_modules()]
    assert torch.equal(drawn(denoiser), before)
    with applied(denoiser, lora):
        assert not torch.allclose(drawn(denoiser), before, atol=1e-3)
    assert torch.equal(drawn(denoiser), before)
    assert not any(p.requires_grad for p in denoiser.network.parameters())


def test_the_same_seed_gives_the_same_lora(denoiser: TestbedDenoiser) -> None:
    def train(seed: int) -> Lora:
        return train_lora(denoiser, latents(), ["photo new1"] * 3, replace(LORA, seed=seed))

    torch.manual_seed(11)
    first = train(3)
    torch.manual_seed(12)
    again, other = train(3), train(4)
    assert all(torch.equal(first.tensors[key], again.tensors[key]) for key in first.tensors)
    assert first.losses == again.losses
    assert first.losses != other.losses


def test_attention_alone_is_fewer_layers(denoiser: TestbedDenoiser) -> None:
    attention = replace(LORA, targets="attention", steps=1)
    some = train_lora(denoiser, latents(), ["photo"] * 3, attention).tensors
    every = train_lora(denoiser, latents(), ["photo"] * 3, replace(LORA, steps=1)).tensors
    assert some.keys() < every.keys()
    assert all(".attn" in key for key in some)


def test_a_stopped_training_leaves_the_network_as_it_was(denoiser: TestbedDenoiser) -> None:
    before = drawn(denoiser)

    def stop(step: int, steps: int, loss: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_lora(denoiser, latents(), ["photo"] * 3, LORA, on_step=stop)
    assert torch.equal(drawn(denoiser), before)


def test_a_lora_of_another_network_is_refused(denoiser: TestbedDenoiser) -> None:
    lora = train_lora(denoiser, latents(), ["photo"] * 3, replace(LORA, steps=1))
    renamed = {f"other.{key}": value for key, value in lora.tensors.items()}
    with (
        pytest.raises(FixativeError, match="not of this network"),
        applied(denoiser, replace(lora, tensors=renamed)),
    ):
        pass


def test_bad_settings_are_named(denoiser: TestbedDenoiser) -> None:
    with pytest.raises(SettingError, match="rank: expected at least 1, got 0"):
        LoraSettings(rank=0)
    with pytest.raises(SettingError, match="rate"):
        LoraSettings(rate=0.0)
    with pytest.raises(SettingError, match=r"one a picture \(3\), got 2"):
        train_lora(denoiser, latents(), ["photo"] * 2, LORA)


def test_a_lora_is_written_whole(denoiser: TestbedDenoiser, tmp_path: Path) -> None:
    lora = train_lora(denoiser, latents(), ["photo"] * 3, replace(LORA, steps=1))
    save_lora(lora, tmp_path / "a.safetensors", model="testbed")
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_testbed_is_what_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    unet, path = build_unet(), tmp_path / "testbed.safetensors"
    save_testbed(unet, Vocabulary(WORDS, torch.ones(len(WORDS), CONTEXT)), path, {"steps": 1})
    found = load_testbed(path)
    assert (found.vocabulary.words, found.recipe) == (WORDS, {"steps": 1})
    pairs = zip(found.unet.state_dict().values(), unet.state_dict().values(), strict=True)
    assert all(torch.equal(a, b.half().float()) for a, b in pairs)
    (tmp_path / "no.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(WeightsError, match="safetensors"):
        load_testbed(tmp_path / "no.safetensors")


def test_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    data = LatentSet(latents(6).half(), (("photo", "dog", "dog2"), ("comic", "", "")) * 3)
    recipe = TestbedRecipe(batch=2)
    whole, parts = TestbedTraining(data, recipe), TestbedTraining(data, recipe)
    run_training(whole, LoopSettings(4, tmp_path / "whole.pt"))
    with pytest.raises(KeyboardInterrupt):
        run_training(parts, LoopSettings(4, tmp_path / "parts.pt"), _stop_at(2))
    resumed = TestbedTraining(data, recipe)
    run_training(resumed, LoopSettings(4, tmp_path / "parts.pt"))
    found, wanted = resumed.network.state_dict(), whole.network.state_dict()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert whole.vocabulary.words == ("", "comic", "dog", "dog2", "photo", *NEW_WORDS)


def test_captions_follow_the_folders() -> None:
    assert caption_of(Path("objects/dog6/01.jpg"), "objects") == ("photo", "dog", "dog6")
    assert caption_of(Path("cartoons/x_E07P01.jpg"), "cartoons") == ("comic", "", "episode-E07")
    assert caption_of(Path("paintings/others/monet_water.jpg"), "paintings")[2] == "monet"
    assert parse_caption(" photo  dog ") == ("photo", "dog")


def _stop_at(last: int):  # noqa: ANN202 - a callback of the loop's type
    def on_step(step: int, steps: int, losses: dict[str, float]) -> None:
        if step == last:
            raise KeyboardInterrupt

    return on_step
