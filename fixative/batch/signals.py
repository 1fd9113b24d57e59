"""Asked to stop: finish what is begun; asked again: at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether the person, or the system, asked for the end."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def __call__(self) -> bool:
        """True once it was asked for."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Ask for it.

        Raises:
            KeyboardInterrupt: it was asked for before.
        """
        if self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()


@contextmanager
def stopping() -> Generator[Stop]:
    """Hear SIGINT and SIGTERM inside the block; only the main thread can."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def hear(number: int, frame: FrameType | None) -> None:
        stop.ask()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
