"""The host's folders: where mixtures are found and saved."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false
from __future__ import annotations

from pathlib import Path

import folder_paths

from fixative.weights import weights_folder

MODELS_FOLDER = "fixative"


def models_folder() -> Path:
    """``models/fixative`` of this host."""
    return Path(folder_paths.models_dir) / MODELS_FOLDER


def input_folder(name: str) -> Path:
    """A folder by its whole path, or as it is called in the host's input folder."""
    return Path(folder_paths.get_input_directory()) / name.strip()


def mixture_files() -> dict[str, Path]:
    """Mixture files in the host's models folder ``fixative/``, by the name shown."""
    names = folder_paths.get_filename_list(MODELS_FOLDER)
    return {
        name: Path(folder_paths.get_full_path_or_raise(MODELS_FOLDER, name))
        for name in names
        if name.endswith(".safetensors")
    }


def register_folders() -> None:
    """Tell the host about ``models/fixative``, and make it; offer the embedded VAE as ``taesd``.

    The embedded weights have the names that the stock *Load VAE* looks for, so that our example
    workflows run where no VAE was ever downloaded. Files of the user's own come first.
    """
    models_folder().mkdir(parents=True, exist_ok=True)
    folder_paths.add_model_folder_path(MODELS_FOLDER, str(models_folder()))
    folder_paths.add_model_folder_path("vae_approx", str(weights_folder()))
