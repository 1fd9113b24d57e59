"""Worker processes with a pipeline each; every one computes with one thread.

So results do not depend on how many workers there are. Jobs are handed out in bounded numbers,
and a worker that dies is replaced: what it was at is tried once more, alone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from queue import Queue
from typing import Any

import torch
from torch import multiprocessing

from fixative.batch.engine import EngineChoice, build_protector
from fixative.batch.job import Finished, Job
from fixative.batch.memory import KEEP_FREED, inherited
from fixative.batch.pipeline import Pipeline
from fixative.batch.run import FileOptions, FileResult
from fixative.errors import FixativeError
from fixative.pictures.naming import shown

#: Workers that may die one after the other with nothing done in between.
MOST_DEATHS = 8
#: Jobs that a worker has at a time, besides the others of a batch: one in each stage and some that
#: wait.
OUTSTANDING = 4


@dataclass
class _Worker:
    """A process, the end of its pipe, and what it has."""

    process: Any
    pipe: Any
    jobs: dict[bytes, Job] = field(default_factory=dict[bytes, Job])


class Pool:
    """Workers that load the engine once each; made by ``pool``.

    Args:
        choice: what they load.
        options: how they read and write.
        workers: how many, at least 1.
    """

    def __init__(self, choice: EngineChoice, options: FileOptions, workers: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._choice, self._options = choice, options
        self._outstanding = OUTSTANDING + options.batch - 1
        self._told: Queue[tuple[_Worker, Finished | Exception | None]] = Queue()
        self._workers: list[_Worker] = []
        self._suspects: list[Job] = []
        self._tried: set[bytes] = set()
        self._deaths = 0
        for _ in range(workers):
            self._start()

    @property
    def processes(self) -> list[int]:
        """Their ids."""
        return [worker.process.pid for worker in self._workers]

    def run(self, items: Iterable[Job | Finished]) -> Iterator[Finished]:
        """Carry out jobs, giving each as it is ready; what is finished already passes through.

        Args:
            items: asked for one by one, only when a worker has room.

        Raises:
            FixativeError: a worker could not load the engine, or workers keep dying.
        """
        waiting = iter(items)
        more = True
        while more or self._busy() or self._suspects:
            while more and not self._suspects and (worker := self._free()) is not None:
                item = next(waiting, None)
                if isinstance(item, Job):
                    self._hand(worker, item)
                elif item is not None:
                    yield item
                more = item is not None
            if self._suspects and not self._busy():
                self._hand(self._workers[0], self._suspects.pop())
            if self._busy():
                yield from self._listen()

    def stop(self) -> None:
        """Have the workers end after what they have begun."""
        for worker in self._workers:
            try:
                worker.pipe.send(None)
            except OSError:  # it is dead already
                continue
        for worker in self._workers:
            worker.process.join()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        with _deaf(), inherited(KEEP_FREED):  # only this process is to hear
            process = self._context.Process(
                target=_work, args=(theirs, self._choice, self._options), daemon=True
            )
            process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        worker = _Worker(process, ours)
        self._workers.append(worker)
        threading.Thread(target=self._hear, args=(worker,), daemon=True).start()

    def _hear(self, worker: _Worker) -> None:
        try:
            while True:
                self._told.put((worker, worker.pipe.recv()))
        except (EOFError, OSError):
            self._told.put((worker, None))

    def _listen(self) -> Iterator[Finished]:
        worker, told = self._told.get()
        if isinstance(told, Exception):
            raise told
        if told is not None:
            assert told.job is not None
            worker.jobs.pop(_key(told.job), None)
            self._tried.discard(_key(told.job))
            self._deaths = 0
            yield told
        elif worker in self._workers:
            yield from self._lost(worker)

    def _lost(self, worker: _Worker) -> Iterator[Finished]:
        """Replace a worker that died; a job that was at it twice, once alone, has failed."""
        self._workers.remove(worker)
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise FixativeError(
                "worker processes keep ending unexpectedly, perhaps for want of memory; the same "
                "command goes on from here, with --workers 1 in the least memory"
            )
        self._start()
        for key, job in worker.jobs.items():
            if key in self._tried:
                yield _failed(job)
            else:
                self._tried.add(key)
                # Nothing was there when it was begun, or it might be replaced; what is now is ours.
                self._suspects.append(replace(job, replace=True))

    def _busy(self) -> bool:
        return any(worker.jobs for worker in self._workers)

    def _free(self) -> _Worker | None:
        worker = min(self._workers, key=lambda worker: len(worker.jobs))
        return worker if len(worker.jobs) < self._outstanding else None

    def _hand(self, worker: _Worker, job: Job) -> None:
        worker.jobs[_key(job)] = job
        try:
            worker.pipe.send(job)
        except OSError:  # it has just died: its listener says so
            return


@contextmanager
def pool(choice: EngineChoice, options: FileOptions, *, workers: int) -> Generator[Pool]:
    """Worker processes, for as long as the block runs."""
    crew = Pool(choice, options, workers)
    try:
        yield crew
    finally:
        crew.stop()


def _work(pipe: Any, choice: EngineChoice, options: FileOptions) -> None:
    """A worker's life: load, then work until None comes or the parent is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    try:
        pipeline = Pipeline(build_protector(choice), options)
    except Exception as error:  # said by the parent, where the person is
        pipe.send(error)
        return
    pipeline.run(pipe.recv, pipe.send)


def _end_with_parent() -> None:
    """A run that was killed leaves no worker behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _key(job: Job) -> bytes:
    return os.fsencode(job.task.source)


def _failed(job: Job) -> Finished:
    line = (
        f"{shown(job.task.source)}: ended its worker twice, perhaps for want of memory; shrink it, "
        "or give --workers 1"
    )
    return Finished(FileResult(job.task.source, error=line), job, job.seen)


@contextmanager
def _deaf() -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
