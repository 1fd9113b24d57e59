"""Pictures are protected as txt2img saves them, where the settings say so, and shown as saved."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixative.protector import ProtectSettings
from tests.webui.booted import small_limit, with_api
from tests.webui.conftest import Start
from tests.webui.engine import Pixels, colours, decoded, protected
from tests.webui.server import RunningWebui

OFF = {
    "fixative_after": False,
    "fixative_strength": 8,
    "fixative_weights": "",
    "fixative_vae": "auto",
    "samples_format": "png",
}


@pytest.fixture(params=["a1111-1.6.0", "a1111-1.10.1", "forge"])
def api(request: pytest.FixtureRequest, webui: Start) -> Generator[RunningWebui]:
    """A host whose settings a test may change."""
    old = request.param == "a1111-1.6.0"
    host = small_limit(webui) if old else with_api(webui, request.param)
    yield host
    for key, value in OFF.items():
        host.set_option(key, value)


def generate(host: RunningWebui, count: int = 1, **more: Any) -> dict[str, Any]:
    """What the route answers, the same pictures each time, and the files that it wrote."""
    before = set(host.outputs.rglob("*.*"))
    asked = {"seed": 7, "batch_size": count, "width": 96, "height": 64, "save_images": True}
    answer = host.post("/sdapi/v1/txt2img", {**asked, **more})
    assert answer.status == 200, answer.body
    files = sorted(path for path in set(host.outputs.rglob("*.*")) - before if path.is_file())
    return {**answer.json, "files": files, "info": json.loads(answer.json["info"])}


def plain(host: RunningWebui, count: int = 1) -> list[Pixels]:
    """The pictures as they are without us."""
    made = generate(host, count, save_images=False)["images"]
    return [colours(decoded(text)) for text in made[-count:]]


def samples(files: list[Path]) -> list[Path]:
    return [path for path in files if not path.name.startswith("grid")]


def test_off_changes_nothing(api: RunningWebui) -> None:
    [before] = plain(api)
    made = generate(api)
    assert np.array_equal(colours(made["files"][0]), before)
    assert "Fixative" not in made["info"]["infotexts"][0]


def test_what_is_saved_is_protected_and_shown(api: RunningWebui) -> None:
    originals = plain(api, 2)
    api.set_option("fixative_after", True)
    made = generate(api, 2)
    expected = [protected(pixels) for pixels in originals]
    assert not any(np.array_equal(a, b) for a, b in zip(originals, expected, strict=True))
    for path, pixels in zip(samples(made["files"]), expected, strict=True):
        assert np.array_equal(colours(path), pixels)
        text = Image.open(path).info["parameters"]
        assert "Steps: 3" in text
        assert 'Fixative: "strength 8/255, target' in text
    for text, pixels in zip(made["images"][-2:], expected, strict=True):
        assert np.array_equal(colours(decoded(text)), pixels)
        assert "Fixative: " in decoded(text).info["parameters"]
    assert all("Fixative: " in text for text in made["info"]["infotexts"][-2:])


def test_grids_are_left_alone(api: RunningWebui) -> None:
    originals = plain(api, 2)
    api.set_option("fixative_after", True)
    made = generate(api, 2)
    [grid] = [path for path in made["files"] if path.name.startswith("grid")]
    assert np.array_equal(colours(grid), np.concatenate(originals, 1))


def test_the_settings_decide(api: RunningWebui) -> None:
    [before] = plain(api)
    api.set_option("fixative_after", True)
    api.set_option("fixative_strength", 3)
    after = colours(generate(api)["files"][0])
    assert np.array_equal(after, protected(before, ProtectSettings(3)))


def test_a_picture_that_cannot_be_protected_is_saved_and_says_so(api: RunningWebui) -> None:
    [before] = plain(api)
    api.set_option("fixative_after", True)
    api.set_option("fixative_vae", "loaded")  # and nothing is
    made = generate(api)
    assert np.array_equal(colours(made["files"][0]), before)
    assert "NOT PROTECTED: vae: no checkpoint" in Image.open(made["files"][0]).info["parameters"]


def test_lossy_files_are_warned_of(api: RunningWebui) -> None:
    api.set_option("fixative_after", True)
    api.set_option("samples_format", "jpg")
    generate(api)
    assert "lossy and weakens the protection" in api.log_text()
