"""Protect files and folders: what the command line does, as functions for any host."""

from fixative.batch.engine import EngineChoice, build_protector, describe_engine
from fixative.batch.plan import FileTask, Plan, plan_files
from fixative.batch.report import batch_report, write_report
from fixative.batch.run import (
    Change,
    FileOptions,
    FileResult,
    check_writable,
    measure_saved,
    protect_file,
    protect_files,
)

__all__ = [
    "Change",
    "EngineChoice",
    "FileOptions",
    "FileResult",
    "FileTask",
    "Plan",
    "batch_report",
    "build_protector",
    "check_writable",
    "describe_engine",
    "measure_saved",
    "plan_files",
    "protect_file",
    "protect_files",
    "write_report",
]
