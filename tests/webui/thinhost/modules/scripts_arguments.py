"""What the hooks of a script are handed, and may change."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from typing import Any

from modules import thin


class PostprocessImageArgs:
    def __init__(self, image: Any, index: int = 0) -> None:
        self.image = image
        if thin.since(1, 10):
            self.index = index


class PostprocessBatchListArgs:
    def __init__(self, images: list[Any]) -> None:
        self.images = images


class PostSampleArgs:
    def __init__(self, samples: Any) -> None:
        self.samples = samples


class PostProcessMaskOverlayArgs:
    def __init__(self, index: int, mask_for_overlay: Any, overlay_image: Any) -> None:
        self.index, self.mask_for_overlay = index, mask_for_overlay
        self.overlay_image = overlay_image


MaskBlendArgs = PostProcessMaskOverlayArgs
