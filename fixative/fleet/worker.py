"""One worker: it loads the engine once and protects pictures of any store, each exactly once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from fixative.batch import FileResult, FileTask, protect_file
from fixative.batch.job import is_disk_full
from fixative.errors import FixativeError, SettingError
from fixative.fleet.job import Job, content_key, settings_digest
from fixative.fleet.rows import KEPT, PROTECTED, FleetRow, FleetTask
from fixative.fleet.storage import OWN_FOLDER, file_digest
from fixative.pictures.naming import shown

log = logging.getLogger(__name__)


class Worker:
    """Protects pictures; a second attempt at one changes nothing.

    A result is recognised by its record, named by the sha256 of its source, its settings and its
    own bytes. The record is written before the result, so that whatever ends a worker between the
    two leaves nothing that the next one would take for somebody else's file; a result without a
    record is never replaced unless ``overwrite`` says so.

    When all is done a note tells the next run what source and result looked like in their stores,
    so that it need not read them again; without a note that fits, it reads and compares.

    Args:
        job: the request and the digest of its settings.

    Raises:
        SettingError: this machine's engine is not the one that the job was begun with.
        FixativeError: the engine cannot be loaded here.
    """

    def __init__(self, job: Job) -> None:
        request = job.request
        self._job = job
        self._source, self._out = job.stores()
        self._protector, described = request.load(request.engine)
        self._options = request.file_options()
        self._name = f"{platform.node()}:{os.getpid()}"
        if settings_digest(request, described) != job.settings:
            raise SettingError(
                f"{platform.node()}: codec or mixture is not the one that the job was begun with; "
                "install the same version of Fixative on every machine, and the same files"
            )

    def protect(self, task: FleetTask) -> FleetRow:
        """Protect one picture; what is wrong with it alone becomes a row that says so.

        Raises:
            SettingError: the disk or the store is full, as it would be for the next ones.
        """
        start = time.perf_counter()
        with TemporaryDirectory(prefix="fixative-") as folder:
            try:
                row = self._protect(task, Path(folder))
            except Exception as error:  # one picture must not end the job; _reason tells them apart
                row = FleetRow(task.source, error=self._line(error, task, Path(folder)))
        name = task.source or PurePosixPath(self._source.root).name
        seconds = time.perf_counter() - start
        return replace(row, source=name, seconds=seconds, worker=self._name)

    def _protect(self, task: FleetTask, folder: Path) -> FleetRow:
        row = None if self._job.request.check else self._noted(task)
        if row is not None:
            return row
        copy = self._copy(task, folder)
        self._source.fetch(task.source, copy)
        source_sha = file_digest(copy)
        key = content_key(source_sha, self._job.settings)
        row = self._recorded(task, key)
        if row is None:
            made = self._made(folder)
            result = protect_file(FileTask(copy, made), self._protector, self._options)
            shas = {"source_sha256": source_sha, "output_sha256": file_digest(made)}
            row = replace(_row(task, result), **shas)
            self._publish(row, key, made)
        self._note(task, row)
        return row

    def _noted(self, task: FleetTask) -> FleetRow | None:
        """What an earlier run made of it, if neither source nor result looks changed since."""
        content = self._out.read(_note_name(task)) if task.stamp else None
        if content is None:
            return None
        note = json.loads(content)
        if note["stamps"] != self._stamps(task) or note["settings"] != self._job.settings:
            return None
        return _kept(task, note["row"])

    def _recorded(self, task: FleetTask, key: str) -> FleetRow | None:
        """What an earlier run made of it, by the bytes of both; None if it is still to be made."""
        present = self._out.digest(task.output)
        if present is None:
            return None
        record = self._out.read(_record_name(key, present))
        if record is not None:
            return _kept(task, json.loads(record))
        if self._job.request.overwrite:
            return None
        raise SettingError(
            f"{self._out.label(task.output)}: exists already and is not a result of this "
            "picture with these settings; add --overwrite to replace it"
        )

    def _publish(self, row: FleetRow, key: str, made: Path) -> None:
        record = json.dumps(row.to_dict()).encode()
        self._out.put_bytes(record, _record_name(key, row.output_sha256))
        self._out.put(made, row.output)

    def _note(self, task: FleetTask, row: FleetRow) -> None:
        stamps = self._stamps(task)
        if task.stamp and stamps["output"]:
            note = {"stamps": stamps, "settings": self._job.settings, "row": row.to_dict()}
            self._out.put_bytes(json.dumps(note).encode(), _note_name(task))

    def _stamps(self, task: FleetTask) -> dict[str, str]:
        source = f"{shown(self._source.path(task.source))} {task.stamp}"
        return {"source": source, "output": self._out.stamp(task.output)}

    def _copy(self, task: FleetTask, folder: Path) -> Path:
        name = task.source or self._source.root
        return folder / f"source{PurePosixPath(name).suffix.lower()}"

    def _made(self, folder: Path) -> Path:
        return folder / f"result{self._options.output.suffix}"

    def _line(self, error: Exception, task: FleetTask, folder: Path) -> str:
        """Why it failed, with the names that the person knows."""
        line, name = self._reason(error, task), self._source.label(task.source)
        for path in (self._copy(task, folder), self._made(folder)):
            line = line.replace(shown(path), name)
        return " ".join(line.split())

    def _reason(self, error: Exception, task: FleetTask) -> str:
        """One line that names the picture."""
        name = self._source.label(task.source)
        if is_disk_full(error):
            raise SettingError(
                f"{name}: no room left ({error}); make room on the machine's temporary folder and "
                "in --out, then run the same command again: what is done is kept"
            ) from error
        if isinstance(error, FixativeError):
            return str(error)
        if isinstance(error, OSError):
            return f"{name}: cannot be read or written ({error})"
        if isinstance(error, MemoryError) or "alloc" in str(error) or "memory" in str(error):
            return f"{name}: needs more memory than is free; shrink it or take larger machines"
        log.error("%s failed", name, exc_info=error)
        return f"{name}: failed for a reason not foreseen ({type(error).__name__}: {error})"


def _record_name(key: str, output_sha256: str) -> str:
    return f"{OWN_FOLDER}/records/{key[:3]}/{key}-{output_sha256}.json"


def _note_name(task: FleetTask) -> str:
    name = hashlib.sha256(os.fsencode(task.output)).hexdigest()
    return f"{OWN_FOLDER}/notes/{name[:3]}/{name}.json"


def _kept(task: FleetTask, row: Mapping[str, Any]) -> FleetRow:
    found = FleetRow.from_dict(row)
    return replace(found, source=task.source, output=task.output, status=KEPT)


def _row(task: FleetTask, result: FileResult) -> FleetRow:
    width, height = result.size or (0, 0)
    change = result.change
    notes = (task.note,) if task.note else ()
    return FleetRow(
        source=task.source,
        output=task.output,
        status=PROTECTED,
        width=width,
        height=height,
        max_change=change.largest if change else 0,
        mean_change=change.mean if change else 0.0,
        psnr=change.psnr if change else None,
        warnings="; ".join(notes + result.warnings),
    )
