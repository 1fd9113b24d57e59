"""One worker: each picture exactly once, whatever an earlier one left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from fixative.batch import FileTask, protect_file
from fixative.errors import SettingError
from fixative.fleet.job import begin_job
from fixative.fleet.listing import Walk
from fixative.fleet.rows import FAILED, KEPT, PROTECTED, FleetTask
from fixative.fleet.storage import file_digest, open_store
from fixative.fleet.worker import Worker
from tests.fleet_parts import hashes, load_toy, quick_request
from tests.picture_files import save_photo

TASK = FleetTask("sub/a.png", "sub/a.png")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_photo(tmp_path / "in/sub/a.png")
    return tmp_path / "in"


@pytest.fixture
def bucket() -> Iterator[str]:
    yield "memory://bucket/out"
    memory = fsspec.filesystem("memory")
    if memory.exists("/bucket"):
        memory.rm("/bucket", recursive=True)


def test_results_are_those_of_one_machine(tmp_path: Path, source: Path, bucket: str) -> None:
    request = quick_request(source, tmp_path / "out")
    row = Worker(begin_job(request)).protect(TASK)
    alone = tmp_path / "alone.png"
    result = protect_file(
        FileTask(source / "sub/a.png", alone),
        load_toy(request.engine)[0],
        request.file_options(),
    )
    assert row.status == PROTECTED
    assert row.source_sha256 == file_digest(source / "sub/a.png")
    assert row.output_sha256 == file_digest(alone) == file_digest(tmp_path / "out/sub/a.png")
    assert result.change is not None
    assert 0 < row.max_change == result.change.largest <= 8
    assert (row.width, row.height) == (48, 32)
    remote = quick_request(source, bucket)
    assert Worker(begin_job(remote)).protect(TASK).output_sha256 == row.output_sha256
    assert open_store(bucket).digest("sub/a.png") == row.output_sha256


def test_a_second_time_nothing_is_done(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out/sub/a.png"
    first = Worker(begin_job(quick_request(source, tmp_path / "out"))).protect(TASK)
    assert not list((tmp_path / "out").rglob("*.part"))
    written = out.stat().st_ino, out.stat().st_mtime_ns
    again = Worker(begin_job(quick_request(source, tmp_path / "out", overwrite=True))).protect(TASK)
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == written
    assert again == replace(first, status=KEPT, seconds=again.seconds, worker=again.worker)


def listed(source: Path, out: str | Path) -> FleetTask:
    """The task as a walk gives it, with the source's stamp."""
    (task,) = Walk(open_store(str(source)), open_store(str(out)), ".png").tasks()
    return task


def test_what_looks_unchanged_is_not_read_again(tmp_path: Path, source: Path) -> None:
    request = quick_request(source, tmp_path / "out")
    task = listed(source, tmp_path / "out")
    assert Worker(begin_job(request)).protect(task).status == PROTECTED
    names = [source / "sub/a.png", tmp_path / "out/sub/a.png"]
    for path in names:  # other bytes that look the same: only who reads them notices
        whole, status = path.read_bytes(), path.stat()
        path.write_bytes(whole[:-1] + b"?")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert Worker(begin_job(request)).protect(task).status == KEPT
        assert Worker(begin_job(replace(request, check=True))).protect(task).status == FAILED
        path.write_bytes(whole)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert Worker(begin_job(replace(request, check=True))).protect(task).status == KEPT


@pytest.mark.parametrize("touched", ["in/sub/a.png", "out/sub/a.png"])
def test_what_looks_changed_is_read_again(tmp_path: Path, source: Path, touched: str) -> None:
    request = quick_request(source, tmp_path / "out")
    Worker(begin_job(request)).protect(listed(source, tmp_path / "out"))
    save_photo(tmp_path / touched, seed=7)
    os.utime(tmp_path / touched, (1, 1))
    row = Worker(begin_job(request)).protect(listed(source, tmp_path / "out"))
    assert "exists already and is not a result of this picture" in row.error
    other = quick_request(source, tmp_path / "out", strength=3.0)
    assert Worker(begin_job(other)).protect(listed(source, tmp_path / "out")).status == FAILED


