"""The real ComfyUI, booted once for all tests that drive it, over HTTP or in a browser."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from fixative.codecs.tiny import tiny_decoder, tiny_encoder
from tests.host.build import BuiltHost, HostUnavailableError, build_host
from tests.host.client import ComfyClient
from tests.host.server import RunningHost, add_vae, running_host

#: A folder of the server's inputs with two pictures of different sizes.
FEW = "few"


@pytest.fixture(scope="session")
def built_host() -> BuiltHost:
    """ComfyUI from packages, made by the first run and kept."""
    try:
        return build_host()
    except HostUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def host(built_host: BuiltHost, tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningHost]:
    """A server with a stranger's VAE as ``taesdxl``; ``taesd`` is what the pack itself offers.

    Its input folder holds the picture that every ComfyUI comes with, smaller, to save time; and a
    folder with two, because all that other tests upload lies beside it.
    """
    base = tmp_path_factory.mktemp("comfyui")
    (base / "input" / FEW).mkdir(parents=True)
    example = Image.open(built_host.main.parent / "input" / "example.png").convert("RGB")
    example.resize((256, 256)).save(base / "input" / "example.png")
    for number, size in enumerate(((96, 96), (64, 96))):
        example.resize(size).save(base / "input" / FEW / f"{number}.png")
    add_vae(base, "taesdxl", *_strangers_vae(tmp_path_factory.mktemp("stranger")))
    with running_host(built_host, base) as running:
        yield running


@pytest.fixture
def client(host: RunningHost) -> ComfyClient:
    """A client of the server, with an id of its own."""
    return ComfyClient(host.address)


def _strangers_vae(folder: Path) -> tuple[Path, Path]:
    """TAESD-format files with random weights: of no family, yet the host loads them."""
    torch.manual_seed(0)
    parts: dict[str, nn.Module] = {"encoder": tiny_encoder(), "decoder": tiny_decoder()}
    for name, network in parts.items():
        save_file(network.state_dict(), folder / f"{name}.safetensors")
    return folder / "encoder.safetensors", folder / "decoder.safetensors"
