"""Which pictures are found, and where their results go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixative.batch import plan_files
from fixative.errors import SettingError
from fixative.pictures import OUTPUT_FORMATS
from tests.picture_files import save_photo

PNG = OUTPUT_FORMATS["png"]


def planned(inputs: list[Path], out: Path) -> dict[str, str]:
    plan = plan_files(inputs, out, output=PNG)
    return {task.source.name: task.output.relative_to(out).as_posix() for task in plan.tasks}


def test_results_keep_their_place_below_the_folder(tmp_path: Path) -> None:
    for name in ("in/a.png", "in/sub/b.jpg", "in/sub/deep/c.webp"):
        save_photo(tmp_path / name)
    assert planned([tmp_path / "in"], tmp_path / "out") == {
        "a.png": "a.png",
        "b.jpg": "sub/b.png",
        "c.webp": "sub/deep/c.png",
    }


def test_several_inputs_share_their_common_folder(tmp_path: Path) -> None:
    for name in ("x/a.png", "y/b.png", "y/z/c.png"):
        save_photo(tmp_path / name)
    inputs = [tmp_path / "x/a.png", tmp_path / "y"]
    assert planned(inputs, tmp_path / "out") == {
        "a.png": "x/a.png",
        "b.png": "y/b.png",
        "c.png": "y/z/c.png",
    }
    assert planned([tmp_path / "y/z/c.png"], tmp_path / "out") == {"c.png": "c.png"}


def test_relative_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_photo(tmp_path / "in/a.png")
    monkeypatch.chdir(tmp_path / "in")
    assert planned([Path(), Path("../in/a.png")], Path("../out")) == {"a.png": "a.png"}


def test_hidden_and_other_files_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", ".b.png", ".git/c.png"):
        save_photo(tmp_path / name)
    for name in ("notes.txt", "more.txt", "README"):
        (tmp_path / name).write_text("x")
    plan = plan_files([tmp_path], tmp_path / "out", output=PNG)
    assert [task.source.name for task in plan.tasks] == ["a.png"]
    assert plan.skipped == {"hidden": 2, ".txt": 2, "no suffix": 1}
    assert plan.failures == []


def test_a_file_that_is_named_is_always_tried(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    for name in (".hidden.png", "photo.2024"):
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes())
    inputs = [tmp_path / ".hidden.png", tmp_path / "photo.2024"]
    assert planned(inputs, tmp_path / "out") == {
        ".hidden.png": ".hidden.png",
        "photo.2024": "photo.2024.png",
    }


def test_one_name_for_two_results(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "A.webp", "b.png", "sub/a.png"):
        save_photo(tmp_path / name)
    plan = plan_files([tmp_path], tmp_path / "out", output=PNG)
    outputs = [task.output.relative_to(tmp_path / "out").as_posix() for task in plan.tasks]
    assert sorted(outputs) == [
        "A.webp.png",
        "a.jpg.png",
        "a.png.png",
        "b.png",
        "sub/a.png",
    ]
    noted = {task.source.name for task in plan.tasks if "old suffix" in str(task.notes)}
    assert noted == {"a.jpg", "a.png", "A.webp"}
    assert [task.notes for task in plan.tasks if task.source.parent.name == "sub"] == [()]


def test_a_name_that_is_taken_by_its_long_form(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.bmp", "a.jpg.png"):
        save_photo(tmp_path / name)
    outputs = planned([tmp_path], tmp_path / "out")
    assert outputs["a.jpg.png"] == "a.jpg.png"
    assert len(set(outputs.values())) == 3


def test_a_picture_given_twice_is_done_once(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    assert len(planned([tmp_path / "a.png", tmp_path, tmp_path / "a.png"], tmp_path / "o")) == 1


def test_links_in_a_circle(tmp_path: Path) -> None:
    save_photo(tmp_path / "in/sub/a.png")
    save_photo(tmp_path / "elsewhere/b.png")
    try:
        (tmp_path / "in/sub/loop").symlink_to(tmp_path / "in", target_is_directory=True)
        (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "in/c.png").symlink_to(tmp_path / "in/sub/a.png")
    except OSError:
        pytest.skip("this disk has no links")
    plan = plan_files([tmp_path / "in"], tmp_path / "out", output=PNG)
    found = [os.path.realpath(task.source) for task in plan.tasks]
    assert sorted(Path(real).name for real in found) == ["a.png", "b.png"]


def test_the_results_folder_is_not_searched(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    save_photo(tmp_path / "protected/old.png")
    assert planned([tmp_path], tmp_path / "protected") == {"a.png": "a.png"}


def test_never_onto_an_input(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    save_photo(tmp_path / "b.jpg")
    plan = plan_files([tmp_path], tmp_path, output=PNG)
    assert [task.output.name for task in plan.tasks] == ["b.png"]
    assert len(plan.failures) == 1
    assert "a.png: its result would replace an input" in plan.failures[0][1]


def test_an_empty_folder_is_bad_input(tmp_path: Path) -> None:
    plan = plan_files([tmp_path], tmp_path / "out", output=PNG)
    assert "holds no pictures" in plan.failures[0][1]


def test_no_inputs(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="at least one picture"):
        plan_files([], tmp_path, output=PNG)
