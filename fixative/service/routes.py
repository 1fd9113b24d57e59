"""The addresses of the service."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from fixative.protections.base import MAX_STRENGTH
from fixative.protector import ProtectSettings
from fixative.service.house import House, ProtectedFile
from fixative.service.upload import FIELD

REPORT_HEADER = "X-Fixative-Report"
_bearer = HTTPBearer(auto_error=False, description="The token that the service was started with.")
_Binary: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {FIELD: {"type": "string", "format": "binary"}},
        "required": [FIELD],
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A PNG, JPEG, WebP, TIFF, BMP, GIF or AVIF file with one frame.",
        "content": {
            "image/*": _Binary,
            "application/octet-stream": _Binary,
            "multipart/form-data": _FORM,
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"The protected picture, its report in the header {REPORT_HEADER}; or both "
        "as JSON.",
        "content": {"image/png": _Binary, "application/json": {}},
    },
    401: {"description": "No token, or not the right one."},
    408: {"description": "The picture did not come in time."},
    413: {"description": "Too many bytes or pixels."},
    415: {"description": "The Content-Type is not that of a picture."},
    422: {"description": "Not a picture, a damaged one, or an option out of its range."},
    503: {"description": "No room now; Retry-After says when to try again."},
}


class Options(BaseModel):
    """What a request may choose; unknown names are refused."""

    model_config = ConfigDict(extra="forbid")

    strength: float = Field(
        8.0, ge=0, le=MAX_STRENGTH, allow_inf_nan=False, description="Largest change, in 1/255."
    )
    target: Literal["auto", "low", "mid", "high"] = Field(
        "auto", description="What the picture is pulled to."
    )
    strength_map: Literal["learned", "off"] = Field(
        "learned", description="What finds where a change is not seen."
    )
    answer: Literal["png", "json"] = Field(
        "png", description="The picture itself, or JSON with the picture in base64."
    )


def _house(request: Request) -> House:
    return request.app.state.house


def _check_token(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    token = _house(request).settings.token
    if token is None:
        return
    borne = given.credentials if given is not None else ""
    if not secrets.compare_digest(borne.encode(), token.encode()):
        raise HTTPException(
            401,
            "the request bears no token, or not the right one; send Authorization: Bearer …",
            headers={"WWW-Authenticate": "Bearer"},
        )


guarded = APIRouter(dependencies=[Depends(_check_token)])
public = APIRouter()


@guarded.post(
    "/v1/protect",
    summary="Protect a picture",
    response_class=Response,
    responses=_ANSWERS,
    openapi_extra=_BODY,
)
async def protect(request: Request, options: Annotated[Options, Query()]) -> Response:
    """Change a picture a little, so that models which see it through a VAE learn something else.

    Size, transparency and metadata are kept. Save it without loss: JPEG and resizing weaken it.
    """
    settings = ProtectSettings(options.strength, options.target, options.strength_map)
    made = await _house(request).protect(request, settings)
    return _as_json(made) if options.answer == "json" else _as_png(made)


@guarded.get("/metrics", summary="Numbers for Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Requests, pixels, seconds of each stage, batches, and what is waiting."""
    return Response(_house(request).metrics.text(), media_type=CONTENT_TYPE_LATEST)


@public.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the service runs; for restarting it."""
    return {"status": "alive"}


@public.get("/readyz", summary="Can it protect pictures?")
async def readyz(request: Request) -> dict[str, str]:
    """200 when models are loaded and the engine runs; for sending requests to it."""
    if not _house(request).ready:
        raise HTTPException(503, "the engine has stopped; restart the service")
    return {"status": "ready"}


def _as_png(made: ProtectedFile) -> Response:
    report = json.dumps(made.report, separators=(",", ":"), allow_nan=False)
    return Response(made.png, media_type="image/png", headers={REPORT_HEADER: report})


def _as_json(made: ProtectedFile) -> Response:
    return JSONResponse({"png": base64.b64encode(made.png).decode(), "report": made.report})
