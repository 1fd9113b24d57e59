"""Reading, protecting and saving overlap, in bounded memory, in the order of the jobs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fixative.batch import FileOptions, FileTask
from fixative.batch.here import OUTSTANDING, Here
from fixative.batch.job import Finished, Job, hashed, look
from fixative.batch.lines import FORMAT, result_lines
from fixative.batch.pipeline import AHEAD, Pipeline, Room
from fixative.errors import SettingError
from fixative.protector import Protector
from tests.picture_files import save_photo
from tests.toy_models import toy_protector


def jobs(folder: Path, count: int) -> list[Job]:
    for number in range(count):
        save_photo(folder / f"{number}.png", seed=number)
    sources = [folder / f"{number}.png" for number in range(count)]
    return [Job(FileTask(s, folder / "out" / s.name), look(s)) for s in sources]


def test_in_order_with_the_hashes_of_both_files(tmp_path: Path) -> None:
    todo = jobs(tmp_path, 8)
    done = list(Here(Pipeline(toy_protector(), FileOptions(measure_pull=True))).run(todo))
    assert [finished.job for finished in done] == todo
    for finished in done:
        assert finished.result.error is None
        assert finished.source == hashed(finished.result.source)
        assert finished.output == hashed(tmp_path / "out" / finished.result.source.name)
        assert finished.result.pull is not None


def test_stages_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage sleeps; side by side they take little longer than one alone."""
    todo, protector, seconds = jobs(tmp_path, 10), toy_protector(), 0.05
    for name in ("_read", "_save", "_protect"):
        usual = getattr(Pipeline, name)

        def slow(self: Pipeline, piece: object, usual: object = usual) -> None:
            time.sleep(seconds)
            usual(self, piece)  # type: ignore[operator]

        monkeypatch.setattr(Pipeline, name, slow)
    begin = time.perf_counter()
    assert len(list(Here(Pipeline(protector, FileOptions())).run(todo))) == 10
    assert time.perf_counter() - begin < 3 * 10 * seconds * 0.75


def test_so_many_are_begun_and_no_more(tmp_path: Path) -> None:
    asked: list[Job] = []

    def items() -> Iterator[Job]:
        for job in jobs(tmp_path, 30):
            asked.append(job)
            yield job

    for number, _ in enumerate(Here(Pipeline(toy_protector(), FileOptions())).run(items())):
        assert len(asked) <= number + 1 + OUTSTANDING


def test_pixels_in_memory_are_bounded(tmp_path: Path) -> None:
    class Watched(Room):
        used = most = 0

        def take(self, pixels: int) -> None:
            super().take(pixels)
            self.used += pixels
            self.most = max(self.most, self.used)

        def give_back(self, pixels: int) -> None:
            self.used -= pixels
            super().give_back(pixels)

    todo = jobs(tmp_path, 12)
    for most, expected in ((48 * 32 * 2, 2), (1, 1)):
        room = Watched(most)
        pipeline = Pipeline(toy_protector(), FileOptions(overwrite=True), room)
        replacing = [Job(job.task, job.seen, replace=True) for job in todo]
        assert len(list(Here(pipeline).run(replacing))) == 12
        assert (room.used, room.most) == (0, 48 * 32 * expected)
    assert AHEAD < 12


def test_what_is_ready_is_protected_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo, usual, batches = jobs(tmp_path, 9), Protector.protect_many, []
    save_photo(tmp_path / "4.png", 70, 50, seed=4)

    def noted(self: Protector, pictures: list[object], *arguments: object) -> object:
        batches.append(len(pictures))
        time.sleep(0.05)  # the reading thread goes ahead
        return usual(self, pictures, *arguments)  # type: ignore[arg-type]

    protector = toy_protector()
    alone = [finished.output for finished in Here(Pipeline(protector, FileOptions())).run(todo)]
    monkeypatch.setattr(Protector, "protect_many", noted)
    again = [Job(job.task, job.seen, replace=True) for job in todo]
    pipeline = Pipeline(protector, FileOptions(batch=3))
    together = list(Here(pipeline).run(again))
    assert [finished.job for finished in together] == again
    assert [_bytes(finished) for finished in together] == [stamp.sha256 for stamp in alone if stamp]
    assert max(batches) == 3


def test_one_of_a_batch_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo, refused = jobs(tmp_path, 7), []
    (tmp_path / "3.png").write_bytes(b"no picture")

    def full(self: Protector, pictures: list[object], *arguments: object) -> object:
        refused.append(len(pictures))
        raise MemoryError

    monkeypatch.setattr(Protector, "protect_many", full)
    done = list(Here(Pipeline(toy_protector(), FileOptions(batch=4))).run(todo))
    assert [bool(finished.result.error) for finished in done] == [n == 3 for n in range(7)]
    assert refused


def _bytes(finished: Finished) -> str | None:
    return finished.output.sha256 if finished.output else None


def test_room_is_waited_for() -> None:
    room, entered = Room(10), threading.Event()
    room.take(8)
    waiting = threading.Thread(target=lambda: (room.take(5), entered.set()))
    waiting.start()
    assert not entered.wait(0.05)
    room.give_back(8)
    assert entered.wait(5)
    waiting.join()


def test_a_bad_one_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    todo = jobs(tmp_path, 5)
    (tmp_path / "1.png").write_bytes(b"no picture")
    (tmp_path / "2.png").unlink()
    usual, calls = Protector.protect, []

    def sometimes(self: Protector, *arguments: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("not enough memory: you tried to allocate")
        return usual(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Protector, "protect", sometimes)
    done = list(Here(Pipeline(toy_protector(), FileOptions())).run(todo))
    errors = [finished.result.error or "" for finished in done]
    assert [bool(error) for error in errors] == [False, True, True, True, False]
    assert "not an image" in errors[1]
    assert "cannot be read" in errors[2]
    assert "needs more memory" in errors[3]


def test_lines(tmp_path: Path) -> None:
    todo = jobs(tmp_path, 2)
    (tmp_path / "1.png").write_bytes(b"no picture")
    done = list(Here(Pipeline(toy_protector(), FileOptions())).run(todo))
    path = tmp_path / "lines.jsonl"
    for _ in range(2):
        with result_lines(path) as write:
            for finished in done:
                write(finished)
    good, bad = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert (good["format"], good["status"], bad["status"]) == (FORMAT, "protected", "failed")
    assert good["output_sha256"] == hashed(tmp_path / "out/0.png").sha256
    assert 1 <= good["max_change"] <= 8
    assert "not an image" in bad["error"]


def test_lines_of_a_run_that_ended_early(tmp_path: Path) -> None:
    finished = next(iter(Here(Pipeline(toy_protector(), FileOptions())).run(jobs(tmp_path, 1))))
    ending = KeyboardInterrupt()
    with suppress(KeyboardInterrupt), result_lines(tmp_path / "a.jsonl") as write:
        write(finished)
        raise ending
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 1
    (tmp_path / "b.jsonl").write_text("mine")
    with pytest.raises(SettingError, match="exists already"), result_lines(tmp_path / "b.jsonl"):
        pass
    assert isinstance(finished, Finished)
