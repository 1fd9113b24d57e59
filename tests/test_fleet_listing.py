"""A walk finds in any store what ``plan_files`` finds on the disk, under the same names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from fixative.batch import plan_files
from fixative.batch.filters import Filters
from fixative.errors import SettingError
from fixative.fleet.listing import Walk
from fixative.fleet.storage import open_store
from fixative.pictures import OUTPUT_FORMATS

NAMES = (
    *("a.png", "A.jpg", "b.webp", "b.webp.png", "sub/c.tiff", "sub/deep/c.tif", "z.GIF"),
    *("notes.txt", ".hidden.png", "sub/.git/d.png", "sub/plain"),
)


def tree(folder: Path) -> Path:
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * len(name))
    return folder


def walk(source: str | Path, out: str | Path = "memory://out", **filters: tuple[str, ...]) -> Walk:
    return Walk(open_store(str(source)), open_store(str(out)), ".png", Filters(**filters))


def test_names_and_skipped_are_those_of_one_machine(tmp_path: Path) -> None:
    source, out = tree(tmp_path / "in"), tmp_path / "out"
    plan = plan_files([source], out, output=OUTPUT_FORMATS["png"])
    found = walk(source, out)
    pairs = {(task.source, task.output, task.note) for task in found.tasks()}
    assert pairs == {
        (str(t.source.relative_to(source)), str(t.output.relative_to(out)), "; ".join(t.notes))
        for t in plan.tasks
    }
    assert len(pairs) == 7
    assert found.skipped == plan.skipped
    assert "filtered out" not in found.skipped


def test_an_object_store_is_walked_alike(tmp_path: Path) -> None:
    local = [*walk(tree(tmp_path / "in")).tasks()]
    fsspec.filesystem("memory").put(str(tmp_path / "in"), "/bucket/in", recursive=True)
    remote = [*walk("memory://bucket/in").tasks()]
    assert [replace(task, stamp="") for task in local] == remote
    stamps = {task.source: task.stamp for task in local}
    written = (tmp_path / "in/sub/c.tiff").stat()
    assert stamps["sub/c.tiff"] == f"{len('sub/c.tiff')} {written.st_mtime}"


def test_filters(tmp_path: Path) -> None:
    found = walk(tree(tmp_path), include=("*.tif*", "a.*"), exclude=("deep",))
    assert [task.source for task in found.tasks()] == ["A.jpg", "a.png", "sub/c.tiff"]
    assert found.skipped["filtered out"] == 4


def test_results_inside_the_sources_and_loops_are_left_alone(tmp_path: Path) -> None:
    tree(tmp_path)
    (tmp_path / "done").mkdir()
    (tmp_path / "done/old.png").touch()
    (tmp_path / "sub/again").symlink_to(tmp_path)
    found = [task.source for task in walk(tmp_path, tmp_path / "done").tasks()]
    assert len(found) == 7
    assert not [name for name in found if "again" in name or "done" in name]


def test_one_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"xx")
    (task,) = walk(tmp_path / "a.jpg").tasks()
    assert (task.source, task.output, task.stamp[:2]) == ("", "a.png", "2 ")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"nothing: cannot be read .*give an existing folder"):
        list(walk(tmp_path / "nothing").tasks())
