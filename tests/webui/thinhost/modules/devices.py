"""The device: a CPU, unless told otherwise."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import contextlib
import os
from contextlib import AbstractContextManager

import torch

cpu = torch.device("cpu")
device = torch.device(os.environ.get("FIXATIVE_THIN_DEVICE", "cpu"))
dtype = dtype_vae = dtype_unet = torch.float32 if device.type == "cpu" else torch.float16
#: How often memory was given back; tests read it.
collections = 0


class NansException(Exception):  # noqa: N818 - the host's name
    """A network gave no numbers."""


def get_optimal_device() -> torch.device:
    return device


def get_device_for(task: str) -> torch.device:
    return device


def torch_gc() -> None:
    global collections
    collections += 1
    if device.type == "cuda":
        torch.cuda.empty_cache()


def autocast(disable: bool = False) -> AbstractContextManager[object]:
    if disable or dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast("cuda")


def without_autocast(disable: bool = False) -> AbstractContextManager[object]:
    if torch.is_autocast_enabled() and not disable:
        return torch.autocast("cuda", enabled=False)
    return contextlib.nullcontext()
