"""Files are protected one by one, and what the result says is measured on the saved file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fixative.batch import (
    EngineChoice,
    FileOptions,
    FileTask,
    batch_report,
    check_writable,
    measure_saved,
    plan_files,
    protect_files,
    write_report,
)
from fixative.errors import SettingError
from fixative.pictures import OUTPUT_FORMATS, read_picture
from fixative.pictures.picture import images_to_pixels, pixels_to_images
from fixative.protector import ProtectSettings
from tests.picture_files import photo, save_photo
from tests.toy_models import toy_protector

PNG = OUTPUT_FORMATS["png"]


@pytest.mark.parametrize("size", [(48, 32), (1, 1), (700, 513), (3, 900)])
@pytest.mark.parametrize("strength", [1, 8, 20.5])
def test_the_budget_holds_in_the_file(
    tmp_path: Path, size: tuple[int, int], strength: float
) -> None:
    before = save_photo(tmp_path / "a.png", *size)
    task = FileTask(tmp_path / "a.png", tmp_path / "out/a.png")
    (result,) = protect_files([task], toy_protector(strength))
    assert result.error is None
    after = np.asarray(Image.open(tmp_path / "out/a.png"))
    gap = np.abs(after.astype(int) - before)
    assert gap.max() <= strength
    assert gap.max() > 0 or min(size) < 8, "patterns average out in tiny pictures only"
    assert (gap.max() == 0) == any("nothing changed" in line for line in result.warnings)
    assert result.change is not None
    assert result.change.largest == gap.max()
    assert result.change.mean == pytest.approx(gap.mean())
    if gap.max():
        assert result.change.psnr == pytest.approx(10 * np.log10(255**2 / (gap**2.0).mean()))
    assert result.size == size


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_strength_0_is_pixel_identical(tmp_path: Path, kind: str) -> None:
    pixels = photo(channels=4)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    task = FileTask(tmp_path / "a.png", tmp_path / "b")
    options = FileOptions(output=OUTPUT_FORMATS[kind], measure_pull=True)
    (result,) = protect_files([task], toy_protector(0), options)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b")), pixels)
    assert result.change is not None
    assert (result.change.largest, result.change.psnr) == (0, None)
    assert result.pull == 0
    assert result.warnings == ()


def test_a_strength_below_one_level_is_said(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    task = FileTask(tmp_path / "a.png", tmp_path / "b.png")
    (result,) = protect_files([task], toy_protector(0.5))
    assert any("nothing changed" in warning for warning in result.warnings)


def test_mask(tmp_path: Path) -> None:
    before = save_photo(tmp_path / "a.png")
    save_photo(tmp_path / "large.png", 50, 32)
    mask = np.zeros((32, 48), np.uint8)
    mask[:, 24:] = 255
    tasks = [FileTask(tmp_path / n, tmp_path / "out" / n) for n in ("a.png", "large.png")]
    first, second = protect_files(tasks, toy_protector(), FileOptions(mask=mask))
    assert first.error is None
    after = np.asarray(Image.open(tmp_path / "out/a.png"))
    np.testing.assert_array_equal(after[:, :24], before[:, :24])
    assert (after[:, 24:] != before[:, 24:]).mean() > 0.5
    assert "50 x 32 pixels, but the mask is 48 x 32" in (second.error or "")


def test_lossy_output_warns_and_measures_the_file(tmp_path: Path) -> None:
    before = save_photo(tmp_path / "a.png", 64, 64)
    task = FileTask(tmp_path / "a.png", tmp_path / "a.jpg")
    options = FileOptions(output=OUTPUT_FORMATS["jpeg"], measure_pull=True)
    (result,) = protect_files([task], toy_protector(2), options)
    gap = np.abs(np.asarray(Image.open(tmp_path / "a.jpg")).astype(int) - before)
    assert result.change is not None
    assert result.change.largest == gap.max() > 2
    assert any("weakens the protection" in warning for warning in result.warnings)
    assert any("above the strength of 2/255" in warning for warning in result.warnings)


def test_pull_is_measured_on_the_file(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png", 512, 512)
    protector = toy_protector(8)
    options = FileOptions(measure_pull=True)
    task = FileTask(tmp_path / "a.png", tmp_path / "b.png")
    (result,) = protect_files([task], protector, options)
    pictures = [read_picture(tmp_path / name).images() for name in ("a.png", "b.png")]
    assert result.pull == pytest.approx(float(protector.measure_pull(*pictures)[0]), abs=1e-6)
    assert result.pull != 0


def test_the_rest_goes_on(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    save_photo(tmp_path / "c.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/c.png").write_text("mine")
    tasks = [FileTask(tmp_path / n, tmp_path / "out" / n) for n in ("b.png", "c.png", "a.png")]
    cut, taken, good = protect_files(tasks, toy_protector())
    assert "damaged or cut short" in (cut.error or "")
    assert "exists already; add --overwrite" in (taken.error or "")
    assert good.error is None
    assert (tmp_path / "out/c.png").read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    (again,) = protect_files([tasks[1]], toy_protector(), FileOptions(overwrite=True))
    assert again.error is None
    assert Image.open(tmp_path / "out/c.png").size == (48, 32)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    (tmp_path / "out").write_text("a file")
    task = FileTask(tmp_path / "a.png", tmp_path / "out/a.png")
    (result,) = protect_files([task], toy_protector())
    assert "a.png: cannot be saved" in (result.error or "")
    with pytest.raises(OSError):  # noqa: PT011
        check_writable(tmp_path / "out")
    check_writable(tmp_path / "new/deep")
    assert list((tmp_path / "new/deep").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    import resource

    save_photo(tmp_path / "a.png")
    task = FileTask(tmp_path / "a.png", tmp_path / "out/a.png")
    protector = toy_protector()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, usual[1]))
    try:
        (result,) = protect_files([task], protector)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert "a.png: cannot be saved: File too large" in (result.error or "")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_same_file_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    tasks = [FileTask(tmp_path / "a.png", tmp_path / name) for name in ("1.png", "2.png")]
    assert all(result.error is None for result in protect_files(tasks, toy_protector()))
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_tensors_and_pixels_are_inverse() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    images = pixels_to_images(every)
    np.testing.assert_array_equal(images_to_pixels(images), every)
    assert torch.equal(images, (images * 255).round() / 255)
    nudged = (images + 0.4 / 255).clamp(0, 1)
    np.testing.assert_array_equal(images_to_pixels(nudged), every)


def test_measuring_is_exact() -> None:
    before, after = photo(90, 600), photo(90, 600, seed=2)
    gap = np.abs(before.astype(int) - after)
    change = measure_saved(before, after)
    assert change.largest == gap.max()
    assert change.mean == pytest.approx(gap.mean(), rel=1e-12)
    assert change.psnr == pytest.approx(10 * np.log10(255**2 / (gap**2.0).mean()), rel=1e-12)


def test_report(tmp_path: Path) -> None:
    save_photo(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").write_bytes(b"no")
    (tmp_path / "in/note.txt").write_text("x")
    plan = plan_files([tmp_path / "in"], tmp_path / "out", output=PNG)
    protector = toy_protector(0)
    results = list(protect_files(plan.tasks, protector, FileOptions(measure_pull=True)))
    choice = EngineChoice("toy", None, ProtectSettings(strength=0))
    report = batch_report(choice, {"codec": {"name": "toy"}}, plan, results, output="png")
    write_report(tmp_path / "report.json", report)
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert found["settings"]["strength"] == 0
    assert found["summary"] == {
        "protected": 1,
        "failed": 1,
        "unchanged": 0,
        "not_reached": 0,
        "skipped": {".txt": 1},
        "interrupted": False,
    }
    good, bad = found["pictures"]
    assert good["ok"]
    assert (good["max_change"], good["psnr"], good["pull"]) == (0, None, 0)
    assert set(good["target_entropies"]) == {"low", "mid", "high"}
    assert len(good["group_distances"]) == 2
    assert not bad["ok"]
    assert "not an image" in bad["error"]
    with pytest.raises(SettingError, match="exists already"):
        write_report(tmp_path / "report.json", report)
