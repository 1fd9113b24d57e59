"""Where each host keeps the loaded checkpoint's VAE, looked at without loading anything."""

# pyright: reportMissingImports=false
from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from modules import devices, sd_models
from torch import nn

from fixative_webui.host.about import is_forge
from fixative_webui.host.private import UnusableVaeError

#: How long a load that is under way is waited for, in seconds.
LOADING = 120
#: Room on the device for a float32 copy and one pass at 512 × 512, in bytes.
ROOM = 2 << 30


@dataclass(frozen=True)
class LoadedVae:
    """The host's own module, never to be changed, and where the host would run it."""

    module: nn.Module
    device: torch.device


def loaded_vae() -> LoadedVae:
    """The VAE of the checkpoint that is loaded now.

    Raises:
        UnusableVaeError: none is, or it has none.
    """
    with _no_load_under_way():
        model = getattr(sd_models.model_data, "sd_model", None)
    found = _of_forge(model) if is_forge() else _of_a1111(model)
    if found is None:
        raise UnusableVaeError(
            "no checkpoint is loaded",
            "choose one at the top of the page and generate a picture, or choose Fixative's own "
            "VAE (embedded)",
        )
    return found


def make_room(device: torch.device) -> None:
    """Have the host put aside what it may, so that a copy fits on the device."""
    if device.type == "cpu":
        return
    if is_forge():
        importlib.import_module("backend.memory_management").free_memory(ROOM, device)
    else:  # what --medvram and --lowvram have left there; nothing without them
        importlib.import_module("modules.lowvram").send_everything_to_cpu()


def _of_a1111(model: Any) -> LoadedVae | None:
    module = getattr(model, "first_stage_model", None)
    return LoadedVae(module, devices.device) if isinstance(module, nn.Module) else None


def _of_forge(model: Any) -> LoadedVae | None:
    """None before the first use, when a stand-in without ``forge_objects`` is there."""
    vae: Any = getattr(getattr(model, "forge_objects", None), "vae", None)
    module = getattr(vae, "first_stage_model", None)
    return LoadedVae(module, vae.device) if isinstance(module, nn.Module) else None


@contextmanager
def _no_load_under_way() -> Generator[None, None, None]:
    """Wait until the host has loaded the checkpoint that it loads when it starts."""
    lock = getattr(sd_models.model_data, "lock", None)  # A1111's; Forge loads in its queue
    held = lock is not None and lock.acquire(timeout=LOADING)
    try:
        yield
    finally:
        if lock is not None and held:
            lock.release()
