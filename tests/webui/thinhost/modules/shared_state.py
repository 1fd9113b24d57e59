"""What the host is doing, and whether somebody asked it to stop."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import datetime
import logging
import threading
import time
from typing import Any

from modules import thin

log = logging.getLogger(__name__)


class State:
    """Read by the progress bar, written by whoever works."""

    skipped = False
    interrupted = False
    if thin.since(1, 10):
        stopping_generation = False
    job: Any = ""
    job_no = 0
    job_count = 0
    processing_has_refined_job_count = False
    job_timestamp = "0"
    sampling_step = 0
    sampling_steps = 0
    current_latent: Any = None
    current_image: Any = None
    current_image_sampling_step = 0
    id_live_preview = 0
    textinfo: str | None = None
    time_start: float | None = None
    server_start: float | None = None
    _server_command_signal = threading.Event()
    _server_command: str | None = None

    def __init__(self) -> None:
        self.server_start = time.time()
        if thin.FORGE:
            self.vae_stream = None

    @property
    def need_restart(self) -> bool:
        return self.server_command == "restart"

    @need_restart.setter
    def need_restart(self, value: bool) -> None:
        if value:
            self.server_command = "restart"

    @property
    def server_command(self) -> str | None:
        return self._server_command

    @server_command.setter
    def server_command(self, value: str | None) -> None:
        self._server_command = value
        self._server_command_signal.set()

    def wait_for_server_command(self, timeout: float | None = None) -> str | None:
        if not self._server_command_signal.wait(timeout):
            return None
        self._server_command_signal.clear()
        command, self._server_command = self._server_command, None
        return command

    def request_restart(self) -> None:
        self.interrupt()
        self.server_command = "restart"

    def skip(self) -> None:
        self.skipped = True

    def interrupt(self) -> None:
        self.interrupted = True

    if thin.since(1, 10):

        def stop_generating(self) -> None:
            self.stopping_generation = True

    def nextjob(self) -> None:
        self.job_no += 1
        self.sampling_step = 0
        self.current_image_sampling_step = 0

    def dict(self) -> dict[str, Any]:
        names = "skipped interrupted job job_count job_timestamp job_no sampling_step"
        found = {name: getattr(self, name) for name in f"{names} sampling_steps".split()}
        if thin.since(1, 10):
            found["stopping_generation"] = self.stopping_generation
        return found

    def begin(self, job: Any = "(unknown)") -> None:
        """A job starts: what was left of the last one is forgotten, sampling_steps is not."""
        self.sampling_step = 0
        self.time_start = time.time()
        self.job_count = -1
        self.processing_has_refined_job_count = False
        self.job_no = 0
        self.job_timestamp = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
        self.current_latent = self.current_image = self.textinfo = None
        self.current_image_sampling_step = self.id_live_preview = 0
        self.skipped = self.interrupted = False
        if thin.since(1, 10):
            self.stopping_generation = False
        self.job = job
        log.info("Starting job %s", job)

    def end(self) -> None:
        log.info("Ending job %s (%.2f s)", self.job, time.time() - (self.time_start or time.time()))
        self.job = ""
        self.job_count = 0

    def set_current_image(self) -> None:
        """No latents are drawn here."""

    def do_set_current_image(self) -> None:
        """No latents are drawn here."""

    def assign_current_image(self, image: Any) -> None:
        self.current_image = image
        self.id_live_preview += 1
