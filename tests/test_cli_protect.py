"""``fixative protect`` on real files, with a codec and a mixture of random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import fixative
import fixative.weights
from fixative.batch.ledger import NAME as LEDGER
from fixative.cli import app
from tests.picture_files import photo, save_photo
from tests.toy_models import Models, save_models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return save_models(tmp_path_factory.mktemp("models"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_folder_with_good_and_bad_pictures(tmp_path: Path, models: Models) -> None:
    before = save_photo(tmp_path / "in/a.png", 300, 200)
    hidden = photo(40, 40, channels=4)
    hidden[:9, :, 3] = 0
    (tmp_path / "in/sub").mkdir()
    Image.fromarray(hidden).save(tmp_path / "in/sub/b.webp", lossless=True, exact=True)
    (tmp_path / "in/cut.png").write_bytes((tmp_path / "in/a.png").read_bytes()[:400])
    (tmp_path / "in/notes.txt").write_text("x")
    sources = {p: p.read_bytes() for p in (tmp_path / "in").rglob("*") if p.is_file()}
    report_path = tmp_path / "report.json"
    result = run(
        "protect", tmp_path / "in", "--out", tmp_path / "out", "--json", report_path,
        "--strength", 6, "--target", "mid", *models.arguments(),
    )  # fmt: skip
    assert result.exit_code == 2, result.output
    assert "2 protected, 1 failed, 1 skipped (.txt 1)" in result.output
    assert result.output.count("cut.png: is damaged or cut short") == 2, "at once and at the end"
    made = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*"))
    assert made == [LEDGER, "a.png", "sub", "sub/b.png"]
    assert all(path.read_bytes() == data for path, data in sources.items()), "an input changed"

    after = np.asarray(Image.open(tmp_path / "out/a.png"))
    gap = np.abs(after.astype(int) - before)
    assert 1 <= gap.max() <= 6
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "out/sub/b.png"))[..., 3], hidden[..., 3]
    )

    report = json.loads(report_path.read_text("utf-8"))
    assert report["fixative"] == fixative.__version__
    assert report["settings"] == {
        "strength": 6.0,
        "target": "mid",
        "strength_map": "off",
        "output_format": "png",
    }
    assert report["codec"]["name"] == models.codec.name
    assert report["mixture"]["sha256"] == fixative.weights.file_sha256(models.mixture)
    assert report["libraries"]["torch"]
    assert report["summary"] | {"skipped": 0} == {
        "protected": 2,
        "failed": 1,
        "unchanged": 0,
        "not_reached": 0,
        "skipped": 0,
        "interrupted": False,
    }
    by_name = {Path(entry["source"]).name: entry for entry in report["pictures"]}
    first = by_name["a.png"]
    assert first["ok"]
    assert (first["target"], first["max_change"]) == ("mid", gap.max())
    assert first["mean_change"] == pytest.approx(gap.mean())
    assert first["psnr"] == pytest.approx(10 * np.log10(255**2 / (gap**2.0).mean()))
    assert isinstance(first["pull"], float)
    assert first["seconds"] > 0
    assert "cut short" in by_name["cut.png"]["error"]


def test_strength_0_keeps_every_pixel(tmp_path: Path, models: Models) -> None:
    pixels = save_photo(tmp_path / "a.png")
    out = tmp_path / "out"
    result = run(
        "protect", tmp_path / "a.png", "--out", out, "--strength", 0, "--format", "webp",
        *models.arguments(),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(np.asarray(Image.open(out / "a.webp")), pixels)
    assert "1 protected, 0 failed" in result.output


def test_overwriting_must_be_asked_for(tmp_path: Path, models: Models) -> None:
    save_photo(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_text("mine")
    command = ["protect", tmp_path / "a.png", "--out", tmp_path / "out", *models.arguments()]
    refused = run(*command)
    assert refused.exit_code == 2
    assert "exists already; add --overwrite" in refused.output
    assert (tmp_path / "out/a.png").read_text() == "mine"
    assert run(*command, "--overwrite").exit_code == 0
    assert Image.open(tmp_path / "out/a.png").size == (48, 32)


def test_lossy_output_is_warned_of(tmp_path: Path, models: Models) -> None:
    save_photo(tmp_path / "a.png")
    command = ["protect", tmp_path / "a.png", "--out", tmp_path, "--format", "jpeg"]
    result = run(*command, *models.arguments())
    assert result.exit_code == 0, result.output
    assert result.output.count("jpeg is lossy and weakens the protection") == 2
    assert Image.open(tmp_path / "a.jpg").format == "JPEG"


def test_a_picture_in_its_own_folder(tmp_path: Path, models: Models) -> None:
    pixels = save_photo(tmp_path / "a.png")
    result = run(
        "protect", tmp_path / "a.png", "--out", tmp_path, "--overwrite", *models.arguments()
    )
    assert result.exit_code == 2
    assert "would replace an input" in result.output
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), pixels)


def test_the_embedded_weights(tmp_path: Path) -> None:
    before = save_photo(tmp_path / "a.png", 256, 192)
    shutil.copy(tmp_path / "a.png", tmp_path / "b.png")
    result = run("protect", tmp_path / "b.png", "--out", tmp_path / "out", "--json", tmp_path / "j")
    assert result.exit_code == 0, result.output
    gap = np.abs(np.asarray(Image.open(tmp_path / "out/b.png")).astype(int) - before)
    assert 4 <= gap.max() <= 8
    report = json.loads((tmp_path / "j").read_text("utf-8"))
    assert report["codec"]["family"] == report["mixture"]["family"] == "sd1"
    assert report["settings"]["strength_map"] == "learned"
    assert report["pictures"][0]["pull"] > 0.05
