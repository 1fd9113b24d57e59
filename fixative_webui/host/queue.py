"""One job at a time, in the host's queue and in its progress bar."""

# pyright: reportMissingImports=false
from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from modules import call_queue, shared

_here = threading.local()


class Stopped(Exception):  # noqa: N818 - the user's wish, no error
    """The user pressed Interrupt. Not to be counted as a failure of one picture."""


class Job:
    """A job in the host's progress; its ``tell`` is the module's."""

    def tell(self, step: int, steps: int, text: str = "") -> None:
        """``tell`` of this module."""
        tell(step, steps, text)


def queued(function: Callable[..., Any], *, failed: int) -> Any:
    """A gradio handler that waits its turn, as the host wraps its own.

    Where its first argument is ``task(…)``, the host's progress bar shows it.

    Args:
        function: returns a list, whose last item is HTML (the host adds the time taken).
        failed: how many outputs before that one are left empty where it raises.
    """

    @functools.wraps(function)
    def marked(*args: Any, **kwargs: Any) -> Any:
        with inside_turn():
            return function(*args, **kwargs)

    return call_queue.wrap_gradio_gpu_call(marked, extra_outputs=[None] * failed)


@contextmanager
def turn() -> Generator[None, None, None]:
    """Wait for the host's queue and hold it; at once where this thread holds it already."""
    if getattr(_here, "holds", False):
        yield
        return
    with call_queue.queue_lock, _set(holds=True):
        yield


@contextmanager
def inside_turn() -> Generator[None, None, None]:
    """Say that what runs now in this thread is a job of the host, which holds its queue for it."""
    with _set(holds=True, begun=True):
        yield


@contextmanager
def job(title: str, *, stoppable: bool = True) -> Generator[Job, None, None]:
    """Show a job in the host's progress; inside of one that it has begun, as a part of that.

    Args:
        title: what the bar says until ``tell`` says more.
        stoppable: whether ``tell`` raises ``Stopped``; not where a picture would stay unprotected.
    """
    state = shared.state
    begun = getattr(_here, "begun", False)
    kept = {name: getattr(state, name) for name in _COUNTERS}
    if not begun:
        state.begin(job=title)
    counts = state.job_count <= 0  # else the host counts its own pictures, and we do not
    try:
        if counts:
            state.job_count, state.job_no, state.sampling_step = 1, 0, 0
        state.textinfo = title
        with _set(begun=True, counts=counts, stoppable=stoppable):
            yield Job()
    finally:
        if begun:
            for name, value in kept.items():
                setattr(state, name, value)
        else:
            state.end()


#: What a part of a host's job leaves as it found it.
_COUNTERS = ("job_count", "job_no", "sampling_step", "sampling_steps", "textinfo")


def tell(step: int, steps: int, text: str = "") -> None:
    """Progress of the current ``job``.

    Args:
        step: how many are done.
        steps: of how many.
        text: what is being done; empty leaves what was said.

    Raises:
        Stopped: the user pressed Interrupt.
    """
    if getattr(_here, "counts", False):
        shared.state.sampling_step, shared.state.sampling_steps = step, steps
    if text:
        shared.state.textinfo = text
    if getattr(_here, "stoppable", True) and stop_asked():
        raise Stopped("Interrupted: what was not begun is left as it was")


def stop_asked() -> bool:
    """Whether the user pressed Interrupt, now or after the current picture."""
    state = shared.state
    return bool(state.interrupted or getattr(state, "stopping_generation", False))


def interrupt() -> None:
    """What the host's Interrupt does."""
    shared.state.interrupt()


@contextmanager
def _set(**marks: bool) -> Generator[None, None, None]:
    """Marks of this thread, for a while."""
    before = dict(vars(_here))
    vars(_here).update(marks)
    try:
        yield
    finally:
        vars(_here).clear()
        vars(_here).update(before)
