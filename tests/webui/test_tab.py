"""Protect in a browser, on the gradio of A1111 and on that of Forge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from fixative import Protector
from fixative.pictures import read_picture
from tests.webui.tab_page import TabPage
from tests.webui.tab_pictures import ARTIST, ICC, SIZE, expected, keep

pytestmark = pytest.mark.browser


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
    assert before.alpha is not None
    assert after.alpha is not None
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
    assert "a.png: its result is there already" in told
    assert "tick “Replace results that exist”" in told
    tab.page.locator("#fixative_protect_folder_overwrite input").check()
    assert "1 protected, 0 failed" in tab.run("protect_folder")
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
