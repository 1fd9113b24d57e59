"""What is to be done with a picture, by what the ledger and the disk say of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fixative.batch.job import Finished, Job, Stamp, hashed, look
from fixative.batch.ledger import BEGUN, DONE, FAILED, Entry, Ledger, path_bytes
from fixative.batch.listing import Listing
from fixative.batch.plan import FileTask, absolute
from fixative.batch.run import FileResult
from fixative.pictures.naming import shown

OWN = "own results"
_PARTS = ".fixative-*.part"
_SETTINGS_VERSION = 1


def settings_hash(described: Mapping[str, Any]) -> str:
    """One hash of everything besides a picture that its result depends on.

    Args:
        described: settings and the hashes of model files, in JSON types.
    """
    text = json.dumps({"version": _SETTINGS_VERSION, **described}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Decider:
    """Compares each picture with the ledger, and keeps the ledger.

    Args:
        listing: where pictures and results are.
        ledger: of the results' folder.
        settings: from ``settings_hash``.
        overwrite: replace results that exist and are not the ledger's own.
    """

    def __init__(
        self, listing: Listing, ledger: Ledger, settings: str, *, overwrite: bool = False
    ) -> None:
        self._listing, self._ledger = listing, ledger
        self._settings, self._overwrite = settings, overwrite
        self._base = os.fsencode(listing.base)
        self._out = absolute(listing.out)

    def tidy(self) -> None:
        """Remove the half-written files of a run that was ended; this one holds the ledger."""
        folders = {(self._out / _path(row.output)).parent for row in self._ledger.unfinished()}
        for folder in folders:
            for part in folder.glob(_PARTS):
                part.unlink(missing_ok=True)

    def decide(self, task: FileTask) -> Job | Finished | None:
        """A job, begun in the ledger; or what became of it already; None for an own result."""
        if self._is_own_result(task.source):
            self._listing.skipped[OWN] += 1
            return None
        seen = Stamp(0, 0)
        with suppress(OSError):  # the worker says why it cannot be read
            seen = look(task.source)
        row = self._ledger.of_source(self._key(task.source))
        if row is not None and self._is_done(row, task, seen):
            output = self._listing.out / _path(row.output)
            result = FileResult(task.source, output, unchanged=True)
            source = Stamp(row.size, row.mtime_ns, row.sha256)
            return Finished(result, source=source, output=_output_stamp(row))
        if row is not None and self._keeps_name(row, task):
            task = replace(task, output=self._listing.out / _path(row.output))
        refusal = self._refusal(row, task)
        if refusal is not None:
            line = f"{shown(task.output)}: {refusal}"
            return Finished(FileResult(task.source, error=line))
        self._begin(row, task, seen)
        return Job(task, seen, replace=os.path.lexists(task.output))

    def keep(self, finished: Finished) -> None:
        """Write down what a worker made of a job."""
        job, source, output = finished.job, finished.source, finished.output
        if job is None or source is None:
            return
        row = self._ledger.of_source(self._key(job.task.source))
        assert row is not None
        row = replace(
            row,
            size=source.size,
            mtime_ns=source.mtime_ns,
            sha256=source.sha256,
            status=FAILED if output is None else DONE,
            error=finished.result.error,
            seconds=finished.result.seconds,
        )
        if output is not None:
            row = _with_output(row, output)
        self._ledger.put(row)

    def _begin(self, row: Entry | None, task: FileTask, seen: Stamp) -> None:
        begun = Entry(
            source=self._key(task.source),
            base=self._base,
            size=seen.size,
            mtime_ns=seen.mtime_ns,
            sha256=None,
            settings=self._settings,
            output=self._place(task.output),
        )
        if row is not None and row.output == begun.output:
            begun = _with_output(begun, _output_stamp(row))
        self._ledger.put(begun)

    def _is_done(self, row: Entry, task: FileTask, seen: Stamp) -> bool:
        if row.status != DONE or row.settings != self._settings or not self._is_intact(row):
            return False
        if (self._listing.out / _path(row.output)).suffix != task.output.suffix:
            return False
        if seen.looks == (row.size, row.mtime_ns):
            return True
        if seen.size != row.size or hashed(task.source).sha256 != row.sha256:
            return False
        self._ledger.put(replace(row, mtime_ns=seen.mtime_ns))  # touched or copied: the same bytes
        return True

    def _keeps_name(self, row: Entry, task: FileTask) -> bool:
        """A changed picture replaces its result even where today's neighbours rename it."""
        return _path(row.output).suffix == task.output.suffix and self._is_own(row)

    def _refusal(self, row: Entry | None, task: FileTask) -> str | None:
        """Why a result may not be written; None if it may."""
        if not os.path.lexists(task.output):
            return None
        own = row is not None and row.output == self._place(task.output) and self._is_own(row)
        if own and row is not None and (row.settings == self._settings or row.status == BEGUN):
            return None
        if not own and self._listing.is_input(task.output):
            return "its result would replace an input; choose another --out"
        if self._overwrite:
            return None
        if own:
            return "was protected with other settings; add --overwrite to replace it"
        return "exists already; add --overwrite to replace it"

    def _is_own(self, row: Entry) -> bool:
        """Whether what is at a row's output was written by a run of this folder."""
        same_folder = row.base == self._base
        return same_folder and (row.status == BEGUN or self._is_intact(row))

    def _is_intact(self, row: Entry) -> bool:
        """Whether a result is as it was written; its bytes are compared if its time changed."""
        output, before = self._out / _path(row.output), _output_stamp(row)
        try:
            now = look(output)
            if now.looks == before.looks:
                return True
            return now.size == before.size and hashed(output).sha256 == before.sha256
        except OSError:
            return False

    def _is_own_result(self, source: Path) -> bool:
        place = absolute(source)
        if not place.is_relative_to(self._out):
            return False
        row = self._ledger.of_output(path_bytes(place.relative_to(self._out)))
        return row is not None and self._is_own(row)

    def _key(self, source: Path) -> bytes:
        return path_bytes(Path(os.path.relpath(absolute(source), self._listing.base)))

    def _place(self, output: Path) -> bytes:
        return path_bytes(Path(os.path.relpath(absolute(output), self._out)))


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name))


def _output_stamp(row: Entry) -> Stamp:
    return Stamp(row.output_size or -1, row.output_mtime_ns or -1, row.output_sha256)


def _with_output(row: Entry, output: Stamp) -> Entry:
    if output.sha256 is None:
        return row
    return replace(
        row,
        output_size=output.size,
        output_mtime_ns=output.mtime_ns,
        output_sha256=output.sha256,
    )
