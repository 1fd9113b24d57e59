"""What building an environment for the tests takes, whichever host it is for."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LOCK_SECONDS = 1800


def python_in(venv: Path) -> Path:
    """The Python of a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run_step(*command: Path | str) -> None:
    """Run a build step; on failure raise with the end of what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stderr[-3000:]}")


@contextmanager
def exclusive(lock: Path) -> Generator[None]:
    """Hold a lock between processes, given back by the system when a process dies."""
    connection = sqlite3.connect(lock, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()
