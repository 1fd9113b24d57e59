"""Connections on which too little happens are closed: uvicorn alone waits for them for ever."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose request heads must come, and whose answers must be taken, within a time.

    Bodies have a time limit of their own, where they are read.
    """

    #: Seconds for a request's head, and for a stalled answer.
    patience = 30.0
    _head: asyncio.TimerHandle | None = None
    _answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._answer is None:
            self._answer = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._answer = _cancelled(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head, self._answer = _cancelled(self._head), _cancelled(self._answer)
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._head = _cancelled(self._head)
        elif self._head is None:
            self._head = self.loop.call_later(self.patience, self._close_too_slow)

    def _close_too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()


def patient(seconds: float) -> type[PatientProtocol]:
    """A protocol with so much patience, for uvicorn's ``http``."""
    return type("PatientProtocol", (PatientProtocol,), {"patience": seconds})


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
