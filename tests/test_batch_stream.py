"""A folder goes through whole: what is done is skipped, what was cut off is made again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fixative.batch import FileTask, protect_files
from fixative.batch.ledger import DONE, FAILED, NAME, Ledger, open_ledger
from fixative.batch.stream import DiskFullError
from fixative.errors import SettingError
from tests.picture_files import save_photo
from tests.streaming import files, fill, stream
from tests.toy_models import toy_protector

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def test_the_same_files_as_one_by_one(tmp_path: Path) -> None:
    fill(tmp_path / "in", 9)
    (tmp_path / "in/cut.png").write_bytes((tmp_path / "in/001.png").read_bytes()[:300])
    run = stream(tmp_path / "in", tmp_path / "out")
    assert len(run.protected) == 9
    assert len(run.errors) == 1
    assert "cut.png: is damaged" in run.errors[0]
    sources = sorted((tmp_path / "in").rglob("0*.png"))
    tasks = [FileTask(s, tmp_path / "single" / s.relative_to(tmp_path / "in")) for s in sources]
    singles = {result.source: result for result in protect_files(tasks, toy_protector())}
    assert files(tmp_path / "out") == files(tmp_path / "single")
    for finished in run.finished:
        if finished.result.error is None:
            single = singles[finished.result.source]
            assert finished.result.report == single.report
            assert finished.result.change == single.change
    before = np.asarray(Image.open(tmp_path / "in/001.png")).astype(int)
    assert (np.asarray(Image.open(tmp_path / "out/001.png")) != before).mean() > 0.5


def test_what_is_done_is_skipped(tmp_path: Path) -> None:
    fill(tmp_path / "in", 4)
    first = stream(tmp_path / "in", tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    os.utime(tmp_path / "in/001.png", (1, 1))
    again = stream(tmp_path / "in", tmp_path / "out")
    assert again.protected == []
    assert sorted(again.unchanged) == sorted(first.protected)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    by_name = {f.result.source: f for f in first.finished}
    for finished in again.finished:
        assert finished.output == by_name[finished.result.source].output
        assert finished.source is not None
        assert finished.source.sha256


def test_what_changed_is_done_again(tmp_path: Path) -> None:
    fill(tmp_path / "in", 6)
    stream(tmp_path / "in", tmp_path / "out")
    whole = files(tmp_path / "out")
    save_photo(tmp_path / "in/001.png", seed=77)
    (tmp_path / "out/002.png").unlink()
    save_photo(tmp_path / "in/new.png", seed=78)
    again = stream(tmp_path / "in", tmp_path / "out")
    assert sorted(again.protected) == ["001.png", "002.png", "new.png"]
    now = files(tmp_path / "out")
    assert now["002.png"] == whole["002.png"]
    assert now["001.png"] != whole["001.png"]


def test_a_neighbour_that_takes_the_name(tmp_path: Path) -> None:
    save_photo(tmp_path / "in/a.png")
    stream(tmp_path / "in", tmp_path / "out")
    save_photo(tmp_path / "in/a.jpg", seed=2)
    again = stream(tmp_path / "in", tmp_path / "out")
    assert (again.protected, again.unchanged) == (["a.jpg"], ["a.png"])
    assert sorted(files(tmp_path / "out")) == ["a.jpg.png", "a.png"]


def test_others_files_are_not_replaced(tmp_path: Path) -> None:
    fill(tmp_path / "in", 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/001.png").write_text("mine")
    run = stream(tmp_path / "in", tmp_path / "out")
    assert run.errors == [f"{tmp_path}/out/001.png: exists already; add --overwrite to replace it"]
    assert (tmp_path / "out/001.png").read_text() == "mine"
    (tmp_path / "out/002.png").write_text("edited since")
    assert len(stream(tmp_path / "in", tmp_path / "out").errors) == 2
    assert (tmp_path / "out/002.png").read_text() == "edited since"
    assert stream(tmp_path / "in", tmp_path / "out", overwrite=True).errors == []
    Image.open(tmp_path / "out/001.png").load()


def test_other_settings_and_another_folder(tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    fill(tmp_path / "other", 2, width=64)
    stream(tmp_path / "in", tmp_path / "out")
    whole = files(tmp_path / "out")
    refused = stream(tmp_path / "in", tmp_path / "out", settings="two")
    assert all("was protected with other settings" in line for line in refused.errors)
    assert all("exists" in line for line in stream(tmp_path / "other", tmp_path / "out").errors)
    assert files(tmp_path / "out") == whole
    allowed = stream(tmp_path / "in", tmp_path / "out", settings="two", overwrite=True)
    assert len(allowed.protected) == 2


def test_in_the_pictures_own_folder(tmp_path: Path) -> None:
    save_photo(tmp_path / "a.png")
    save_photo(tmp_path / "b.jpg", seed=2)
    before = (tmp_path / "a.png").read_bytes()
    for overwrite in (False, True):
        run = stream(tmp_path, tmp_path, overwrite=overwrite)
        assert ["would replace an input" in line for line in run.errors] == [True]
    assert (run.unchanged, run.skipped["own results"]) == (["b.jpg"], 1)
    assert (tmp_path / "a.png").read_bytes() == before
    assert sorted(files(tmp_path)) == ["a.png", "b.jpg", "b.png"]


def test_stopped_and_gone_on_with(tmp_path: Path) -> None:
    fill(tmp_path / "in", 20)
    first = stream(tmp_path / "in", tmp_path / "out", limit=5)
    assert 5 <= len(first.protected) < 15, "what was begun is finished, no more"
    assert len(files(tmp_path / "out")) == len(first.protected)
    second = stream(tmp_path / "in", tmp_path / "out")
    assert len(first.protected) + len(second.protected) == 20
    assert sorted(second.unchanged) == sorted(first.protected)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        open_ledger(tmp_path),
        pytest.raises(SettingError, match="another run is at work"),
        open_ledger(tmp_path),
    ):
        pass


def test_a_damaged_ledger(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no database" * 1000)
    with pytest.raises(SettingError, match="is damaged"), open_ledger(tmp_path):
        pass


def forked(body: Callable[[], None]) -> int:
    """Run in a child process, which ends with 0; returns its id."""
    child = os.fork()
    if child == 0:
        try:
            body()
        finally:
            os._exit(0)
    return child


@posix
@pytest.mark.parametrize("moment", ["before a rename", "after a rename", "before a row", "a row"])
@pytest.mark.parametrize("count", [1, 6])
def test_killed_at_each_kind_of_moment(
    tmp_path: Path, moment: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "in", 8)
    stream(tmp_path / "in", tmp_path / "whole")
    owner, name = (os, "replace") if "rename" in moment else (Ledger, "put")
    usual, calls = getattr(owner, name), []

    def counted(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == count and "before" in moment:
            os.kill(os.getpid(), signal.SIGKILL)
        usual(*arguments)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, counted)
        child = forked(lambda: stream(tmp_path / "in", tmp_path / "out") and None)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    again = stream(tmp_path / "in", tmp_path / "out")
    assert again.errors == []
    assert files(tmp_path / "out") == files(tmp_path / "whole")


@posix
def test_killed_at_random_moments(tmp_path: Path) -> None:
    fill(tmp_path / "in", 60)
    begin = time.perf_counter()
    stream(tmp_path / "in", tmp_path / "whole")
    seconds = time.perf_counter() - begin
    random = np.random.default_rng(4)
    kills = 0
    for _ in range(20):
        child = forked(lambda: stream(tmp_path / "in", tmp_path / "out") and None)
        time.sleep(random.uniform(0.01, seconds / 6))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        with open_ledger(tmp_path / "out") as ledger:
            done = ledger.counts().get(DONE, 0)
        assert done <= len(files(tmp_path / "out"))
    assert kills >= 5
    last = stream(tmp_path / "in", tmp_path / "out")
    assert last.errors == []
    assert len(last.protected) + len(last.unchanged) == 60
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    with open_ledger(tmp_path / "out") as ledger:
        assert ledger.counts() == {DONE: 60}


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A real disk of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_ends_the_run_whole(tmp_path: Path, small_disk: Path) -> None:
    fill(tmp_path / "in", 20, width=128, height=96)
    stream(tmp_path / "in", tmp_path / "whole")
    assert sum(len(data) for data in files(tmp_path / "whole").values()) > 400_000
    with pytest.raises(DiskFullError, match="the disk is full; make room, and the same command"):
        stream(tmp_path / "in", small_disk)
    whole, there = files(tmp_path / "whole"), files(small_disk)
    assert 0 < len(there) < 20
    assert there == {name: whole[name] for name in there}, "nothing half written"
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    again = stream(tmp_path / "in", small_disk)
    assert again.errors == []
    assert again.unchanged
    assert files(small_disk) == whole


def test_failures_are_tried_again(tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    whole = (tmp_path / "in/001.png").read_bytes()
    (tmp_path / "in/001.png").write_bytes(whole[:200])
    assert len(stream(tmp_path / "in", tmp_path / "out").errors) == 1
    with open_ledger(tmp_path / "out") as ledger:
        assert ledger.counts() == {DONE: 1, FAILED: 1}
    (tmp_path / "in/001.png").write_bytes(whole)
    assert stream(tmp_path / "in", tmp_path / "out").protected == ["001.png"]
