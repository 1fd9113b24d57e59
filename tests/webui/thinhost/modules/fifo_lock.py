"""A lock that is given in the order in which it was asked for; not reentrant, as the host's."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import collections
import threading


class FIFOLock:
    """Whoever waits longest is next."""

    def __init__(self) -> None:
        self._held = threading.Lock()
        self._inner = threading.Lock()
        self._waiting: collections.deque[threading.Event] = collections.deque()

    def acquire(self, blocking: bool = True) -> bool:
        with self._inner:
            if self._held.acquire(False):
                return True
            if not blocking:
                return False
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        return self._held.acquire()

    def release(self) -> None:
        with self._inner:
            if self._waiting:
                self._waiting.popleft().set()
            self._held.release()

    __enter__ = acquire

    def __exit__(self, *reason: object) -> None:
        self.release()
