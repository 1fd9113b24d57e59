"""Forge's one thread for what touches the model; other threads hand it work and wait."""

from __future__ import annotations

import queue
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_work: queue.Queue[tuple[Future[Any], Callable[..., Any], Any, Any]] = queue.Queue()
last_exception: BaseException | None = None


def loop() -> None:
    """Work until the process ends."""
    global last_exception
    while True:
        done, func, args, kwargs = _work.get()
        try:
            done.set_result(func(*args, **kwargs))
            last_exception = None
        except Exception as error:
            traceback.print_exc()
            last_exception = error
            done.set_result(None)


def run_and_wait_result(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the function gives; None where it failed, as Forge has it."""
    done: Future[Any] = Future()
    _work.put((done, func, args, kwargs))
    return done.result()
