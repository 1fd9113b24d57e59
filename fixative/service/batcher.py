"""Requests of one size and setting go through the engine together, in the order they came."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from fixative.pictures.picture import Pixels
from fixative.protector import ProtectSettings
from fixative.service.engine import Outcome
from fixative.service.metrics import Metrics
from fixative.service.settings import ServiceSettings

Protect = Callable[[Sequence[Pixels], ProtectSettings], list[Outcome]]

log = logging.getLogger(__name__)


class WaitedTooLongError(Exception):
    """The engine did not come to a picture in time."""


@dataclass(eq=False)
class _Job:
    pixels: Pixels
    settings: ProtectSettings
    outcome: asyncio.Future[Outcome]
    since: float = field(default_factory=time.perf_counter)

    def together_with(self, other: _Job) -> bool:
        return self.settings == other.settings and self.pixels.shape == other.pixels.shape


class Batcher:
    """A queue before an engine that does one batch at a time.

    Nobody waits for a batch to fill: what has gathered while the last one was done goes together.
    How many wait is bounded by ``ServiceSettings.places``, which whoever calls keeps.

    Args:
        engine: protects pictures of one size.
        settings: bounds of a batch, and of waiting.
        executor: of one thread, in which the engine runs.
        metrics: told of waiting, batches and seconds.
    """

    def __init__(
        self, engine: Protect, settings: ServiceSettings, executor: Executor, metrics: Metrics
    ) -> None:
        self._engine, self._settings = engine, settings
        self._executor, self._metrics = executor, metrics
        self._jobs: deque[_Job] = deque()
        self._came = asyncio.Event()

    async def protect(self, pixels: Pixels, settings: ProtectSettings) -> Outcome:
        """Wait for the turn of a picture, and for its protection.

        Args:
            pixels: (H, W, 3) uint8.
            settings: strength, target and map.

        Raises:
            WaitedTooLongError: its turn did not come in time.
            FixativeError: the engine refuses it.
        """
        loop = asyncio.get_running_loop()
        job = _Job(pixels, settings, loop.create_future())
        self._jobs.append(job)
        self._metrics.waiting.set(len(self._jobs))
        self._came.set()
        timer = loop.call_later(self._settings.wait_seconds, self._give_up, job)
        try:
            return await job.outcome
        finally:
            timer.cancel()
            self._leave(job)

    async def run(self) -> None:
        """Protect what comes, until cancelled."""
        while True:
            await self._came.wait()
            while batch := self._next_batch():
                await self._protect(batch)
            self._came.clear()

    def _give_up(self, job: _Job) -> None:
        if job in self._jobs and not job.outcome.done():
            job.outcome.set_exception(WaitedTooLongError())

    def _leave(self, job: _Job) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            self._metrics.waiting.set(len(self._jobs))

    def _next_batch(self) -> list[_Job]:
        """The oldest job and others like it; they leave the queue."""
        waiting = [job for job in self._jobs if not job.outcome.done()]
        if not waiting:
            return []
        first = waiting[0]
        pixels = first.pixels.shape[0] * first.pixels.shape[1]
        most = max(1, int(self._settings.batch_megapixels * 1e6 / pixels))
        alike = [job for job in waiting if job.together_with(first)]
        batch = alike[: min(most, self._settings.batch)]
        for job in batch:
            self._leave(job)
            self._metrics.seconds.labels("wait").observe(time.perf_counter() - job.since)
        return batch

    async def _protect(self, batch: list[_Job]) -> None:
        """Give every job its outcome; one that fails does not take its neighbours with it."""
        loop = asyncio.get_running_loop()
        pictures = [job.pixels for job in batch]
        self._metrics.batches.observe(len(batch))
        try:
            with self._metrics.stage("protect"):
                outcomes = await loop.run_in_executor(
                    self._executor, self._engine, pictures, batch[0].settings
                )
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            log.warning("a batch of %d failed, trying its pictures alone: %r", len(batch), error)
            for job in batch:
                await self._protect([job])
            return
        for job, outcome in zip(batch, outcomes, strict=True):
            if not job.outcome.done():
                job.outcome.set_result(outcome)


def _fail(job: _Job, error: Exception) -> None:
    if not job.outcome.done():
        job.outcome.set_exception(error)
