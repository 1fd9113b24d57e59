"""``fixative protect FOLDER``: goes on, filters, counts, and ends as it is asked to."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fixative.batch import EngineChoice, FileOptions, build_protector
from fixative.batch.here import Here
from fixative.batch.pipeline import Pipeline
from fixative.cli import app
from fixative.protector import ProtectSettings
from tests.picture_files import save_photo
from tests.streaming import files, fill, stream
from tests.test_cli_process import finish, start
from tests.toy_models import Models, save_models

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return save_models(tmp_path_factory.mktemp("models"))


def protect(folder: Path, models: Models, *options: object) -> Result:
    command = ["protect", folder / "in", "--out", folder / "out", *models.arguments(), *options]
    return CliRunner().invoke(app, [str(part) for part in command])


def test_a_second_run_does_what_is_new(tmp_path: Path, models: Models) -> None:
    fill(tmp_path / "in", 4)
    lines = tmp_path / "lines.jsonl"
    first = protect(tmp_path, models, "--results", lines)
    assert first.exit_code == 0, first.output
    assert "4 protected, 0 failed" in first.output
    save_photo(tmp_path / "in/new.png", seed=9)
    (tmp_path / "in/bad.png").write_bytes(b"x")
    second = protect(tmp_path, models, "--results", lines, "--json", tmp_path / "report.json")
    assert second.exit_code == 2, second.output
    assert "1 protected, 1 failed, 4 protected before" in second.output
    told = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert sorted(line["status"] for line in told) == ["failed", "protected", *["unchanged"] * 4]
    assert all(line["output_sha256"] for line in told if line["status"] != "failed")
    summary = json.loads((tmp_path / "report.json").read_text("utf-8"))["summary"]
    assert (summary["protected"], summary["unchanged"], summary["failed"]) == (1, 4, 1)


def test_other_settings_must_be_meant(tmp_path: Path, models: Models) -> None:
    fill(tmp_path / "in", 2)
    assert protect(tmp_path, models).exit_code == 0
    whole = files(tmp_path / "out")
    refused = protect(tmp_path, models, "--strength", 3)
    assert refused.exit_code == 2
    assert "was protected with other settings; add --overwrite" in refused.output
    assert files(tmp_path / "out") == whole
    assert protect(tmp_path, models, "--strength", 3, "--overwrite").exit_code == 0
    assert files(tmp_path / "out") != whole


def test_filters(tmp_path: Path, models: Models) -> None:
    fill(tmp_path / "in", 6)
    result = protect(tmp_path, models, "--include", "s?/*", "--exclude", "003.*")
    assert result.exit_code == 0, result.output
    assert sorted(files(tmp_path / "out")) == ["s0/000.png"]
    assert "5 skipped (filtered out 5)" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--device", "toaster"], "device: 'toaster' cannot be used here"),
        (["--workers", 0], "workers: expected 1 or more, got 0"),
        (["--batch", 0], "batch: expected 1 or more, got 0"),
        (["--exclude", "a["], "exclude: the pattern 'a['"),
        (["--results", "in/001.png"], "exists already|is one of the inputs"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    models: Models,
    options: list[object],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    fill(tmp_path / "in", 2)
    before = files(tmp_path)
    result = protect(tmp_path, models, *options)
    assert result.exit_code == 2
    assert any(part in result.output for part in words.split("|")), result.output
    assert files(tmp_path) == before


def test_batches_change_nothing_but_the_time(tmp_path: Path, models: Models) -> None:
    fill(tmp_path / "in", 5)
    save_photo(tmp_path / "in/other.png", 70, 50)
    assert protect(tmp_path, models).exit_code == 0
    alone = files(tmp_path / "out")
    together = protect(tmp_path, models, "--overwrite", "--out", tmp_path / "b", "--batch", 3)
    assert together.exit_code == 0, together.output
    assert files(tmp_path / "b") == alone


def test_options_of_folders_without_one(tmp_path: Path, models: Models) -> None:
    save_photo(tmp_path / "a.png")
    command = ["protect", str(tmp_path / "a.png"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*command, "--workers", "2", *models.arguments()])
    assert result.exit_code == 2
    assert "--workers: is for folders" in result.output


@posix
def test_workers_killed_terminated_and_gone_on(tmp_path: Path, checkout: Path) -> None:
    fill(tmp_path / "in", 60)
    made = save_models(tmp_path)
    command = ["protect", "in", "--out", "out", "--workers", "2", *made.arguments()]
    for ending in (signal.SIGKILL, signal.SIGTERM):
        before = len(files(tmp_path / "out"))
        process = start(tmp_path, checkout, *command)
        deadline = time.monotonic() + 120
        while len(files(tmp_path / "out")) <= before + 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(ending)
        code, out, err = finish(process)
        assert code == (130 if ending == signal.SIGTERM else -signal.SIGKILL), err
    assert "interrupted" in out
    assert len(files(tmp_path / "out")) < 60
    code, out, err = finish(start(tmp_path, checkout, *command))
    assert (code, err) == (0, "")
    assert "protected before" in out
    engine = EngineChoice(str(made.codec), made.mixture, ProtectSettings(strength_map="off"))
    here = Here(Pipeline(build_protector(engine), FileOptions()))
    stream(tmp_path / "in", tmp_path / "whole", crew=here)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
