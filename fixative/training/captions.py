"""Captions of the project's training pictures, from the folder layout of ``splits``."""

from __future__ import annotations

import re
from pathlib import Path

from fixative.mimicry.vocabulary import NOTHING, Caption

#: Parts of a subject folder's name that say what it shows; the first that fits is taken.
CLASSES = (
    "backpack plushie toy dog cat bowl can candle clock sneaker boot sunglasses emoji cartoon "
    "teapot vase"
).split()
#: What kinds of pictures are called in a caption, by folder.
KINDS = {
    "cartoons": "comic",
    "clipart": "clipart",
    "faces": "portrait",
    "natural": "photo",
    "objects": "photo",
    "paintings": "painting",
    "photos": "photo",
}


def caption_of(path: Path, kind: str) -> Caption:
    """Kind, class and instance of a picture file; an empty string where there is none."""
    first = KINDS.get(kind, NOTHING)
    if kind == "objects":
        subject = path.parent.name
        return first, subject_class(subject), subject
    if kind == "cartoons":
        episode = re.search(r"_(E\d+)", path.stem)
        return first, NOTHING, f"episode-{episode[1]}" if episode else NOTHING
    if kind == "faces":
        return first, "person", NOTHING
    if kind == "paintings":
        return first, NOTHING, re.split(r"[_\d]", path.stem)[0].lower()
    return first, NOTHING, NOTHING


def subject_class(subject: str) -> str:
    """What a subject's folder shows: ``dog6`` is a dog, ``wolf_plushie`` a plushie."""
    return next((name for name in CLASSES if name in subject), NOTHING)
