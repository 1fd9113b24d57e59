"""Load on a running service: answers by status, pictures a second, and how long they took.

fixative serve --port 8300 &
python -m benchmarks.service --port 8300 --clients 4 --seconds 20 --side 512

A refused client waits a tenth of a second and tries again.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import threading
import time
from collections import Counter

import numpy as np
from PIL import Image


def picture_file(side: int) -> bytes:
    """A PNG of smooth shapes with some noise, the same every time."""
    noise = np.random.default_rng(7)
    coarse = Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
    rough = smooth + noise.integers(-6, 7, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(rough, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class Client(threading.Thread):
    """Sends one request after another until the end."""

    def __init__(self, port: int, body: bytes, end: float) -> None:
        super().__init__()
        self._port, self._body, self._end = port, body, end
        self.answers: list[tuple[str, float]] = []

    def run(self) -> None:
        while time.monotonic() < self._end:
            start = time.monotonic()
            try:
                status = self._ask()
            except OSError as error:
                status = type(error).__name__
            self.answers.append((status, time.monotonic() - start))
            if status != "200":
                time.sleep(0.1)

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        token = os.environ.get("FIXATIVE_TOKEN")
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            connection.request("POST", "/v1/protect", self._body, headers)
            answer = connection.getresponse()
            answer.read()
            return str(answer.status)
        finally:
            connection.close()


def main() -> None:
    """Drive the service and print one line a status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--side", type=int, default=512)
    wanted = parser.parse_args()
    start = time.monotonic()
    body = picture_file(wanted.side)
    clients = [Client(wanted.port, body, start + wanted.seconds) for _ in range(wanted.clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    answers = [answer for client in clients for answer in client.answers]
    took = time.monotonic() - start
    for status, count in sorted(Counter(status for status, _ in answers).items()):
        seconds = [second for known, second in answers if known == status]
        middle, late = np.percentile(seconds, [50, 95])
        rate = count / took
        print(f"{status}: {count}, {rate:.2f} a second, {middle:.2f} s median, {late:.2f} s 95 %")


if __name__ == "__main__":
    main()
