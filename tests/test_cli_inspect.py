"""``fixative inspect``: a line a picture; what cannot be read is one line, and the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from fixative.cli import app
from fixative.pictures import read_picture
from fixative.pictures.picture import images_to_pixels
from tests.picture_files import save_photo
from tests.toy_models import toy_mixture


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean picture, a protected one, and a text that calls itself a picture."""
    from PIL import Image

    place = tmp_path_factory.mktemp("pictures")
    save_photo(place / "clean.png", 200, 160)
    protector = Protector(load_codec(), load_mixture(), ProtectSettings(strength_map="off"))
    image = protector.protect(read_picture(place / "clean.png").images()).image
    Image.fromarray(images_to_pixels(image)).save(place / "own.png")
    (place / "text.png").write_text("x")
    return place


def test_each_picture_is_told_and_bad_ones_do_not_stop_it(folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "found.json"
    result = run(folder, tmp_path / "none.png", "--json", report)
    assert result.exit_code == 2, result.output
    lines = result.output.splitlines()
    assert any("own.png: likely protected" in line and "mixture's own" in line for line in lines)
    assert any("clean.png: " in line and "mixture's own" not in line for line in lines)
    assert sum(line.startswith("failed: ") for line in lines) == 2
    assert "2 inspected, 2 failed" in lines[-1]
    assert "no proof" in result.output
    told = json.loads(report.read_text("utf-8"))
    assert [Path(row["path"]).name for row in told["pictures"]] == ["clean.png", "own.png"]
    clean, own = told["pictures"]
    assert own["probability"] > 0.9 > clean["probability"]
    assert own["features"]["mixture_match"] > 10 * clean["features"]["mixture_match"]
    assert {Path(row["path"]).name for row in told["failures"]} == {"text.png", "none.png"}
    assert told["provenance"]["fixative"]


def test_another_mixture_is_not_found(folder: Path, tmp_path: Path) -> None:
    toy_mixture().save(tmp_path / "toy.safetensors")
    result = run(folder / "own.png", "--mixture", tmp_path / "toy.safetensors")
    assert result.exit_code == 0, result.output
    assert "mixture's own" not in result.output


def test_bad_settings_are_one_line(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken.json").write_text("mine")
    cases = [
        (("--json", tmp_path / "taken.json"), "exists already; add --overwrite"),
        (("--json", folder / "clean.png", "--overwrite"), "is one of the inputs"),
        (("--mixture", folder / "text.png"), "not a whole safetensors file"),
        (("--max-megapixels", 0), "expected above 0 and at most 178"),
    ]
    for options, told in cases:
        result = run(folder / "clean.png", *options)
        assert result.exit_code == 2, result.output
        assert told in result.output
        assert len(result.output.strip().splitlines()) == 1
    assert (tmp_path / "taken.json").read_text() == "mine"


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 2
    assert "holds no pictures" in result.output
