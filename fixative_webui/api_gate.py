"""Who may use the routes, and how much they may send: the same as at the host's own routes."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownParameterType=false
from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Depends, HTTPException, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from fixative_webui import settings

#: Bytes a pixel of the largest picture: a PNG of 16-bit RGBA that does not compress, in base64.
BYTES_A_PIXEL = 8 * 4 / 3
#: For what else is in a request, in bytes.
SPARE = 1 << 20
#: A default value, because the FastAPI of A1111 does not know ``Annotated``.
_GIVEN: Any = Depends(HTTPBasic())


def credentials_of(flags: Any) -> dict[str, str]:
    """Passwords by user, from ``--api-auth user:password,other:password``; {}: anybody may.

    Args:
        flags: the host's command line.
    """
    pairs = (pair.partition(":") for pair in (getattr(flags, "api_auth", None) or "").split(","))
    return {user.strip(): password.strip() for user, colon, password in pairs if colon}


def guard(known: Mapping[str, str]) -> Callable[..., None]:
    """A dependency that lets in whoever gives one of these users' passwords."""

    def check(given: HTTPBasicCredentials = _GIVEN) -> None:
        expected = known.get(given.username, "")
        same = secrets.compare_digest(given.password.encode(), expected.encode())
        if given.username not in known or not same:
            raise HTTPException(
                status_code=401,
                detail="Incorrect username or password",
                headers={"WWW-Authenticate": "Basic"},
            )

    return check


class LimitedRoute(APIRoute):
    """A route that refuses a body too large for any picture it would take, before reading it."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The usual handler behind a look at the announced length."""
        handler = super().get_route_handler()

        async def limited(request: Request) -> Any:
            _check_length(request)
            return await handler(request)

        return limited


def _check_length(request: Request) -> None:
    if request.method != "POST":
        return
    announced = request.headers.get("content-length", "")
    if not announced.isdigit():
        raise HTTPException(status_code=411, detail="send the request with its Content-Length")
    megapixels = settings.api_megapixels()
    if int(announced) > megapixels * 1e6 * BYTES_A_PIXEL + SPARE:
        raise HTTPException(
            status_code=413,
            detail=f"the request has {int(announced) / 1e6:.0f} MB, too much for a picture of "
            f"{megapixels:g} megapixels, the largest that is taken (Settings, Fixative)",
        )
