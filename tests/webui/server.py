"""Boots the thin host with an extension in it, and always stops it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving import free_port, stop
from tests.webui.environments import CHECKOUT, environment_of

LAUNCHER = Path(__file__).resolve().parent / "thinhost" / "launch.py"
#: Long, because on a busy machine gradio and torch take a while to import.
BOOT_SECONDS = 240


@dataclass(frozen=True)
class Answer:
    """What a route answered."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RunningWebui:
    """A thin host that answers.

    Attributes:
        flavour: of thinhost/modules/thin.py.
        address: host and port.
        base: its data folder: extensions, outputs, config.json, tmp.
        log: what it says goes here.
    """

    flavour: str
    address: str
    base: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}/"

    @property
    def outputs(self) -> Path:
        """Below it lie txt2img-images, extras-images and the like."""
        return self.base / "outputs"

    def log_text(self) -> str:
        """What the server has said so far."""
        return self.log.read_text("utf-8", errors="replace")

    def get(self, path: str, *, auth: str | None = None) -> Answer:
        """Ask a route; an error status is an answer too."""
        return self._ask(urllib.request.Request(f"http://{self.address}{path}"), auth)

    def post(self, path: str, content: Any, *, auth: str | None = None) -> Answer:
        """Send JSON to a route.

        Args:
            path: as ``/sdapi/v1/extra-single-image``.
            content: sent as JSON.
            auth: ``user:password`` for HTTP basic.
        """
        request = urllib.request.Request(
            f"http://{self.address}{path}",
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json"},
        )
        return self._ask(request, auth)

    def set_option(self, key: str, value: Any, *, auth: str | None = None) -> None:
        """Change a setting of a host that runs with ``--api``."""
        answer = self.post("/sdapi/v1/options", {key: value}, auth=auth)
        assert answer.status == 200, answer.body

    def _ask(self, request: urllib.request.Request, auth: str | None) -> Answer:
        if auth is not None:
            word = base64.b64encode(auth.encode()).decode("ascii")
            request.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return Answer(response.status, response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())


@contextmanager
def running_webui(
    flavour: str,
    base: Path,
    *flags: str,
    extension: Path = CHECKOUT,
    model: str = "none",
    settings: dict[str, Any] | None = None,
) -> Generator[RunningWebui]:
    """Run a thin host until the block is left.

    Args:
        flavour: ``a1111-1.6.0``, ``a1111-1.7.0``, ``a1111-1.10.1`` or ``forge``.
        base: an empty folder for its data.
        flags: the host's own, as ``--api`` and ``--api-auth=user:password``.
        extension: the folder to link below ``extensions``.
        model: what it finds to load: ``none``, or a kind of thinhost/modules/thin_models.py.
        settings: what config.json holds when it starts.

    Raises:
        RuntimeError: it ended, or did not answer in time; with the end of its log.
    """
    python = environment_of(flavour)
    name = "Fixative" if extension == CHECKOUT else extension.name
    (base / "extensions").mkdir(parents=True, exist_ok=True)
    (base / "extensions" / name).symlink_to(extension, target_is_directory=True)
    if settings:
        (base / "config.json").write_text(json.dumps(settings), "utf-8")
    port, log = free_port(), base / "server.log"
    command = [str(python), str(LAUNCHER), "--port", str(port), *flags]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=base, stdout=file, stderr=file, env=_environment(flavour, base, model)
        )
    running = RunningWebui(flavour, f"127.0.0.1:{port}", base, log)
    try:
        _wait_until_ready(running, process)
        yield running
    finally:
        stop(process)


def _environment(flavour: str, base: Path, model: str) -> dict[str, str]:
    """Nothing of the tests' own environment may help the host to find the engine."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COMMANDLINE_ARGS")}
    return {
        **kept,
        "FIXATIVE_THIN_FLAVOUR": flavour,
        "FIXATIVE_THIN_DATA": str(base),
        "FIXATIVE_THIN_MODEL": model,
        "OMP_WAIT_POLICY": "PASSIVE",
        "HF_HUB_OFFLINE": "1",
        "MPLBACKEND": "Agg",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _wait_until_ready(webui: RunningWebui, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        said = webui.log_text()
        if " ready on http://" in said:
            return
        if process.poll() is not None:
            raise RuntimeError(f"the thin host ended while starting:\n{said[-4000:]}")
        time.sleep(0.2)
    raise RuntimeError(f"the thin host not ready in {BOOT_SECONDS} s:\n{webui.log_text()[-4000:]}")
