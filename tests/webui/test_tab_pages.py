"""What the tab shows, without a host: names of files, HTML that is safe, addresses."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import time
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fixative.errors import SettingError
from fixative_webui import tab_html as html
from fixative_webui.tab_answer import failed
from fixative_webui.tab_files import (
    all_uploaded,
    folder_named,
    free_names,
    page_folder,
    shown_copy,
    uploaded,
)
from fixative_webui.tab_packages import NEEDED, require_packages
from fixative_webui.tab_view import address_of, compare_view

EVIL = "<img src=x onerror=\"alert('1')\">&"


class Reader(HTMLParser):
    """Collects elements and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "made",
    [
        html.heading(EVIL),
        html.paragraph(EVIL),
        html.problem(EVIL),
        html.bullets([EVIL]),
        html.facts([("name", EVIL)]),
        html.table([EVIL], [["cell"]]),
        html.table(["column"], [[EVIL]]),
        html.details(EVIL, "x"),
        html.details("x", EVIL),
        failed(EVIL).report,
    ],
)
def test_what_files_and_people_say_stays_text(made: str) -> None:
    found = Reader(made)
    assert EVIL in found.text
    assert "img" not in [tag for tag, _ in found.tags]


def test_a_picture_of_any_name_has_an_address(tmp_path: Path) -> None:
    path = tmp_path / '50% off "it\'s" #1 ü?.png'
    found = Reader(compare_view(path, path, size=(30, 20), name=EVIL))
    sources = [attributes["src"] for tag, attributes in found.tags if tag == "img"]
    assert sources == [address_of(path)] * 2
    address = urllib.parse.urlsplit(address_of(path))
    assert address.query == address.fragment == ""
    assert urllib.parse.unquote(address.path) == f"./file={path}"
    group = next(attributes for _, attributes in found.tags if attributes.get("role") == "group")
    assert group["aria-label"] == f"{EVIL}, before and after"


def test_what_gradio_gives_becomes_paths() -> None:
    assert all_uploaded(None) == []
    assert all_uploaded("/a/b.png") == [Path("/a/b.png")]
    wrapped = SimpleNamespace(name="/a/c.png", orig_name="x")
    assert all_uploaded([wrapped, "/a/b.png"]) == [Path("/a/c.png"), Path("/a/b.png")]
    assert uploaded([wrapped]) == Path("/a/c.png")
    with pytest.raises(SettingError, match="before: there is none; drop a file"):
        uploaded(None, what="before")


def test_names_are_free_and_differ(tmp_path: Path) -> None:
    (tmp_path / "a-x.png").touch()
    sources = [Path(one) for one in ("1/a.jpg", "2/a.png", "3/b.c.webp", "4/B.C.png")]
    names = free_names(sources, tmp_path, ending="-x.png")
    assert [name.name for name in names] == ["a-x-2.png", "a-x-3.png", "b.c-x.png", "B.C-x-2.png"]


def test_a_folder_is_taken_as_people_paste_it() -> None:
    assert folder_named(' "/some/where" ', what="folder") == Path("/some/where")
    for empty in ("  ", None):
        with pytest.raises(SettingError, match="folder: write the folder's path"):
            folder_named(empty, what="folder")


def test_copies_for_the_page_lie_where_gradio_serves_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    path = shown_copy(Image.fromarray(pixels), "a.png", icc=b"profile")
    assert path.is_relative_to(tmp_path / "served")
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), pixels)
        assert image.info["icc_profile"] == b"profile"
    new = page_folder()
    yesterday = time.time() - 25 * 3600
    os.utime(path.parent, (yesterday, yesterday))
    assert page_folder() not in (new, path.parent)
    assert not path.exists()
    assert new.is_dir()


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"diffusers": None, "peft": None, "jinja2": object()}
    monkeypatch.setattr(importlib.util, "find_spec", there.get)
    with pytest.raises(SettingError) as raised:
        require_packages()
    told = str(raised.value)
    assert "needs diffusers, peft, which this web UI lacks" in told
    assert f'"{sys.executable}" -m pip install "diffusers==0.30.*" "peft==0.13.*"' in told


def test_packages_that_do_not_work_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        if name == "peft":
            raise ImportError("cannot import name 'x'")
        return object()

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib, "import_module", broken)
    told = "needs peft, which is installed but does not work .*cannot import name 'x'"
    with pytest.raises(SettingError, match=told):
        require_packages()
    monkeypatch.setattr(importlib, "import_module", lambda name: object())
    require_packages()


def test_the_extra_is_what_the_project_declares() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    [line] = [line for line in text.splitlines() if line.startswith("mimic = ")]
    assert line == "mimic = [" + ", ".join(f'"{one}"' for one in NEEDED.values()) + "]"
