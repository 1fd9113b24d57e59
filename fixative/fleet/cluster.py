"""The Ray side of a job: a cluster, a pool of workers, and rows as they are ready."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from fixative.errors import FixativeError, SettingError
from fixative.fleet.job import FleetRequest, Job
from fixative.fleet.rows import FleetRow, FleetTask
from fixative.fleet.storage import Store
from fixative.fleet.tables import TaskList, row_schema
from fixative.fleet.worker import Worker

log = logging.getLogger(__name__)

#: Pictures that a worker takes at once: what is lost, and begun again, with a killed one.
_BATCH = 8
#: What reading the list costs beside the workers, in cores.
_SMALL = 0.1
_MOST_WORKERS = 100_000


def require_ray() -> None:
    """Raise SettingError where the extra is not installed."""
    try:
        from ray import data  # noqa: PLC0415 - an extra, and slow

        log.debug("found %s", data.__name__)
    except ImportError as error:
        raise SettingError(
            f"engine ray: needs a package that is not installed ({error}); "
            "install fixative[ray], or leave --engine out to use this machine's cores"
        ) from error


@contextmanager
def cluster(request: FleetRequest) -> Generator[None, None, None]:
    """Join the cluster, or start one on this machine for as long as the job takes."""
    import ray  # noqa: PLC0415 - an extra, and slow

    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"logging_level": logging.WARNING, "log_to_driver": False}
    if request.address is not None:
        options["address"] = request.address
    else:
        options["include_dashboard"] = False
        if request.workers is not None:  # a core more, for reading the list
            options["num_cpus"] = request.workers[1] + 1
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SettingError(
            f"address: no Ray cluster answers at {request.address or 'this machine'} ({error}); "
            "start one with `ray start --head` or `ray up`, or leave the address out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _pool_size(request: FleetRequest) -> tuple[int, int]:
    import ray  # noqa: PLC0415 - an extra, and slow

    if request.workers is not None:
        return request.workers
    cores = int(ray.cluster_resources().get("CPU", 1))
    return 1, max(1, cores - 1) if request.address is None else _MOST_WORKERS


def _explained(error: Exception) -> FixativeError:
    """The person's mistake that made a worker give up, or what Ray says of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FixativeError):
            return SettingError(str(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    log.error("the workers failed", exc_info=error)
    line = " ".join(str(error).split())
    return SettingError(
        f"the workers cannot go on ({line[-500:]}); mend that and run the same command again: "
        "what is done is kept"
    )


def protected_rows(job: Job, tasks: TaskList, out: Store) -> Generator[FleetRow, None, None]:
    """Rows as they are ready; Ray holds no more lists and rows than its workers keep up with."""
    import ray.data  # noqa: PLC0415 - an extra, and slow
    from ray.exceptions import RayError  # noqa: PLC0415

    if not tasks.parts:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    least, most = _pool_size(job.request)
    found = ray.data.read_parquet(
        tasks.parts,
        filesystem=None if out.local else out.fs,
        num_cpus=_SMALL,
        override_num_blocks=len(tasks.parts),
    )
    done = found.repartition(target_num_rows_per_block=_BATCH).map_batches(
        RayWorker,
        batch_size=_BATCH,
        batch_format="pyarrow",
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=least, max_size=most),
        fn_constructor_kwargs={"job": job},
    )
    try:
        for row in done.iter_rows():
            yield FleetRow.from_dict(row)
    except RayError as error:
        raise _explained(error) from error


class RayWorker:
    """What Ray makes an actor of: tables of tasks in, tables of rows out.

    Args:
        job: for the ``Worker``.
    """

    def __init__(self, job: Job) -> None:
        import torch  # noqa: PLC0415 - on the machine of the worker

        torch.set_num_threads(1)  # a worker a core: more of them would fight
        self._worker = Worker(job)

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - comes with the extra ``ray``

        rows = [self._worker.protect(FleetTask(**task)) for task in batch.to_pylist()]
        return pa.Table.from_pylist([asdict(row) for row in rows], schema=row_schema())
