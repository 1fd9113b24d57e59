"""What the service does with what it should not take, and with more than it can take."""

from __future__ import annotations

import random
import resource
import socket
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fixative.service.settings import ServiceSettings
from tests.service_parts import (
    OFF,
    GatedEngine,
    Running,
    noisy_file,
    picture_file,
    png_bomb,
    serving,
    wait_until,
)

SMALL = ServiceSettings(max_megabytes=1, max_megapixels=1, upload_seconds=0.5, wait_seconds=20)


@pytest.fixture(scope="module")
def service() -> Generator[Running]:
    with serving(SMALL) as running:
        yield running


def test_fuzzed_files_are_refused_or_protected(service: Running) -> None:
    noise = random.Random(5)
    seen: set[int] = set()
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"):
        whole = picture_file(kind=kind)
        for round_number in range(12):
            cut = len(whole) if round_number % 2 else noise.randrange(1, len(whole))
            damaged = bytearray(whole[:cut])
            for _ in range(round_number // 2):
                damaged[noise.randrange(len(damaged))] = noise.randrange(256)
            answer = service.ask(OFF, bytes(damaged))
            seen.add(answer.status)
            assert answer.status in (200, 413, 422), (kind, answer.body)
            assert b"/tmp" not in answer.body
            assert b"fixative-" not in answer.body
    assert {200, 422} <= seen
    assert service.ask(OFF, picture_file()).status == 200


@pytest.mark.parametrize("body", [b"", b"no picture", b"%!PS-Adobe", b"<svg/>", bytes(5000)])
def test_what_is_no_picture(service: Running, body: bytes) -> None:
    answer = service.ask(OFF, body, {"Content-Length": str(len(body))})
    assert answer.status == 422
    assert b"expected PNG" in answer.body


@pytest.mark.parametrize("kind", ["application/json", "text/html", "video/mp4"])
def test_wrong_type(service: Running, kind: str) -> None:
    answer = service.ask(OFF, picture_file(), {"Content-Type": kind})
    assert answer.status == 415
    assert kind.encode() in answer.body


def test_a_bomb_is_refused_unopened(service: Running) -> None:
    bomb = png_bomb(10_000)
    assert len(bomb) < 1e6
    service.ask(OFF, picture_file())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = service.ask(OFF, bomb)
    assert answer.status == 413
    assert b"10000 x 10000" in answer.body
    assert (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    )  # KiB; it has 100 MB


def test_too_many_bytes(service: Running) -> None:
    announced = service.ask(OFF, bytes(1_000_001))
    assert announced.status == 413
    assert b"1 MB" in announced.body
    chunked = _raw(
        service, b"Transfer-Encoding: chunked\r\n", b"40000\r\n" + bytes(0x40000) + b"\r\n", 5
    )
    assert chunked.startswith(b"HTTP/1.1 413")


def test_slow_clients_are_sent_away(service: Running) -> None:
    start = time.monotonic()
    body = _raw(service, b"Content-Length: 500\r\n", b"x" * 10, 1)
    assert body.startswith(b"HTTP/1.1 408")
    assert b"0.5 seconds" in body
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/protect HTTP/1.1\r\nHost: x\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 408"), "a client that says nothing"
    assert time.monotonic() - start < 8


def test_more_than_there_is_room_for() -> None:
    engine = GatedEngine(opened=False)
    settings = ServiceSettings(places=3, retry_seconds=7)
    with serving(settings, engine) as service, ThreadPoolExecutor(24) as clients:
        held = [clients.submit(service.ask, OFF, picture_file(seed=n)) for n in range(3)]
        wait_until(lambda: service.number("fixative_places") == 3)
        refused = list(clients.map(lambda n: service.ask(OFF, picture_file(seed=n)), range(20)))
        assert {answer.status for answer in refused} == {503}
        assert {answer.headers["Retry-After"] for answer in refused} == {"7"}
        assert service.ask("/readyz").status == 200
        engine.gate.set()
        assert [future.result().status for future in held] == [200] * 3
        wait_until(lambda: service.number("fixative_places") == 0)
        rush = list(clients.map(lambda n: service.ask(OFF, picture_file(seed=n)), range(60)))
        assert {answer.status for answer in rush} <= {200, 503}
        assert 200 in {answer.status for answer in rush}
        assert service.number("fixative_places") == 0


def test_megapixels_are_bounded_together() -> None:
    engine = GatedEngine(opened=False)
    with (
        serving(ServiceSettings(total_megapixels=0.01), engine) as service,
        ThreadPoolExecutor(2) as clients,
    ):
        first = clients.submit(service.ask, OFF, picture_file(100, 90))
        wait_until(lambda: engine.batches)
        assert service.number("fixative_megapixels") == 0.009
        assert service.ask(OFF, picture_file(40, 30)).status == 503
        small = clients.submit(service.ask, OFF, picture_file(40, 20))
        wait_until(lambda: service.number("fixative_megapixels") == 0.0098)
        engine.gate.set()
        assert first.result().status == small.result().status == 200
        assert service.ask(OFF, picture_file(200, 100)).status == 200, "an empty room takes any"
        assert service.number("fixative_megapixels") == 0


def test_who_leaves_while_waiting_is_dropped() -> None:
    engine = GatedEngine(opened=False)
    data = picture_file()
    with serving(engine=engine) as service, ThreadPoolExecutor(1) as clients:
        first = clients.submit(service.ask, OFF, data)
        wait_until(lambda: engine.batches)
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
            connection.sendall(_head(b"Content-Length: %d\r\n" % len(data)) + data)
            wait_until(lambda: service.number("fixative_waiting") == 1)
        wait_until(lambda: service.number("fixative_waiting") == 0)
        engine.gate.set()
        assert first.result().status == 200
    assert len(engine.batches) == 1


def test_nobody_waits_for_ever() -> None:
    engine = GatedEngine(opened=False)
    with (
        serving(ServiceSettings(wait_seconds=0.3), engine) as service,
        ThreadPoolExecutor(2) as clients,
    ):
        first = clients.submit(service.ask, OFF, picture_file())
        wait_until(lambda: engine.batches)
        late = service.ask(OFF, picture_file())
        assert (late.status, late.headers["Retry-After"]) == (503, "5")
        engine.gate.set()
        assert first.result().status == 200, "what is begun is finished"
        assert len(engine.batches) == 1


def test_a_client_that_leaves_takes_no_place(service: Running) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(_head(b"Content-Length: 500\r\n") + b"x")
        wait_until(lambda: service.number("fixative_uploads") == 1)
    wait_until(lambda: service.number("fixative_uploads") == 0)


def test_who_does_not_take_the_answer_is_cut_off() -> None:
    data = noisy_file(2000)
    with serving(ServiceSettings(upload_seconds=0.5)) as service:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", service.port))
            connection.sendall(_head(b"Content-Length: %d\r\n" % len(data)) + data)
            connection.settimeout(20)
            first = connection.recv(1000, socket.MSG_PEEK)
            assert first.startswith(b"HTTP/1.1 200"), first
            time.sleep(1.5)
            taken = 0
            with suppress(ConnectionResetError):
                while piece := connection.recv(1 << 16):
                    taken += len(piece)
            assert taken < len(data) // 2, "it went on sending after so long a silence"
        assert service.ask(OFF, picture_file()).status == 200


def _head(extra: bytes) -> bytes:
    return b"POST " + OFF.encode() + b" HTTP/1.1\r\nHost: x\r\n" + extra + b"\r\n"


def _raw(service: Running, extra: bytes, piece: bytes, times: int) -> bytes:
    """Send a head and pieces of a body that never ends; return the answer up to the closing."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(_head(extra))
        for _ in range(times):
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer
