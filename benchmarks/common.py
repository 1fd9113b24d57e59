"""What the benchmarks share: held-out pictures, tables, and results with their provenance."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fixative.images import resize  # noqa: E402
from fixative.provenance import provenance  # noqa: E402
from fixative.training.splits import held_out_pictures  # noqa: E402

SHARED_DATA = ROOT.parent / "shared" / "data"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options of every benchmark."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--threads", type=int, default=torch.get_num_threads())
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, help="also write the result here")
    return options


def held_out(folder: Path, count: int, *, side: int = 512) -> Tensor:
    """(count, 3, side, side) held-out pictures, centre squares, equally from every kind."""
    chosen = spread_over_kinds(held_out_pictures(folder), count)
    return torch.cat([load_square(path, side) for path in chosen])


def spread_over_kinds(kinds: dict[str, list[Path]], count: int) -> list[Path]:
    """Up to so many pictures, equally from every kind and evenly spread within one."""
    queues = [list(kinds[kind]) for kind in sorted(kinds)]
    chosen: list[Path] = []
    while len(chosen) < count and any(queues):
        # The middle one first, then the middle of what is left.
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop(len(queue) // 2))
    return chosen


def load_square(path: Path, side: int) -> Tensor:
    """The centre square of a picture at (1, 3, side, side), on the 8-bit grid."""
    with Image.open(path) as picture:
        pixels = np.array(picture.convert("RGB"))
    short = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - short) // 2, (pixels.shape[1] - short) // 2
    square = torch.from_numpy(pixels[top : top + short, left : left + short]).permute(2, 0, 1)
    return (resize(square[None].float(), side, side).clamp(0, 255)).round() / 255


class Kept:
    """What was made for each picture, in a file of the cache where there is one."""

    def __init__(self, cache: Path | None, name: str) -> None:
        self._file = None if cache is None else cache / name
        self.things: dict[str, dict[str, Any]] = {}
        if self._file is not None and self._file.is_file():
            self.things = torch.load(self._file)

    def add(self, path: Path, thing: dict[str, Any]) -> None:
        """Keep one more."""
        self.things[str(path)] = thing
        if self._file is not None:
            torch.save(self.things, self._file)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table, as the README carries it."""
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def finish(options: argparse.Namespace, result: dict[str, Any]) -> None:
    """Print where the result came from; write it where asked."""
    settings = {key: str(value) for key, value in vars(options).items()}
    whole = {"settings": settings, "provenance": provenance(), **result}
    print("\n" + ", ".join(f"{key} {value}" for key, value in whole["provenance"].items()))
    if options.json:
        options.json.write_text(json.dumps(whole, indent=2), "utf-8")


def peak_memory() -> float:
    """Peak resident memory of this process so far, in MB.

    Linux's ``VmHWM``: unlike ``getrusage`` it does not start with what the parent had.
    """
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
