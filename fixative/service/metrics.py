"""What the service tells Prometheus."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters of one service, in a registry of its own, so that two can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "fixative_answers", "Answers by status code.", ["status"], registry=self.registry
        )
        self.pixels = Counter(
            "fixative_pixels", "Pixels of protected pictures.", registry=self.registry
        )
        self.uploading = Gauge("fixative_uploads", "Bodies being received.", registry=self.registry)
        self.taken = Gauge("fixative_places", "Pictures in the house.", registry=self.registry)
        self.megapixels = Gauge(
            "fixative_megapixels", "Megapixels that are unpacked.", registry=self.registry
        )
        self.waiting = Gauge(
            "fixative_waiting", "Pictures waiting for the engine.", registry=self.registry
        )
        self.batches = Histogram(
            "fixative_batch_pictures",
            "Pictures that went through the engine together.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.seconds = Histogram(
            "fixative_stage_seconds",
            "Seconds of each stage: upload, decode, wait, protect, encode.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )

    @contextmanager
    def stage(self, name: str) -> Generator[None, None, None]:
        """Time a stage that succeeds."""
        start = time.perf_counter()
        yield
        self.seconds.labels(name).observe(time.perf_counter() - start)

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)
