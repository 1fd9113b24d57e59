"""Pictures are found a folder at a time, under the names that a whole plan gives them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixative.batch import plan_files
from fixative.batch.filters import Filters
from fixative.batch.listing import FILTERED, Listing, Refused
from fixative.batch.plan import FileTask
from fixative.errors import SettingError
from fixative.pictures import OUTPUT_FORMATS

PNG = OUTPUT_FORMATS["png"]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def listing(inputs: list[Path], out: Path, **filters: tuple[str, ...]) -> Listing:
    return Listing(inputs, out, output=PNG, filters=Filters(**filters))


def found(inputs: list[Path], out: Path, **filters: tuple[str, ...]) -> dict[str, str]:
    items = [item for item in listing(inputs, out, **filters) if isinstance(item, FileTask)]
    return {
        os.path.relpath(item.source, inputs[0]): item.output.relative_to(out).as_posix()
        for item in items
    }


def refusals(listed: Listing) -> list[str]:
    return [item.line for item in listed if isinstance(item, Refused)]


def test_the_same_tasks_as_a_plan(tmp_path: Path) -> None:
    touch(tmp_path / "in", "b.png", "a.jpg", "a.png", "A.webp", "s/a.png", "s/t/.h.png", "s/n.txt")
    touch(tmp_path / "in", "out/old.png", ".git/x.png", "a.jpg.png", "t/z.gif")
    inputs, out = [tmp_path / "in"], tmp_path / "in/out"
    plan = plan_files(inputs, out, output=PNG)
    listed = listing(inputs, out)
    assert [item for item in listed if isinstance(item, FileTask)] == plan.tasks
    assert len(plan.tasks) == 7
    assert listed.skipped == plan.skipped
    assert list(listed) == list(listed), "an iteration begins anew"


def test_nothing_is_searched_before_it_is_asked_for(tmp_path: Path) -> None:
    touch(tmp_path / "in", "a/1.png", "b/2.png")
    walk = iter(listing([tmp_path / "in"], tmp_path / "out"))
    next(walk)
    touch(tmp_path / "in", "b/3.png")
    assert len(list(walk)) == 2, "the second folder was not read yet"


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        ({"include": ("*.JPG",)}, {"a.jpg", "y/b.jpg"}),
        ({"include": ("y/**",)}, {"y/b.jpg", "y/c.png", "y/z/d.png"}),
        ({"include": ("y/*",)}, {"y/b.jpg", "y/c.png"}),
        ({"include": ("**/d.*", "?.jpg")}, {"y/z/d.png", "a.jpg", "y/b.jpg"}),
        ({"exclude": ("z",)}, {"a.jpg", "y/b.jpg", "y/c.png"}),
        ({"exclude": ("y/",)}, {"a.jpg"}),
        ({"include": ("*.png",), "exclude": ("c.*",)}, {"y/z/d.png"}),
        ({"include": ("[!a-c].png",)}, {"y/z/d.png"}),
    ],
)
def test_filters(tmp_path: Path, filters: dict[str, tuple[str, ...]], kept: set[str]) -> None:
    touch(tmp_path, "a.jpg", "y/b.jpg", "y/c.png", "y/z/d.png")
    assert set(found([tmp_path], tmp_path / "out", **filters)) == kept
    listed = listing([tmp_path], tmp_path / "out", **filters)
    list(listed)
    assert listed.skipped[FILTERED] >= 1


@pytest.mark.parametrize("glob", ["", "/", "a[", "[z-a]"])
def test_a_pattern_that_is_none(glob: str) -> None:
    with pytest.raises(SettingError, match="exclude: the pattern"):
        Filters(exclude=(glob,))


def test_files_that_are_named_are_meant(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "x/a.png", "x/.h.png", "x/odd.2024")
    inputs = [tmp_path / "x", tmp_path / "x/a.jpg", tmp_path / "x/.h.png", tmp_path / "x/odd.2024"]
    assert found(inputs, tmp_path / "o", exclude=("*",)) == {
        "a.jpg": "a.png",
        ".h.png": ".h.png",
        "odd.2024": "odd.2024.png",
    }
    both = found(inputs, tmp_path / "o")
    assert both["a.png"] == "a.png.png", "the named file has its name already"
    assert len(both) == 4, "once each"


def test_links(tmp_path: Path) -> None:
    touch(tmp_path, "in/s/a.png", "else/b.png", "else/c.png", "lone.png")
    try:
        (tmp_path / "in/s/loop").symlink_to(tmp_path / "in", target_is_directory=True)
        (tmp_path / "in/linked").symlink_to(tmp_path / "else", target_is_directory=True)
        (tmp_path / "in/first.png").symlink_to(tmp_path / "in/s/a.png")
        (tmp_path / "in/one.png").symlink_to(tmp_path / "lone.png")
        (tmp_path / "in/two.png").symlink_to(tmp_path / "lone.png")
        (tmp_path / "in/b.png").symlink_to(tmp_path / "else/b.png")
        (tmp_path / "in/dead.png").symlink_to(tmp_path / "nowhere.png")
    except OSError:
        pytest.skip("this disk has no links")
    names = set(found([tmp_path / "in"], tmp_path / "out"))
    assert names == {"s/a.png", "one.png", "b.png", "linked/c.png", "dead.png"}


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "x/a.png")
    lines = refusals(listing([tmp_path / "none", tmp_path / "empty", tmp_path / "x"], tmp_path))
    assert len(lines) == 2
    assert "none: cannot be read" in lines[0]
    assert "empty: holds no pictures" in lines[1]
    assert refusals(listing([tmp_path / "x", tmp_path / "x"], tmp_path / "o")) == []


def test_kinds_of_other_files_are_not_counted_without_end(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", *(f"x.{number}" for number in range(300)))
    listed = listing([tmp_path], tmp_path / "out")
    list(listed)
    assert len(listed.skipped) < 60
    assert listed.skipped.total() == 300


def test_what_may_be_an_input(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/out/b.png", "alone.png")
    inside = listing([tmp_path / "in"], tmp_path / "in/out")
    assert not inside.is_input(tmp_path / "in/out/b.png")
    onto = listing([tmp_path / "in", tmp_path / "alone.png"], tmp_path / "in")
    assert onto.is_input(tmp_path / "in/a.png")
    assert onto.is_input(tmp_path / "alone.png")
    assert not onto.is_input(tmp_path / "in/none.png")
