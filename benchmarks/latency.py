"""How long protecting takes beside its parts and PGD, in one run on one codec (README, Speed).

python benchmarks/latency.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from common import ROOT, finish, parser, peak_memory, print_table

from fixative import Protector, ProtectSettings, load_codec, load_mixture
from fixative.perceptual import load_visibility_map
from fixative.protections.photoguard import PhotoGuard

SIZES = (512, 1024, 2048, 4096)
PGD_STEPS, SCALED_STEPS = 10, 200


def picture(side: int) -> torch.Tensor:
    """Smooth noise on the 8-bit grid, (1, 3, side, side)."""
    small = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(small, (side, side), mode="bicubic")
    return (large.clamp(0, 1) * 255).round() / 255


def timed(action: Callable[[], Any], repeats: int) -> float:
    """Median seconds of ``repeats`` calls after one to warm up."""
    action()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@torch.no_grad()
def encode_once(codec: Any, images: torch.Tensor) -> None:
    """The yardstick: one encode."""
    codec.encode(images)


def memory_above_loaded(side: int) -> float:
    """Peak MB of protecting one picture of ``side``² above the loaded program, in a new process."""
    program = (
        "import sys; sys.path[:0] = ['benchmarks']\n"
        "from latency import measure_memory\n"
        f"print(measure_memory({side}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def measure_memory(side: int) -> float:
    """Run in its own process: peak memory of a protect, less what a 512 protect already took."""
    protector = Protector(load_codec(), load_mixture())
    images = picture(side)
    torch.zeros(1)
    loaded = peak_memory()
    protector.protect(images)
    return peak_memory() - loaded


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    codec, mixture = load_codec(), load_mixture()
    protector = Protector(codec, mixture, ProtectSettings())
    half = picture(512)
    encode = timed(lambda: encode_once(codec, half), chosen.repeats)
    rows: list[list[object]] = [["one encode at 512", f"{encode:.2f}", "1.00", ""]]
    result: dict[str, Any] = {"encode_512": encode}
    for side in SIZES:
        images = picture(side)
        seconds = timed(lambda images=images: protector.protect(images), chosen.repeats)
        memory = memory_above_loaded(side)
        rows.append(
            [f"protect at {side}", f"{seconds:.2f}", f"{seconds / encode:.2f}", f"{memory:.0f}"]
        )
        result[f"protect_{side}"] = {"seconds": seconds, "peak_mb": memory}
    rows += _lpips_row(half, encode, chosen.repeats, result)
    target = mixture.target_latents[:1]
    attack = PhotoGuard(codec, target, steps=PGD_STEPS)
    start = time.perf_counter()
    attack.protect(half)
    scaled = (time.perf_counter() - start) * SCALED_STEPS / PGD_STEPS
    name = f"PhotoGuard PGD at 512, {SCALED_STEPS} steps (scaled from {PGD_STEPS})"
    rows.append([name, f"{scaled:.0f}", f"{scaled / encode:.0f}", ""])
    result["pgd_200_scaled"] = scaled
    result["pgd_over_protect"] = scaled / result["protect_512"]["seconds"]
    print_table(["what", "seconds", "× one encode", "peak MB above the loaded program"], rows)
    print(f"\nPGD takes {result['pgd_over_protect']:.0f} × as long as protect at 512.")
    finish(chosen, result)


def _lpips_row(
    images: torch.Tensor, encode: float, repeats: int, result: dict[str, Any]
) -> list[list[object]]:
    try:
        reference = load_visibility_map("lpips")
    except Exception as error:
        return [[f"LPIPS-Alex at 512: not measured ({error})", "", "", ""]]
    with torch.no_grad():
        seconds = timed(lambda: reference(images, 1 - images), repeats)
    result["lpips_512"] = seconds
    return [["LPIPS-Alex map at 512", f"{seconds:.2f}", f"{seconds / encode:.2f}", ""]]


if __name__ == "__main__":
    main()
