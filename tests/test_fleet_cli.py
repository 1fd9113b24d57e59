"""``--engine ray``: what is refused before anything starts; no cluster is needed for it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fixative.cli import app
from fixative.errors import SettingError
from fixative.fleet.rows import FleetRow, FleetTask
from fixative.fleet.storage import JOBS_FOLDER, open_store
from fixative.fleet.tables import ResultsFile, TaskList, read_tasks, remove_stale
from tests.picture_files import save_photo
from tests.streaming import files

RAY = ["--engine", "ray"]
MISTAKES = {
    "a url here": (["s3://b/in"], [], "s3://b/in is a URL, which needs --engine ray"),
    "a url to go to": (["in"], ["--out", "s3://b/o"], "--out: s3://b/o is a URL, which needs"),
    "an address here": (["in"], ["--address", "auto"], "--address: is for --engine ray"),
    "a check here": (["in"], ["--check"], "--check: is for --engine ray"),
    "a mask": (["in"], [*RAY, "--mask", "in/a.png"], "--mask: does not work with --engine ray"),
    "a device": (["in"], [*RAY, "--device", "cuda"], "--device cuda: workers of --engine ray take"),
    "a batch": (["in"], [*RAY, "--batch", "2"], "--batch: workers of --engine ray encode one by"),
    "a report": (["in"], [*RAY, "--json", "r.json"], "--results tells what became of each"),
    "two folders": (["in", "two"], RAY, "expected one folder or picture, got 2"),
    "no workers": (["in"], [*RAY, "--workers", "0"], "workers: expected 1 or more, got 0"),
    "its own sources": (["in"], [*RAY, "--out", "in"], "out: is the folder of the sources"),
    "results": (["in"], [*RAY, "--results", "r.csv"], "ends in neither .jsonl nor .parquet"),
    "no such folder": (["none"], RAY, "none: cannot be read"),
    "no such store": (["nostore://x"], RAY, "nostore://x: expected a folder or an address"),
    "a client": (["in"], [*RAY, "--address", "ray://h:1"], "run the command on a machine of the"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_photo(tmp_path / "in/a.png")
    return tmp_path


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(folder: Path, mistake: str) -> None:
    pytest.importorskip("ray")
    inputs, options, words = MISTAKES[mistake]
    out = [] if "--out" in options else ["--out", "out"]
    before = files(folder)
    result = CliRunner().invoke(app, ["protect", *inputs, *out, *options])
    assert result.exit_code == 2
    assert words in result.output
    assert files(folder) == before


@pytest.mark.parametrize("missing", ["fixative.fleet", "fixative.fleet.source"])
def test_without_the_extra(folder: Path, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as where one of its imports fails
    result = CliRunner().invoke(app, ["protect", "in", "--out", "out", *RAY])
    assert result.exit_code == 2
    assert "needs a package that is not installed" in result.output
    assert "install fixative[ray]" in result.output
    assert not (folder / "out").exists()


def test_what_a_killed_job_left_goes_after_a_week(tmp_path: Path) -> None:
    out, day = open_store(str(tmp_path)), 86_400 * 10**9
    now = time.time_ns()
    names = {age: f"{now - age * day:x}" for age in (0, 6, 8, 400)}
    for name in (*names.values(), "a note of somebody"):
        TaskList(out, f"{JOBS_FOLDER}/{name}").write([FleetTask("a", "a.png")])
    remove_stale(out)
    left = {path.name for path in (tmp_path / JOBS_FOLDER).iterdir()}
    assert left == {names[0], names[6], "a note of somebody"}


def test_lists_are_read_as_they_were_written(tmp_path: Path) -> None:
    out = open_store(str(tmp_path))
    tasks = [FleetTask(f"{n}\udcff.jpg", f"{n}.png", "7 x", "note") for n in range(7)]
    listed = TaskList(out, "job", together=3)
    listed.write(tasks)
    assert listed.count == 7
    lines = (tmp_path / listed.parts[0]).read_text("utf-8").splitlines()
    assert [len(read_tasks(line)) for line in lines] == [3, 3, 1]
    assert [task for line in lines for task in read_tasks(line)] == tasks
    listed.remove()
    assert not (tmp_path / "job").exists()


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_results_of_names_that_are_no_text(tmp_path: Path, suffix: str) -> None:
    pq: Any = pytest.importorskip("pyarrow.parquet")
    place = open_store(str(tmp_path / f"rows{suffix}"))
    with ResultsFile(place) as results:
        results.add(FleetRow("a\udcff.png", error="é", seconds=1.5))
        results.add(FleetRow("b.png", width=3))
    if suffix == ".parquet":
        rows = pq.read_table(place.root).to_pylist()
        assert [row["source"] for row in rows] == ["a\\udcff.png", "b.png"]
    else:
        rows = [json.loads(line) for line in Path(place.root).read_text("utf-8").splitlines()]
        assert [row["source"] for row in rows] == ["a\udcff.png", "b.png"]
    assert (rows[0]["error"], rows[0]["seconds"], rows[1]["width"]) == ("é", 1.5, 3)
    with pytest.raises(SettingError, match="exists already; add --overwrite"):
        ResultsFile(place)
