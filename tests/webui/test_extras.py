"""The entry in Extras: in a browser over files and folders, and through the host's API."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from fixative.protector import ProtectSettings
from tests.picture_files import photo
from tests.webui.booted import with_api
from tests.webui.conftest import Start
from tests.webui.engine import colours, decoded, encoded, protected
from tests.webui.extras_page import ExtrasPage
from tests.webui.server import RunningWebui

SETTINGS = {"samples_format": "png", "fixative_weights": "", "fixative_vae": "auto"}


@pytest.fixture(scope="module", params=["a1111-1.10.1", "forge"])
def opened(request: pytest.FixtureRequest, webui: Start, browser: Browser) -> Generator[ExtrasPage]:
    page = ExtrasPage(browser, with_api(webui, request.param))
    yield page
    page.close()


@pytest.fixture
def page(opened: ExtrasPage) -> Generator[ExtrasPage]:
    """Extras with the settings as they come, our entry ticked."""
    opened.switch(True)
    opened.strength(8)
    yield opened
    for key, value in SETTINGS.items():
        opened.webui.set_option(key, value)


def save(path: Path, *, seed: int = 1, channels: int = 3) -> np.ndarray:
    pixels = photo(80, 64, seed=seed, channels=channels)
    Image.fromarray(pixels).save(path)
    return pixels


def saved_text(path: Path) -> str:
    info = Image.open(path).info
    return str(info.get("postprocessing") or info.get("extras"))


@pytest.mark.browser
def test_a_folder_of_three_of_which_one_is_broken(page: ExtrasPage, tmp_path: Path) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    first, last = save(given / "a.png"), save(given / "c.png", seed=2, channels=4)
    (given / "b.png").write_bytes(b"not a picture")
    page.strength(5)
    told = page.folder(given, out)
    page.shot("extras_folder")
    for name, pixels in (("a.png", first), ("c.png", last)):
        expected = protected(pixels[..., :3], ProtectSettings(5))
        assert np.array_equal(colours(out / name), expected)
        assert "Fixative: " in saved_text(out / name)
        assert "strength 5/255" in saved_text(out / name)
    assert np.array_equal(np.asarray(Image.open(out / "c.png"))[..., 3], last[..., 3])
    assert not (out / "b.png").exists()
    assert "Fixative: " in told
    assert "warning" not in told


@pytest.mark.browser
def test_a_batch_goes_on_where_none_can_be_protected(page: ExtrasPage, tmp_path: Path) -> None:
    page.webui.set_option("fixative_vae", "loaded")  # and nothing is
    sources = [tmp_path / f"picture{number}.png" for number in range(3)]
    originals = [save(path, seed=seed) for seed, path in enumerate(sources)]
    folder = page.webui.outputs / "extras-images"
    told = page.files(*sources)
    assert "NOT PROTECTED" in told
    assert "no checkpoint is loaded" in told
    for source, pixels in zip(sources, originals, strict=True):
        [made] = folder.glob(f"{source.stem}*.png")
        assert np.array_equal(colours(made), pixels)
        assert "NOT PROTECTED" in saved_text(made)
        made.unlink()


@pytest.mark.browser
def test_lossy_output_is_warned_of(page: ExtrasPage, tmp_path: Path) -> None:
    page.webui.set_option("samples_format", "jpg")
    save(tmp_path / "one.png")
    told = page.files(tmp_path / "one.png")
    assert "Fixative warning" in told
    assert "saves pictures as jpg, which is lossy" in told


@pytest.mark.browser
def test_off_is_off(page: ExtrasPage, tmp_path: Path) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    pixels = save(given / "a.png")
    page.switch(False)
    told = page.folder(given, out)
    assert np.array_equal(colours(out / "a.png"), pixels)
    assert "Fixative" not in told


@pytest.mark.parametrize("flavour", ["a1111-1.10.1", "forge"])
def test_the_hosts_api_gives_none_for_everything_which_is_off(webui: Start, flavour: str) -> None:
    host: RunningWebui = with_api(webui, flavour)
    pixels = photo(64, 48)
    sent = {"image": encoded(pixels)}
    answer = host.post("/sdapi/v1/extra-single-image", sent)
    assert answer.status == 200, answer.body
    assert np.array_equal(colours(decoded(answer.json["image"])), pixels)
