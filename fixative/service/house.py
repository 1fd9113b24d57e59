"""What happens to one picture: received, unpacked, protected, packed."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from fixative.batch import measure_saved
from fixative.errors import FixativeError
from fixative.pictures import OUTPUT_FORMATS, Picture, read_picture, write_picture
from fixative.pictures.reading import picture_size
from fixative.protector import ProtectSettings
from fixative.service.batcher import Batcher, Protect, WaitedTooLongError
from fixative.service.engine import Outcome
from fixative.service.metrics import Metrics
from fixative.service.refusals import busy, refusal
from fixative.service.room import Room
from fixative.service.settings import ServiceSettings
from fixative.service.upload import check_announced, receive_picture

#: What a client's picture is called in messages.
NAME = "picture"
_PNG = OUTPUT_FORMATS["png"]
_GONE = 499  # nobody reads it; nginx's number for it, in the metrics
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class ProtectedFile:
    """What goes back to the client.

    Attributes:
        png: the bytes of the protected picture.
        report: what was done, in JSON types.
    """

    png: bytes
    report: dict[str, Any]


class House:
    """Everything that a running service shares between requests; made inside the event loop.

    Args:
        engine: protects pictures of one size.
        settings: the limits.
        metrics: told of everything.
    """

    def __init__(self, engine: Protect, settings: ServiceSettings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        retry = settings.retry_seconds
        self._uploads = Room(settings.uploads, "uploads", metrics.uploading, retry_seconds=retry)
        self._places = Room(settings.places, "pictures", metrics.taken, retry_seconds=retry)
        self._megapixels = Room(
            settings.total_megapixels, "megapixels", metrics.megapixels, retry_seconds=retry
        )
        self._files = ThreadPoolExecutor(os.cpu_count() or 1, "fixative-files")
        self._torch = ThreadPoolExecutor(1, "fixative-engine")
        self._batcher = Batcher(engine, settings, self._torch, metrics)
        self._running = asyncio.create_task(self._batcher.run())

    @property
    def ready(self) -> bool:
        """Whether pictures are being protected."""
        return not self._running.done()

    async def close(self) -> None:
        """Stop; what is begun in a thread is finished first."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        for pool in (self._files, self._torch):
            await asyncio.to_thread(pool.shutdown)

    async def protect(self, request: Request, settings: ProtectSettings) -> ProtectedFile:
        """Receive a request's picture and protect it.

        Raises:
            HTTPException: why it is refused, in words.
        """
        check_announced(request, self.settings)
        self._places.check()  # before the client sends megabytes in vain
        try:
            with tempfile.TemporaryDirectory(prefix="fixative-") as folder:
                return await self._received_and_protected(request, settings, folder)
        except ClientDisconnect as error:
            raise HTTPException(_GONE, "the client has gone") from error
        except WaitedTooLongError as error:
            raise busy(
                f"the picture waited {self.settings.wait_seconds:g} seconds in vain",
                seconds=self.settings.retry_seconds,
            ) from error
        except Exception as error:
            raise refusal(error, seconds=self.settings.retry_seconds) from error

    async def _received_and_protected(
        self, request: Request, settings: ProtectSettings, folder: str
    ) -> ProtectedFile:
        path = Path(folder, NAME)
        with self._uploads.place(), self.metrics.stage("upload"):
            await receive_picture(request, path, self.settings)
        with self._places.place():
            try:
                return await self._protect(request, settings, path)
            except FixativeError as error:  # its words name the file, which is none of a client's
                raise type(error)(str(error).replace(folder + os.sep, "")) from error

    async def _protect(
        self, request: Request, settings: ProtectSettings, path: Path
    ) -> ProtectedFile:
        limits = self.settings.limits
        width, height = await self._in_thread(lambda: picture_size(path))
        most = min(width * height / 1e6, limits.megapixels)  # larger ones are refused by reading
        with self._megapixels.place(most):
            with self.metrics.stage("decode"):
                picture = await self._in_thread(lambda: read_picture(path, limits=limits))
            protecting = self._batcher.protect(picture.pixels, settings)
            outcome = await _unless_gone(request, protecting)
            with self.metrics.stage("encode"):
                made = await self._in_thread(lambda: _packed(picture, outcome))
        self.metrics.pixels.inc(width * height)
        return made

    async def _in_thread(self, make: Callable[[], _Made]) -> _Made:
        return await asyncio.get_running_loop().run_in_executor(self._files, make)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _Made]) -> _Made:
    """Wait for work, unless the client leaves: then it is dropped.

    Raises:
        ClientDisconnect: the client has gone.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # after the body, only that can come
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


def _packed(picture: Picture, outcome: Outcome) -> ProtectedFile:
    path = picture.path.with_name("result.png")
    saved = write_picture(picture, outcome.pixels, path, output=_PNG)
    change = measure_saved(picture.pixels, saved.pixels)
    notes = [*picture.notes, *saved.notes]
    if change.largest == 0 and outcome.report.strength > 0:
        notes.append("nothing changed: the strength or the small size leaves no whole level")
    report = {
        "size": list(picture.size),
        **outcome.report.to_dict(),
        "max_change": change.largest,
        "mean_change": change.mean,
        "psnr": change.psnr,
        "warnings": notes,
    }
    return ProtectedFile(path.read_bytes(), report)
