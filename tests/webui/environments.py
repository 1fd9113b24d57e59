"""Two environments with the real gradio of each host: 3.41.2 of A1111, 4.40.0 of Forge.

    python -m tests.webui.environments

Every pin is exact (gradio3.txt, gradio4.txt): unpinned, neither gradio starts. torch and what else
the engine needs are those of the environment that runs the tests: its folder of packages comes last
on the path, so that whatever is pinned here wins. That needs the same Python, so the pins exist for
the one version that they were tried with.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.building import exclusive, python_in, run_step

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER_VARIABLE = "FIXATIVE_TEST_WEBUI"
#: What each flavour of the thin host runs on.
GRADIOS = {"a1111-1.6.0": 3, "a1111-1.7.0": 3, "a1111-1.10.1": 3, "forge": 4}
SUITABLE = {(3, 11)}

logger = logging.getLogger(__name__)


class EnvironmentUnavailableError(Exception):
    """The environment cannot be made on this machine; the message says why."""


def environment_of(flavour: str) -> Path:
    """The Python of the environment that a flavour of the thin host runs on."""
    return make_environment(GRADIOS[flavour])


def make_environment(gradio: int, folder: Path | None = None) -> Path:
    """Make the environment, or find it complete from an earlier run.

    Args:
        gradio: 3 or 4.
        folder: where both are kept; default ``FIXATIVE_TEST_WEBUI`` or the checkout.

    Returns:
        Its Python.

    Raises:
        EnvironmentUnavailableError: the pins do not exist for this Python.
        RuntimeError: a step failed; with the end of what it said.
    """
    if sys.version_info[:2] not in SUITABLE:
        wanted = " or ".join(f"{major}.{minor}" for major, minor in sorted(SUITABLE))
        raise EnvironmentUnavailableError(
            f"the web UI's gradios need CPython {wanted}, the tests run on "
            f"{sys.version_info[0]}.{sys.version_info[1]}; run install.py test with python{wanted}"
        )
    kept = folder or Path(os.environ.get(FOLDER_VARIABLE) or CHECKOUT)
    place = kept / f".fixative-webui{gradio}"
    place.mkdir(parents=True, exist_ok=True)
    with exclusive(place / "lock.sqlite"):
        stamp = place / "complete.txt"
        if not stamp.is_file() or stamp.read_text("utf-8") != _recipe(gradio):
            stamp.unlink(missing_ok=True)
            _make(gradio, place / "venv")
            stamp.write_text(_recipe(gradio), "utf-8")
    return python_in(place / "venv")


def _pins(gradio: int) -> Path:
    return Path(__file__).with_name(f"gradio{gradio}.txt")


def _recipe(gradio: int) -> str:
    """What the environment is made of: a change of any of it makes it anew."""
    parts = (_pins(gradio).read_text("utf-8"), sys.version, site_packages_of_the_tests())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _make(gradio: int, venv: Path) -> None:
    logger.warning("making an environment with gradio %d in %s (once, a minute)", gradio, venv)
    shutil.rmtree(venv, ignore_errors=True)
    run_step(sys.executable, "-m", "venv", venv)
    python = python_in(venv)
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "-q")
    run_step(*pip, "--no-deps", "-r", _pins(gradio))
    # The name comes after all others: pip's own .pth files are read in alphabetical order.
    (_site_packages(python) / "zz_tests_environment.pth").write_text(
        f"{site_packages_of_the_tests()}\n", "utf-8"
    )
    version = "import gradio, torch, sys; sys.exit(not gradio.__version__.startswith(sys.argv[1]))"
    run_step(python, "-c", version, f"{gradio}.")


def site_packages_of_the_tests() -> str:
    """Where the packages of the environment that runs the tests lie."""
    return sysconfig.get_paths()["purelib"]


def _site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    for each in sorted(set(GRADIOS.values())):
        logger.info("%s", make_environment(each))
