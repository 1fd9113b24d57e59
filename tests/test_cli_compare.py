"""``fixative compare`` draws a sheet, or says in one line why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from fixative.cli import app
from tests.picture_files import save_photo


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    save_photo(tmp_path / "a.png", 300, 200)
    save_photo(tmp_path / "b.png", 300, 200, seed=2)
    return tmp_path / "a.png", tmp_path / "b.png"


def test_without_a_map(pair: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*pair, "--out", tmp_path / "s.png", "--strength-map", "off", "--height", 100)
    assert result.exit_code == 0, result.output
    sheet = Image.open(tmp_path / "s.png")
    assert sheet.size == (3 * 150 + 4 * 8, 100 + 24 + 8)


def test_with_the_learned_map(pair: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*pair, "--out", tmp_path / "s.png")
    assert result.exit_code == 0, result.output
    assert Image.open(tmp_path / "s.png").width == 4 * 300 + 5 * 8


def test_a_turned_original_and_its_upright_copy(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png", 300, 200)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(tmp_path / "a.png").save(tmp_path / "turned.png", exif=exif)
    Image.open(tmp_path / "a.png").rotate(-90, expand=True).save(tmp_path / "upright.png")
    options = ("--out", tmp_path / "s.png", "--strength-map", "off")
    assert run(tmp_path / "turned.png", tmp_path / "upright.png", *options).exit_code == 0
    sheet = Image.open(tmp_path / "s.png")
    middle = sheet.crop((8 + 2 * 208, 24, 8 + 2 * 208 + 200, 324))
    assert middle.getextrema() == ((128, 128),) * 3, "they are the same picture"


def test_bad_input(pair: tuple[Path, Path], tmp_path: Path) -> None:
    save_photo(tmp_path / "small.png", 30, 20)
    (tmp_path / "text.png").write_text("x")
    (tmp_path / "taken.png").write_text("mine")
    before, after = pair
    out = tmp_path / "s.png"
    cases = [
        ((before, tmp_path / "small.png", "--out", out), "expected 300 x 200 like the first"),
        ((before, tmp_path / "text.png", "--out", out), "is not an image"),
        ((tmp_path / "none.png", after, "--out", out), "No such file"),
        ((before, after, "--out", before, "--overwrite"), "is one of the inputs"),
        ((before, after, "--out", tmp_path / "taken.png"), "exists already; add --overwrite"),
        ((before, after, "--out", tmp_path), "is a folder"),
        ((before, after, "--out", tmp_path / "taken.png" / "s.png"), "taken.png"),
    ]
    for arguments, words in cases:
        result = run(*arguments, "--strength-map", "off")
        assert result.exit_code == 2, result.output
        assert words in result.output
        assert len(result.output.strip().splitlines()) == 1
    assert not out.exists()
    assert (tmp_path / "taken.png").read_text() == "mine"
