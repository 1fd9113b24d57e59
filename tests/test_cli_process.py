"""What only a process of its own shows: start-up, interrupts, a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import fixative
from fixative.batch.ledger import NAME as LEDGER
from tests.picture_files import save_photo
from tests.toy_models import save_models

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and limits")


def start(folder: Path, checkout: Path, *arguments: str, code: str = "") -> subprocess.Popen[str]:
    """Start the command in a folder; ``code`` runs first in its process."""
    paths = os.pathsep.join(filter(None, (str(checkout), os.environ.get("PYTHONPATH"))))
    # A runner in the background ignores SIGINT, and children inherit that.
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = (
        f"{hear}\nimport runpy, sys; {code}\nrunpy.run_module('fixative', run_name='__main__')"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str], seconds: float = 240) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, err


def protect_command(folder: Path) -> list[str]:
    """Make models in ``folder`` and return the command that protects ``in`` with them."""
    return ["protect", "in", "--out", "out", *save_models(folder).arguments()]


def test_help_and_version_come_without_torch(tmp_path: Path, checkout: Path) -> None:
    report = "import atexit; atexit.register(lambda: print('torch' in sys.modules))"
    for arguments in (["--help"], ["protect", "--help"], ["compare", "--help"], ["--version"]):
        code, out, err = finish(start(tmp_path, checkout, *arguments, code=report), 60)
        assert (code, err) == (0, ""), err
        assert out.strip().endswith("False"), "help must not wait for torch"
        assert ("--overwrite" in out) == (len(arguments) == 2)
    assert f"fixative {fixative.__version__}" in out


@posix
def test_an_interrupt_leaves_whole_files_and_a_summary(tmp_path: Path, checkout: Path) -> None:
    for number in range(60):
        save_photo(tmp_path / f"in/{number:02}.png", 64, 48)
    process = start(tmp_path, checkout, *protect_command(tmp_path), "--json", "report.json")
    deadline = time.monotonic() + 180
    while not (tmp_path / "out/00.png").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130, err
    assert err == "", "no bar where there is no terminal, and no traceback"
    assert "interrupted" in out
    done = sorted(path for path in (tmp_path / "out").iterdir() if path.name != LEDGER)
    assert 1 <= len(done) < 60
    for path in done:
        assert path.suffix == ".png", "a temporary file is left"
        Image.open(path).load()
    summary = json.loads((tmp_path / "report.json").read_text("utf-8"))["summary"]
    assert summary["interrupted"]
    assert summary["protected"] + summary["not_reached"] == 60
    assert summary["protected"] == len(done), "what was begun is finished and told"


@posix
def test_a_bar_on_a_terminal(tmp_path: Path, checkout: Path) -> None:
    import pty

    save_photo(tmp_path / "in/[bold]ä.png", 64, 48)
    command = [sys.executable, "-m", "fixative", *protect_command(tmp_path)]
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "TERM": "xterm",
        "PYTHONIOENCODING": "utf-8",
    }
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        shown += block
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"protecting" in shown
    assert "[bold]ä.png" in out.decode(), "a name is no markup"
    assert b"1 protected" in out
    assert b"\x1b" not in out
