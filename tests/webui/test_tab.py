"""The tab in a browser, on the gradio of A1111 and on that of Forge."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Browser, expect

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from fixative.countermeasures import make_countermeasure
from fixative.pictures import read_picture
from fixative.pictures.picture import images_to_pixels
from tests.browser.chromium import WHAT_TO_DO, find_chromium, running_browser
from tests.picture_files import photo
from tests.webui.conftest import Start
from tests.webui.tab_page import JOB_MS, TabPage

pytestmark = pytest.mark.browser

ARTIST, ICC = "Jo Doe", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SIZE = (120, 90)


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with running_browser(path) as running:
        yield running


@pytest.fixture(scope="module", params=["a1111-1.10.1", "forge"])
def page(request: pytest.FixtureRequest, webui: Start, chromium: Browser) -> Generator[TabPage]:
    opened = TabPage(chromium, webui(request.param, "--api"))
    yield opened
    opened.close()


@pytest.fixture
def tab(page: TabPage) -> Generator[TabPage]:
    """The page; a test fails where our part of it says an error."""
    page.errors.clear()
    yield page
    assert page.errors == []


@pytest.fixture(scope="module")
def protector() -> Protector:
    codec = load_codec()
    return Protector(codec, load_mixture(family=codec.family), ProtectSettings())


def keep(path: Path, *, seed: int = 1, channels: int = 3) -> Path:
    """A PNG as artists have them: a profile, a camera's notes, perhaps transparency."""
    image = Image.fromarray(photo(*SIZE, channels=channels, seed=seed))
    exif = Image.Exif()
    exif[0x013B] = ARTIST
    image.save(path, icc_profile=ICC, exif=exif.tobytes())
    return path


def expected(source: Path, protector: Protector) -> np.ndarray:
    return images_to_pixels(protector.protect(read_picture(source).images()).image)


def test_one_picture_is_protected_bit_for_bit(
    tab: TabPage, tmp_path: Path, protector: Protector
) -> None:
    source = keep(tmp_path / "köder #1.png", channels=4)
    tab.open("Protect", "One picture")
    tab.give("protect_one_picture", source)
    preview = tab.page.locator("#fixative_protect_one_picture_preview img").last
    expect(preview).to_be_visible()
    told = tab.run("protect_one")
    assert "Protected at strength 8/255" in told
    assert "Seen through Fixative's own VAE, because no checkpoint is loaded" in told
    assert "random noise" in told
    [result] = tab.downloads("protect_one", tmp_path / "got", 1)
    assert (result.suffix, "protected" in result.name) == (".png", True)
    before, after = read_picture(source), read_picture(result)
    assert np.array_equal(after.pixels, expected(source, protector))
    assert np.abs(after.pixels.astype(int) - before.pixels).max() == 8
    assert np.array_equal(after.alpha, before.alpha)
    assert after.metadata.icc == ICC
    assert Image.open(result).getexif()[0x013B] == ARTIST
    kept = list(tab.webui.outputs.rglob("*protected*.png"))
    assert result.read_bytes() in [path.read_bytes() for path in kept]
    assert list(tab.loaded(tab.view("protect_one").locator("img"))) == [SIZE[0]] * 2
    tab.shot("protect")


def test_a_batch_of_three_survives_a_broken_one(
    tab: TabPage, tmp_path: Path, protector: Protector
) -> None:
    sources = [keep(tmp_path / f"picture{n}.png", seed=n) for n in (1, 2)]
    broken = tmp_path / "broken.png"
    broken.write_bytes(sources[0].read_bytes()[:200])
    tab.open("Protect", "Batch of files")
    tab.give("protect_batch_pictures", sources[0], broken, sources[1])
    told = tab.run("protect_batch")
    assert "2 protected, 1 failed" in told
    assert "broken.png: is damaged or cut short" in told
    results = tab.downloads("protect_batch", tmp_path / "got", 2)
    for source, result in zip(sources, results, strict=True):
        assert result.name.startswith(source.stem)
        assert np.array_equal(read_picture(result).pixels, expected(source, protector))
    tab.shot("batch")


def test_a_folder_goes_to_a_folder(tab: TabPage, tmp_path: Path, protector: Protector) -> None:
    source = keep(tmp_path / "a.png")
    folder = tmp_path / "in" / "inner"
    folder.mkdir(parents=True)
    source = source.rename(folder / "a.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture", "utf-8")
    tab.open("Protect", "Folder to folder")
    told = tab.run("protect_folder")
    assert "folder with pictures: write the folder's path" in told
    tab.write("protect_folder_in", str(tmp_path / "in"))
    tab.write("protect_folder_out", str(tmp_path / "out"))
    told = tab.run("protect_folder")
    assert "1 protected, 0 failed, 1 skipped (.txt 1)" in told
    result = tmp_path / "out" / "inner" / "a.png"
    assert np.array_equal(read_picture(result).pixels, expected(source, protector))
    told = tab.run("protect_folder")
    assert "0 protected, 1 failed" in told
    assert "exists already" in told
    tab.shot("folder")


