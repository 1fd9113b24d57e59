"""The routes ``/fixative/v1/…``, there whenever the host's own API is; described at /docs."""

# pyright: reportMissingImports=false
from __future__ import annotations

import base64
import binascii
import logging
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, HTTPException

import fixative
from fixative.errors import FixativeError, ImageError
from fixative.pictures import OUTPUT_FORMATS, Picture, ReadLimits, read_picture, write_picture
from fixative_webui import host, settings
from fixative_webui.api_gate import LimitedRoute, credentials_of, guard
from fixative_webui.api_models import (
    InspectRequest,
    InspectResponse,
    PictureResponse,
    ProtectRequest,
    PurifyRequest,
    StatusResponse,
)
from fixative_webui.settings import Options
from fixative_webui.vae import codec_for, shelf_of
from fixative_webui.work import Done, inspect, needs_codec, protect, purify

PREFIX = "/fixative/v1"
PNG = OUTPUT_FORMATS["png"]
#: What a picture of a request is called in messages.
NAME = "image"

log = logging.getLogger(__name__)


def register(app: Any, flags: Any) -> None:
    """Add the routes, if the host was started with its API; with the same users.

    Args:
        app: the host's FastAPI application.
        flags: the host's command line.
    """
    if not (getattr(flags, "api", False) or getattr(flags, "nowebui", False)):
        return
    known = credentials_of(flags)
    guards = [Depends(guard(known))] if getattr(flags, "api_auth", None) else []
    router = APIRouter(
        prefix=PREFIX, tags=["Fixative"], dependencies=guards, route_class=LimitedRoute
    )
    router.post("/protect", summary="Protect a picture", response_model=PictureResponse)(_protect)
    router.post("/purify", summary="Purify a picture", response_model=PictureResponse)(_purify)
    router.post("/inspect", summary="Inspect a picture", response_model=InspectResponse)(_inspect)
    router.get("/status", summary="What there is", response_model=StatusResponse)(_status)
    app.include_router(router)


def _protect(request: ProtectRequest) -> PictureResponse:
    """Change a picture a little, so that models which see it through a VAE learn something else."""
    with _told(), _opened(request.image) as picture:
        options = _options(request, "strength", "target", "strength_map", "vae")
        with host.turn(), host.job("Fixative: protect"), codec_for(options) as seen:
            done = protect(picture, options, seen, host.tell, measure=request.measure)
        return _answer(picture, done)


def _purify(request: PurifyRequest) -> PictureResponse:
    """Try to take a protection off, to find out what it withstands."""
    with _told(), _opened(request.image) as picture:
        options = _options(request, "vae")
        lent = codec_for(options, decoder=True) if needs_codec(request.method) else nullcontext()
        with host.turn(), host.job("Fixative: purify"), lent as seen:
            done = purify(picture, request.method, seen, host.tell, seed=request.seed)
        return _answer(picture, done)


def _inspect(request: InspectRequest) -> InspectResponse:
    """How likely is a picture protected already?"""
    with _told(), _opened(request.image) as picture:
        with host.turn(), host.job("Fixative: inspect"):
            found = inspect(picture, Options.from_settings())
        return InspectResponse(
            probability=found.probability,
            verdict=found.verdict,
            report=found.report,
            notices=found.notices,
            info=found.info,
        )


def _status(look: bool = False) -> StatusResponse:
    """Versions, mixtures and settings; with look=true also the VAE, for which it waits its turn."""
    with _told():
        options, running = Options.from_settings(), host.describe()
        vae = mixture = None
        if look:
            with host.turn(), codec_for(options) as seen:
                vae, mixture = seen.says, seen.mixture.name if seen.mixture else None
        return StatusResponse(
            version=fixative.__version__,
            host=f"{running.kind} {running.version}",
            families=shelf_of(options).families(),
            settings=asdict(options),
            vae=vae,
            mixture=mixture,
        )


def _options(request: ProtectRequest | PurifyRequest, *names: str) -> Options:
    """The settings, with what the request says instead."""
    given = {name: getattr(request, name) for name in names}
    said = {name: value for name, value in given.items() if value is not None}
    return replace(Options.from_settings(), **said)


@contextmanager
def _told() -> Generator[None, None, None]:
    """Whatever goes wrong becomes an answer in words."""
    try:
        yield
    except FixativeError as error:
        raise HTTPException(status_code=422, detail=str(error)) from error
    except host.Stopped as error:
        raise HTTPException(status_code=409, detail="interrupted in the web UI") from error
    except HTTPException:
        raise
    except Exception as error:
        log.exception("a route of Fixative failed")
        told = f"failed for a reason not foreseen ({type(error).__name__}: {error})"
        raise HTTPException(status_code=500, detail=told) from error


@contextmanager
def _opened(text: str) -> Generator[Picture, None, None]:
    """The picture of a request, by way of a file: that is where all checks of pictures are."""
    with tempfile.TemporaryDirectory(prefix="fixative-") as folder:
        path = Path(folder, NAME)
        path.write_bytes(_decoded(text))
        try:
            picture = read_picture(path, limits=ReadLimits(megapixels=settings.api_megapixels()))
        except ImageError as error:
            raise ImageError(str(error).replace(str(path), NAME)) from error
        yield picture


def _decoded(text: str) -> bytes:
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(
            f"{NAME}: is not base64 ({error}); send the bytes of a picture file in base64"
        ) from error


def _answer(picture: Picture, done: Done) -> PictureResponse:
    path = picture.path.with_name("result.png")
    saved = write_picture(picture, done.pixels, path, output=PNG)
    return PictureResponse(
        image=base64.b64encode(path.read_bytes()).decode("ascii"),
        report=done.report,
        notices=[*done.notices, *saved.notes],
        info=done.info,
    )
