"""``fixative evaluate``: exit codes, what is printed, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fixative.cli import app
from tests.evaluation_parts import TOY
from tests.picture_files import save_photo

BRIEF = TOY.replace("photoguard:2,goal=low", "photoguard:1,goal=low")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a protocol and pictures."""
    (tmp_path / "toy.yaml").write_text(BRIEF, "utf-8")
    (tmp_path / "pictures").mkdir()
    save_photo(tmp_path / "pictures" / "a.png", 64, 64)
    save_photo(tmp_path / "pictures" / "b.jpg", 80, 64, seed=2)
    return tmp_path


def test_it_measures_and_reports(place: Path) -> None:
    options = ("--images", place / "pictures", "--out", place / "out", "--threads", 1)
    result = run(place / "toy.yaml", *options)
    assert result.exit_code == 0, result.output
    assert "0 failed, 0 not run" in result.output
    assert "### Protections at their worst" in result.output
    found = json.loads((place / "out" / "results.json").read_text("utf-8"))
    assert found["protocol"]["name"] == "toy"
    assert found["tools"]["sha256"]["embedded"]
    assert (place / "out" / "report.html").is_file()
    (place / "pictures" / "c.png").write_bytes(b"no picture")
    refused = run(place / "toy.yaml", *options)
    assert refused.exit_code == 2
    assert "differs in: pictures" in refused.output
    fresh = run(place / "toy.yaml", *options, "--fresh", "--markdown")
    assert fresh.exit_code == 2
    assert "failed: c.png: " in fresh.output
    assert "### What countermeasures do to clean pictures" in fresh.output


def test_bad_input(place: Path) -> None:
    pictures = ("--images", place / "pictures")
    (place / "empty").mkdir()
    cases = [
        (("quik", *pictures), "did you mean quick"),
        ((place / "toy.yaml", "--images", place / "empty"), "holds no pictures"),
        ((place / "toy.yaml", "--images", place / "nowhere"), "is not a folder"),
        ((place / "toy.yaml", *pictures, "--codec", "nothing"), "no such file"),
        ((place / "toy.yaml", *pictures, "--device", "abacus"), "try cpu"),
    ]
    for arguments, said in cases:
        result = run(*arguments, "--out", place / "out")
        assert result.exit_code == 2, result.output
        assert said in result.output, result.output
        assert not (place / "out").exists(), "nothing was begun"
