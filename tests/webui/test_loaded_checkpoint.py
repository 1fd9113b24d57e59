"""A running host with a checkpoint in float16: --medvram's closures, Forge's late loading."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tests.webui.conftest import Start
from tests.webui.server import RunningWebui

LOADED = "the VAE of the loaded checkpoint (sd1, cpu, float32 copy)"
OWN = "Fixative's own VAE"
#: Without the perceptual map, which takes the longest and is shown elsewhere.
SETTINGS = {"fixative_after": True, "fixative_map": False}


@pytest.fixture(params=["a1111-1.6.0", "forge"])
def host(request: pytest.FixtureRequest, webui: Start) -> RunningWebui:
    """Protects what it generates, by the checkpoint that it has on its disk."""
    return webui(request.param, "--api", "--medvram", model="half", settings=SETTINGS)


def picture() -> Image.Image:
    y, x = np.mgrid[0:96, 0:96] / 96
    planes = [0.5 + 0.3 * np.sin(9 * x + c) * np.cos(7 * y * y) for c in range(3)]
    return Image.fromarray((np.stack(planes, -1) * 255).astype(np.uint8))


def protected(host: RunningWebui) -> tuple[np.ndarray, str]:
    """Our picture as the API protects it, and through what it was seen."""
    file = io.BytesIO()
    picture().save(file, "PNG")
    sent = base64.b64encode(file.getvalue()).decode("ascii")
    answer = host.post("/fixative/v1/protect", {"image": sent})
    assert answer.status == 200, answer.body
    made = Image.open(io.BytesIO(base64.b64decode(answer.json["image"])))
    return np.asarray(made), answer.json["info"]["seen_by"]


def test_the_loaded_vae_is_used_once_the_host_has_one(host: RunningWebui) -> None:
    if host.flavour == "forge":  # it loads when it first generates
        assert protected(host)[1].startswith(OWN)
    drawn = host.post("/sdapi/v1/txt2img", {"prompt": "a", "save_images": True}).json
    assert 'Fixative: \\"strength 8/255' in drawn["info"]
    pixels, seen_by = protected(host)
    assert seen_by == LOADED
    change = np.abs(pixels.astype(int) - np.asarray(picture()).astype(int))
    assert 4 <= change.max() <= 8
    assert "Traceback" not in host.log_text()


def test_every_host_protects_to_the_same_bits(webui: Start, host: RunningWebui) -> None:
    """Nothing of a sample, of half precision or of the host's own ways is left in the result."""
    host.post("/sdapi/v1/txt2img", {"prompt": "a"})
    first, again = protected(host), protected(host)
    assert first[1] == again[1] == LOADED
    assert np.array_equal(first[0], again[0])
    other = webui("a1111-1.6.0", "--api", "--medvram", model="half", settings=SETTINGS)
    assert np.array_equal(first[0], protected(other)[0])
