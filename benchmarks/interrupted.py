"""``fixative protect FOLDER`` killed again and again, and how much memory it takes.

python benchmarks/interrupted.py kills --pictures 300 --times 20
python benchmarks/interrupted.py memory --counts 100 5000

Kills are SIGKILL to the command at random moments of its work; its workers find
out by themselves. The results are compared, bit for bit, with those of a run in peace. Memory is
the peak of all processes together, sampled; with a narrow random codec, because a picture's share
of it does not matter here and 5,000 real encodes would take hours (``--codec embedded`` does them).
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from common import ROOT, finish, parser, print_table

from tests.streaming import files, fill
from tests.toy_models import save_models


def start(folder: Path, out: str, codec: str) -> subprocess.Popen[bytes]:
    """The command over ``folder/in``, in a session of its own."""
    models = [] if codec == "embedded" else save_models(folder).arguments()
    command = [sys.executable, "-m", "fixative", "protect", "in", "--out", out, *models]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def results(folder: Path) -> int:
    """How many pictures are there whole."""
    return sum(1 for _ in folder.rglob("*.png"))


def kill_at_random(folder: Path, codec: str, noise: random.Random, most: int) -> int:
    """Kill one run some moment after it made up to so many results; how many there are then."""
    enough = results(folder / "killed") + noise.randint(1, most)
    process = start(folder, "killed", codec)
    while process.poll() is None and results(folder / "killed") < enough:
        time.sleep(0.002)
    time.sleep(noise.uniform(0, 0.05 if codec == "narrow" else 1))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it had ended before; give more pictures"
    return results(folder / "killed")


def kills(options: argparse.Namespace) -> None:
    """Kill, go on, compare."""
    noise = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder / "in", options.pictures)
        assert start(folder, "whole", options.codec).wait() == 0
        most = options.pictures // (options.times + 1)  # so that all fall within the job
        done = [kill_at_random(folder, options.codec, noise, most) for _ in range(options.times)]
        code = start(folder, "killed", options.codec).wait()
        whole, killed = files(folder / "whole"), files(folder / "killed")
        pictures = {name: data for name, data in killed.items() if name.endswith(".png")}
        rest = sorted(set(killed) - set(pictures))
    equal = sum(pictures.get(name) == data for name, data in whole.items())
    print(f"results after each kill: {done}; exit code of the last run {code}")
    print(f"{len(whole)} in peace, {len(pictures)} after the kills, {equal} equal; others: {rest}")
    finish(options, {"after_each": done, "whole": len(whole), "equal": equal, "rest": rest})


def peak(process: subprocess.Popen[bytes]) -> float:
    """Most MB that a command and its workers had at a time, sampled ten times a second."""
    most, root = 0, psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [root, *root.children(recursive=True)]
            most = max(most, sum(one.memory_info().rss for one in family))
        except psutil.NoSuchProcess:
            continue
        time.sleep(0.1)
    return most / 2**20


def memory(options: argparse.Namespace) -> None:
    """Peak memory by the number of pictures."""
    rows: list[list[object]] = []
    for count in options.counts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            fill(folder / "in", count)
            rows.append([count, round(peak(start(folder, "out", options.codec)))])
            assert len(files(folder / "out")) == count
    print_table(["pictures", "peak MB, all processes"], rows)
    finish(options, {"rows": rows})


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("what", choices=["kills", "memory"])
    arguments.add_argument("--pictures", type=int, default=300)
    arguments.add_argument("--times", type=int, default=20)
    arguments.add_argument("--counts", type=int, nargs="+", default=[100, 5000])
    arguments.add_argument("--codec", choices=["narrow", "embedded"], default="narrow")
    given = arguments.parse_args()
    (kills if given.what == "kills" else memory)(given)
