"""The same pipeline in this process: for a few pictures."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from queue import Queue

from fixative.batch.job import Finished, Job
from fixative.batch.pipeline import Pipeline
from fixative.threads import one_thread

#: Jobs that are begun at a time, besides the others of a batch.
OUTSTANDING = 4


class Here:
    """Works with a pipeline in threads of this process, computing with one thread as workers do.

    Args:
        pipeline: loaded.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def run(self, items: Iterable[Job | Finished]) -> Iterator[Finished]:
        """Carry out jobs, giving each as it is ready; what is finished already passes through.

        Args:
            items: asked for one by one, only when there is room.
        """
        jobs: Queue[Job | None] = Queue()
        told: Queue[Finished] = Queue()
        begun, most = 0, OUTSTANDING + self._pipeline.options.batch - 1
        with _running(self._pipeline, jobs, told):
            for item in items:
                if not isinstance(item, Job):
                    yield item
                    continue
                jobs.put(item)
                begun += 1
                while begun >= most or not told.empty():
                    yield told.get()
                    begun -= 1
            for _ in range(begun):
                yield told.get()


@contextmanager
def _running(pipeline: Pipeline, jobs: Queue[Job | None], told: Queue[Finished]) -> Generator[None]:
    """The pipeline in a thread; what it has begun when the block ends is finished."""
    thread = threading.Thread(target=pipeline.run, args=(jobs.get, told.put), daemon=True)
    with one_thread():
        thread.start()
        try:
            yield
        finally:
            jobs.put(None)
            thread.join()
