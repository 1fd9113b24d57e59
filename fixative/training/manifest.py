"""Write ``manifest.json`` beside weights: what each file is, its hash, recipe, data and licence.

python -m fixative.training.manifest weights
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from fixative.weights import MANIFEST, read_metadata

LICENCE = "MIT"
DATA = (
    "DreamBooth subjects (CC BY 4.0, Unsplash), Pepper&Carrot by David Revoy (CC BY 4.0), Kodak "
    "and Unsplash photos, public-domain clip art, official portraits and paintings, ImageNet "
    "sample; the held-out part (fixative/training/splits.py) was never trained on"
)
#: File name → kind, latent family, and what it was learnt from.
FILES = {
    "taesd_encoder.safetensors": ("codec-encoder", "sd1", "distilled from TAESD (MIT)"),
    "taesd_decoder.safetensors": ("codec-decoder", "sd1", "distilled from TAESD (MIT)"),
    "mixture_sd1.safetensors": ("mixture", "sd1", "attacks TAESD (MIT) and the embedded codec"),
    "strength_map.safetensors": (
        "strength-map",
        None,
        "distilled from LPIPS-Alex (BSD-2) on AlexNet (BSD-3)",
    ),
    "detector.safetensors": (
        "detector",
        None,
        "logistic regression on traces that the embedded codec and the mixture show",
    ),
    "testbed.safetensors": (
        "mimicry-testbed",
        "sd1",
        "a latent diffusion model on latents of the embedded codec",
    ),
    "family_probes.safetensors": (
        "family-probes",
        None,
        "latents of a drawn picture by TAESD, TAESDXL, TAEF1 (MIT)",
    ),
}


def write_manifest(folder: Path) -> None:
    """Describe every known weights file in ``folder``."""
    entries = {name: _entry(folder / name) for name in FILES if (folder / name).is_file()}
    text = json.dumps({"version": 1, "files": entries}, indent=2) + "\n"
    partial = folder / f"{MANIFEST}.partial"
    partial.write_text(text, "utf-8")
    os.replace(partial, folder / MANIFEST)


def _entry(path: Path) -> dict[str, Any]:
    kind, family, origin = FILES[path.name]
    content = path.read_bytes()
    described = json.loads(read_metadata(path).get("fixative", "{}"))
    return {
        "kind": kind,
        "family": family,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "licence": LICENCE,
        "origin": origin,
        "data": None if kind == "family-probes" else DATA,
        "recipe": described.get("recipe", described),
    }


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    write_manifest(arguments.parse_args().folder)
