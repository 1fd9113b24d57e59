"""The visibility maps, each loaded once."""

from __future__ import annotations

from functools import lru_cache

from fixative.perceptual import VisibilityMap, load_visibility_map


@lru_cache(maxsize=2)
def visibility_map(name: str) -> VisibilityMap:
    """``learned`` or ``lpips``; see ``fixative.perceptual.load_visibility_map``."""
    return load_visibility_map(name)
