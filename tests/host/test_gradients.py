"""Gradients through VAEs as the real host's stock loader gives them, in its inference mode."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engine_parts import SHARED_DATA
from tests.host.build import BuiltHost
from tests.host.server import add_vae, host_environment

pytestmark = pytest.mark.host

PROBE = Path(__file__).with_name("gradient_probe.py")
#: Of the probe's pictures: as small as shows that a side is no multiple of 16.
SIZE = (40, 72)
PUBLIC = SHARED_DATA / "taesd"
#: Name, family, channels and downscale; the random ones are of the real size and layout.
OURS = [("taesd", "sd1", 4, 8)]
TEACHERS = [("taesdxl", "sdxl", 4, 8), ("taef1", "flux1", 16, 8)]
RANDOM = [
    ("sd1", "unknown", 4, 8),
    ("flux1", "unknown", 16, 8),
    ("flux2", "unknown", 128, 16),
    ("wan", "unknown", 16, 8),
]
needs_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason="no shared data folder here")
CASES = [
    *OURS,
    *(pytest.param(*case, marks=needs_public) for case in TEACHERS),
    *RANDOM,
]


@pytest.fixture(scope="module")
def found(built_host: BuiltHost, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probe measured of every VAE, in one process of the host's own Python."""
    base = tmp_path_factory.mktemp("gradients")
    names = [case[0] for case in (*OURS, *RANDOM)]
    if PUBLIC.is_dir():
        for name, *_ in TEACHERS:
            add_vae(
                base, name, *(PUBLIC / f"{name}_{p}.safetensors" for p in ("encoder", "decoder"))
            )
            names.append(name)
    command = [built_host.python, PROBE, "--host", built_host.main.parent, "--base", base]
    done = subprocess.run(
        [*map(str, command), *names, "pixel_space"],
        capture_output=True,
        text=True,
        timeout=400,
        env=host_environment(),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "family", "channels", "downscale"), CASES)
def test_latents_are_the_host_s_and_the_gradient_is_theirs(
    found: dict[str, Any], name: str, family: str, channels: int, downscale: int
) -> None:
    one = found[name]
    assert "error" not in one, one
    assert one["family"] == family
    cells = [1, channels, SIZE[0] // downscale, SIZE[1] // downscale]
    assert one["latent_shape"] == one["host_shape"] == cells
    assert one["unscaled_error"] < 1e-4  # against the stock VAEEncode
    assert one["scaled_error"] < 1e-4  # against the codec that encodes only
    assert one["gradient_finite"]
    assert one["gradient_share"] > 0.9
    assert one["slope_error"] < 0.05  # against a central difference


@pytest.mark.parametrize(("name", "family", "channels", "downscale"), CASES)
def test_features_of_the_four_depths_are_shown(
    found: dict[str, Any], name: str, family: str, channels: int, downscale: int
) -> None:
    del family, channels
    height, width = (side // downscale * downscale for side in SIZE)
    shapes = [shape[-2:] for shape in found[name]["features"]]
    expected = [[height // f, width // f] for f in (2, 4, 8, 8)]
    assert shapes == ([] if name == "wan" else expected)  # a video autoencoder shows none


@pytest.mark.parametrize(
    ("name", "blocks"), [("taesd", 10), ("sd1", 14), ("flux1", 14), ("flux2", 14), ("wan", 0)]
)
def test_the_host_s_own_blocks_can_recompute(found: dict[str, Any], name: str, blocks: int) -> None:
    """A KL encoder: eight residual blocks, three halvings, three in the middle."""
    assert found[name]["blocks"] == blocks
    assert found[name]["recompute_error"] < 1e-5


@pytest.mark.parametrize("name", [case[0] for case in (*OURS, *RANDOM)])
def test_the_copy_is_private_kept_and_given_back(found: dict[str, Any], name: str) -> None:
    assert found[name]["cached"]
    assert found[name]["frozen"]
    assert found[name]["released"]


@pytest.mark.parametrize("name", [case[0] for case in (*OURS, *RANDOM)])
def test_there_and_back_is_the_host_s_and_the_gradient_is_its(
    found: dict[str, Any], name: str
) -> None:
    one = found[name]
    assert one["decode_shape"][-2:] == ([32, 64] if name == "flux2" else [*SIZE])
    assert one["decode_error"] < 1e-3  # against the stock VAEDecode, which gives [0, 1]
    assert one["decode_spread"] > 0.01
    assert one["back_finite"]
    assert one["back_share"] > 0.9
    assert one["back_slope_error"] < 0.05  # against a central difference


@pytest.mark.parametrize("name", [case[0] for case in (*OURS, *RANDOM)])
def test_the_copy_with_decoder_is_another_and_given_back(found: dict[str, Any], name: str) -> None:
    one = found[name]
    assert one["apart"]
    assert one["decoder_cached"]
    assert one["decoder_released"]
    # A video autoencoder looks at its decoder while it encodes: there it always stays.
    assert ("has no decoder" in one["encoder_only_says"]) == (name != "wan")


@pytest.mark.parametrize(("name", "middle"), [("taesd", 256), ("sd1", 128), ("flux1", 128)])
def test_tiles_are_as_large_as_the_free_memory_holds(
    found: dict[str, Any], name: str, middle: int
) -> None:
    """0.7 GB hold 256 pixels a side of a tiny VAE with gradients there and back."""
    assert found[name]["tiles"] == [128, middle, 512]


def test_pixel_space_is_refused(found: dict[str, Any]) -> None:
    assert "CodecError: vae: pixel_space" in found["pixel_space"]["error"]
    assert "connect the VAE" in found["pixel_space"]["error"]


def test_a_stop_in_refine_frees_the_copy_and_leaves_the_host_usable(found: dict[str, Any]) -> None:
    stopped = found["stopped"]
    assert "Interrupt" in stopped["stop"]
    assert stopped["steps"] == [1, 2, 3]
    assert stopped["released"]
    assert stopped["then_finished"]
