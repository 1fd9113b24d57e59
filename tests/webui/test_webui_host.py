"""The loaded checkpoint's VAE as each host keeps it: exact, differentiable, left alone."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fixative.codecs import KLCodec, load_codec
from fixative.codecs.families import SCALINGS
from fixative.errors import CodecError
from tests.webui.hosting import Hosted
from tests.webui.loaded_vaes import (
    ShippedAsKL,
    load,
    picture,
    random_kl,
    seamless,
    tiled_by_an_extension,
    under_medvram,
)


@torch.no_grad()
def plain_latents(vae: nn.Module, images: Tensor, *, family: str = "unknown") -> Tensor:
    """What a codec on the module itself gives, without any host."""
    module: Any = copy.deepcopy(vae).float()
    for name in ("encode", "forward"):
        module.__dict__.pop(name, None)
    scaling = SCALINGS.get(family)
    scale = scaling.scale if scaling else 1.0
    return KLCodec(module, name="plain", scale=scale).encode(images)


def fingerprint(module: nn.Module) -> dict[str, Any]:
    """Everything of a module that must not change."""
    weights = {
        name: (tensor.dtype, tensor.contiguous().view(torch.uint8).numpy().tobytes())
        for name, tensor in module.state_dict().items()
    }
    hung_on = [
        (sorted(vars(part).keys()), dict(part._forward_pre_hooks), part.training)
        for part in module.modules()
    ]
    pads = [part.padding_mode for part in module.modules() if isinstance(part, nn.Conv2d)]
    asked = [parameter.requires_grad for parameter in module.parameters()]
    return {"weights": weights, "hung on": hung_on, "pads": pads, "gradients": asked}


KINDS = {
    "sd1": lambda: ShippedAsKL(),
    "sd1 fp16": lambda: ShippedAsKL().half(),
    "sd1 bf16": lambda: ShippedAsKL().bfloat16(),
    "sd1 without quant_conv": lambda: ShippedAsKL(quant=False),
    "random": lambda: random_kl(),
    "random fp16": lambda: random_kl(seed=1).half(),
    "random, 16 channels, no quant_conv": lambda: random_kl(16, quant=False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_encodes_as_the_plain_codec_and_leaves_the_hosts_alone(vae_host: Hosted, kind: str) -> None:
    vae = KINDS[kind]()
    family = "sd1" if kind.startswith("sd1") else "unknown"
    expected = plain_latents(vae, picture(), family=family)
    loaded = load(vae_host, vae)
    before = fingerprint(loaded)

    with vae_host.host.codec("loaded") as seen, torch.no_grad():
        found = seen.codec.encode(picture())
        again = seen.codec.encode(picture())

    assert torch.equal(found, again)
    assert found.dtype == torch.float32
    assert float((found - expected).abs().max()) < 1e-4 * max(1, float(expected.abs().max()))
    assert seen.codec.family == family
    assert family in seen.says
    assert "float32" in seen.says
    assert "cpu" in seen.says
    assert fingerprint(loaded) == before


def test_latents_are_those_of_the_shipped_codec(vae_host: Hosted) -> None:
    """The scaling of the family is in them: mixtures and entropies rely on it."""
    load(vae_host, ShippedAsKL())
    with vae_host.host.codec("loaded") as seen, torch.no_grad():
        found = seen.codec.encode(picture())
    assert torch.allclose(found, load_codec().encode(picture()), atol=1e-4)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_gradients_whatever_mode_the_caller_is_in(vae_host: Hosted, mode: Any) -> None:
    load(vae_host, random_kl())
    with mode(), vae_host.host.codec("loaded") as seen:
        image = picture().requires_grad_()
        (slope,) = torch.autograd.grad(seen.codec.encode(image).square().sum(), image)
    assert float(slope.abs().max()) > 0
    assert not torch.is_inference_mode_enabled()
    assert torch.is_grad_enabled()


def test_decodes_where_it_was_asked_to(vae_host: Hosted) -> None:
    load(vae_host, ShippedAsKL())
    with vae_host.host.codec("loaded", decoder=True) as seen, torch.no_grad():
        again = seen.codec.reconstruct(picture())
    expected = load_codec().reconstruct(picture())
    assert torch.allclose(again, expected, atol=1e-3)
    with vae_host.host.codec("loaded") as seen, pytest.raises(CodecError, match="decoder"):
        seen.codec.reconstruct(picture())


def test_the_copy_is_gone_after_the_block_whoever_holds_the_codec(vae_host: Hosted) -> None:
    load(vae_host, random_kl())
    devices = vae_host.module("modules.devices")
    before = devices.collections
    with vae_host.host.codec("loaded", decoder=True) as seen:
        weights = [weakref.ref(part) for part in seen.codec._module.modules()][1:]
        assert all(part() is not None for part in weights)
    gc.collect()
    assert [part() for part in weights if part() is not None] == []
    assert devices.collections > before


def test_the_copy_is_gone_after_a_block_that_failed(vae_host: Hosted) -> None:
    load(vae_host, random_kl())
    weights: list[Any] = []

    def fail() -> None:
        with vae_host.host.codec("loaded") as seen:
            weights.extend(weakref.ref(part) for part in list(seen.codec._module.children()))
            raise RuntimeError("the block failed")

    with pytest.raises(RuntimeError, match="the block failed"):
        fail()
    gc.collect()
    assert weights
    assert [part() for part in weights if part() is not None] == []


HUNG_ON = {"medvram": under_medvram, "tiling": tiled_by_an_extension, "both": None}


@pytest.mark.parametrize("what", HUNG_ON)
def test_what_hosts_and_extensions_hang_on_a_vae_stays_behind(vae_host: Hosted, what: str) -> None:
    vae = ShippedAsKL()
    expected = plain_latents(vae, picture(), family="sd1")
    loaded = load(vae_host, vae)
    for hang in [HUNG_ON[what]] if HUNG_ON[what] else [under_medvram, tiled_by_an_extension]:
        assert hang is not None
        hang(loaded)
    before = fingerprint(loaded)
    with vae_host.host.codec("loaded") as seen, torch.no_grad():
        assert torch.allclose(seen.codec.encode(picture()), expected, atol=1e-4)
    assert fingerprint(loaded) == before


def test_seamless_padding_of_the_host_does_not_change_the_latents(vae_host: Hosted) -> None:
    vae = random_kl()
    expected = plain_latents(vae, picture())
    loaded = seamless(load(vae_host, vae))
    with vae_host.host.codec("loaded") as seen, torch.no_grad():
        assert torch.allclose(seen.codec.encode(picture()), expected, atol=1e-4)
    assert all(part.padding_mode == "circular" for part in loaded.modules() if _conv(part))


def _conv(part: nn.Module) -> bool:
    return isinstance(part, nn.Conv2d)


def test_a_sampled_encoding_would_be_noticed(a1111: Hosted) -> None:
    """The other tests would fail with the host's own ``encode``."""
    vae = ShippedAsKL()
    load(a1111, vae)
    with torch.no_grad():
        assert not torch.allclose(vae.encode(picture()), vae.encode(picture()), atol=1e-2)
