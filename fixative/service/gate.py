"""Before every route: a body's bytes are counted, and a refusal leaves the connection in order."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fixative.service.metrics import Metrics
from fixative.service.refusals import too_large
from fixative.service.settings import ServiceSettings

#: Of a body that nobody wants, so much is read, so that its sender hears why before it is cut off.
_DRAINED_BYTES = 16 << 20
_DRAINED_SECONDS = 2.0


class Gate:
    """ASGI middleware: limits bodies whatever their form, and counts answers.

    Args:
        app: what comes behind.
        settings: how large a body may be.
        metrics: told of every answer.
    """

    def __init__(self, app: ASGIApp, *, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(scope, receive, self._settings.max_bytes)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answers.labels(str(message["status"])).inc()
                await body.drain()
                if not body.finished:
                    closing = (b"connection", b"close")
                    message = {**message, "headers": [*message.get("headers", ()), closing]}
            await send(message)

        await self._app(scope, body.receive, answer)


class _Body:
    """The body of one request, counted while it is read."""

    def __init__(self, scope: Scope, receive: Receive, most: int) -> None:
        headers = Headers(scope=scope)
        self._receive, self._most, self._count = receive, most, 0
        self._invited = "expect" not in headers  # else the sender waits to be asked for it
        self.finished = not ("content-length" in headers or "transfer-encoding" in headers)

    async def receive(self) -> Message:
        """The next message; raises 413 when there is too much."""
        message = await self._next()
        if self._count > self._most:
            raise too_large(self._most)
        return message

    async def drain(self) -> None:
        """Read a little of what is left and forget it."""
        if self.finished or not self._invited:
            return
        end = time.monotonic() + _DRAINED_SECONDS
        most = self._count + _DRAINED_BYTES
        with suppress(asyncio.TimeoutError):
            while not self.finished and self._count < most:
                await asyncio.wait_for(self._next(), max(0.0, end - time.monotonic()))

    async def _next(self) -> Message:
        self._invited = True
        message = await self._receive()
        self._count += len(message.get("body", b""))
        self.finished = self.finished or not message.get("more_body", False)
        return message
