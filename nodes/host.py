"""The one place that touches ComfyUI: its VAE, its folders, its progress and its interrupt."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import comfy.model_management
import comfy.utils
import folder_paths
from PIL.Image import Image
from server import PromptServer
from torch import Tensor

from fixative.codecs import SCALINGS, CallableCodec, Codec, identify_family

MODELS_FOLDER = "fixative"
PREVIEW_SIDE = 512

#: Family of each VAE met so far. It does not keep a VAE alive: a codec, which would, is made anew.
_families: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

Item = TypeVar("Item")


def codec_of(vae: Any) -> Codec:
    """The engine's view of a VAE from the graph, for encoding without gradients.

    The host's ``encode`` is used as it is: it loads, casts and offloads, and gives the mean
    latents before the model's scaling, which is added here once the family is known.
    """
    family = _families.get(vae)
    if family is None:
        family = identify_family(_callable_codec(vae)).family
        _families[vae] = family
    return _callable_codec(vae, family)


def _callable_codec(vae: Any, family: str = "unknown") -> Codec:
    scaling = SCALINGS.get(family)
    scale, shift = (scaling.scale, scaling.shift) if scaling else (1.0, 0.0)

    def encode(images: Tensor) -> Tensor:
        return (vae.encode(images.movedim(1, -1)) - shift) * scale

    return CallableCodec(
        encode,
        name="the graph's VAE",
        latent_channels=int(vae.latent_channels),
        downscale=int(vae.spacial_compression_encode()),
        family=family,
    )


def mixture_files() -> dict[str, Path]:
    """Mixture files in the host's models folder ``fixative/``, by the name shown."""
    names = folder_paths.get_filename_list(MODELS_FOLDER)
    return {
        name: Path(folder_paths.get_full_path_or_raise(MODELS_FOLDER, name))
        for name in names
        if name.endswith(".safetensors")
    }


def register_models_folder() -> None:
    """Tell the host about ``models/fixative``, and make it."""
    folder = Path(folder_paths.models_dir) / MODELS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    folder_paths.add_model_folder_path(MODELS_FOLDER, str(folder))


class Progress:
    """Progress of one node run: a bar, a preview, a line of text; stops where the user stops.

    Args:
        total: number of steps.
        node_id: the node's id in the graph, or None.
    """

    def __init__(self, total: int, node_id: str | None) -> None:
        self._bar = comfy.utils.ProgressBar(total, node_id=node_id)
        self._total, self._node_id = total, node_id

    def each(self, items: Sequence[Item]) -> Iterator[tuple[int, Item]]:
        """Go through the items by number; the host's interrupt is raised between them."""
        for number, item in enumerate(items):
            comfy.model_management.throw_exception_if_processing_interrupted()
            yield number, item

    def done(self, count: int, text: str, preview: Image) -> None:
        """Show that ``count`` steps are done."""
        if self._node_id is not None:
            PromptServer.instance.send_progress_text(text, self._node_id)
        self._bar.update_absolute(count, self._total, ("JPEG", preview, PREVIEW_SIDE))
