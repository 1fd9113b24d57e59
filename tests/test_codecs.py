"""Codecs: any size, one interface, families told by fingerprint and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fixative.codecs import CallableCodec, KLCodec, identify_family, load_codec
from fixative.codecs.families import PROBE_SIDE, probe_picture
from fixative.codecs.tiny import FEATURE_LAYERS, load_tiny_network, tiny_encoder
from fixative.errors import CodecError, WeightsError
from tests.engine_parts import SHARED_DATA, drawn_picture, random_codec

TEACHERS = SHARED_DATA / "taesd"
needs_teachers = pytest.mark.skipif(not TEACHERS.is_dir(), reason="no shared data folder here")


class ToyAutoencoder(nn.Module):
    """The LDM layout in miniature: two halvings, mean and variance, quant convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Tanh(), nn.Conv2d(8, 8, 1))
        self.decoder = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Upsample(scale_factor=4))
        self.decoder.append(nn.Conv2d(8, 3, 1))
        self.quant_conv = nn.Conv2d(8, 8, 1)
        self.post_quant_conv = nn.Conv2d(4, 4, 1)


@pytest.mark.parametrize("size", [(64, 64), (65, 70), (8, 8), (5, 3), (1, 1)])
def test_any_size_is_encoded_and_decoded(size: tuple[int, int]) -> None:
    codec = random_codec()
    picture = drawn_picture(*size)
    with torch.no_grad():
        latents = codec.encode(picture)
        decoded = codec.decode(latents, size=size)
    assert latents.shape == (1, 4, -(-size[0] // 8), -(-size[1] // 8))
    assert decoded.shape == picture.shape
    assert decoded.min() >= 0
    assert decoded.max() <= 1


def test_encoding_is_deterministic_and_a_batch_equals_its_singles() -> None:
    codec = random_codec()
    a, b = drawn_picture(64, 64, seed=1), drawn_picture(64, 64, seed=2)
    with torch.no_grad():
        together = codec.encode(torch.cat([a, b]))
        torch.testing.assert_close(together[:1], codec.encode(a), rtol=1e-5, atol=1e-5)
        assert torch.equal(codec.encode(b), codec.encode(b))


def test_features_are_the_four_of_the_paper_and_latents_agree() -> None:
    codec = random_codec()
    picture = drawn_picture(64, 64)
    with torch.no_grad():
        latents, features = codec.encode_with_features(picture)
        torch.testing.assert_close(latents, codec.encode(picture))
    assert [tuple(f.shape[-2:]) for f in features] == [(32, 32), (16, 16), (8, 8), (8, 8)]
    assert len(FEATURE_LAYERS) == 4


def test_gradient_reaches_the_picture() -> None:
    picture = drawn_picture(32, 32).requires_grad_(True)
    random_codec().encode(picture).square().sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().max() > 0


def test_kl_codec_takes_the_mean_and_scales_it() -> None:
    torch.manual_seed(0)
    module = ToyAutoencoder()
    codec = KLCodec(module, name="toy", scale=0.5, shift=0.25)
    picture = drawn_picture(16, 20)
    with torch.no_grad():
        mean = module.quant_conv(module.encoder(2 * picture - 1))[:, :4]
        torch.testing.assert_close(codec.encode(picture), (mean - 0.25) * 0.5)
        latents = (mean - 0.25) * 0.5
        expected = (module.decoder(module.post_quant_conv(mean)) + 1) / 2
        torch.testing.assert_close(codec.decode(latents), expected.clamp(0, 1))
    assert (codec.latent_channels, codec.downscale) == (4, 4)


def test_kl_codec_refuses_what_has_no_encoder() -> None:
    with pytest.raises(CodecError, match="no encoder"):
        KLCodec(nn.Linear(2, 2), name="host VAE")


def test_callable_codec_pads_before_it_calls() -> None:
    seen: list[tuple[int, ...]] = []

    def encode(images: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(images.shape))
        return nn.functional.avg_pool2d(images, 8)

    codec = CallableCodec(encode, name="host", latent_channels=3, downscale=8)
    assert codec.encode(drawn_picture(20, 33)).shape == (1, 3, 3, 5)
    assert seen == [(1, 3, 24, 40)]
    with pytest.raises(CodecError, match="no decoder"):
        codec.decode(torch.zeros(1, 3, 2, 2))
    with pytest.raises(CodecError, match="no encoder features"):
        codec.encode_with_features(drawn_picture())


def test_probe_is_fixed() -> None:
    probe = probe_picture()
    assert probe.shape == (1, 3, PROBE_SIDE, PROBE_SIDE)
    assert probe.mean().item() == pytest.approx(0.38671, abs=2e-4)
    assert torch.equal(probe, probe_picture())


def test_embedded_codec_is_of_sd1_by_fingerprint() -> None:
    match = identify_family(load_codec("embedded"))
    assert match.family == "sd1"
    assert match.score > 0.9
    assert match.scores["sdxl"] < 0.5


@pytest.mark.parametrize("channels", [4, 16, 3])
def test_random_weights_are_of_no_family(channels: int) -> None:
    assert identify_family(random_codec(channels=channels)).family == "unknown"


@needs_teachers
@pytest.mark.parametrize(
    ("file", "family"), [("taesd", "sd1"), ("taesdxl", "sdxl"), ("taef1", "flux1")]
)
def test_public_tiny_codecs_are_recognised(file: str, family: str) -> None:
    codec = load_codec(TEACHERS / f"{file}_encoder.safetensors")
    assert codec.family == family
    with torch.no_grad():
        picture = drawn_picture(64, 96)
        assert codec.decode(codec.encode(picture)).shape == picture.shape


def test_bad_codec_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no such file"):
        load_codec(tmp_path / "absent.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"not a safetensors file")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_codec(damaged)
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    with pytest.raises(CodecError, match="neither a TAESD encoder nor"):
        load_codec(other)
    state = tiny_encoder().state_dict()
    state["3.conv.0.weight"] = torch.zeros(2, 2)
    broken = tmp_path / "broken_encoder.safetensors"
    save_file(state, broken)
    with pytest.raises(CodecError, match="not a TAESD-format encoder"):
        load_tiny_network(broken)


def test_full_autoencoders_load_through_diffusers(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is an optional extra")
    torch.manual_seed(0)
    widths = (32, 32, 32, 32)
    module = diffusers.AutoencoderKL(
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
    module.save_pretrained(tmp_path / "model" / "vae")
    codec = load_codec(tmp_path / "model" / "vae")
    picture = drawn_picture(40, 64)
    with torch.no_grad():
        expected = module.encode(2 * picture - 1).latent_dist.mode()
        latents, features = codec.encode_with_features(picture)
    torch.testing.assert_close(latents, expected)
    assert [tuple(f.shape[-2:]) for f in features] == [(20, 32), (10, 16), (5, 8), (5, 8)]
    assert codec.family == "unknown"
    inside = {f"first_stage_model.{key}": value for key, value in module.state_dict().items()}
    save_file({**inside, "model.diffusion_model.x": torch.zeros(1)}, tmp_path / "whole.safetensors")
    for whole in (tmp_path / "model", tmp_path / "whole.safetensors"):
        with torch.no_grad():
            torch.testing.assert_close(load_codec(whole).encode(picture), expected)


def test_narrow_files_load(tmp_path: Path) -> None:
    saved = tiny_encoder(16, width=8).state_dict()
    save_file(saved, tmp_path / "narrow_encoder.safetensors")
    network = load_tiny_network(tmp_path / "narrow_encoder.safetensors")
    assert {key: value.shape for key, value in network.state_dict().items()} == {
        key: value.shape for key, value in saved.items()
    }
    assert network(torch.zeros(1, 3, 16, 16)).shape == (1, 16, 2, 2)
