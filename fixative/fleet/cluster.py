"""The Ray side of a job: a cluster, a pool of workers, and rows as they are ready."""

from __future__ import annotations

import json
import logging
import platform
import re
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fixative.errors import FixativeError, SettingError
from fixative.fleet.job import FleetRequest, Job
from fixative.fleet.rows import FleetRow
from fixative.fleet.tables import TaskList, read_tasks
from fixative.fleet.worker import Worker

log = logging.getLogger(__name__)

#: Where there may be more workers than this, each takes several pictures at once, so that handing
#: them out costs little beside the work.
_MANY_WORKERS = 64
_TOGETHER = 8
_MOST_WORKERS = 100_000
#: Lines that wait beside the one that a worker is busy with.
_IN_FLIGHT = 2
_OURS = re.compile(r"fixative\.errors\.\w+: (.+)")


def require_ray() -> None:
    """Raise SettingError where the extra is not installed."""
    try:
        import fixative.fleet.source  # noqa: PLC0415 - imports Ray, which is slow

        log.debug("found what %s needs", fixative.fleet.source.__name__)
    except ImportError as error:
        raise SettingError(
            f"--engine ray: needs a package that is not installed ({error}); "
            "install fixative[ray], or leave --engine out to use this machine's cores"
        ) from error


@contextmanager
def cluster(request: FleetRequest) -> Generator[None, None, None]:
    """Join the cluster, or start one on this machine for as long as the job takes."""
    import ray  # noqa: PLC0415 - an extra, and slow
    from ray.exceptions import RayError  # noqa: PLC0415

    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if request.address is not None:
        options["address"] = request.address
    else:
        options |= {"address": "local", "include_dashboard": False}
        if request.workers is not None:
            options["num_cpus"] = request.workers[1]
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise SettingError(
            f"address: no Ray cluster answers at {request.address or 'this machine'} ({error}); "
            "start one with `ray start --head` or `ray up`, or leave the address out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def terminated_as_interrupted() -> Generator[None, None, None]:
    """Hear SIGTERM as Ctrl+C inside the block; Ray, once there, would abort the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def tasks_together(request: FleetRequest) -> int:
    """How many pictures a worker takes at once."""
    most = (
        request.workers[1] if request.workers else 1 if request.address is None else _MOST_WORKERS
    )
    return _TOGETHER if most > _MANY_WORKERS else 1


def _pool_size(request: FleetRequest) -> tuple[int, int]:
    import ray  # noqa: PLC0415 - an extra, and slow

    if request.workers is not None:
        return request.workers
    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
    return cores, cores if request.address is None else _MOST_WORKERS


def _explained(error: Exception) -> FixativeError:
    """The person's mistake that made a worker give up, or what Ray says of it."""
    ours = _OURS.findall(str(error))  # of a worker that did not start Ray keeps the text only
    if ours:
        return SettingError(ours[-1])
    log.error("the workers failed", exc_info=error)
    line = " ".join(str(error).split())
    return SettingError(
        f"the workers cannot go on ({line[-500:]}); mend that and run the same command again: "
        "what is done is kept"
    )


def protected_rows(job: Job, tasks: TaskList) -> Generator[FleetRow, None, None]:
    """Rows as they are ready; Ray holds no more tasks and rows than its workers keep up with."""
    import ray.data  # noqa: PLC0415 - an extra, and slow
    from ray.exceptions import RayError  # noqa: PLC0415

    from fixative.fleet.source import COLUMN, TaskSource  # noqa: PLC0415 - needs Ray

    if not tasks.parts:
        return
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # a line is a block, the unit that Ray hands out
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    least, most = _pool_size(job.request)
    pool = ray.data.ActorPoolStrategy(
        min_size=least, max_size=most, max_tasks_in_flight_per_actor=_IN_FLIGHT
    )
    with ray.data.DataContext.current(context):
        # No cores are asked for to read the list: workers may hold all there are.
        found = ray.data.read_datasource(
            TaskSource(tasks.out, tasks.parts), num_cpus=0, concurrency=1
        )
        done = found.map_batches(
            RayWorker,
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            compute=pool,
            fn_constructor_kwargs={"job": job, "listed": tasks.parts[0]},
        )
        try:
            for row in done.iter_rows():
                yield FleetRow.from_dict(json.loads(row[COLUMN]))
        except RayError as error:
            raise _explained(error) from error


class RayWorker:
    """What Ray makes an actor of: lines of tasks in, rows out, each in a table of its own.

    Args:
        job: for the ``Worker``.
        listed: a list of the job, by its name in the store of the results.

    Raises:
        SettingError: the folder of the results is not here the one that the job was begun with.
    """

    def __init__(self, job: Job, listed: str) -> None:
        import torch  # noqa: PLC0415 - on the machine of the worker

        _, out = job.stores()
        if out.read(listed) is None:
            raise SettingError(
                f"{out.label('')}: is another folder on {platform.node()}; "
                "give one that all machines share, or a bucket"
            )
        torch.set_num_threads(1)  # a worker a core: more of them would fight
        self._worker = Worker(job)

    def __call__(self, batch: Any) -> Iterator[Any]:
        from fixative.fleet.source import COLUMN, one_row  # noqa: PLC0415 - needs Ray

        for line in batch[COLUMN].to_pylist():
            for task in read_tasks(line):
                yield one_row(json.dumps(self._worker.protect(task).to_dict()))
