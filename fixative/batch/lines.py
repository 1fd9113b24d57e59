"""One line of JSON for each picture of a run, written as it goes and named when it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fixative.batch.job import Finished, Stamp
from fixative.pictures.atomic import atomic_file, refuse_existing

FORMAT = "fixative-result-1"
_HEAD = f'{{"format": "{FORMAT}"'.encode()


@contextmanager
def result_lines(
    path: Path | None, *, overwrite: bool = False
) -> Generator[Callable[[Finished], None]]:
    """A function that writes a line for each picture.

    The file has its name when the block ends, whatever ends it but the process's death; a file of
    lines from an earlier run is replaced.

    Args:
        path: of the file; None writes nothing.
        overwrite: replace any other file.

    Raises:
        SettingError: another file has the name and ``overwrite`` is False.
        OSError: it cannot be written.
    """
    if path is None:
        yield lambda finished: None
        return
    replaced = overwrite or _is_ours(path)
    refuse_existing(path, overwrite=replaced)
    ended: BaseException | None = None
    with (
        atomic_file(path, overwrite=replaced) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        try:
            yield lambda finished: _write(file, finished)
        except BaseException as error:  # what was done until then is told all the same
            ended = error
    if ended is not None:
        raise ended


def result_line(finished: Finished) -> dict[str, Any]:
    """What became of a picture, in JSON types."""
    result = finished.result
    line: dict[str, Any] = {
        "format": FORMAT,
        "source": os.fspath(result.source),
        "status": _status(finished),
        "seconds": round(result.seconds, 4),
        "source_sha256": _sha256(finished.source),
    }
    if result.error is not None:
        return line | {"error": result.error}
    line |= {"output": os.fspath(result.output or ""), "output_sha256": _sha256(finished.output)}
    if result.report is not None and result.change is not None:
        line |= {
            "size": list(result.size or ()),
            "target": result.report.target,
            "group": result.report.group,
            "max_change": result.change.largest,
            "mean_change": result.change.mean,
            "psnr": result.change.psnr,
            "pull": result.pull,
            "warnings": list(result.warnings),
        }
    return line


def _status(finished: Finished) -> str:
    if finished.result.error is not None:
        return "failed"
    return "unchanged" if finished.result.unchanged else "protected"


def _sha256(stamp: Stamp | None) -> str | None:
    return None if stamp is None else stamp.sha256


def _write(file: Any, finished: Finished) -> None:
    file.write(json.dumps(result_line(finished), ensure_ascii=False, allow_nan=False) + "\n")


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_HEAD)) == _HEAD
