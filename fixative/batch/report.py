"""The JSON report of a run."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fixative
from fixative.batch.engine import EngineChoice
from fixative.batch.plan import Plan
from fixative.batch.run import FileResult
from fixative.pictures.atomic import write_text

FORMAT = "fixative-report-1"
_LIBRARIES = ("torch", "numpy", "pillow", "safetensors")


def batch_report(
    choice: EngineChoice,
    engine: Mapping[str, Any],
    plan: Plan,
    results: Sequence[FileResult],
    *,
    output: str,
    interrupted: bool = False,
    not_reached: int | None = None,
) -> dict[str, Any]:
    """Put together what a run did, in JSON types.

    Args:
        choice: what was asked for.
        engine: from ``describe_engine``; {} if no picture got that far.
        plan: what was found.
        results: what became of the pictures.
        output: name of the output format.
        interrupted: the person stopped the run.
        not_reached: how many pictures were left; None for the plan's tasks without a result.
    """
    failures = [_failure(path, line) for path, line in plan.failures]
    pictures = failures + [_picture(result) for result in results]
    unchanged = sum(result.unchanged for result in results)
    left = len(plan.tasks) - len(results) if not_reached is None else not_reached
    failed = sum(not picture["ok"] for picture in pictures)
    return {
        "format": FORMAT,
        "fixative": fixative.__version__,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "settings": {**asdict(choice.settings), "output_format": output},
        **engine,
        "libraries": {
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "summary": {
            "protected": len(pictures) - failed - unchanged,
            "failed": failed,
            "unchanged": unchanged,
            "not_reached": left,
            "skipped": dict(plan.skipped),
            "interrupted": interrupted,
        },
        "pictures": pictures,
    }


def write_report(path: Path, report: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Write a report, whole or not at all.

    Raises:
        SettingError: the file exists and ``overwrite`` is False.
        OSError: it cannot be written.
    """
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", overwrite=overwrite)


def _failure(path: Path, line: str) -> dict[str, Any]:
    return {"source": str(path), "ok": False, "error": line}


def _picture(result: FileResult) -> dict[str, Any]:
    if result.unchanged:
        source, output = str(result.source), str(result.output)
        return {"source": source, "output": output, "ok": True, "unchanged": True}
    if result.report is None or result.change is None:
        return _failure(result.source, result.error or "") | {"seconds": round(result.seconds, 4)}
    return {
        "source": str(result.source),
        "output": str(result.output),
        "ok": True,
        "size": list(result.size or ()),
        **result.report.to_dict(),
        "max_change": result.change.largest,
        "mean_change": result.change.mean,
        "psnr": result.change.psnr,
        "pull": result.pull,
        "seconds": round(result.seconds, 4),
        "warnings": list(result.warnings),
    }
