"""The run behind ``fixative serve``: check, load, listen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixative.cli.console import messages, say
from fixative.errors import SettingError
from fixative.service.settings import TOKEN_VARIABLE, ServiceSettings

_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Request:
    """What the person asked for; names as on the command line, limits as ServiceSettings'."""

    host: str
    port: int
    codec: str
    mixture: Path | None
    limits: Mapping[str, Any]
    without_token: bool


def run(request: Request) -> None:
    """Serve until told to stop.

    Raises:
        FixativeError: a setting, a model file or the surroundings do not allow it.
    """
    settings = ServiceSettings(token=_token(request), **request.limits)
    try:
        from fixative.service.app import make_app, make_server, run_server  # noqa: PLC0415
        from fixative.service.engine import Engine  # noqa: PLC0415
    except ImportError as error:
        raise SettingError(
            f"serve: needs the package {error.name}; install it with pip install 'fixative[serve]'"
        ) from error
    engine = Engine.load(request.codec, request.mixture)
    if settings.token is None:
        say(messages(), f"warning: no token is asked for, {request.host} is open to who reaches it")
    app = make_app(engine, settings)
    run_server(make_server(app, settings, host=request.host, port=request.port))


def _token(request: Request) -> str | None:
    token = os.environ.get(TOKEN_VARIABLE)
    if token is not None and request.without_token:
        raise SettingError(f"--without-token: but {TOKEN_VARIABLE} is set; choose one of them")
    if token is None and not request.without_token and request.host not in _THIS_MACHINE:
        raise SettingError(
            f"--host {request.host}: other machines can reach it, so set {TOKEN_VARIABLE} to a "
            "token that requests must bear, or add --without-token to let everybody in"
        )
    return token
