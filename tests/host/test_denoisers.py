"""A MODEL of the real ComfyUI as the engine's denoiser: the same pictures, losses and LoRAs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fixative.codecs import load_codec
from fixative.mimicry.network import build_unet, signal_levels
from fixative.mimicry.sampling import SampleSettings, sample
from fixative.mimicry.testbed import Testbed, TestbedDenoiser, save_testbed
from fixative.mimicry.vocabulary import Vocabulary
from tests.host.build import BuiltHost
from tests.host.server import host_environment

pytest.importorskip("diffusers")
pytestmark = pytest.mark.host

PROBE = Path(__file__).with_name("denoiser_probe.py")
WORDS = ("", "photo", "new1")
#: Small, so that the test is quick: the network takes any size.
SIDE = 8


def random_testbed() -> Testbed:
    """Of random weights, as its file would give them."""
    torch.manual_seed(0)
    return Testbed(build_unet(), Vocabulary(WORDS, torch.randn(len(WORDS), 64)))


def halved(testbed: Testbed) -> Testbed:
    unet = testbed.unet.half().float().requires_grad_(False).eval()
    return Testbed(unet, Vocabulary(WORDS, testbed.vocabulary.vectors.half().float()))


def engine_s(testbed: Testbed) -> dict[str, torch.Tensor]:
    """What the engine's own adapter makes of the same weights and noise."""
    denoiser = TestbedDenoiser(halved(testbed))
    generator = torch.Generator().manual_seed(1)
    noise, latents = torch.randn((2, 2, 4, SIDE, SIDE), generator=generator)
    wanted, empty = (denoiser.condition([caption] * 2) for caption in ("photo new1", ""))
    drawn = sample(denoiser, noise, wanted, empty, SampleSettings(4, 3.0))
    times = torch.tensor([0.3, 0.8])
    known = latents.clone().requires_grad_(True)
    loss = denoiser.loss(known, noise, times, wanted)
    (gradient,) = torch.autograd.grad(loss.sum(), known)
    with torch.no_grad():
        pictures = load_codec().decode(drawn)
    found = {"noise": noise, "latents": latents, "times": times, "drawn": drawn}
    found |= {"loss": loss.detach(), "gradient": gradient, "pictures": pictures}
    return {key: value.contiguous() for key, value in found.items()}


@pytest.fixture(scope="module")
def found(built_host: BuiltHost, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    base = tmp_path_factory.mktemp("denoisers")
    testbed = random_testbed()
    save_testbed(testbed.unet, testbed.vocabulary, base / "testbed.safetensors", {"steps": 0})
    save_file(engine_s(testbed), base / "expected.safetensors")
    command = [built_host.python, PROBE, "--host", built_host.main.parent, "--base", base]
    command += ["--testbed", base / "testbed.safetensors"]
    command += ["--expected", base / "expected.safetensors"]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=600, env=host_environment()
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_host_s_testbed_is_the_engine_s(found: dict[str, Any]) -> None:
    assert found["kind"] == ["testbed", "sd1", 256, 4]
    assert found["drawn"] < 1e-3
    assert found["loss"] < 1e-3
    assert found["gradient"] < 1e-3
    assert found["pictures"] < 1 / 255


def test_ksampler_draws_the_same_pictures(found: dict[str, Any]) -> None:
    """Up to the host's own scale of the noise at its start, a quarter of a percent."""
    assert found["ksampler"] < 0.01


def test_a_lora_is_the_host_s_too(found: dict[str, Any]) -> None:
    assert found["lora_moves"] > 0.02
    assert found["lora_loaded"] < min(0.01, found["lora_moves"] / 3)
    layers, (ours, peft_s) = found["lora_layers"], found["lora_tensors"]
    assert peft_s == 2 * layers
    assert ours == 3 * layers


def test_what_is_on_a_model_is_on_its_copy(found: dict[str, Any]) -> None:
    assert found["lora_baked"] < 1e-3


def test_the_graph_s_model_stays_as_it_is(found: dict[str, Any]) -> None:
    assert found["untouched"]


def test_a_stop_frees_the_copy(found: dict[str, Any]) -> None:
    assert "Interrupt" in found["stop"]
    assert found["released"]


def test_noise_velocity_and_flow(found: dict[str, Any]) -> None:
    signal, noise, weight = map(torch.tensor, found["noise"])
    steps = (torch.tensor([0.1, 0.5, 0.9]) * 999).round().long()
    assert torch.allclose(signal.square(), signal_levels()[steps], atol=1e-4)
    assert torch.allclose(signal.square() + noise.square(), torch.ones(3), atol=1e-5)
    assert torch.allclose(weight, (signal / noise).square(), rtol=1e-4)
    assert found["velocity"][:2] == found["noise"][:2]
    weight = torch.tensor(found["velocity"][2])
    assert torch.allclose(weight, noise.square().reciprocal(), rtol=1e-4)
    signal, noise, weight = map(torch.tensor, found["flow"])
    assert torch.allclose(signal + noise, torch.ones(3), atol=1e-5)
    assert torch.allclose(noise, torch.tensor([0.1, 0.5, 0.9]), atol=1e-3)
    assert torch.allclose(weight, noise.square().reciprocal(), rtol=1e-4)


def test_what_cannot_be_trained_is_refused(found: dict[str, Any]) -> None:
    assert "SettingError: model: TestbedConfig is none of the models" in found["refused"]
    assert "SettingError: positive: expected one plain conditioning" in found["two"]


def test_a_model_of_the_stock_loader_is_trained_too(found: dict[str, Any]) -> None:
    """Its weights are inference tensors, it predicts a flow, its texts differ in length."""
    stock = found["stock"]
    assert stock["inference"]
    assert stock["kind"] == ["sd3", 16, 64]
    assert stock["texts"] == [[2, 15, 32], [2, 15, 32]]
    assert all(0 < loss < 100 for loss in stock["losses"])
    assert stock["moved"] > 1e-3
    assert stock["layers"][0] == stock["layers"][1] > 10
