"""``fixative evaluate``: exit codes, what is printed, and what is written."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fixative.cli import app
from tests.picture_files import save_photo
from tests.test_cli_process import finish, posix, start

#: Aims at one target, so that nothing has to be chosen on copies of 512 pixels.
BRIEF = """
version: 1
name: toy
strengths: [4, 8]
protections: ["photoguard:1,goal=low"]
countermeasures: ["jpeg:75", "bits:4", "median:3"]
"""


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


@posix
def test_an_interrupted_command_goes_on(place: Path, checkout: Path) -> None:
    for number in range(6):
        save_photo(place / f"pictures/{number:02}.png", 64, 64, seed=number)
    command = ["evaluate", "toy.yaml", "--images", "pictures", "--out", "out", "--threads", "1"]
    process = start(place, checkout, *command)
    journal = place / "out" / "journal.jsonl"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and lines(journal) < 6:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130, err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    kept = journal.read_text("utf-8").splitlines()[:6]
    code, out, err = finish(start(place, checkout, *command))
    assert code == 0, err
    assert "0 failed" in out
    assert journal.read_text("utf-8").splitlines()[:6] == kept


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines()) if path.is_file() else 0
