"""Tasks one after the other in this process, or side by side in several of one thread each.

Either way every task computes with one thread, so that results do not depend on how many there are.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import multiprocessing

from fixative.errors import FixativeError
from fixative.mimicry.rows import MimicryRow, Task
from fixative.mimicry.settings import MimicrySettings
from fixative.mimicry.tools import ToolSource
from fixative.mimicry.workshop import Stopped, Workshop
from fixative.threads import one_thread

OnRow = Callable[[Task, MimicryRow], None]
#: Told what is being done of a task, a step and how many there are.
OnStep = Callable[[Task, str, int, int], None]
#: Seconds between two messages of a worker, and between two looks at them.
MESSAGE_EVERY, LOOK_EVERY = 0.5, 0.2


class Crew(Protocol):
    """Whoever carries out tasks; those given together do not need each other."""

    def work(self, tasks: Sequence[Task], on_row: OnRow, on_step: OnStep) -> None: ...


class Alone:
    """This process, one task after the other.

    Args:
        workshop: with everything loaded.
        stops: exceptions that end the run wherever they come from: a host's interrupt.
    """

    def __init__(self, workshop: Workshop, stops: tuple[type[BaseException], ...] = ()) -> None:
        self._workshop, self._stops = workshop, stops

    def work(self, tasks: Sequence[Task], on_row: OnRow, on_step: OnStep) -> None:
        """Carry out tasks; the callbacks may raise, to stop."""
        with one_thread():
            for task in tasks:
                on_row(task, self._attempt(task, on_step))

    def _attempt(self, task: Task, on_step: OnStep) -> MimicryRow:
        """What a callback raises ends the run, and is no failure of the task."""

        def tell(label: str, step: int, steps: int) -> None:
            try:
                on_step(task, label, step, steps)
            except Exception as error:
                raise Stopped from error

        try:
            return self._workshop.attempt(task, tell, self._stops)
        except Stopped as stopped:
            raise (stopped.__cause__ or stopped) from None


class Pool:
    """Worker processes that load their own tools; made by ``pool``."""

    def __init__(self, executor: ProcessPoolExecutor, messages: Any, stop: Any) -> None:
        self._executor, self._messages, self._stop = executor, messages, stop

    def work(self, tasks: Sequence[Task], on_row: OnRow, on_step: OnStep) -> None:
        """Carry out tasks side by side.

        Raises:
            FixativeError: a worker died.
        """
        by_key = {task.key: task for task in tasks}
        with _deaf_to_interrupts():  # what starts now inherits it; only this process is to hear
            pending = {self._executor.submit(_work, task): task for task in tasks}
        while pending:
            done, _ = wait(pending, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
            for key, label, step, steps in self._told():
                if key in by_key:
                    on_step(by_key[key], label, step, steps)
            for future in done:
                on_row(pending.pop(future), _result(future))

    def stop(self) -> None:
        """Have the workers end within a step; what they were at is not kept."""
        self._stop.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _told(self) -> Generator[Any]:
        while True:
            try:
                yield self._messages.get_nowait()
            except queue.Empty:
                return


@contextmanager
def pool(
    settings: MimicrySettings, source: ToolSource, out: Path, *, workers: int
) -> Generator[Pool]:
    """Worker processes, for as long as the block runs; they end within a step of its end."""
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    executor = ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=_begin,
        initargs=(settings, source, out, messages, stop),
    )
    crew = Pool(executor, messages, stop)
    try:
        yield crew
    finally:
        crew.stop()
        messages.close()
        messages.cancel_join_thread()


class _Worker:
    """What a worker process keeps between tasks."""

    def __init__(self, workshop: Workshop, messages: Any, stop: Any) -> None:
        self._workshop, self._messages, self._stop = workshop, messages, stop
        self._last = 0.0

    def work(self, task: Task) -> MimicryRow:
        def tell(label: str, step: int, steps: int) -> None:
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() - self._last >= MESSAGE_EVERY:
                self._last = time.monotonic()
                self._messages.put((task.key, label, step, steps))

        return self._workshop.attempt(task, tell)


_worker: _Worker | None = None


def _begin(
    settings: MimicrySettings, source: ToolSource, out: Path, messages: Any, stop: Any
) -> None:
    """Load everything once a process."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _worker = _Worker(Workshop(settings, source.load(), out), messages, stop)


def _end_with_parent() -> None:
    """A run that was killed leaves no worker behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(task: Task) -> MimicryRow:
    assert _worker is not None
    return _worker.work(task)


def _result(future: Future[MimicryRow]) -> MimicryRow:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise FixativeError(
            "a worker process ended unexpectedly, perhaps for want of memory; the same command "
            "goes on from here, with --workers 1 in the least memory"
        ) from error


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
