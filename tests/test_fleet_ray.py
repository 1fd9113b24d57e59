"""The same job by Ray's workers, one of them killed, from and to a real S3 server."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixative.errors import SettingError
from fixative.fleet import KEPT, PROTECTED, FleetRow, run_fleet
from fixative.fleet.job import begin_job
from fixative.fleet.storage import open_store
from fixative.fleet.worker import Worker
from tests.fleet_parts import hashes, picture_tree, quick_request
from tests.picture_files import save_photo

ray: Any = pytest.importorskip("ray")
COUNT = 24


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
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
    request = quick_request(pictures, out)
    worker = Worker(begin_job(request))
    from fixative.fleet.listing import Walk

    for task in Walk(open_store(str(pictures)), open_store(str(out)), ".png").tasks():
        assert worker.protect(task).status == PROTECTED
    return hashes(out)


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
    summary = run_fleet(request, on_row=kill_once)
    assert killed
    assert len({row.worker for row in seen}) >= 2
    assert summary.protected + summary.kept == summary.found == COUNT
    assert hashes(tmp_path / "out") == undisturbed
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["output"]: row["output_sha256"] for row in rows} == undisturbed
    own = [path.name for path in (tmp_path / "out/.fixative-fleet").iterdir()]
    assert sorted(own) == ["jobs", "records"]
    assert not list((tmp_path / "out/.fixative-fleet/jobs").iterdir())


def test_it_goes_on_where_it_was(
    tmp_path: Path, pictures: Path, undisturbed: dict[str, str]
) -> None:
    out = tmp_path / "out"

    def interrupt(row: FleetRow, found: int) -> None:
        del row, found
        raise KeyboardInterrupt

    first = run_fleet(quick_request(pictures, out), on_row=interrupt)
    assert first.interrupted
    assert set(hashes(out).items()) <= set(undisturbed.items())
    summary = run_fleet(quick_request(pictures, out, results=tmp_path / "rows.parquet"))
    assert summary.kept > 0
    assert summary.failed == 0
    assert hashes(out) == undisturbed
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.num_rows == COUNT
    assert set(table["status"].to_pylist()) <= {KEPT, PROTECTED}


def test_bad_pictures_are_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    save_photo(tmp_path / "in/a.png")
    (tmp_path / "in/b.png").write_bytes(b"no picture")
    summary = run_fleet(quick_request(tmp_path / "in", tmp_path / "out"))
    assert (summary.protected, summary.failed, summary.found) == (1, 1, 2)
    assert list(hashes(tmp_path / "out")) == ["a.png"]


def test_from_and_to_s3(tmp_path: Path, pictures: Path, undisturbed: dict[str, str]) -> None:
    server_module: Any = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        access = {"endpoint_url": f"http://{host}:{port}", "key": "any", "secret": "any"}
        options = {"s3": access}
        fs = open_store("s3://bucket", access).fs
        fs.mkdir("bucket")
        fs.put(f"{pictures}/", "bucket/in/", recursive=True)
        request = quick_request(
            "s3://bucket/in",
            "s3://bucket/out",
            storage_options=options,
            results="s3://bucket/rows.jsonl",
        )
        summary = run_fleet(request)
        assert summary.protected == summary.found == COUNT
        fs.get("bucket/out/", f"{tmp_path}/got/", recursive=True)
        assert hashes(tmp_path / "got") == undisturbed
        assert len(fs.cat_file("bucket/rows.jsonl").splitlines()) == COUNT
        with pytest.raises(SettingError, match="exists already"):
            run_fleet(request)
    finally:
        server.stop()


def test_mistakes_are_told_before_anything_starts(tmp_path: Path, pictures: Path) -> None:
    with pytest.raises(SettingError, match="out: is the folder of the sources"):
        run_fleet(quick_request(pictures, pictures))
    with pytest.raises(SettingError, match=r"ends in neither \.jsonl nor \.parquet"):
        run_fleet(quick_request(pictures, tmp_path, results=tmp_path / "rows.csv"))
    with pytest.raises(SettingError, match="workers: expected the fewest and the most"):
        quick_request(pictures, tmp_path, workers=(3, 2))
