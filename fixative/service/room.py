"""How many requests are let in at one time."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import Gauge

from fixative.service.refusals import busy


class Room:
    """Places of which each request takes some; whoever finds none is refused, nobody queues.

    Args:
        places: how many there are.
        what: takes them, in the plural.
        gauge: told how many are taken.
        retry_seconds: what who is refused is told to wait.
    """

    def __init__(self, places: float, what: str, gauge: Gauge, *, retry_seconds: int) -> None:
        self._places, self._what, self._gauge = places, what, gauge
        self._retry_seconds, self._taken = retry_seconds, 0.0

    def check(self, count: float = 1) -> None:
        """Raise 503 if there are not so many places left; an empty room takes anybody."""
        if self._taken and self._taken + count > self._places:
            why = f"the service takes {self._places:g} {self._what} at one time"
            raise busy(why, seconds=self._retry_seconds)

    @contextmanager
    def place(self, count: float = 1) -> Generator[None, None, None]:
        """Hold places; raises 503 if there are none."""
        self.check(count)
        self._add(count)
        try:
            yield
        finally:
            self._add(-count)

    def _add(self, count: float) -> None:
        self._taken = max(0.0, round(self._taken + count, 6))  # megapixels are whole in 1e-6
        self._gauge.set(self._taken)