def test_interrupt_ends_a_batch_with_whole_files(tab: TabPage, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(60):
        keep(tmp_path / "in" / f"p{number:02}.png", seed=number)
    tab.open("Protect", "Folder to folder")
    tab.write("protect_folder_in", str(tmp_path / "in"))
    tab.write("protect_folder_out", str(tmp_path / "out"))
    tab.begin("protect_folder")
    bar = tab.page.locator(".progressDiv")
    expect(bar).to_contain_text(" of 60, p")
    tab.page.locator("#fixative_protect_folder_interrupt").click()
    told = tab.report("protect_folder")
    assert "interrupted" in told
    assert "failed" in told
    results = list((tmp_path / "out").iterdir())
    assert len(results) < 60
    assert f"{len(results)} protected, 0 failed, interrupted, {60 - len(results)} not" in told
    for result in results:
        read_picture(result)
    expect(bar).to_have_count(0)


def test_purify_gives_what_the_engine_gives(tab: TabPage, tmp_path: Path) -> None:
    source = keep(tmp_path / "protected.png")
    tab.open("Purify")
    tab.give("purify_picture", source)
    tab.write("purify_written", "jpeg:75+impress:fast,steps=2")
    told = tab.run("purify")
    assert "Purified by jpeg:75+impress:fast,steps=2" in told
    assert "Seen through Fixative's own VAE" in told
    tab.write("purify_written", "jpeg:75+median:3")
    told = tab.run("purify")
    assert "Purified by jpeg:75+median:3" in told
    assert "VAE" not in told
    [result] = tab.downloads("purify", tmp_path / "got", 1)
    meant = make_countermeasure("jpeg:75+median:3").purify(read_picture(source).images())
    assert np.array_equal(read_picture(result).pixels, images_to_pixels(meant.image))
    tab.shot("purify")
    tab.write("purify_written", "jpg:75")
    assert "did you mean jpeg?" in tab.run("purify")


def test_compare_shows_what_changed(tab: TabPage, tmp_path: Path) -> None:
    before, after = np.full((60, 80, 3), 100, np.uint8), np.full((60, 80, 3), 100, np.uint8)
    after[..., 0] += 4
    paths = [tmp_path / name for name in ("before.png", "after.png", "other.png")]
    for pixels, path in zip((before, after, before[:50]), paths, strict=True):
        Image.fromarray(pixels).save(path)
    tab.open("Compare")
    tab.give("compare_before", paths[0])
    assert "after: there is none" in tab.run("compare")
    tab.give("compare_after", paths[2])
    assert "80 x 50 pixels, expected 80 x 60" in tab.run("compare")
    tab.give("compare_after", paths[1])
    told = tab.run("compare")
    assert "4/255" in told
    assert "1.33/255" in told
    view = tab.view("compare")
    assert list(tab.loaded(view.locator("img"))) == [80, 80]
    tab.shot("compare")
    divider = view.locator("[data-control=at]")
    divider.focus()
    divider.press("Home")
    assert view.evaluate("(one) => one.style.getPropertyValue('--fixative-at')") == "0%"
    view.locator("select").select_option("sides")
    boxes = [image.bounding_box() for image in view.locator("img").all()]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    view.locator("select").select_option("difference")
    middle = """(canvas) => canvas.width
      && [...canvas.getContext("2d").getImageData(40, 30, 1, 1).data]"""
    canvas = view.locator("canvas")
    tab.page.wait_for_function("(one) => one.width === 80", arg=canvas.element_handle())
    assert canvas.evaluate(middle) == [168, 128, 128, 255]  # 127.5 + 10 · 4
    amplified = view.locator("[data-control=amplification]")
    amplified.focus()
    amplified.press("End")
    tab.page.wait_for_timeout(200)
    assert canvas.evaluate(middle) == [255, 128, 128, 255]
    tab.shot("compare_difference")


def test_inspect_tells_protected_from_clean(
    tab: TabPage, tmp_path: Path, protector: Protector
) -> None:
    clean = keep(tmp_path / "clean.png")
    done = tmp_path / "done.png"
    Image.fromarray(expected(clean, protector)).save(done)
    empty = tmp_path / "empty.png"
    empty.touch()
    tab.open("Inspect")
    assert "pictures: there are none" in tab.run("inspect")
    tab.give("inspect_pictures", done, empty, clean)
    told = tab.run("inspect")
    assert "2 inspected, 1 failed" in told
    assert "empty.png: is empty" in told
    rows = [line for line in told.splitlines() if line.startswith(("done.png", "clean.png"))]
    assert "Likely protected" in rows[0]
    assert "Likely protected" not in rows[1]
    tab.shot("inspect")


def test_a_mimicry_test_runs_goes_on_and_reports(tab: TabPage, tmp_path: Path) -> None:
    """The smallest there is: one protection, no baseline, LoRAs of one step."""
    pytest.importorskip("peft")
    sources = [keep(tmp_path / f"m{number}.png", seed=number) for number in range(3)]
    tab.open("Mimicry test")
    assert "pictures: there are none" in tab.run("mimicry")
    tab.give("mimicry_pictures", *sources)
    fields = {"protections": "noise", "countermeasures": "", "baseline": ""}
    for name, text in {**fields, "seeds": "1", "samples": "2", "steps": "1"}.items():
        tab.write(f"mimicry_{name}", text)
    tab.begin("mimicry")
    expect(tab.page.locator(".progressDiv")).to_contain_text("LoRA", timeout=JOB_MS)
    tab.page.locator("#fixative_mimicry_interrupt").click()
    assert "Interrupted; nothing is lost" in tab.report("mimicry")
    told = tab.run("mimicry")
    assert "clean, other seed" in told
    assert "report.html shows it all" in told
    assert tab.loaded(tab.page.locator("#fixative_mimicry_view img").last)[0] > 500
    report, numbers = tab.downloads("mimicry", tmp_path / "got", 2)
    assert (report.name, numbers.name) == ("report.html", "results.json")
    found = json.loads(numbers.read_text("utf-8"))
    assert [one["name"] for one in found["arms"]] == [
        "no LoRA",
        "clean",
        "clean, other seed",
        "noise",
    ]
    assert "noise" in report.read_text("utf-8")
    tab.shot("mimicry")
    tab.write("mimicry_protections", "mixtur")
    assert "did you mean mixture?" in tab.run("mimicry")
