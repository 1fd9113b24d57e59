"""Where PyTorch can compute here."""

from __future__ import annotations

import torch

from fixative.errors import SettingError


def require_device(name: str) -> None:
    """Refuse a device that torch cannot compute on here.

    Raises:
        SettingError: it cannot.
    """
    try:
        torch.zeros((), device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        told = str(error).partition("\n")[0]
        raise SettingError(f"device: {name!r} cannot be used here ({told}); try cpu") from error
