"""The same job by Ray's workers, one of them killed, from and to a real S3 server."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fixative.batch import EngineChoice
from fixative.cli import app
from fixative.errors import SettingError
from fixative.fleet import FAILED, KEPT, PROTECTED, FleetRequest, FleetRow, run_fleet
from fixative.fleet.job import begin_job
from fixative.fleet.listing import Walk
from fixative.fleet.storage import open_store
from fixative.fleet.worker import Worker
from tests.fleet_parts import hashes, load_here_only, load_slow, picture_tree, quick_request
from tests.picture_files import save_photo
from tests.toy_models import save_models

ray: Any = pytest.importorskip("ray")
COUNT = 12


@pytest.fixture(scope="module", autouse=True)
def cluster(checkout: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:  # seen by the workers, and by Ray's own programs
        patch.setenv("PYTHONPATH", str(checkout))
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef0123456789abcdef")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        ray.init(
            address="local",
            num_cpus=2,
            object_store_memory=80_000_000,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    picture_tree(folder, COUNT)
    return folder


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one worker makes of the pictures, without Ray."""
    out = tmp_path_factory.mktemp("undisturbed")
    worker = Worker(begin_job(quick_request(pictures, out)))
    for task in Walk(open_store(str(pictures)), open_store(str(out)), ".png").tasks():
        assert worker.protect(task).status == PROTECTED
    made = hashes(out)
    assert len(made) == COUNT
    return made


def left_behind(out: Path) -> list[str]:
    """Files of jobs, which are gone when a job has ended."""
    return [path.name for path in (out / ".fixative-fleet/jobs").rglob("*")]


def test_a_killed_worker_changes_nothing(
    tmp_path: Path, pictures: Path, undisturbed: dict[str, str]
) -> None:
    killed: list[int] = []
    seen: list[FleetRow] = []

    def kill_once(row: FleetRow, found: int) -> None:
        assert found == COUNT
        seen.append(row)
        if not killed:
            killed.append(int(row.worker.rpartition(":")[2]))
            os.kill(killed[0], signal.SIGKILL)

    request = quick_request(pictures, tmp_path / "out", results=tmp_path / "rows.jsonl")
    summary = run_fleet(replace(request, load=load_slow), on_row=kill_once)
    by_killed = [row for row in seen if row.worker.endswith(f":{killed[0]}")]
    assert 1 <= len(by_killed) < COUNT / 2
    assert summary.protected + summary.kept == summary.found == COUNT
    assert hashes(tmp_path / "out") == undisturbed
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == COUNT
    assert {row["output"]: row["output_sha256"] for row in rows} == undisturbed
    records = [*(tmp_path / "out/.fixative-fleet/records").rglob("*.json")]
    assert len(records) == COUNT
    assert left_behind(tmp_path / "out") == []


def test_it_goes_on_where_it_was(
    tmp_path: Path, pictures: Path, undisturbed: dict[str, str]
) -> None:
    out = tmp_path / "out"

    def interrupt(row: FleetRow, found: int) -> None:
        del row, found
        os.kill(os.getpid(), signal.SIGTERM)

    request = quick_request(pictures, out, workers=(1, 1))
    first = run_fleet(replace(request, load=load_slow), on_row=interrupt)
    assert first.interrupted
    begun = hashes(out)
    assert 1 <= len(begun) < COUNT
    assert set(begun.items()) <= set(undisturbed.items())
    assert left_behind(out) == []
    again = replace(request, results=str(tmp_path / "rows.parquet"))
    summary = run_fleet(again)
    assert (summary.kept, summary.failed) == (len(begun), 0)
    assert hashes(out) == undisturbed
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.num_rows == COUNT
    assert table["status"].to_pylist().count(KEPT) == len(begun)


def test_from_and_to_s3(
    tmp_path: Path, pictures: Path, undisturbed: dict[str, str], s3: dict[str, Any]
) -> None:
    fs = open_store("s3://bucket", s3).fs
    fs.mkdir("bucket")
    fs.put(f"{pictures}/", "bucket/in/", recursive=True)
    fs.pipe_file("bucket/in/bad.png", b"no picture")
    request = quick_request(
        "s3://bucket/in",
        "s3://bucket/out",
        storage_options={"s3": s3},
        results="s3://bucket/rows.jsonl",
        workers=(1, 1),
    )
    summary = run_fleet(request)
    assert (summary.found, summary.protected, summary.failed) == (COUNT + 1, COUNT, 1)
    fs.get("bucket/out/", f"{tmp_path}/got/", recursive=True)
    assert hashes(tmp_path / "got") == undisturbed
    assert len(fs.cat_file("bucket/rows.jsonl").splitlines()) == COUNT + 1
    assert not fs.find("bucket/out/.fixative-fleet/jobs")
    with pytest.raises(SettingError, match="exists already"):
        run_fleet(request)
    told_apart_by_etag(request, fs)


def told_apart_by_etag(request: FleetRequest, fs: Any) -> None:
    job = begin_job(request)
    worker, (source, out) = Worker(job), job.stores()
    tasks = [task for task in Walk(source, out, ".png").tasks() if task.source != "bad.png"]
    assert worker.protect(tasks[0]).status == KEPT
    content = fs.cat_file(f"bucket/in/{tasks[0].source}")
    fs.rm(f"bucket/in/{tasks[0].source}")  # it is known by its ETag: nothing is read
    assert worker.protect(tasks[0]).status == KEPT
    fs.pipe_file(f"bucket/in/{tasks[0].source}", content[:-1] + b"?")
    changed = next(t for t in Walk(source, out, ".png").tasks() if t.source == tasks[0].source)
    assert worker.protect(changed).status == FAILED


@pytest.fixture
def s3() -> Iterator[dict[str, Any]]:
    """Access to a server on loopback that keeps buckets in memory."""
    server_module: Any = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield {"endpoint_url": f"http://{host}:{port}", "key": "any", "secret": "any"}
    server.stop()


def test_a_worker_that_cannot_load_says_so(tmp_path: Path, pictures: Path) -> None:
    request = quick_request(pictures, tmp_path / "out", workers=(1, 1))
    request = replace(request, engine=EngineChoice(str(os.getpid())), load=load_here_only)
    with pytest.raises(SettingError, match=r"^codec: is not on this machine; copy it there$"):
        run_fleet(request)
    assert left_behind(tmp_path / "out") == []


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_photo(tmp_path / "in/sub/a.png")
    save_photo(tmp_path / "in/b.png", seed=3)
    (tmp_path / "in/bad.png").write_bytes(b"no picture")
    options = [*save_models(tmp_path).arguments(), "--workers", "1", "--exclude", "b.*"]
    command = ["protect", "in", "--out", "out", "--engine", "ray", *options]
    result = CliRunner().invoke(app, [*command, "--results", "rows.jsonl"])
    assert result.exit_code == 2, result.output
    assert "1 protected, 1 failed, 1 skipped (filtered out 1)" in result.output
    assert f"failed: {tmp_path}/in/bad.png: is not an image" in result.output
    assert list(hashes(tmp_path / "out")) == ["sub/a.png"]
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sorted(row["status"] for row in rows) == ["failed", "protected"]
    local = CliRunner().invoke(app, ["protect", "in/sub", "--out", "alone", *options])
    assert local.exit_code == 0, local.output
    assert hashes(tmp_path / "alone")["a.png"] == hashes(tmp_path / "out")["sub/a.png"]
