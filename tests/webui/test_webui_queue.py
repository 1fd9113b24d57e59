"""The host's queue, its progress, its options and its folders."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.webui.hosting import FLAVOURS, Hosted, hosted


@pytest.fixture(params=FLAVOURS)
def webui(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Hosted, None, None]:
    with hosted(request.param, tmp_path) as found:
        yield found


def in_time(function: Any) -> None:
    """Run it in a thread; a deadlock is a failure, not a hanging test."""
    worker = threading.Thread(target=function, daemon=True)
    worker.start()
    worker.join(5)
    assert not worker.is_alive(), "a deadlock"


def test_a_turn_waits_for_the_hosts_job_and_the_host_for_ours(webui: Hosted) -> None:
    order: list[str] = []
    lock = webui.module("modules.call_queue").queue_lock
    lock.acquire()

    def ours() -> None:
        with webui.host.turn():
            order.append("ours")

    worker = threading.Thread(target=ours, daemon=True)
    worker.start()
    time.sleep(0.1)
    order.append("host's")
    lock.release()
    worker.join(5)
    assert order == ["host's", "ours"]
    with webui.host.turn():
        assert not lock.acquire(False)
    assert lock.acquire(False)
    lock.release()


def test_a_turn_inside_of_a_turn_does_not_wait_for_itself(webui: Hosted) -> None:
    ran: list[str] = []

    def nested() -> None:
        with webui.host.turn(), webui.host.turn(), webui.host.job("Protecting"):
            ran.append("nested")

    def handler(_task: str) -> list[Any]:
        with webui.host.turn(), webui.host.job("Protecting"):
            ran.append("handler")
        return [1, "done"]

    in_time(nested)
    in_time(lambda: ran.append(webui.host.queued(handler, failed=1)("task(1)")[0]))
    assert ran == ["nested", "handler", 1]
    in_time(lambda: webui.module("modules.call_queue").queue_lock.acquire(False) or 1 / 0)


def test_only_the_thread_that_holds_the_turn_passes(webui: Hosted) -> None:
    entered = threading.Event()

    def other() -> None:
        with webui.host.turn():
            entered.set()

    with webui.host.turn():
        worker = threading.Thread(target=other, daemon=True)
        worker.start()
        assert not entered.wait(0.1)
    assert entered.wait(5)


def test_a_handler_keeps_its_task_and_counts_in_its_bar(webui: Hosted) -> None:
    seen: list[tuple[Any, ...]] = []

    def handler(task: str) -> list[Any]:
        with webui.host.job("Protecting") as job:
            job.tell(1, 4, "first picture")
            state = webui.state
            seen.append((state.job_count, state.job_no, state.sampling_step, state.sampling_steps))
            seen.append((state.textinfo, state.job))
        return [task, "<p>done</p>"]

    result = webui.host.queued(handler, failed=1)("task(abc)")
    assert seen == [(1, 0, 1, 4), ("first picture", "task(abc)")]
    assert result[0] == "task(abc)"
    assert webui.state.job_count == 0


def test_a_handler_that_fails_gives_back_as_many_outputs(webui: Hosted) -> None:
    def handler(_task: str) -> list[Any]:
        raise ValueError("not this one")

    result = webui.host.queued(handler, failed=3)("task(abc)")
    assert list(result[:3]) == [None] * 3
    assert "not this one" in result[3]
    in_time(lambda: webui.host.turn().__enter__())


def test_a_job_of_its_own_begins_and_ends(webui: Hosted) -> None:
    state = webui.state
    state.interrupted = True  # left over from something else
    with webui.host.turn(), webui.host.job("API") as job:
        assert state.job == "API"
        job.tell(1, 2)
        assert state.textinfo == "API"
        assert (state.job_count, state.sampling_step, state.sampling_steps) == (1, 1, 2)
    assert (state.job, state.job_count) == ("", 0)


def test_a_job_inside_of_the_hosts_puts_its_counters_back(webui: Hosted) -> None:
    state = webui.state
    state.begin(job="extras")
    state.job_count, state.job_no, state.textinfo = 3, 1, "a.png"
    state.sampling_step, state.sampling_steps = 7, 20
    with webui.host.inside_turn(), webui.host.job("Protecting") as job:
        job.tell(1, 2, "second step")
        assert state.textinfo == "second step"
        assert (state.job_count, state.job_no, state.sampling_step) == (3, 1, 7)
    assert state.job == "extras"
    counters = (state.job_count, state.job_no, state.sampling_step, state.sampling_steps)
    assert counters == (3, 1, 7, 20)
    assert state.textinfo == "a.png"


def test_interrupt(webui: Hosted) -> None:
    host, state = webui.host, webui.state
    with host.turn(), host.job("Protecting") as job:
        job.tell(0, 2)
        host.interrupt()
        assert state.interrupted
        assert host.stop_asked()
        with pytest.raises(host.Stopped):
            job.tell(1, 2)
    if hasattr(state, "stopping_generation"):
        with host.turn(), host.job("Protecting"):
            state.stop_generating()
            with pytest.raises(host.Stopped):
                host.tell(1, 2)


def test_a_job_that_must_not_stop_does_not(webui: Hosted) -> None:
    with webui.host.inside_turn(), webui.host.job("Protecting", stoppable=False) as job:
        webui.host.interrupt()
        job.tell(1, 2)


LOSSY = {"png": False, "PNG": False, ".png": False, "jpg": True, "webp": True, "avif": True}


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_output(webui: Hosted, kind: str) -> None:
    webui.opts.samples_format = kind
    told = webui.host.lossy_output()
    assert (told is not None) == LOSSY[kind]
    assert told is None or (kind in told and "png" in told)


def test_lossless_webp_and_lossy_copies(webui: Hosted) -> None:
    webui.opts.samples_format, webui.opts.webp_lossless = "webp", True
    assert webui.host.lossy_output() is None
    webui.opts.export_for_4chan = False
    assert webui.host.lossy_copies() is None
    webui.opts.export_for_4chan = True
    assert "JPG" in webui.host.lossy_copies()


def test_options(webui: Hosted) -> None:
    host = webui.host
    assert host.option("samples_format") == "png"
    assert host.option("no_such_option", 5) == 5
    new = host.NewOption("fixative_x", 8.0, "X", None, {"minimum": 1}, info="why", by_api=False)
    host.add_option(new, section=("fixative", "Fixative"))
    info = webui.opts.data_labels["fixative_x"]
    assert (info.section, info.component_args) == (("fixative", "Fixative"), {"minimum": 1})
    assert info.restrict_api
    assert "why" in info.comment_after
    assert host.option("fixative_x") == 8.0
    webui.opts.set("fixative_x", 4.0, is_api=True)
    assert host.option("fixative_x") == 8.0
    webui.opts.set("fixative_x", 4.0)
    assert host.option("fixative_x") == 4.0


def test_folders(webui: Hosted, tmp_path: Path) -> None:
    host = webui.host
    assert host.weights_folder() == tmp_path / "models" / "Fixative"
    assert host.weights_folder(" ~/mine ") == Path.home() / "mine"
    webui.opts.outdir_samples, webui.opts.outdir_extras_samples = "", "outputs/extras-images"
    assert host.allowed_output_dir() == tmp_path / "outputs" / "fixative-images"
    webui.opts.outdir_samples = str(tmp_path / "all of them")
    assert host.allowed_output_dir() == tmp_path / "all of them" / "fixative"
    assert host.allowed_output_dir().is_dir()
    assert host.folders_allowed()
    webui.module("modules.shared").cmd_opts.hide_ui_dir_config = True
    assert not host.folders_allowed()
