"""Worker processes: the same files as without, whatever becomes of the workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from fixative.batch import EngineChoice, FileOptions, build_protector
from fixative.batch.here import Here
from fixative.batch.job import Finished, Job
from fixative.batch.pipeline import Pipeline
from fixative.batch.pool import Pool, pool
from fixative.errors import CodecError
from fixative.protector import ProtectSettings
from tests.streaming import files, fill, stream
from tests.toy_models import save_models


class Killing:
    """A pool of which a worker is killed after the first picture is done."""

    def __init__(self, crew: Pool) -> None:
        self._crew = crew

    def run(self, items: Iterable[Job | Finished]) -> Iterator[Finished]:
        for number, finished in enumerate(self._crew.run(items)):
            if number == 0:
                os.kill(self._crew.processes[0], signal.SIGKILL)
            yield finished


def choice(folder: Path) -> EngineChoice:
    models = save_models(folder)
    return EngineChoice(str(models.codec), models.mixture, ProtectSettings(strength_map="off"))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_two_workers_with_one_killed(tmp_path: Path) -> None:
    fill(tmp_path / "in", 16)
    engine = choice(tmp_path)
    here = Here(Pipeline(build_protector(engine), FileOptions()))
    stream(tmp_path / "in", tmp_path / "alone", crew=here)
    with pool(engine, FileOptions(), workers=2) as crew:
        run = stream(tmp_path / "in", tmp_path / "out", crew=Killing(crew))
    assert run.errors == []
    assert len(run.protected) == 16
    assert files(tmp_path / "out") == files(tmp_path / "alone")


def test_a_worker_that_cannot_load_says_so(tmp_path: Path) -> None:
    fill(tmp_path / "in", 2)
    with (
        pool(EngineChoice(str(tmp_path / "none.st")), FileOptions(), workers=1) as crew,
        pytest.raises(CodecError, match="no such file"),
    ):
        stream(tmp_path / "in", tmp_path / "out", crew=crew)
