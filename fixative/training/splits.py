"""Which pictures are kept out of every training run, so that they can be measured on.

The rules are by name, for the folder layout of the project's training pictures: one folder a kind
(``objects``, ``cartoons``, …), one folder a subject below ``objects`` and ``paintings``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from fixative.training.pictures import kind_of

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
HELD_OUT_SUBJECTS = frozenset(
    "dog6 cat2 backpack_dog rc_car vase wolf_plushie robot_toy teapot van_gogh".split()
)
FIRST_HELD_OUT_EPISODE = 17
FIRST_HELD_OUT_KODAK = 17
#: Kinds whose last N pictures by name are held out.
HELD_OUT_TAIL = {"faces": 30, "natural": 100}


def pictures_by_kind(folder: Path) -> dict[str, list[Path]]:
    """List the pictures below ``folder``, sorted, by the first-level folder they lie in."""
    kinds: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            kinds[kind_of(path, folder)].append(path)
    return dict(kinds)


def training_pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures that may be trained on, by kind."""
    return _select(folder, held_out=False)


def held_out_pictures(folder: Path) -> dict[str, list[Path]]:
    """The pictures that are for measuring only, by kind."""
    return _select(folder, held_out=True)


def _select(folder: Path, *, held_out: bool) -> dict[str, list[Path]]:
    chosen: dict[str, list[Path]] = {}
    for kind, paths in pictures_by_kind(folder).items():
        tail = set(paths[-HELD_OUT_TAIL[kind] :]) if kind in HELD_OUT_TAIL else set[Path]()
        chosen[kind] = [p for p in paths if (p in tail or _held_out_by_name(p)) == held_out]
    return {kind: paths for kind, paths in chosen.items() if paths}


def _held_out_by_name(path: Path) -> bool:
    if HELD_OUT_SUBJECTS.intersection(path.parts):
        return True
    episode = re.search(r"_E(\d+)", path.stem)
    if episode and int(episode[1]) >= FIRST_HELD_OUT_EPISODE:
        return True
    kodak = re.search(r"kodim(\d+)", path.stem)
    return bool(kodak and int(kodak[1]) >= FIRST_HELD_OUT_KODAK)
