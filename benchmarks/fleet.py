"""Pictures a second by Ray on this machine, and what ten million would take at that rate.

python -m benchmarks.fleet --workers 2 --pictures 512:40 2048:20

The rate is that of workers that are at work: starting Ray and loading the engine are told apart.
The second line of a size is the same command again, which finds all done.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from fixative.fleet import FleetRequest, FleetRow, run_fleet


def save_pictures(folder: Path, side: int, count: int) -> None:
    """PNGs of smooth shapes with some noise, each another one, the same every time."""
    folder.mkdir(parents=True)
    for number in range(count):
        noise = np.random.default_rng(number)
        coarse = Image.fromarray(noise.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
        rough = smooth + noise.integers(-6, 7, smooth.shape)
        Image.fromarray(np.clip(rough, 0, 255).astype(np.uint8)).save(folder / f"{number:04d}.png")


def rate(source: Path, out: Path, workers: int) -> tuple[str, float, float]:
    """What became of the pictures, pictures a second of busy workers, and seconds in all."""
    stamps: list[tuple[float, str]] = []

    def on_row(row: FleetRow, found: int) -> None:
        del found
        stamps.append((time.perf_counter(), row.status))

    request = FleetRequest(str(source), str(out), workers=(workers, workers))
    summary = run_fleet(request, on_row=on_row)
    begun, ended = stamps[0][0], stamps[-1][0]
    (status,) = {status for _, status in stamps}
    return status, (len(stamps) - 1) / (ended - begun), summary.seconds


def main() -> None:
    """Print a line a size and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pictures", nargs="+", default=["512:40", "2048:20"])
    parser.add_argument("--price", type=float, default=0.04, help="of a core for an hour")
    wanted = parser.parse_args()
    print("| px | result | pictures/s a core | in all, s | core-hours a million | for 10 million |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for text in wanted.pictures:
            side, count = map(int, text.split(":"))
            folder = Path(name, text.replace(":", "x"))
            save_pictures(folder / "in", side, count)
            for _ in range(2):
                status, busy, whole = rate(folder / "in", folder / "out", wanted.workers)
                hours = 1e6 * wanted.workers / busy / 3600
                numbers = f"{busy / wanted.workers:.2f} | {whole:.1f} | {hours:.0f}"
                print(f"| {side} | {status} | {numbers} | {10 * hours * wanted.price:.0f} |")


if __name__ == "__main__":
    main()
