"""A request's body becomes a file of our own choosing: no name or path of a client is used."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile

from fixative.service.refusals import too_large
from fixative.service.settings import ServiceSettings

#: The field of a form that holds the picture.
FIELD = "picture"
_FORM = "multipart/form-data"
_ANY_BYTES = "application/octet-stream"


def check_announced(request: Request, settings: ServiceSettings) -> None:
    """Refuse what a request's head already tells is not wanted.

    Raises:
        HTTPException: 415 not a picture nor a form; 413 larger than is taken.
    """
    kind = _kind(request)
    if kind not in ("", _FORM, _ANY_BYTES) and not kind.startswith("image/"):
        raise HTTPException(
            415,
            f"the request's Content-Type is {kind[:80]!r}, expected image/*, {_ANY_BYTES}, or "
            f"{_FORM} with the picture in the field {FIELD!r}",
        )
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > settings.max_bytes:
        raise too_large(settings.max_bytes)


async def receive_picture(request: Request, path: Path, settings: ServiceSettings) -> None:
    """Write a body, or the picture of a form, to a file.

    Raises:
        HTTPException: 408 it comes too slowly; 413 it is too large; 422 a form without the field.
        ClientDisconnect: the client has gone.
    """
    form = _kind(request) == _FORM
    receiving = _form_field(request, path) if form else _whole_body(request, path)
    try:
        await asyncio.wait_for(receiving, settings.upload_seconds)
    except asyncio.TimeoutError as error:
        raise HTTPException(
            408,
            f"the request did not come whole within {settings.upload_seconds:g} seconds; "
            "send it faster, or a smaller picture",
        ) from error


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _whole_body(request: Request, path: Path) -> None:
    with path.open("wb") as file:
        async for chunk in request.stream():
            file.write(chunk)


async def _form_field(request: Request, path: Path) -> None:
    async with request.form(max_files=1, max_fields=1) as form:
        upload = form.get(FIELD)
        if not isinstance(upload, UploadFile):
            raise HTTPException(
                422, f"the form has no file in the field {FIELD!r}; put the picture there"
            )
        with path.open("wb") as file:
            await asyncio.to_thread(shutil.copyfileobj, upload.file, file)
