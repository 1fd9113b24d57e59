"""Load a denoiser by name or path."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from fixative.devices import require_device
from fixative.errors import SettingError
from fixative.mimicry.denoiser import Denoiser
from fixative.mimicry.testbed import FORMAT, TestbedDenoiser, load_testbed
from fixative.weights import read_metadata

log = logging.getLogger(__name__)

TESTBED = "testbed"
WHAT = "denoiser"


def load_denoiser(
    source: str | Path = TESTBED,
    *,
    device: torch.device | str | None = None,
    config: Path | None = None,
) -> Denoiser:
    """Load a latent diffusion model; nothing is ever downloaded.

    Args:
        source: ``testbed`` for the shipped one, a testbed's file, or Stable Diffusion 1, 2 or XL:
            a checkpoint of one file or a diffusers folder.
        device: where it runs. None: the processor for what is small, CUDA for the others; that
            a full-size model runs on the processor, which takes days, must be said (``cpu``).
        config: for a checkpoint of one file: a folder with its tokenizer, and with its
            configuration where it is not a usual one.

    Raises:
        FixativeError: nothing there, not a known format, no such device, or diffusers is missing.
    """
    if device is not None:
        require_device(str(device))
    path = Path(source)
    if is_testbed(source):
        chosen = None if str(source) == TESTBED else path
        with torch.inference_mode(False):  # or there would be no gradients
            return TestbedDenoiser(load_testbed(chosen), device=device or "cpu")
    if not path.exists():
        raise SettingError(
            f"{WHAT} {source}: no such file; give {TESTBED!r}, a checkpoint (.safetensors), or a "
            "diffusers folder"
        )
    from fixative.mimicry.checkpoint import load_checkpoint  # noqa: PLC0415 - an extra, and slow

    return load_checkpoint(path, device=device, config=config)


def is_testbed(source: str | Path) -> bool:
    """Whether ``load_denoiser`` would give a testbed, the shipped one or another."""
    path = Path(source)
    if str(source) == TESTBED:
        return True
    if not path.is_file() or path.suffix != ".safetensors":
        return False
    return f'"{FORMAT}"' in read_metadata(path).get("fixative", "")
