"""The demo, on real photographs from a package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from fixative import demo
from fixative.errors import FixativeError


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """Two of its pictures: a PNG, and a JPEG that becomes a PNG."""
    pytest.importorskip("skimage")
    monkeypatch.setattr(demo, "PICTURES", ("chelsea.png", "rocket.jpg"))
    return demo.find_pictures()


def test_writes_pictures_sheets_and_reports_twice_in_a_row(
    pictures: tuple[Path, ...], tmp_path: Path
) -> None:
    out = tmp_path / "the demo"
    for _ in range(2):
        assert demo.run_demo(out) == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert [entry["max_change"] for entry in report["pictures"]] == [8, 8]
    assert all(entry["pull"] > 0 for entry in report["pictures"])
    text = (out / "report.md").read_text("utf-8")
    for source, name in zip(pictures, ("chelsea.png", "rocket.png"), strict=True):
        with Image.open(source) as before, Image.open(out / "protected" / name) as after:
            assert after.size == before.size
            assert after.format == "PNG"
            assert after.tobytes() != before.tobytes()
        with Image.open(out / "compare" / name) as sheet:
            assert sheet.width > sheet.height
        assert f"[{name}](protected/{name})" in text


def test_its_pictures_are_inside_the_package() -> None:
    pytest.importorskip("skimage")
    assert [path.name for path in demo.find_pictures()] == list(demo.PICTURES)


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _name: None)
    with pytest.raises(FixativeError, match=r"pip install 'fixative\[demo\]'"):
        demo.find_pictures()
