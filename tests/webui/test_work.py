"""What tab, Extras, generation and API share, on the thin host's modules and without a page."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fixative.errors import FixativeError
from fixative.mixture import load_mixture
from fixative.pictures import read_picture
from fixative.pictures.modes import srgb_profile
from fixative.protector import ProtectSettings
from fixative.weights import MANIFEST
from tests.engine_parts import random_codec, random_mixture
from tests.picture_files import photo
from tests.webui.engine import colours, protected
from tests.webui.hosting import Hosted, hosted


@dataclass(frozen=True)
class Options:
    """As ``fixative_webui.settings.Options``, which wants gradio."""

    strength: float = 8.0
    target: str = "auto"
    strength_map: str = "learned"
    vae: str = "auto"
    weights: str = ""


@pytest.fixture(params=["a1111-1.6.0", "forge"])
def webui(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Hosted]:
    with hosted(request.param, tmp_path) as found:
        yield found


def protect(webui: Hosted, image: Any, options: Options = Options(), **more: Any) -> Any:
    work = webui.module("fixative_webui.work")
    with webui.module("fixative_webui.vae").codec_for(options) as seen:
        return work.protect(image, options, seen, **more)


def test_an_image_is_protected_as_the_engine_does(webui: Hosted) -> None:
    pixels, steps = photo(90, 70), list[tuple[int, int, str]]()
    image = Image.fromarray(pixels)
    image.info = {"parameters": "a field", "icc_profile": srgb_profile()}
    done = protect(webui, image, Options(6, "mid", "off"), on_step=lambda *told: steps.append(told))
    assert np.array_equal(done.pixels, protected(pixels, ProtectSettings(6, "mid", "off")))
    assert np.array_equal(np.asarray(done.image), done.pixels)
    assert done.image.info == image.info
    assert np.array_equal(np.asarray(image), pixels)  # the host's own is left as it was
    assert [step for step, _, _ in steps] == [0, 1, 2]
    assert {of for _, of, _ in steps} == {2}
    assert "strength 6/255, target mid" in done.parameters
    assert json.loads(json.dumps(done.info))["mixture"] == "mixture_sd1.safetensors"
    assert done.notices == []


def test_transparency_stays_and_other_modes_are_told_of(webui: Hosted) -> None:
    pixels = photo(48, 40, channels=4)
    done = protect(webui, Image.fromarray(pixels))
    assert done.image.mode == "RGBA"
    assert np.array_equal(np.asarray(done.image)[..., 3], pixels[..., 3])
    assert np.array_equal(colours(done.image), protected(pixels[..., :3]))
    palette = Image.fromarray(pixels[..., :3]).quantize(16)
    palette.info["transparency"] = 3
    done = protect(webui, palette)
    assert done.image.mode == "RGBA"
    assert "transparency" not in done.image.info
    assert any("it was P" in notice for notice in done.notices)
    assert np.array_equal(done.pixels, protected(colours(palette.convert("RGBA"))))


def test_a_file_is_taken_as_read(webui: Hosted, tmp_path: Path) -> None:
    pixels = photo(50, 40)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    done = protect(webui, read_picture(tmp_path / "one.png"), measure=True)
    assert np.array_equal(done.pixels, protected(pixels))
    assert done.info["measured"]["noise"]["max_change"] > 0
    assert "random noise" in done.report


def test_strength_0_is_called_what_it_is(webui: Hosted) -> None:
    done = protect(webui, Image.fromarray(photo(32, 32)), Options(strength=0))
    assert done.notices == ["NOT PROTECTED: the strength is 0"]


def test_a_stop_comes_through(webui: Hosted) -> None:
    def stop(step: int, steps: int, text: str) -> None:
        del steps, text
        if step:
            raise webui.host.Stopped

    with pytest.raises(webui.host.Stopped):
        protect(webui, Image.fromarray(photo(32, 32)), on_step=stop)


def test_a_persons_own_mixture_comes_first(webui: Hosted, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    random_mixture(seed=5).save(folder / "mine.safetensors")
    (folder / "other.safetensors").write_bytes(b"no mixture")
    done = protect(webui, Image.fromarray(photo(40, 40)), Options(weights=str(folder)))
    assert done.info["mixture"] == "mine.safetensors"
    found = webui.module("fixative_webui.work").inspect(done.image, Options(weights=str(folder)))
    assert found.info["mixture"] == "mine.safetensors"


def test_a_file_that_its_manifest_does_not_know_is_refused(webui: Hosted, tmp_path: Path) -> None:
    random_mixture(seed=5).save(tmp_path / "mine.safetensors")
    manifest = {"files": {"mine.safetensors": {"sha256": "0" * 64}}}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(FixativeError, match="promises; get it again"):
        protect(webui, Image.fromarray(photo(8, 8)), Options(weights=str(tmp_path)))
    with pytest.raises(FixativeError, match="is not a folder"):
        protect(webui, Image.fromarray(photo(8, 8)), Options(weights=str(tmp_path / "none")))


def test_a_stand_in_for_a_loaded_checkpoint_is_told_of(
    webui: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SDXL's, for whose family nothing is shipped."""
    from contextlib import contextmanager

    vae = webui.module("fixative_webui.vae")
    own = webui.host.codec

    @contextmanager
    def of_another_family(choice: str, **more: Any) -> Generator[Any]:
        assert more["families"] == ["sd1"]
        with own("embedded") as seen:
            why = "because the loaded checkpoint's VAE is of the latent family sdxl"
            yield type(seen)(seen.codec, f"Fixative's own VAE, {why}")

    monkeypatch.setattr(vae.host, "codec", of_another_family)
    done = protect(webui, Image.fromarray(photo(32, 32)))
    assert any("not at the checkpoint that is loaded" in notice for notice in done.notices)


def test_purify_and_what_it_needs(webui: Hosted) -> None:
    work = webui.module("fixative_webui.work")
    image = Image.fromarray(photo(64, 48))
    done = work.purify(image, "jpeg:75+bits:4", None)
    assert done.info["psnr"] is not None
    assert "jpeg:75" in done.report
    assert not work.needs_codec("jpeg:75")
    assert work.needs_codec("jpeg:75+roundtrip")
    steps: list[int] = []
    seen = webui.module("fixative_webui.vae").Sight(random_codec(), "a random VAE")
    done = work.purify(image, "impress:fast,steps=2", seen, lambda step, *_: steps.append(step))
    assert (done.info["steps"], done.info["seen_by"]) == (2, "a random VAE")
    assert len(done.info["curve"]["loss"]) == 3
    assert steps == [0, 1, 2, 1]
    for method, told in (("gridpure", "does not offer"), ("jpg", "did you mean")):
        with pytest.raises(FixativeError, match=told):
            work.purify(image, method, None)


def test_inspect_tells_protected_from_clean(webui: Hosted) -> None:
    work = webui.module("fixative_webui.work")
    pixels = photo(160, 160)
    found = work.inspect(Image.fromarray(protected(pixels)), Options())
    assert found.verdict == "likely protected"
    assert load_mixture().name in found.report
    assert work.inspect(Image.fromarray(pixels), Options()).probability < found.probability
