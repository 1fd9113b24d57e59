"""VAEs as web UIs have them loaded: real small ones, with what hosts do to theirs."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fixative.codecs.families import SCALINGS
from fixative.codecs.tiny import load_tiny_network
from fixative.weights import verified_weights

if TYPE_CHECKING:
    from tests.webui.hosting import Hosted

SCALE = SCALINGS["sd1"].scale


class _Encoder(nn.Module):
    """The shipped encoder with the face of a KL encoder: [−1, 1] → mean and log variance."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = load_tiny_network(verified_weights("taesd_encoder.safetensors"))

    def forward(self, x: Tensor) -> Tensor:
        mean = self.inner((x + 1) / 2) / SCALE
        return torch.cat([mean, torch.zeros_like(mean)], 1)


class _Decoder(nn.Module):
    """The shipped decoder, unscaled latents → [−1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = load_tiny_network(verified_weights("taesd_decoder.safetensors"), decoder=True)

    def forward(self, z: Tensor) -> Tensor:
        return self.inner(z * SCALE) * 2 - 1


class ShippedAsKL(nn.Module):
    """An SD 1 autoencoder in the host's layout, whose ``encode`` draws a sample as theirs do."""

    def __init__(self, *, quant: bool = True) -> None:
        super().__init__()
        self.encoder, self.decoder = _Encoder(), _Decoder()
        self.quant_conv = _identity(8) if quant else None
        self.post_quant_conv = _identity(4) if quant else None

    def encode(self, x: Tensor) -> Tensor:
        mean = self.encoder(x).chunk(2, 1)[0]
        return mean + torch.randn_like(mean)


def _identity(channels: int) -> nn.Conv2d:
    found = nn.Conv2d(channels, channels, 1)
    nn.init.dirac_(found.weight)
    nn.init.zeros_(found.bias)  # pyright: ignore[reportArgumentType]
    return found


def random_kl(latent_channels: int = 4, *, quant: bool = True, seed: int = 0) -> nn.Module:
    """An AutoencoderKL of SD 1's and SDXL's layers (16 channels: FLUX's), with random weights."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    build: Any = AutoencoderKL  # annotated as if it had one block
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(32, 32, 32, 32),
            layers_per_block=1,
            latent_channels=latent_channels,
            use_quant_conv=quant,
            use_post_quant_conv=quant,
        )


def in_inference_mode(module: nn.Module) -> nn.Module:
    """The same module, its weights loaded the way Forge loads them."""
    with torch.inference_mode():
        loaded = copy.deepcopy(module)
        for name, tensor in module.state_dict().items():
            owner, _, last = name.rpartition(".")
            setattr(loaded.get_submodule(owner), last, nn.Parameter(tensor.clone(), False))
    assert all(tensor.is_inference() for tensor in loaded.parameters())
    return loaded


def under_medvram(vae: Any) -> Any:
    """What --medvram makes of a VAE: ``encode`` a closure, a hook that moves models about."""
    original = vae.encode

    def moved(*_args: Any) -> None:
        raise AssertionError("the host's models were moved about")

    def encode_by_the_host(x: Tensor) -> Tensor:
        moved()
        return original(x)

    vae.encode = encode_by_the_host
    vae.register_forward_pre_hook(moved)
    vae.encoder.register_forward_pre_hook(moved)
    return vae


def tiled_by_an_extension(vae: Any) -> Any:
    """What tiling extensions do: the encoder's ``forward`` replaced, on the object."""

    class Tiling:
        def __init__(self, net: nn.Module) -> None:
            self.net = net

        def __call__(self, *_args: Any) -> None:
            raise AssertionError("the extension's forward was called")

        def __deepcopy__(self, memo: dict[int, Any]) -> None:
            raise AssertionError("the extension's forward was copied")

    vae.encoder.forward = Tiling(vae.encoder)
    return vae


def seamless(vae: nn.Module) -> nn.Module:
    """What the option Tiling leaves behind: padding that wraps around."""
    for part in vae.modules():
        if isinstance(part, nn.Conv2d):
            part.padding_mode = "circular"
    return vae


def model_of(flavour: str, vae: nn.Module | None) -> Any:
    """A checkpoint as the host keeps it, with that VAE."""
    if flavour != "forge":
        return SimpleNamespace(first_stage_model=vae)
    patched = SimpleNamespace(first_stage_model=vae, device=torch.device("cpu"))
    return SimpleNamespace(first_stage_model=None, forge_objects=SimpleNamespace(vae=patched))


def picture(side: int = 64) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(3))


def load(webui: Hosted, vae: nn.Module) -> nn.Module:
    """Let the host hold a VAE, made the way that it makes its own."""
    loaded = in_inference_mode(vae) if webui.flavour == "forge" else vae
    webui.load(model_of(webui.flavour, loaded))
    return loaded
