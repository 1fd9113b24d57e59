"""A real uvicorn on loopback with the service in it, and a client that speaks plain HTTP."""

from __future__ import annotations

import http.client
import io
import threading
import time
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fixative.pictures.picture import Pixels
from fixative.protector import ProtectSettings
from fixative.service.app import make_app, make_server
from fixative.service.engine import Engine, Outcome
from fixative.service.settings import ServiceSettings
from tests.picture_files import photo, png_chunk
from tests.toy_models import toy_codec, toy_mixture

OFF = "/v1/protect?strength_map=off"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def pixels(self) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.body)))


@dataclass(frozen=True)
class Running:
    """A service that listens."""

    port: int

    def ask(
        self,
        path: str = OFF,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def number(self, name: str) -> float:
        """One of the service's metrics."""
        lines = self.ask("/metrics").body.decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))


class GatedEngine:
    """The real engine behind a gate that a test opens; remembers its batches."""

    def __init__(self, *, opened: bool = True) -> None:
        self._engine = Engine(toy_codec(), toy_mixture())
        self.gate = threading.Event()
        self.batches: list[list[tuple[int, ...]]] = []
        if opened:
            self.gate.set()

    def __call__(self, pictures: Sequence[Pixels], settings: ProtectSettings) -> list[Outcome]:
        self.batches.append([picture.shape for picture in pictures])
        assert self.gate.wait(20)
        return self._engine(pictures, settings)


@contextmanager
def serving(
    settings: ServiceSettings | None = None, engine: GatedEngine | None = None
) -> Generator[Running, None, None]:
    settings = settings or ServiceSettings()
    app = make_app(engine or GatedEngine(), settings)
    server = make_server(app, settings, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield Running(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def wait_until(holds: object, seconds: float = 15) -> None:
    """Wait for something that a thread brings about."""
    assert callable(holds)
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def picture_file(width: int = 48, height: int = 32, *, seed: int = 1, kind: str = "PNG") -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    Image.fromarray(photo(width, height, seed=seed)).save(file, kind)
    return file.getvalue()


def noisy_file(side: int) -> bytes:
    """A PNG that cannot be packed: as large as its pixels."""
    noise = np.random.default_rng(3).integers(0, 256, (side, side, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=0)
    return file.getvalue()


def png_bomb(side: int) -> bytes:
    """A small PNG that unpacks to a grey square; made a row at a time."""
    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(side + 1)) for _ in range(side)]
    data = b"".join([*rows, packer.flush()])
    size = side.to_bytes(4, "big")
    head = png_chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
