"""The service put together, and run."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

import fixative
from fixative.service.batcher import Protect
from fixative.service.gate import Gate
from fixative.service.house import House
from fixative.service.metrics import Metrics
from fixative.service.patience import patient
from fixative.service.routes import guarded, public
from fixative.service.settings import ServiceSettings

#: A last guard against running out of file handles; the limits of a service come long before it.
_MOST_CONNECTIONS = 1000


def make_app(engine: Protect, settings: ServiceSettings) -> FastAPI:
    """A service as an ASGI application, described at /docs.

    Args:
        engine: protects pictures of one size; called from one thread at a time.
        settings: its limits.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncGenerator[None, None]:
        app.state.house = House(engine, settings, metrics)
        yield
        await app.state.house.close()

    app = FastAPI(
        title="Fixative",
        version=fixative.__version__,
        description="Protects pictures against being learnt by image generators.",
        lifespan=life,
    )
    app.include_router(guarded)
    app.include_router(public)
    app.add_middleware(Gate, settings=settings, metrics=metrics)
    return app


def make_server(app: FastAPI, settings: ServiceSettings, *, host: str, port: int) -> uvicorn.Server:
    """A uvicorn for a service, not yet running.

    Args:
        app: from ``make_app``.
        settings: its limits.
        host: the address to listen on.
        port: 0 for any that is free.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=patient(settings.upload_seconds),
        ws="none",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=int(settings.stop_seconds) or 1,
        server_header=False,
    )
    return uvicorn.Server(config)


def run_server(server: uvicorn.Server) -> None:
    """Serve until told to stop; what is begun is finished. SIGTERM is no failure."""
    signal.signal(signal.SIGTERM, _end_well)  # uvicorn raises it again when it has finished
    server.run()


def _end_well(number: int, frame: object) -> None:
    """Nothing is left to be done."""
