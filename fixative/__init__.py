"""Fixative: protects pictures against mimicry by personalised diffusion models.

    from fixative import Protector, load_codec, load_mixture

    protector = Protector(load_codec(), load_mixture())
    protected = protector.protect(images)          # (B, 3, H, W) in [0, 1]

The names below are imported when first used, so that the command line starts without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fixative.codecs import Codec, identify_family, load_codec
    from fixative.errors import FixativeError
    from fixative.mixture import Mixture, find_mixture, load_mixture
    from fixative.protections.base import Protected, Protection
    from fixative.protector import PictureReport, Protector, ProtectSettings

__version__ = "0.1.0"
__all__ = [
    "Codec",
    "FixativeError",
    "Mixture",
    "PictureReport",
    "ProtectSettings",
    "Protected",
    "Protection",
    "Protector",
    "find_mixture",
    "identify_family",
    "load_codec",
    "load_mixture",
]

_HOMES = {
    "Codec": "codecs",
    "identify_family": "codecs",
    "load_codec": "codecs",
    "FixativeError": "errors",
    "Mixture": "mixture",
    "find_mixture": "mixture",
    "load_mixture": "mixture",
    "Protected": "protections.base",
    "Protection": "protections.base",
    "PictureReport": "protector",
    "ProtectSettings": "protector",
    "Protector": "protector",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fixative' has no attribute {name!r}")
    return getattr(import_module(f"fixative.{_HOMES[name]}"), name)
