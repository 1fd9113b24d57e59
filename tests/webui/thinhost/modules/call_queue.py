"""One job at a time: what the host wraps around the functions behind its buttons."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import html
import time
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from modules import devices, fifo_lock, progress, shared, thin

queue_lock = fifo_lock.FIFOLock()


def wrap_queued_call(func: Callable[..., Any]) -> Callable[..., Any]:
    def f(*args: Any, **kwargs: Any) -> Any:
        with queue_lock:
            return func(*args, **kwargs)

    return f


def wrap_gradio_gpu_call(
    func: Callable[..., Any], extra_outputs: list[Any] | None = None
) -> Callable[..., Any]:
    """Wait for the queue, keep the progress bar's books, turn an error into the last output.

    The first argument is the task's id where it looks like one; the function gets it too.
    """

    @wraps(func)
    def f(*args: Any, **kwargs: Any) -> Any:
        first = args[0] if args else None
        is_task = isinstance(first, str) and first.startswith("task(") and first.endswith(")")
        task = first if is_task else None
        if task is not None:
            progress.add_task_to_queue(task)
        with queue_lock:
            shared.state.begin(job=task)
            progress.start_task(task)
            try:
                result = func(*args, **kwargs)
                progress.record_results(task, result)
            finally:
                progress.finish_task(task)
            shared.state.end()
        return result

    return wrap_gradio_call(f, extra_outputs=extra_outputs, add_stats=True)


def wrap_gradio_call(
    func: Callable[..., Any], extra_outputs: list[Any] | None = None, add_stats: bool = False
) -> Callable[..., Any]:
    """An error becomes text in the last output, which must be HTML; timing is added to it."""

    @wraps(func)
    def f(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        started = time.perf_counter()
        try:
            results = list(func(*args, **kwargs))
        except Exception as error:
            traceback.print_exc()
            shared.state.job, shared.state.job_count = "", 0
            said = html.escape(f"{type(error).__name__}: {error}")
            outputs = [None, ""] if extra_outputs is None else list(extra_outputs)
            results = [*outputs, f"<div class='error'>{said}</div>"]
        shared.state.skipped = shared.state.interrupted = False
        if thin.since(1, 10):
            shared.state.stopping_generation = False
        shared.state.job_count = 0
        devices.torch_gc()
        if add_stats:
            took = f"{time.perf_counter() - started:.1f} sec."
            results[-1] += f"<div class='performance'><p class='time'>Time taken: {took}</p></div>"
        return tuple(results)

    return f
