"""Spaces of no shipped family: named when a mixture learns one, found again by the same codec."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fixative.codecs import CallableCodec
from fixative.codecs.learnt import (
    LEARNT_PREFIX,
    in_learnt_space,
    learnt_name,
    normalised,
    probe_latents,
)
from fixative.errors import MixtureError
from fixative.mixture import Mixture, load_mixture, read_learnt, require_family
from tests.engine_parts import drawn_picture, random_codec, random_mixture


def unknown(seed: int = 0, channels: int = 4) -> CallableCodec:
    """Random weights with latents far from unit variance, as a host gives them unscaled."""
    inner = random_codec(seed=seed, channels=channels)

    def encode(images: Tensor) -> Tensor:
        return inner.encode(images) * 7 + 3

    return CallableCodec(encode, name="unknown", latent_channels=channels, downscale=8)


def learnt_mixture(codec: CallableCodec) -> Mixture:
    probe = normalised(probe_latents(codec))
    mixture = random_mixture(family=learnt_name(probe), channels=codec.latent_channels)
    return dataclasses.replace(mixture, probe=probe)


@pytest.mark.parametrize("channels", [4, 16])
def test_the_same_codec_is_found_again_through_the_file(channels: int, tmp_path: Path) -> None:
    mixture = learnt_mixture(unknown(channels=channels))
    mixture.save(tmp_path / "m.safetensors")
    learnt = read_learnt(tmp_path / "m.safetensors")
    assert list(learnt) == [mixture.family]
    assert load_mixture(tmp_path / "m.safetensors").learnt().keys() == learnt.keys()
    codec = in_learnt_space(unknown(channels=channels), learnt)
    assert codec.family == mixture.family
    require_family(mixture, codec.family, codec.latent_channels)


def test_another_codec_stays_unknown_and_is_refused() -> None:
    mixture = learnt_mixture(unknown(seed=0))
    for other in (unknown(seed=1), unknown(seed=0, channels=16)):
        codec = in_learnt_space(other, mixture.learnt())
        assert codec is other
        with pytest.raises(MixtureError, match="made for the latent family 'vae-"):
            require_family(mixture, codec.family, codec.latent_channels)


def test_half_precision_is_the_same_space() -> None:
    codec = unknown()

    def rounded(images: Tensor) -> Tensor:
        return codec.encode(images.bfloat16().float()).bfloat16().float()

    half = CallableCodec(rounded, name="half", latent_channels=4, downscale=8)
    learnt = learnt_mixture(codec).learnt()
    assert in_learnt_space(half, learnt).family == next(iter(learnt))
    assert learnt_name(normalised(probe_latents(half))) not in learnt  # a hash would lose it


def test_latents_are_normalised_and_decode_back() -> None:
    inner = random_codec(family="unknown")
    codec = in_learnt_space(inner, {}, new=True)
    assert codec.family.startswith(LEARNT_PREFIX)
    probe = probe_latents(codec)
    assert float(probe.mean()) == pytest.approx(0, abs=1e-4)
    assert float(probe.std()) == pytest.approx(1, abs=1e-4)
    picture = drawn_picture(32, 48)
    latents, features = codec.encode_with_features(picture)
    torch.testing.assert_close(latents, codec.encode(picture))
    torch.testing.assert_close(codec.decode(latents), inner.decode(inner.encode(picture)))
    assert len(features) == 4
    assert all(isinstance(block, nn.Module) for block in codec.recomputable_blocks())


def test_a_known_family_is_left_alone() -> None:
    codec = random_codec(family="sd1")
    assert in_learnt_space(codec, {}, new=True) is codec
    unknown_one = unknown()
    assert in_learnt_space(unknown_one, {}) is unknown_one
