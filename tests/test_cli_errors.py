"""``fixative protect``: a bad setting or input is one clear line and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

import fixative.weights
from fixative.cli import app
from tests.picture_files import save_photo
from tests.toy_models import Models, save_models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return save_models(tmp_path_factory.mktemp("models"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def cut(path: Path, target: Path) -> Path:
    target.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return target


BAD_COMMANDS = {
    "strength below 0": (["--strength", "-1"], "strength: expected 0 to 32"),
    "strength above 32": (["--strength", "33"], "strength: expected 0 to 32"),
    "strength not a number": (["--strength", "nan"], "strength: expected 0 to 32"),
    "no such codec": (["--codec", "sd9"], "codec sd9: no such file"),
    "a cut codec": (["--codec", "CUT_CODEC"], "not a whole safetensors file"),
    "a mixture as codec": (["--codec", "MIXTURE"], "neither a TAESD encoder nor"),
    "a misshapen codec": (["--codec", "MISSHAPEN"], "not a TAESD-format encoder"),
    "no such mixture": (["--mixture", "none.safetensors"], "no file none.safetensors"),
    "a cut mixture": (["--mixture", "CUT_MIXTURE"], "not a whole safetensors file"),
    "a codec as mixture": (["--mixture", "CODEC"], "not a mixture file"),
    "another family": (["--mixture", "OTHER"], "made for the latent family 'sdxl'"),
    "output is a file": (["--out", "A_FILE"], "A_FILE"),
    "output below a file": (["--out", "A_FILE/deep"], "A_FILE"),
    "report exists": (["--json", "A_FILE"], "exists already; add --overwrite"),
    "report onto an input": (["--json", "a.png", "--overwrite"], "is one of the inputs"),
    "mask is no picture": (["--mask", "A_FILE"], "A_FILE: is not an image"),
    "limit": (["--max-megapixels", "0"], "expected above 0 and at most 178"),
}


@pytest.mark.parametrize("case", BAD_COMMANDS)
def test_bad_settings_are_one_line_and_2(
    tmp_path: Path, models: Models, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_photo(tmp_path / "a.png")
    Path("A_FILE").write_text("not a picture")
    places = {
        "CODEC": models.codec,
        "MIXTURE": models.mixture,
        "OTHER": models.other_family,
        "CUT_CODEC": cut(models.codec, tmp_path / "cut_codec.safetensors"),
        "MISSHAPEN": tmp_path / "misshapen.safetensors",
        "CUT_MIXTURE": cut(models.mixture, tmp_path / "cut_mixture.safetensors"),
    }
    tensors = {"14.weight": torch.zeros(4, 64, 3, 3), "1.conv.0.weight": torch.zeros(1)}
    save_file(tensors, tmp_path / "misshapen.safetensors")
    options, words = BAD_COMMANDS[case]
    before = sorted(tmp_path.rglob("*"))
    chosen = [str(places.get(option, option)) for option in options]
    result = run("protect", "a.png", "--out", "out", *models.arguments(), *chosen)
    assert result.exit_code == 2, result.output
    lines = result.output.strip().splitlines()
    assert len(lines) == 1, result.output
    assert lines[0].startswith("error: ")
    assert words in lines[0]
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.is_file()]
    assert left == []


@pytest.mark.parametrize(
    "options", [["--target", "middle"], ["--strength-map", "x"], ["--format", "gif"], ["--no"]]
)
def test_unknown_choices_are_2(tmp_path: Path, options: list[str]) -> None:
    save_photo(tmp_path / "a.png")
    result = run("protect", tmp_path / "a.png", "--out", tmp_path / "out", *options)
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    result = run("protect", tmp_path / "none.png", tmp_path / "nowhere", "--out", tmp_path / "o")
    assert result.exit_code == 2
    assert result.output.count("No such file or folder") == 4, "at once and at the end"
    (tmp_path / "empty").mkdir()
    result = run("protect", tmp_path / "empty", "--out", tmp_path / "o")
    assert result.exit_code == 2
    assert "holds no pictures" in result.output
    assert not (tmp_path / "o").exists()


def test_corrupt_shipped_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_photo(tmp_path / "a.png")
    entry = {"sha256": "0" * 64, "kind": "codec", "family": "sd1"}
    names = ("taesd_encoder.safetensors", "taesd_decoder.safetensors")
    for name in names:
        (tmp_path / name).write_bytes(b"cut")
    manifest = {"files": dict.fromkeys(names, entry)}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(fixative.weights, "weights_folder", lambda: tmp_path)
    result = run("protect", tmp_path / "a.png", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.output.startswith("error: weights: ")
    assert "is damaged" in result.output


def test_a_read_only_place(tmp_path: Path, models: Models) -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a read-only file system that is always there (/proc)")
    save_photo(tmp_path / "a.png")
    result = run("protect", tmp_path / "a.png", "--out", "/proc/fixative", *models.arguments())
    assert result.exit_code == 2
    assert result.output.startswith("error: /proc/fixative")
