"""The books behind the progress bar, and the route that the page asks."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any, Optional

from modules import shared
from pydantic import BaseModel

current_task: str | None = None
pending_tasks: OrderedDict[str, float] = OrderedDict()
finished_tasks: list[str | None] = []
recorded_results: list[tuple[str | None, Any]] = []


def start_task(id_task: Any) -> None:
    global current_task
    current_task = id_task
    pending_tasks.pop(id_task, None)


def finish_task(id_task: str | None) -> None:
    global current_task
    if current_task == id_task:
        current_task = None
    finished_tasks.append(id_task)
    del finished_tasks[:-16]


def record_results(id_task: str | None, res: Any) -> None:
    recorded_results.append((id_task, res))
    del recorded_results[:-2]


def add_task_to_queue(id_job: str) -> None:
    pending_tasks[id_job] = time.time()


class ProgressRequest(BaseModel):
    id_task: Optional[str] = None  # noqa: UP045 - pydantic 1 reads it while running
    id_live_preview: int = -1
    live_preview: bool = True


class ProgressResponse(BaseModel):
    active: bool
    queued: bool
    completed: bool
    progress: Optional[float] = None  # noqa: UP045
    eta: Optional[float] = None  # noqa: UP045
    live_preview: Optional[str] = None  # noqa: UP045
    id_live_preview: Optional[int] = None  # noqa: UP045
    textinfo: Optional[str] = None  # noqa: UP045


def setup_progress_api(app: Any) -> None:
    app.add_api_route(
        "/internal/progress", progressapi, methods=["POST"], response_model=ProgressResponse
    )


def progressapi(req: ProgressRequest) -> ProgressResponse:
    """How far the task is; the share is counted as the host counts it."""
    active, queued = req.id_task == current_task, req.id_task in pending_tasks
    books: dict[str, Any] = {
        "active": active,
        "queued": queued,
        "completed": req.id_task in finished_tasks,
    }
    if not active:
        place = list(pending_tasks).index(str(req.id_task)) + 1 if queued else 0
        said = f"In queue: {place}/{len(pending_tasks)}" if queued else "Waiting..."
        return ProgressResponse(**books, id_live_preview=-1, textinfo=said)
    state, share = shared.state, 0.0
    if state.job_count > 0:
        share += state.job_no / state.job_count
        if state.sampling_steps > 0:
            share += state.sampling_step / state.sampling_steps / state.job_count
    share = min(share, 1.0)
    elapsed = time.time() - (state.time_start or time.time())
    eta = elapsed / share - elapsed if share > 0 else None
    return ProgressResponse(
        **books,
        progress=share,
        eta=eta,
        id_live_preview=req.id_live_preview,
        textinfo=state.textinfo,
    )
