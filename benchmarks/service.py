# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false
"""Load on a running service with Locust: answers by status, how many a second, how long they took.

pip install locust
fixative serve --port 8300 --places 4
locust -f benchmarks/service.py --headless --host http://127.0.0.1:8300 -u 24 -r 24 -t 60s

Every user sends the same 512 px drawing (``SIDE=2048`` in the environment: a larger one) again a
tenth of a second after each answer. 200 and 503 are answers; all else is counted as a failure.
"""

from __future__ import annotations

import io
import os

import numpy as np
from locust import HttpUser, constant, task
from PIL import Image

SIDE = int(os.environ.get("SIDE", "512"))
TOKEN = os.environ.get("FIXATIVE_TOKEN")


def picture_file(side: int) -> bytes:
    """A PNG of smooth shapes with some noise, the same every time."""
    noise = np.random.default_rng(7)
    coarse = Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
    rough = smooth + noise.integers(-6, 7, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(np.clip(rough, 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


class Uploader(HttpUser):
    """Sends one picture after the other."""

    wait_time = constant(0.1)
    body = picture_file(SIDE)

    @task
    def protect(self) -> None:
        """Ask for a protected copy; the answer is counted under its status."""
        headers = {"Content-Type": "image/png"}
        if TOKEN is not None:
            headers["Authorization"] = f"Bearer {TOKEN}"
        path = "/v1/protect"
        with self.client.post(path, self.body, headers=headers, catch_response=True) as answer:
            answer.request_meta["name"] = f"answered {answer.status_code}"
            if answer.status_code in (200, 503):
                answer.success()
