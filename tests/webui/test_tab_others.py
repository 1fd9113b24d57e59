"""The other sub-tabs in a browser, on the gradio of A1111 and on that of Forge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixative import Protector
from fixative.countermeasures import make_countermeasure
from fixative.pictures import read_picture
from fixative.pictures.picture import images_to_pixels
from tests.webui.tab_page import TabPage
from tests.webui.tab_pictures import expected, keep

pytestmark = pytest.mark.browser


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
