"""What a computation costs: seconds, and the largest memory meanwhile."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Cost:
    """Filled when the block of ``measured`` is left.

    Attributes:
        seconds: of wall time.
        peak_mb: largest memory in MB: of the GPU where one computes, otherwise of the whole
            process; None where the system does not tell.
    """

    seconds: float = 0.0
    peak_mb: float | None = None


@contextmanager
def measured(device: torch.device) -> Generator[Cost]:
    """Measure the block."""
    cost = Cost()
    known = _restart(device)
    start = time.perf_counter()
    try:
        yield cost
    finally:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        cost.seconds = time.perf_counter() - start
        cost.peak_mb = _peak(device) if known else None


def _restart(device: torch.device) -> bool:
    """Forget earlier peaks; whether that is possible."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        return True
    try:
        _RESET.write_text("5")  # Linux: the peak starts again at what is used now
    except OSError:
        return False
    return _STATUS.is_file()


def _peak(device: torch.device) -> float | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    lines = _STATUS.read_text("utf-8").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else None
