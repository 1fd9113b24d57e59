"""``fixative protect FOLDER``: pictures a second against the sum of its parts, by workers.

python benchmarks/throughput.py --images PICTURES

The bound is what the processes could do if each only decoded a picture, encoded it once with the
codec and wrote the protected one. The parts are timed in as many processes at once as there are
workers, with the workers' memory settings; the command's rate is read off its results' file times,
without the seconds in which it starts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import ROOT, finish, load_square, parser, print_table, spread_over_kinds
from PIL import Image

from fixative.batch import EngineChoice, build_protector
from fixative.batch.memory import KEEP_FREED, inherited
from fixative.pictures import OUTPUT_FORMATS, read_picture, write_picture
from fixative.pictures.picture import images_to_pixels
from fixative.steps import working_copies
from fixative.training.splits import held_out_pictures

PARTS = ("decode", "encode", "write")
#: Pictures that the parts are timed on.
TIMED = 6


def fill(folder: Path, images: Path, side: int, count: int) -> None:
    """Held-out pictures as squares of one size, shifted so that all differ."""
    chosen = spread_over_kinds(held_out_pictures(images), count)
    folder.mkdir(parents=True)
    for number in range(count):
        square = load_square(chosen[number % len(chosen)], side)[0]
        shifted = torch.roll(square, 8 * (number // len(chosen)), 2)
        pixels = (shifted * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(folder / f"{number:04}.png")


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and what it gives."""
    start = time.perf_counter()
    made = action()
    return time.perf_counter() - start, made


@torch.no_grad()
def time_parts(folder: Path) -> dict[str, float]:
    """Median seconds of each part in this process, on one thread, after one picture to warm up."""
    torch.set_num_threads(1)
    protector = build_protector(EngineChoice())
    codec = protector.codec
    seconds: dict[str, list[float]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory() as place:
        for path in sorted(folder.iterdir())[: TIMED + 1]:
            decoding, picture = timed(lambda path=path: read_picture(path))
            images = picture.images()
            # Of the protected picture: its file is larger than the original's.
            pixels = images_to_pixels(protector.protect(images).image)
            encoding, _ = timed(lambda images=images: codec.encode(working_copies(images)))
            writing, _ = timed(
                lambda picture=picture, path=path, pixels=pixels: write_picture(
                    picture, pixels, Path(place) / path.name, output=OUTPUT_FORMATS["png"]
                )
            )
            for part, value in zip(PARTS, (decoding, encoding, writing), strict=True):
                seconds[part].append(value)
    return {part: statistics.median(values[1:]) for part, values in seconds.items()}


def parts_at_once(folder: Path, processes: int) -> dict[str, float]:
    """The parts' seconds where so many processes do the same at once; their mean."""
    command = [sys.executable, __file__, "--parts", str(folder)]
    with inherited(KEEP_FREED):
        running = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
    told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    return {part: statistics.mean(one[part] for one in told) for part in PARTS}


def rate(folder: Path, workers: int) -> float:
    """Pictures a second of the command once it runs."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "fixative", "protect", str(folder), "--out", place]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [*command, "--workers", str(workers)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        ends = sorted(path.stat().st_mtime for path in Path(place).glob("*.png"))
    warm = 2 * workers  # the workers do not begin at the same moment
    return (len(ends) - warm) / (ends[-1] - ends[warm - 1])


def measure(images: Path, side: int, count: int, workers: list[int]) -> list[dict[str, Any]]:
    """One row for each number of workers."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        fill(folder, images, side, count)
        for number in workers:
            parts = parts_at_once(folder, number)
            bound, reached = number / sum(parts.values()), rate(folder, number)
            row = {"side": side, "workers": number, "bound": bound, "rate": reached, **parts}
            print(json.dumps(row), file=sys.stderr)
            rows.append(row)
    return rows


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    rows: list[dict[str, Any]] = []
    for side, count in zip(options.sides, options.counts, strict=True):
        rows += measure(options.images, side, count, options.workers)
    first = {row["side"]: row["rate"] for row in reversed(rows)}
    print_table(
        ["side", "workers", "decode + encode + write, s", "pictures/s", "of the bound", "× one"],
        [
            [
                row["side"],
                row["workers"],
                " + ".join(f"{row[part]:.2f}" for part in PARTS),
                f"{row['rate']:.2f}",
                f"{row['rate'] / row['bound']:.0%}",
                f"{row['rate'] / first[row['side']]:.2f}",
            ]
            for row in rows
        ],
    )
    finish(options, {"rows": rows})


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--images", type=Path, help="folder of kinds, as for the trainings")
    arguments.add_argument("--sides", type=int, nargs="+", default=[512, 2048])
    arguments.add_argument("--counts", type=int, nargs="+", default=[40, 24])
    arguments.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--parts", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.parts is not None:
        print(json.dumps(time_parts(given.parts)))
    elif given.images is None:
        arguments.error("--images: expected a folder of pictures")
    else:
        main(given)
