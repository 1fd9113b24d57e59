"""One worker: each picture exactly once, whatever an earlier one left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from fixative.batch import FileTask, build_protector, protect_file
from fixative.errors import SettingError
from fixative.fleet.job import begin_job
from fixative.fleet.rows import FAILED, KEPT, PROTECTED, FleetTask
from fixative.fleet.storage import file_digest, open_store
from fixative.fleet.worker import Worker
from tests.fleet_parts import hashes, quick_request
from tests.picture_files import save_photo

TASK = FleetTask("sub/a.png", "sub/a.png", 0)


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
        build_protector(request.engine),
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
        FleetTask("gone.png", "gone.png", 0)
    )
    assert missing.status == FAILED
    assert "gone.png: cannot be read" in missing.error
    assert hashes(tmp_path / "out") == {}


def test_another_engine_is_refused(tmp_path: Path, source: Path) -> None:
    job = begin_job(quick_request(source, tmp_path / "out"))
    with pytest.raises(SettingError, match="not the one that the job was begun with"):
        Worker(replace(job, settings="0" * 64))


def test_stores_that_cannot_be_reached_are_refused() -> None:
    with pytest.raises(SettingError, match="nostore://x: expected a folder or an address"):
        open_store("nostore://x")
