"""How near the embedded codec comes to its teacher, on held-out photos (README, Weights).

python benchmarks/codec.py --images FOLDER --teacher TAESD_ENCODER
"""

from __future__ import annotations

from pathlib import Path

import torch
from common import SHARED_DATA, finish, load_square, parser, print_table

from fixative import load_codec
from fixative.metrics import psnr
from fixative.training.splits import held_out_pictures


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--images", type=Path, default=SHARED_DATA / "images")
    options.add_argument("--teacher", default=str(SHARED_DATA / "taesd/taesd_encoder.safetensors"))
    options.add_argument("--codec", default="embedded")
    options.add_argument("--kind", default="photos")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    paths = held_out_pictures(chosen.images)[chosen.kind]
    student, teacher = load_codec(chosen.codec), load_codec(chosen.teacher)
    own, theirs, decibels = [], [], []
    with torch.no_grad():
        for path in paths:
            picture = load_square(path, 512)
            own.append(student.encode(picture))
            theirs.append(teacher.encode(picture))
            trips = (student.decode(own[-1]), teacher.decode(theirs[-1]))
            decibels.append([psnr(trip, picture).item() for trip in trips])
    a, b = torch.cat(own), torch.cat(theirs)
    correlations = [
        torch.corrcoef(torch.stack([a[:, c].flatten(), b[:, c].flatten()]))[0, 1].item()
        for c in range(a.shape[1])
    ]
    means = torch.tensor(decibels).mean(0).tolist()
    told = " / ".join(f"{c:.3f}" for c in correlations)
    rows = [
        ["correlation of latents with the teacher's, by channel", told],
        ["round trip PSNR, embedded", f"{means[0]:.2f} dB"],
        ["round trip PSNR, teacher", f"{means[1]:.2f} dB"],
    ]
    print_table(["on held-out pictures at 512", "figure"], rows)
    print(f"\n{len(paths)} held-out {chosen.kind}, codec {student.name}, teacher {teacher.name}")
    finish(chosen, {"correlations": correlations, "psnr": means})


if __name__ == "__main__":
    main()
