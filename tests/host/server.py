"""Boots the real ComfyUI with this checkout as a custom node, and always stops it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.host.build import CHECKOUT, BuiltHost
from tests.serving import free_port, stop

BOOT_SECONDS = 180
#: A newer front end to test with: the folder ``static`` of a comfyui_frontend_package.
FRONT_END_VARIABLE = "FIXATIVE_TEST_FRONT_END"
FOLDERS = ("custom_nodes", "models/vae_approx", "input", "output", "temp", "user")


@dataclass(frozen=True)
class RunningHost:
    """A ComfyUI that answers."""

    address: str
    base: Path
    log: Path

    def log_text(self) -> str:
        """What the server has said so far."""
        return self.log.read_text("utf-8", errors="replace")


@contextmanager
def running_host(host: BuiltHost, base: Path, *, pack: Path = CHECKOUT) -> Generator[RunningHost]:
    """Run the server until the block is left.

    Args:
        host: what ``build_host`` made.
        base: an empty folder for this server's models, inputs and outputs.
        pack: the checkout to link as custom node.

    Raises:
        RuntimeError: the server ended, or did not answer in time; with the end of its log.
    """
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True, exist_ok=True)
    (base / "custom_nodes" / "Fixative").symlink_to(pack, target_is_directory=True)
    port, log = free_port(), base / "server.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            _command(host, base, port), stdout=file, stderr=file, env=host_environment()
        )
    running = RunningHost(f"127.0.0.1:{port}", base, log)
    try:
        _wait_until_ready(running, process)
        yield running
    finally:
        stop(process)


def add_vae(base: Path, name: str, encoder: Path, decoder: Path) -> None:
    """Put TAESD-format files where the stock VAELoader lists them as ``name``.

    Args:
        base: the server's folder, before it starts.
        name: ``taesd``, ``taesdxl``, ``taesd3`` or ``taef1``.
        encoder: its encoder file.
        decoder: its decoder file.
    """
    folder = base / "models" / "vae_approx"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(encoder, folder / f"{name}_encoder.safetensors")
    shutil.copyfile(decoder, folder / f"{name}_decoder.safetensors")


def _command(host: BuiltHost, base: Path, port: int) -> list[str]:
    options = ["--cpu", "--listen", "127.0.0.1", "--port", str(port), "--disable-api-nodes"]
    options += ["--disable-auto-launch", "--base-directory", str(base)]
    options += ["--database-url", "sqlite:///:memory:"]
    if front_end := os.environ.get(FRONT_END_VARIABLE):
        options += ["--front-end-root", front_end]
    return [str(host.python), str(host.main), *options]


def host_environment() -> dict[str, str]:
    """Nothing of the tests' own environment may help the host to find the engine."""
    own = ("PYTHONPATH", "FIXATIVE_")  # weights that the tests know ask for packages, too
    kept = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    # Threads that wait must not spin: on a busy machine they keep the working ones from running.
    quiet = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}
    return {**kept, **quiet}


def _wait_until_ready(host: RunningHost, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"ComfyUI ended while starting:\n{host.log_text()[-4000:]}")
        try:
            with urllib.request.urlopen(f"http://{host.address}/system_stats", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise RuntimeError(f"ComfyUI not ready in {BOOT_SECONDS} s:\n{host.log_text()[-4000:]}")
