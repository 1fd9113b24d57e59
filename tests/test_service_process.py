"""``fixative serve`` as a process: it starts, refuses to start, and ends well."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fixative.cli import app
from tests.service_parts import OFF, Running, picture_file, wait_until
from tests.toy_models import save_models

_LISTENS = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


@contextmanager
def started(folder: Path, checkout: Path) -> Generator[tuple[subprocess.Popen[str], Running]]:
    """A service of random models on a free port."""
    models = save_models(folder)
    command = ["serve", "--port", "0", "--codec", models.codec, "--mixture", models.mixture]
    process = subprocess.Popen(
        [sys.executable, "-m", "fixative", *map(str, command)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    lines: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lines.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        wait_until(lambda: _LISTENS.search("".join(lines)), 60)
        found = _LISTENS.search("".join(lines))
        assert found is not None
        yield process, Running(int(found[1]))
    finally:
        process.kill()
        process.wait()
        reader.join()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_sigterm_finishes_what_is_begun(tmp_path: Path, checkout: Path) -> None:
    large = picture_file(1500, 1000)
    with started(tmp_path, checkout) as (process, service), ThreadPoolExecutor(2) as clients:
        answers = [clients.submit(service.ask, OFF, large) for _ in range(2)]
        wait_until(lambda: service.number("fixative_places") == 2)
        process.send_signal(signal.SIGTERM)
        assert [answer.result().status for answer in answers] == [200, 200]
        assert answers[0].result().pixels().shape == (1000, 1500, 3)
        assert process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", service.port), timeout=5)


def test_it_does_not_open_itself_to_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIXATIVE_TOKEN", raising=False)
    _refused(["--host", "0.0.0.0"], "FIXATIVE_TOKEN")
    monkeypatch.setenv("FIXATIVE_TOKEN", "short")
    _refused([], "at least 16")
    monkeypatch.setenv("FIXATIVE_TOKEN", "a-token-of-enough-letters")
    _refused(["--without-token"], "choose one")
    _refused(["--places", "0"], "places")
    _refused(["--codec", "missing.safetensors"], "missing.safetensors")


def _refused(arguments: list[str], why: str) -> None:
    result = CliRunner().invoke(app, ["serve", *arguments])
    assert result.exit_code == 2
    assert why in result.output
    assert "Traceback" not in result.output
