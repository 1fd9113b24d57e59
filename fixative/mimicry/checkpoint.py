"""Load Stable Diffusion 1, 2 and XL from the disk, where there is a place to run it."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import safetensors
import torch

from fixative.errors import FixativeError, SettingError, WeightsError
from fixative.mimicry.diffusers_model import DiffusersDenoiser
from fixative.mimicry.model_folder import UNET, read_folder
from fixative.mimicry.single_file import NETWORK, read_file

#: A network of more parameters is full-size: a LoRA on a processor would take days.
FULL_SIZE = 100_000_000
_PACKAGES = ("diffusers", "transformers")


def load_checkpoint(
    path: Path, *, device: torch.device | str | None = None, config: Path | None = None
) -> DiffusersDenoiser:
    """Load a model; nothing is ever downloaded.

    Args:
        path: a diffusers folder, or a .safetensors file with network and text encoders.
        device: where it runs; None: CUDA for a full-size one, the processor for a small one.
        config: for one file: a folder with its tokenizer, and with settings that differ from the
            usual ones; otherwise looked for beside the file, under its name.

    Raises:
        FixativeError: not such a model, something of it is missing, or there is no GPU.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise FixativeError(
            f"denoiser {path.name}: needs {' and '.join(missing)}; pip install 'fixative[mimic]'"
        )
    if config is not None and not config.is_dir():
        raise SettingError(f"denoiser {path.name}: no folder {config} for its settings")
    home = torch.device(device or _place_for(path))
    kind = torch.float32
    if home.type == "cuda":
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    try:
        with torch.inference_mode(False):  # or there would be no gradients
            parts = read_folder(path, kind) if path.is_dir() else read_file(path, config, kind)
            return DiffusersDenoiser(parts, name=path.name, device=home)
    except FixativeError:
        raise
    except Exception as error:  # what libraries raise of a broken model has no common base
        told = " ".join(str(error).split())[:300]
        raise WeightsError(
            f"denoiser {path.name}: cannot be read as Stable Diffusion 1, 2 or XL "
            f"({type(error).__name__}: {told}); get it again, or give another"
        ) from error


def parameters_of(path: Path) -> int:
    """How many parameters a model's network has, read off the headers of its files."""
    if path.is_dir():
        files, prefix = sorted((path / UNET).glob("*.safetensors")), ""
    else:
        files, prefix = [path], NETWORK
    return sum(_parameters_in(file, prefix) for file in files)


def _place_for(path: Path) -> str:
    """Where it runs, if nobody says where.

    Raises:
        SettingError: it is full-size and there is no GPU.
    """
    count = parameters_of(path)
    if count <= FULL_SIZE:
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    raise SettingError(
        f"denoiser {path.name}: is a full-size model ({count / 1e6:.0f} million parameters), and "
        "there is no GPU here; on the processor a test takes days. Use the testbed, or say "
        "--device cpu if you want that"
    )


def _parameters_in(file: Path, prefix: str) -> int:
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            keys = [key for key in opened.keys() if key.startswith(prefix)]  # noqa: SIM118
            return sum(math.prod(opened.get_slice(key).get_shape()) for key in keys)
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(
            f"denoiser {file.name}: is not a whole safetensors file ({error}); get it again"
        ) from error
