"""``fixative mimic``: exit codes, what is printed, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from fixative.cli import app
from fixative.mimicry.network import CONTEXT, build_unet
from fixative.mimicry.testbed import save_testbed
from fixative.mimicry.vocabulary import Vocabulary
from tests.picture_files import save_photo

pytest.importorskip("diffusers")
pytest.importorskip("peft")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["mimic", *map(str, arguments)])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with three pictures."""
    for number in range(3):
        save_photo(tmp_path / f"mine/{number}.png", 64, 64 + 8 * number, seed=number)
    return tmp_path


def test_it_trains_draws_and_reports(place: Path) -> None:
    torch.manual_seed(0)
    words = Vocabulary(("", "new1"), torch.randn(2, CONTEXT))
    save_testbed(build_unet(), words, place / "random.safetensors", {"steps": 0})
    options = ["--images", place / "mine", "--out", place / "out", "--model"]
    options += [place / "random.safetensors", "--protect", "noise", "--countermeasure", "bits:4"]
    options += ["--baseline", "none", "--seeds", 1, "--samples", 2, "--steps", 1, "--rank", 2]
    options += ["--targets", "attention", "--draw-steps", 1, "--workers", 1]
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert "### How close imitators come: mine" in result.output
    assert "note: 3 different sizes, all brought to 512 × 512 pixels" in result.output
    assert "8 tasks, 0 failed; report: " in result.output
    found = json.loads((place / "out" / "results.json").read_text("utf-8"))
    assert found["tools"]["model"]["testbed"]
    assert found["settings"]["lora"]["rank"] == 2
    assert "laboratory animal" in (place / "out" / "report.html").read_text("utf-8")
    other = run(*options, "--seed", 3)
    assert other.exit_code == 2
    assert "a mimicry test that differs in: settings" in other.output


def test_bad_input(place: Path) -> None:
    save_photo(place / "few/0.png", 64, 64)
    (place / "none").mkdir()
    pictures = ("--images", place / "mine")
    cases = [
        (("--images", place / "few"), "expected 3 pictures or more"),
        (("--images", place / "none"), "holds no pictures"),
        (("--images", place / "nowhere"), "is not a folder"),
        ((*pictures, "--protect", "mixtur"), "did you mean mixture"),
        ((*pictures, "--countermeasure", "jpeg:0"), "quality"),
        ((*pictures, "--model", "nothing.safetensors"), "no such file"),
        ((*pictures, "--caption", "yours=photo new1"), "one of the sets mine"),
        ((*pictures, "--edit", "--edit-level", "0"), "edit level"),
        ((*pictures, "--rate", "2"), "rate"),
    ]
    for arguments, said in cases:
        result = run(*arguments, "--out", place / "out")
        assert result.exit_code == 2, result.output
        assert said in result.output, result.output
        assert not (place / "out").exists(), "nothing was begun"