def test_notes_are_by_source(tmp_path: Path, source: Path) -> None:
    """Another folder's file of the same name, size and time is another picture."""
    Worker(begin_job(quick_request(source, tmp_path / "out"))).protect(
        listed(source, tmp_path / "out")
    )
    shutil.copytree(source, tmp_path / "two")
    copy = tmp_path / "two/sub/a.png"
    copy.write_bytes(copy.read_bytes()[:-1] + b"?")
    shutil.copystat(source / "sub/a.png", copy)
    request = quick_request(tmp_path / "two", tmp_path / "out")
    row = Worker(begin_job(request)).protect(listed(tmp_path / "two", tmp_path / "out"))
    assert row.status == FAILED


def test_killed_between_record_and_result(tmp_path: Path, source: Path) -> None:
    worker = Worker(begin_job(quick_request(source, tmp_path / "out")))
    first = worker.protect(TASK)
    (tmp_path / "out/sub/a.png").unlink()
    again = worker.protect(TASK)
    assert again.status == PROTECTED
    assert hashes(tmp_path / "out") == {"sub/a.png": first.output_sha256}
    records = [path for path in (tmp_path / "out").rglob("*.json") if path.is_file()]
    assert len(records) == 1


@pytest.mark.parametrize("changed", ["foreign", "damaged", "source", "settings"])
def test_only_its_own_results_are_kept(tmp_path: Path, source: Path, changed: str) -> None:
    out, strength = tmp_path / "out/sub/a.png", 8.0
    if changed == "foreign":
        save_photo(out, seed=9)
    else:
        Worker(begin_job(quick_request(source, tmp_path / "out"))).protect(TASK)
    if changed == "damaged":
        out.write_bytes(out.read_bytes()[:-1])
    elif changed == "source":
        save_photo(source / "sub/a.png", seed=5)
    elif changed == "settings":
        strength = 4.0
    before = out.read_bytes()
    request = quick_request(source, tmp_path / "out", strength=strength)
    row = Worker(begin_job(request)).protect(TASK)
    assert row.status == FAILED
    assert "exists already" in row.error
    assert out.read_bytes() == before
    row = Worker(begin_job(replace(request, overwrite=True))).protect(TASK)
    assert row.status == PROTECTED
    assert file_digest(out) == row.output_sha256
    assert out.read_bytes() != before


def test_a_bad_picture_is_named_as_the_person_knows_it(tmp_path: Path, source: Path) -> None:
    (source / "sub/a.png").write_bytes(b"no picture")
    row = Worker(begin_job(quick_request(source, tmp_path / "out"))).protect(TASK)
    assert row.status == FAILED
    assert row.error.startswith(f"{source}/sub/a.png: is not an image")
    assert "source.png" not in row.error
    missing = Worker(begin_job(quick_request(source, tmp_path / "out"))).protect(
        FleetTask("gone.png", "gone.png")
    )
    assert missing.status == FAILED
    assert "gone.png: cannot be read" in missing.error
    assert hashes(tmp_path / "out") == {}


def test_another_engine_is_refused(tmp_path: Path, source: Path) -> None:
    job = begin_job(quick_request(source, tmp_path / "out"))
    with pytest.raises(SettingError, match="not the one that the job was begun with"):
        Worker(replace(job, settings="0" * 64))


def test_relative_names_are_the_same_for_every_worker(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job = begin_job(quick_request(source.name, "out"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Worker(job).protect(TASK).status == PROTECTED
    assert list(hashes(tmp_path / "out")) == ["sub/a.png"]


def test_stores_that_cannot_be_reached_are_refused() -> None:
    with pytest.raises(SettingError, match="nostore://x: expected a folder or an address"):
        open_store("nostore://x")
