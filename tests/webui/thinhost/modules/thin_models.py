"""What the thin host finds on its disk: small real VAEs, with what each host does to its own."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from modules import script_loading, thin
from modules.paths_internal import script_path
from modules.shared_cmd_options import cmd_opts

KINDS = ("shipped", "half", "random")


def make(kind: str) -> Any:
    """A checkpoint with a VAE.

    Args:
        kind: ``shipped`` encodes as Fixative's own, ``half`` is that in float16, ``random`` has
            SD 1's layers and random numbers.
    """
    vaes = _vaes()
    vae = vaes.random_kl() if kind == "random" else vaes.ShippedAsKL()
    if kind == "half":
        vae.half()
    if thin.FORGE:
        vae = vaes.in_inference_mode(vae)
    if cmd_opts.medvram or cmd_opts.lowvram:
        vae = vaes.under_medvram(vae)
    return vaes.model_of(thin.FLAVOUR, vae.eval())


def _vaes() -> ModuleType:
    """The file beside the thin host, which needs the engine."""
    tests = Path(script_path).parent
    before = sys.path
    try:
        sys.path = [str(tests.parents[1]), *before]
        return script_loading.load_module(str(tests / "loaded_vaes.py"))
    finally:
        sys.path = before
