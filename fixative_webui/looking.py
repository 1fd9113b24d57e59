"""Inspect: is a picture protected already?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from fixative.detector import Detector
from fixative.mixture import load_mixture
from fixative.pictures import Picture
from fixative_webui import reports
from fixative_webui.pictures import picture_of
from fixative_webui.vae import mixture_to_look_for

if TYPE_CHECKING:
    from fixative_webui.settings import Options


@dataclass(frozen=True)
class Inspected:
    """What was found in one picture.

    Attributes:
        probability: that it is protected, 0 to 1, where half of all pictures are.
        verdict: the same in words.
        report: lines for a person.
        info: the same in JSON types, with every trace.
        notices: what the person must know, one sentence each.
    """

    probability: float
    verdict: str
    report: str
    info: dict[str, Any]
    notices: list[str] = field(default_factory=list[str])


def inspect(image: Image.Image | Picture, options: Options) -> Inspected:
    """Look for a mixture's perturbations, and for what any protection leaves.

    Needs no VAE of the host's: its numbers belong to Fixative's own.

    Args:
        image: as it was found, not resized.
        options: whose weights folder, where set, holds the mixture to look for.

    Raises:
        FixativeError: the image is refused, or the weights folder is.
    """
    picture = image if isinstance(image, Picture) else picture_of(image)
    path = mixture_to_look_for(options)
    with torch.inference_mode(False), torch.no_grad():
        [found] = _detector(path, path.stat().st_mtime_ns).inspect(picture.images())
    return Inspected(
        found.probability,
        found.verdict,
        reports.inspected(found, path.name),
        reports.inspected_facts(found, path.name),
        list(picture.notes),
    )


@lru_cache(maxsize=1)
def _detector(path: Path, changed_ns: int) -> Detector:
    """What it loads stays loaded, until the mixture's file changes."""
    del changed_ns
    return Detector(mixture=load_mixture(path))
